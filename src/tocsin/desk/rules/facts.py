"""What a rule's document says, as its page lays it out: about, definition, schedule, in Kibana's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from tocsin.desk.translations import N_
from tocsin.detection.schedule import read_schedule, span, unread
from tocsin.errors import RuleError
from tocsin.rules.files import read_rule

_MOST = 500  # values of a member that are shown


@dataclass(frozen=True)
class RuleFact:
    """A member of a rule: its label, how its values are shown, and these.

    `form` is text, mono, lines (of text), tags, links, patterns or query.
    """

    label: str
    form: str
    values: Sequence[str]


@dataclass(frozen=True)
class ShownTechnique:
    """A tactic, technique or sub-technique of ATT&CK, with those below it. Without an `address` it is no link."""

    id: str
    name: str
    address: str
    below: Sequence[ShownTechnique] = ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _list(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [_text(member) for member in (value if isinstance(value, list) else [value])[:_MOST]]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [member for member in value if isinstance(member, Mapping)][:_MOST] if isinstance(value, list) else []


def _given(facts: Sequence[tuple[str, str, Sequence[str]]]) -> list[RuleFact]:
    return [RuleFact(label, form, values) for label, form, values in facts if values]


def about_facts(document: Mapping[str, Any]) -> list[RuleFact]:
    """Return what a rule says about itself."""
    highlighted = document.get("investigation_fields")
    return _given((
        (N_("Author"), "text", [", ".join(_list(document.get("author")))] if document.get("author") else []),
        (N_("Building block"), "text", _list(document.get("building_block_type"))),
        (N_("Severity override"), "mono", _overrides(document, "severity")),
        (N_("Risk score override"), "mono", _overrides(document, "risk_score")),
        (N_("Rule name override"), "mono", _list(document.get("rule_name_override"))),
        (N_("Timestamp override"), "mono", _list(document.get("timestamp_override"))),
        (N_("Reference URLs"), "links", _list(document.get("references"))),
        (N_("False positive examples"), "lines", _list(document.get("false_positives"))),
        (N_("Custom highlighted fields"), "mono",
         _list(highlighted.get("field_names")) if isinstance(highlighted, Mapping) else []),
        (N_("License"), "text", _list(document.get("license"))),
        (N_("Tags"), "tags", _list(document.get("tags"))),
        (N_("Version"), "text", _list(document.get("version"))),
        (N_("Rule id"), "mono", _list(document.get("rule_id"))),
    ))  # fmt: skip


def definition_facts(document: Mapping[str, Any]) -> list[RuleFact]:
    """Return what a rule looks for, and where."""
    type_, language = str(document.get("type", "")), document.get("language")
    shown_type = f"{type_} ({language})" if language not in (None, "", type_) else type_
    return _given((
        (N_("Index patterns"), "patterns", _list(document.get("index"))),
        (N_("Data view"), "mono", _list(document.get("data_view_id"))),
        (N_("Query"), "query", _list(document.get("query"))),
        (N_("Filters"), "mono", _list(document.get("filters"))),
        (N_("Rule type"), "text", [shown_type]),
        (N_("Threshold"), "mono", _threshold(document.get("threshold"))),
        (N_("New terms of"), "mono", _list(document.get("new_terms_fields"))),
        (N_("History window"), "mono", _list(document.get("history_window_start"))),
        (N_("Indicator index patterns"), "mono", _list(document.get("threat_index"))),
        (N_("Indicator query"), "query", _list(document.get("threat_query"))),
        (N_("Indicator mapping"), "mono", _threat_mapping(document.get("threat_mapping"))),
        (N_("Indicator filters"), "mono", _list(document.get("threat_filters"))),
        (N_("Event category field"), "mono", _list(document.get("event_category_override"))),
        (N_("Tiebreaker field"), "mono", _list(document.get("tiebreaker_field"))),
        (N_("Timestamp field"), "mono", _list(document.get("timestamp_field"))),
        (N_("Suppress alerts by"), "mono", _suppression(document.get("alert_suppression"))),
        (N_("Timeline template"), "text", _list(document.get("timeline_title"))),
        (N_("Related integrations"), "text", [*map(_integration, _objects(document.get("related_integrations")))]),
        (N_("Required fields"), "mono", list(map(_required, _objects(document.get("required_fields"))))),
    ))  # fmt: skip


def schedule_facts(document: Mapping[str, Any]) -> list[RuleFact]:
    """Return when a rule is due, and which span of time it reads."""
    facts: list[tuple[str, str, Sequence[str]]] = [
        (N_("Runs every"), "mono", _list(document.get("interval", "5m"))),
        (N_("Reads from"), "mono", _list(document.get("from", "now-6m"))),
        (N_("Reads to"), "mono", _list(document.get("to", "now"))),
    ]
    try:
        rule = read_rule(document)
        schedule = read_schedule(rule)
        if schedule.overlap > 0:
            facts.append((N_("Additional look-back"), "mono", [span(schedule.overlap)]))
        facts.append((N_("Not read"), "text", _list(unread(rule, schedule))))
    except RuleError as error:
        facts.append((N_("Not read"), "text", [error.message]))
    return _given([*facts, (N_("Most alerts an execution"), "mono", _list(document.get("max_signals", 100)))])


def threats(document: Mapping[str, Any]) -> list[ShownTechnique]:
    """Return the tactics of a rule with their techniques."""
    return [
        _technique(threat["tactic"], threat.get("technique"))
        for threat in _objects(document.get("threat"))
        if isinstance(threat.get("tactic"), Mapping)
    ]


def _technique(entry: Mapping[str, Any], below: Any) -> ShownTechnique:
    inner = [_technique(member, member.get("subtechnique")) for member in _objects(below)]
    address = web_address(_text(entry.get("reference", "")))
    return ShownTechnique(_text(entry.get("id", "")), _text(entry.get("name", "")), address, inner)


def web_address(text: str) -> str:
    """Return an address of the web as it is, an empty text for another one, which is no link."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ""
    return text.strip() if parts.scheme in ("http", "https") and parts.netloc else ""


