"""What the index of alerts is called, and which patterns take it."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.store.patterns import takes

ALERTS_INDEX = ".alerts-security.alerts-default"
# Kibana's name of the index behind the alias.
ALERTS_NAMES = (ALERTS_INDEX, ".internal.alerts-security.alerts-default-000001")


def takes_alerts(patterns: Sequence[str]) -> bool:
    """Return whether patterns take the alerts, a hidden index: only patterns that begin with a dot can."""
    hidden = [p for p in patterns if p.lstrip("-").startswith(".")]
    return any(takes(hidden, name) for name in ALERTS_NAMES) if hidden else False
