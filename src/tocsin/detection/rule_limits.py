"""The limits of a rule's fields, as Kibana's schema of rules has them (`rule_schema` of its security solution).

They are checked when a rule is saved. A hunt also runs a rule that breaks them, if it can be run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tocsin.detection.schedule import Schedule
from tocsin.errors import RuleError
from tocsin.moments import SECOND
from tocsin.rules.model import SEVERITIES, Rule

Fault = tuple[str, str]  # the field, and what is wrong with it
MOST_TERMS_FIELDS = MOST_SUPPRESSION_FIELDS = 3
MOST_THRESHOLD_FIELDS = 5  # three until Kibana 9
_THROTTLE = re.compile(r"no_actions|rule|[1-9]\d*[smhd]")
_LANGUAGES = {
    "eql": ("eql",), "esql": ("esql",),
    **dict.fromkeys(("query", "saved_query", "threshold", "new_terms", "threat_match"), ("kuery", "lucene")),
}  # fmt: skip
_NOTIFY = ("onActiveAlert", "onThrottleInterval", "onActionGroupChange")


def faults(rule: Rule) -> Iterator[Fault]:
    """Yield the limits that a rule breaks: the field, and what its value must be."""
    for check in (*_OF_ALL, *_OF_TYPES.get(rule.type, ())):
        yield from check(rule)


def type_faults(rule: Rule) -> Iterator[Fault]:
    """Yield the faults of the fields without which a rule of its type cannot run."""
    for check in _OF_RUNS.get(rule.type, ()):
        yield from check(rule)


def _whole(value: Any, least: int, most: float = float("inf")) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: Any, least: int, most: float = float("inf")) -> bool:
    return isinstance(value, list | tuple) and least <= len(value) <= most and all(map(_text, value))


def _extra(rule: Rule, name: str) -> Any:
    """Return a field that the model of rules does not have, None if it is not given."""
    return (rule.model_extra or {}).get(name)


# ---- every type


def _common(rule: Rule) -> Iterator[Fault]:
    if not _text(rule.name):
        yield "name", "is a text that is not empty"
    if not _text(rule.description):
        yield "description", "is a text that is not empty"
    if rule.version < 1:
        yield "version", f"is a whole number from 1, not {rule.version}"
    languages = _LANGUAGES.get(rule.type)
    if languages and rule.language is not None and rule.language not in languages:
        yield "language", f"of a rule of the type {rule.type} is {' or '.join(languages)}, not `{rule.language}`"
    if (rule.timeline_id is None) != (rule.timeline_title is None):
        yield "timeline_id", "and `timeline_title` are given together"
    if rule.timeline_id == "" or rule.timeline_title == "":
        yield "timeline_id", "and `timeline_title` are not empty"
    throttle = _extra(rule, "throttle")
    if throttle is not None and not _THROTTLE.fullmatch(str(throttle)):
        yield "throttle", f"is `no_actions`, `rule` or a span of time such as 1h, not `{throttle}`"


def _investigation_fields(rule: Rule) -> Iterator[Fault]:
    about = rule.investigation_fields
    if about is not None and not _texts(about.get("field_names"), 1):
        yield "investigation_fields", "has `field_names`, a list of at least one field"


def _mappings(rule: Rule) -> Iterator[Fault]:
    for name, mappings in (
        ("severity_mapping", rule.severity_mapping),
        ("risk_score_mapping", rule.risk_score_mapping),
    ):
        for mapping in mappings:
            if (
                not _text(mapping.get("field"))
                or mapping.get("operator") != "equals"
                or not isinstance(mapping.get("value"), str)
            ):
                yield name, "has a `field`, the `operator` equals, and a `value`, a text"
    if any(mapping.get("severity") not in SEVERITIES for mapping in rule.severity_mapping):
        yield "severity_mapping", f"has a `severity`: {', '.join(SEVERITIES)}"
    if any(
        mapping.get("risk_score") is not None and not _whole(mapping["risk_score"], 0, 100)
        for mapping in rule.risk_score_mapping
    ):
        yield "risk_score_mapping", "has a `risk_score` from 0 to 100"


_NEEDED = {"related_integrations": ("package", "version"), "required_fields": ("name", "type")}


def _described(rule: Rule) -> Iterator[Fault]:
    for name, needed in _NEEDED.items():
        if not all(_text(entry.get(part)) for entry in getattr(rule, name) for part in needed):
            yield name, f"has {' and '.join(f'`{part}`' for part in needed)}, texts that are not empty"
    if not all(_text(reference.get("list_id")) for reference in rule.exceptions_list):
        yield "exceptions_list", "names each list by its `list_id`"


def _actions(rule: Rule) -> Iterator[Fault]:
    for action in rule.actions:
        frequency = action.get("frequency")
        if not _text(action.get("id")):
            yield "actions", "name their connector by its `id`"
        if not isinstance(action.get("params", {}), dict):
            yield "actions", "have `params`, an object"
        if frequency is None:
            continue
        if not isinstance(frequency, dict) or not isinstance(frequency.get("summary", True), bool):
            yield "actions", "have a `frequency`, an object whose `summary` is true or false"
            continue
        if frequency.get("notifyWhen", _NOTIFY[0]) not in _NOTIFY:
            yield "actions", f"have a `frequency.notifyWhen`: {', '.join(_NOTIFY)}"
        throttle = frequency.get("throttle")
        if throttle is not None and not _THROTTLE.fullmatch(str(throttle)):
            yield "actions", f"have a `frequency.throttle`, a span of time such as 1h, not `{throttle}`"


def _suppression(rule: Rule) -> Iterator[Fault]:
    about = rule.alert_suppression
    if about is None:
        return
    name, duration = "alert_suppression", about.get("duration")
    if rule.type != "threshold" and not _texts(about.get("group_by"), 1, MOST_SUPPRESSION_FIELDS):
        yield (
            f"{name}.group_by",
            f"is a list of 1 to {MOST_SUPPRESSION_FIELDS} fields{_given(about.get('group_by'))}",
        )
    if duration is None:
        if rule.type == "threshold":
            yield f"{name}.duration", "is needed of a threshold rule, whose groups are those of the threshold"
    elif (
        not isinstance(duration, dict)
        or not _whole(duration.get("value"), 1)
        or duration.get("unit") not in _UNITS
    ):
        yield f"{name}.duration", f"has a `value`, a whole number from 1, and a `unit`: {', '.join(_UNITS)}"
    if about.get("missing_fields_strategy", _MISSING[0]) not in _MISSING:
        yield f"{name}.missing_fields_strategy", f"is one of {', '.join(_MISSING)}"


_UNITS, _MISSING = ("s", "m", "h"), ("suppress", "doNotSuppress")


def _given(value: Any) -> str:
    return f", not {len(value)}" if isinstance(value, list | tuple) else ""


_Check = Callable[[Rule], Iterator[Fault]]
_OF_ALL: tuple[_Check, ...] = (_common, _investigation_fields, _mappings, _described, _actions, _suppression)


# ---- single types


def _threshold(rule: Rule) -> Iterator[Fault]:
    about = rule.threshold or {}
    fields, cardinality = about.get("field", []), about.get("cardinality") or []
    named = [fields] if isinstance(fields, str) else fields
    if not _whole(about.get("value"), 1):
        yield "threshold.value", "is a whole number from 1"
    if named not in ([], [""]) and not _texts(named, 0, MOST_THRESHOLD_FIELDS):
        yield "threshold.field", f"is a list of at most {MOST_THRESHOLD_FIELDS} fields{_given(named)}"
    if not isinstance(cardinality, list | tuple) or not all(
        isinstance(entry, dict) and _text(entry.get("field")) and _whole(entry.get("value"), 0)
        for entry in cardinality
    ):
        yield "threshold.cardinality", "has a `field`, and a `value`, a whole number from 0"
    elif any(entry["field"] in named for entry in cardinality):
        yield "threshold.cardinality", "of a field that events are grouped by is always 1"


def _new_terms(rule: Rule) -> Iterator[Fault]:
    if not _texts(rule.terms_fields, 1, MOST_TERMS_FIELDS):
        yield "new_terms_fields", f"is a list of 1 to {MOST_TERMS_FIELDS} fields{_given(rule.terms_fields)}"
    start = rule.history_start
    if not _is_past(start):
        yield "history_window_start", "is date math that begins with now-, as in now-14d"
        return
    assert start is not None
    try:
        begins, window = Schedule(1, start).window(_MOMENT).start, Schedule(1, rule.from_).window(_MOMENT).start
    except (RuleError, ValueError, OverflowError):
        return  # the fault of `from` is reported by itself
    if begins is not None and window is not None and begins >= window:
        yield (
            "history_window_start",
            f"({start}) lies before `from` ({rule.from_}): the history is longer than what a run looks at",
        )


def _is_past(text: str | None) -> bool:
    try:
        return text is not None and text.startswith("now-") and Schedule(1, text).window(_MOMENT).start is not None
    except (ValueError, OverflowError):
        return False


_MOMENT = 1_767_571_200 * SECOND  # some Monday: spans are measured from it


def _threat_match(rule: Rule) -> Iterator[Fault]:
    if not _texts(rule.threat_index, 1):
        yield "threat_index", "is a list of at least one index pattern"
    groups: list[Any] = [group.get("entries") for group in rule.threat_mapping]
    if not groups or not all(isinstance(entries, list) and entries for entries in groups):
        yield "threat_mapping", "is a list of groups of `entries`, one at least"
        return
    for entries in groups:
        if not all(
            isinstance(entry, dict) and _text(entry.get("field")) and _text(entry.get("value"))
            for entry in entries
        ):
            yield "threat_mapping", "has entries with a `field` of events and a `value`, the field of indicators"
            continue
        pairs = {negated: {(e["field"], e["value"]) for e in entries if (e.get("negate") is True) is negated}
                 for negated in (False, True)}  # fmt: skip
        if not pairs[False]:
            yield "threat_mapping", "has in each group an entry that is not negated"
        if pairs[False] & pairs[True]:
            yield "threat_mapping", "has in a group no entry that is also negated"
    searches, items = _extra(rule, "concurrent_searches"), _extra(rule, "items_per_search")
    if (searches is None) != (items is None) or not all(
        number is None or _whole(number, 1) for number in (searches, items)
    ):
        yield "concurrent_searches", "and `items_per_search` are given together, whole numbers from 1"


def _machine_learning(rule: Rule) -> Iterator[Fault]:
    anomalies, jobs = _extra(rule, "anomaly_threshold"), _extra(rule, "machine_learning_job_id")
    if anomalies is not None and not _whole(anomalies, 0, 100):
        yield "anomaly_threshold", "is a whole number from 0 to 100"
    if jobs is not None and not _text(jobs) and not _texts(jobs, 1):
        yield "machine_learning_job_id", "is the name of a job, or a list of names"


_OF_TYPES: Mapping[str, tuple[_Check, ...]] = {
    "threshold": (_threshold,), "new_terms": (_new_terms,), "threat_match": (_threat_match,),
    "machine_learning": (_machine_learning,),
}  # fmt: skip
_OF_RUNS: Mapping[str, tuple[_Check, ...]] = {
    "threshold": (_threshold,), "new_terms": (_new_terms,), "threat_match": (_threat_match,),
}  # fmt: skip
