"""Words for what alerts' fields hold: severities, states."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.translations import N_

# By the values of those fields, which filters are written with in every language.
WORDS: Mapping[str, str] = {
    "low": N_("low"),
    "medium": N_("medium"),
    "high": N_("high"),
    "critical": N_("critical"),
    "open": N_("open"),
    "acknowledged": N_("acknowledged"),
    "closed": N_("closed"),
}
