"""Words for what alerts' fields hold: severities, states, reasons; and for what a change of an alert is of."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.alerts.labels import REASON_LABELS
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