def _overrides(document: Mapping[str, Any], name: str) -> list[str]:
    return [_override(mapping, name) for mapping in _objects(document.get(f"{name}_mapping"))]


def _override(mapping: Mapping[str, Any], name: str) -> str:
    value, to = _text(mapping.get("value", "")), mapping.get(name)
    condition = f"{_text(mapping.get('field', ''))}{f': {value}' if value else ''}"
    return condition if to is None else f"{condition} → {_text(to)}"


def _threshold(threshold: Any) -> list[str]:
    if not isinstance(threshold, Mapping):
        return []
    fields = ", ".join(_list(threshold.get("field"))) or "*"
    unique = [
        f"{_text(m.get('field', ''))}: {_text(m.get('value', ''))}" for m in _objects(threshold.get("cardinality"))
    ]
    return [f"{fields} >= {_text(threshold.get('value', ''))}", *(f"cardinality {text}" for text in unique)]


def _threat_mapping(groups: Any) -> list[str]:
    return [
        " AND ".join(
            f"{_text(entry.get('field', ''))} MATCHES {_text(entry.get('value', ''))}"
            for entry in _objects(group.get("entries"))
        )
        for group in _objects(groups)
    ]


def _suppression(suppression: Any) -> list[str]:
    if not isinstance(suppression, Mapping):
        return []
    duration, missing = suppression.get("duration"), suppression.get("missing_fields_strategy")
    for_ = (
        f"{_text(duration.get('value', ''))}{_text(duration.get('unit', ''))}"
        if isinstance(duration, Mapping)
        else ""
    )
    return [*_list(suppression.get("group_by")), *([for_] if for_ else []), *([_text(missing)] if missing else [])]


def _integration(entry: Mapping[str, Any]) -> str:
    return " ".join(_text(entry[name]) for name in ("package", "integration", "version") if entry.get(name))


def _required(entry: Mapping[str, Any]) -> str:
    return f"{_text(entry.get('name', ''))} ({_text(entry.get('type', ''))})"
