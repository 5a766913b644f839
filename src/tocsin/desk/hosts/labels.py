"""States of hosts and of what they are asked, in words."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.translations import N_
from tocsin.response.hosts.live_queries import QueryState

STATE_LABELS: Mapping[str, str] = {
    QueryState.WAITING.value: N_("waiting for the host"),
    QueryState.SENT.value: N_("sent"),
    QueryState.ANSWERED.value: N_("answered"),
    QueryState.FAILED.value: N_("failed"),
    QueryState.NO_ANSWER.value: N_("no answer in time"),
    QueryState.CANCELLED.value: N_("cancelled"),
}
PLATFORM_LABELS: Mapping[str, str] = {"windows": "Windows", "linux": "Linux", "darwin": "macOS"}
# Seconds for which a query may wait, in words.
TIME_LIMITS: Mapping[int, str] = {
    60: N_("1 minute"),
    300: N_("5 minutes"),
    1_800: N_("30 minutes"),
    14_400: N_("4 hours"),
    86_400: N_("1 day"),
}
