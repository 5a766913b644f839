"""Words for what alerts' fields hold: severities, states, reasons; and for what a change of an alert is of."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.alerts.labels import REASON_LABELS
from tocsin.desk.translations import N_

# Units of time, by what spans of time have them as.
UNIT_WORDS: Mapping[str, str] = {
    "ms": N_("%(count)s ms"), "s": N_("%(count)s s"), "m": N_("%(count)s min"), "min": N_("%(count)s min"),
    "h": N_("%(count)s h"), "d": N_("%(count)s d"), "w": N_("%(count)s weeks"), "y": N_("%(count)s y"),
}  # fmt: skip
# By the values of those fields, which filters are written with in every language.
WORDS: Mapping[str, str] = {
    "low": N_("low"),
    "medium": N_("medium"),
    "high": N_("high"),
    "critical": N_("critical"),
    "open": N_("open"),
    "acknowledged": N_("acknowledged"),
    "closed": N_("closed"),
    "in-progress": N_("in progress"),
    "cases": N_("Cases"),
    **REASON_LABELS,
    "status": N_("Status"),
    "reason": N_("Reason"),
    "note": N_("Note"),
    "step": N_("Step"),
    "tags": N_("Tags"),
    "assignees": N_("Assignees"),
}
