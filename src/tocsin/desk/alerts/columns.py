"""The columns of a list of alerts: those that have a form of their own, and any field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.desk.translations import N_
from tocsin.investigation.happened import SENTENCE_FIELDS

MOST_COLUMNS, LONGEST_NAME = 24, 256
_SEVERITY, _RISK = "kibana.alert.severity", "kibana.alert.risk_score"


@dataclass(frozen=True)
class AlertColumn:
    """A column: its name in an address, the fields that it shows, in a form, and the one that it is sorted by.

    Forms are severity, moment, rule, sentence, value and field; the last is a field that has no column of its own.
    """

    name: str
    label: str
    fields: tuple[str, ...]
    form: str = "value"
    sort: str = ""
    descending: bool = False  # what the first click on its head asks for


_COLUMNS = (
    AlertColumn("severity", N_("Severity"), (_SEVERITY, _RISK), "severity", _RISK, descending=True),
    AlertColumn("time", N_("Raised"), ("@timestamp",), "moment", "@timestamp", descending=True),
    AlertColumn("rule", N_("Rule"), ("kibana.alert.rule.name",), "rule", "kibana.alert.rule.name"),
    AlertColumn("host", N_("Host"), ("host.name",), sort="host.name"),
    AlertColumn("user", N_("User"), ("user.name",), sort="user.name"),
    AlertColumn("happened", N_("What happened"), tuple(SENTENCE_FIELDS), "sentence"),
    AlertColumn("status", N_("Status"), ("kibana.alert.workflow_status",), sort="kibana.alert.workflow_status"),
    AlertColumn("reason", N_("Reason"), ("kibana.alert.reason",)),
    AlertColumn("tactic", N_("Tactic"), ("kibana.alert.rule.threat.tactic.name",)),
    AlertColumn("technique", N_("Technique"), ("kibana.alert.rule.threat.technique.name",)),
    AlertColumn("tags", N_("Tags"), ("kibana.alert.workflow_tags",)),
    AlertColumn("assignees", N_("Assignees"), ("kibana.alert.workflow_assignee_ids",)),
    AlertColumn(
        "event-time", N_("Time of the event"), ("kibana.alert.original_time",), "moment",
        "kibana.alert.original_time", descending=True,
    ),
)  # fmt: skip
COLUMNS: Mapping[str, AlertColumn] = {column.name: column for column in _COLUMNS}
DEFAULT_COLUMNS = ("severity", "time", "event-time", "rule", "host", "user", "happened", "status")


def column_of(name: str) -> AlertColumn:
    """Return the column of a name; one that no column has is a field's."""
    return COLUMNS.get(name) or AlertColumn(name, name, (name,), "field", name)


def read_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns, each once, as many as a list has; the usual ones where none is named."""
    known = [name for name in dict.fromkeys(map(str.strip, names)) if name and len(name) <= LONGEST_NAME]
    return tuple(known[:MOST_COLUMNS]) or DEFAULT_COLUMNS


def with_column(columns: Sequence[str], name: str) -> tuple[str, ...]:
    """Return columns with one more, at the end."""
    return read_columns([*columns, name])


def without_column(columns: Sequence[str], name: str) -> tuple[str, ...]:
    """Return columns without one."""
    return tuple(column for column in columns if column != name)


def moved_column(columns: Sequence[str], name: str, step: int) -> tuple[str, ...]:
    """Return columns in which one stands so many places further to the right, to the left where less than 0."""
    others = list(without_column(columns, name))
    place = max(0, min(len(others), list(columns).index(name) + step))
    return (*others[:place], name, *others[place:])
