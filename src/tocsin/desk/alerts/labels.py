"""What the desk calls the reasons for closing alerts, and how long a note of them may be."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.translations import N_

# In the order in which a form offers them; Kibana's names.
REASON_LABELS: Mapping[str, str] = {
    "false_positive": N_("False positive"),
    "benign_positive": N_("Benign positive"),
    "true_positive": N_("True positive"),
    "duplicate": N_("Duplicate"),
    "automated_closure": N_("Automated closure"),
    "other": N_("Other"),
}
LONGEST_NOTE = 30_000  # characters
