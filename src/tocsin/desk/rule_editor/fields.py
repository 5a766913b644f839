"""The fields of a rule's form: which member of the document each has, how, for rules of which types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.desk.rule_editor import values as v
from tocsin.desk.translations import N_

_QUERIES = frozenset({"query", "saved_query", "threshold", "new_terms", "threat_match"})
_ALL = _QUERIES | {"eql", "esql", "machine_learning"}
TYPES: Mapping[str, str] = {
    "eql": N_("Event correlation (EQL)"),
    "query": N_("Query"),
    "threshold": N_("Threshold"),
    "new_terms": N_("New terms"),
    "threat_match": N_("Indicator match"),
    "esql": N_("ES|QL"),
    "saved_query": N_("Saved query"),
}
LANGUAGES: Mapping[str, tuple[str, ...]] = {
    "eql": ("eql",), "esql": ("esql",), **dict.fromkeys(sorted(_QUERIES), ("kuery", "lucene")),
}  # fmt: skip
MORE = "more"  # the field with the members that no other field has


@dataclass(frozen=True)
class FormField:
    """A field of the form: which member of the document it has, how, for rules of which types, and its words."""

    path: tuple[str, ...]
    form: v.ValueForm
    label: str
    group: str
    help: str = ""
    types: frozenset[str] = _ALL
    choices: tuple[str, ...] = ()
    wide: bool = False
    default: str = ""

    @property
    def name(self) -> str:
        """Its name in the form."""
        return ".".join(self.path)


def _only(*types: str) -> frozenset[str]:
    return frozenset(types)


FIELDS: tuple[FormField, ...] = (
    FormField(
        ("index",),
        v.LINES,
        N_("Index patterns"),
        "definition",
        N_("One a line"),
        _ALL - {"esql", "machine_learning"},
        default="logs-*\nwinlogbeat-*",
    ),
    FormField(("saved_id",), v.TEXT, N_("Saved query"), "definition", N_("Its id"), _only("saved_query")),
    FormField(
        ("threshold", "field"),
        v.LINES,
        N_("Group by"),
        "definition",
        N_("Up to five fields, one a line; none for all events together"),
        _only("threshold"),
    ),
    FormField(
        ("threshold", "value"),
        v.NUMBER,
        N_("Threshold"),
        "definition",
        N_("How many events make an alert"),
        _only("threshold"),
        default="100",
    ),
    FormField(
        ("threshold", "cardinality"),
        v.CARDINALITIES,
        N_("Different values"),
        "definition",
        N_("field = number, the least number of its values in a group"),
        _only("threshold"),
    ),
    FormField(
        ("new_terms_fields",),
        v.LINES,
        N_("Fields"),
        "definition",
        N_("Up to three, one a line: an alert for values that were not seen before"),
        _only("new_terms"),
    ),
    FormField(
        ("history_window_start",),
        v.TEXT,
        N_("History"),
        "definition",
        N_("How far back, as in now-14d"),
        _only("new_terms"),
        default="now-7d",
    ),
    FormField(
        ("threat_index",),
        v.LINES,
        N_("Indicator index patterns"),
        "definition",
        N_("One a line"),
        _only("threat_match"),
        default="logs-ti_*",
    ),
    FormField(
        ("threat_mapping",),
        v.INDICATOR_MAPPING,
        N_("Indicator mapping"),
        "definition",
        N_(
            "event's field = indicator's field; all lines of a block must hold, an empty line begins another block"
        ),
        _only("threat_match"),
        wide=True,
    ),
    FormField(
        ("threat_indicator_path",),
        v.TEXT,
        N_("Indicator path"),
        "definition",
        "",
        _only("threat_match"),
        default="threat.indicator",
    ),
    FormField(
        ("filters",),
        v.JSON,
        N_("Filters"),
        "more",
        N_("Kibana's filters as JSON; they narrow the query"),
        _ALL - {"esql", "machine_learning"},
    ),
    FormField(
        ("event_category_override",),
        v.TEXT,
        N_("Event category field"),
        "more",
        N_("event.category by itself"),
        _only("eql"),
    ),
    FormField(
        ("timestamp_field",),
        v.TEXT,
        N_("Timestamp field of sequences"),
        "more",
        N_("@timestamp by itself"),
        _only("eql"),
    ),
    FormField(("tiebreaker_field",), v.TEXT, N_("Tiebreaker field"), "more", "", _only("eql")),
    FormField(("interval",), v.TEXT, N_("Runs every"), "schedule", N_("A span of time, as in 5m"), default="5m"),
    FormField(
        ("from",),
        v.TEXT,
        N_("Looks back to"),
        "schedule",
        N_("Date math; longer than the interval, so that windows overlap"),
        default="now-9m",
    ),
    FormField(("max_signals",), v.NUMBER, N_("Max alerts per run"), "schedule", "", default="100"),
    FormField(("enabled",), v.SWITCH, N_("Enabled"), "schedule", ""),
    FormField(("name",), v.TEXT, N_("Name"), "about", wide=True),
    FormField(("description",), v.WHOLE_TEXT, N_("Description"), "about", wide=True),
    FormField(
        ("severity",),
        v.TEXT,
        N_("Severity"),
        "about",
        choices=("low", "medium", "high", "critical"),
        default="medium",
    ),
    FormField(("risk_score",), v.NUMBER, N_("Risk score"), "about", N_("0 to 100"), default="47"),
    FormField(("tags",), v.LINES, N_("Tags"), "about", N_("One a line")),
    FormField(("references",), v.LINES, N_("References"), "about", N_("Addresses, one a line")),
    FormField(
        ("false_positives",),
        v.PARAGRAPHS,
        N_("False positives"),
        "about",
        N_("Examples, with an empty line between them"),
    ),
    FormField(
        ("threat",),
        v.THREATS,
        N_("MITRE ATT&CK"),
        "about",
        N_("A tactic a line, its techniques below: TA0011 Command and Control, then T1105 Ingress Tool Transfer"),
    ),
    FormField(("author",), v.LINES, N_("Author"), "about", N_("One a line")),
    FormField(("license",), v.TEXT, N_("License"), "about"),
    FormField(
        ("investigation_fields", "field_names"),
        v.LINES,
        N_("Highlighted fields"),
        "about",
        N_("Shown first in an alert; one a line"),
    ),
    FormField(
        ("note",),
        v.WHOLE_TEXT,
        N_("Investigation guide"),
        "guide",
        N_("Markdown, with !{investigate{…}} and !{osquery{…}}"),
        wide=True,
    ),
    FormField(("setup",), v.WHOLE_TEXT, N_("Setup guide"), "guide", N_("Markdown"), wide=True),
    FormField(
        ("alert_suppression", "group_by"),
        v.LINES,
        N_("Suppress alerts by"),
        "more",
        N_("Up to three fields, one a line"),
        _ALL - {"threshold", "machine_learning"},
    ),
    FormField(
        ("alert_suppression", "duration"),
        v.SPAN,
        N_("Suppress for"),
        "more",
        N_("As in 5h; empty for each run by itself"),
    ),
    FormField(
        ("alert_suppression", "missing_fields_strategy"),
        v.TEXT,
        N_("Events without these fields"),
        "more",
        "",
        _ALL - {"threshold", "machine_learning"},
        choices=("", "suppress", "doNotSuppress"),
    ),
    FormField(
        ("severity_mapping",),
        v.SEVERITIES,
        N_("Severity override"),
        "more",
        N_("field = value => severity, one a line"),
    ),
    FormField(("risk_score_mapping",), v.RISKS, N_("Risk score override"), "more", N_("The field that has it")),
    FormField(("rule_name_override",), v.TEXT, N_("Rule name override"), "more", N_("The field that has it")),
    FormField(("timestamp_override",), v.TEXT, N_("Timestamp override"), "more", N_("As in event.ingested")),
    FormField(("timestamp_override_fallback_disabled",), v.FLAG, N_("Leave out events without it"), "more"),
    FormField(("building_block_type",), v.BUILDING_BLOCK, N_("Building block: its alerts are not listed"), "more"),
    FormField(
        ("actions",), v.JSON, N_("Actions"), "more", N_("As JSON; each names a connector by its id"), wide=True
    ),
)
