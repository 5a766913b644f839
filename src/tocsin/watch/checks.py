"""What is wrong with a rule, or doubtful: told when it is saved, with the field's name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tocsin.date_math import parse_date_math
from tocsin.detection.prepare import UNKNOWN_FIELD, doubtful_fields, prepare
from tocsin.detection.schedule import read_schedule, unread
from tocsin.ecs import Schema
from tocsin.errors import RuleError
from tocsin.rules.model import Rule
from tocsin.watch.rule import mapping_of
from tocsin.watch.ruleset import WATCHED_TYPES

# The field that a reason for not running is about; one that is not named here is about the query.
_FIELDS = {"invalid filter": "filters", "invalid rule": "query"}


@dataclass(frozen=True)
class Problem:
    """Something about a field; a rule with a `fatal` one is refused."""

    field: str
    message: str
    fatal: bool = False


def problems(rule: Rule, schema: Schema, lists: Collection[str] | None = None) -> list[Problem]:
    """Return what is to be told about a rule. `lists` are the exception lists that there are."""
    found: list[Problem] = []
    try:
        schedule = read_schedule(rule)
        told = unread(rule, schedule)
        if told:
            found.append(Problem("from", told))
    except RuleError as error:
        field = error.message.split("`")[1] if "`" in error.message else "interval"
        found.append(Problem(field, error.message, fatal=True))
    ready, skipped = prepare([rule], schema, types=WATCHED_TYPES)
    for one in skipped:
        known = rule.type in WATCHED_TYPES and one.invalid
        field = _FIELDS.get(one.reason, "query") if one.invalid else "type"
        found.append(Problem(field, one.message, fatal=known and one.reason != UNKNOWN_FIELD))
    for one_ready in ready:
        found += [Problem("query", told) for told in doubtful_fields(one_ready, schema)]
    found += _parts(rule)
    if lists is not None:
        for reference in rule.exceptions_list:
            name = str(reference.get("list_id"))
            if name not in lists:
                message = f"`exceptions_list`: there is no exception list `{name}`"
                found.append(Problem("exceptions_list", message, fatal=True))
    return found


def _is_past(text: str | None) -> bool:
    try:
        return text is not None and text.startswith("now-") and parse_date_math(text) is not None
    except ValueError:
        return False


def _parts(rule: Rule) -> list[Problem]:
    """Check what single types of rules need."""
    missing: list[tuple[str, bool]] = []
    if rule.type == "threshold":
        value = (rule.threshold or {}).get("value")
        missing.append(("threshold", not isinstance(value, int) or isinstance(value, bool) or value < 1))
    if rule.type == "new_terms":
        missing.append(("new_terms_fields", not rule.terms_fields))
        missing.append(("history_window_start", not _is_past(rule.history_start)))
    if rule.type == "threat_match":
        missing.append(("threat_index", not rule.threat_index))
        missing.append(("threat_mapping", not any(mapping_of(rule))))
    return [
        Problem(name, f"`{name}` is missing, or not as a {rule.type} rule needs it", fatal=True)
        for name, wrong in missing
        if wrong
    ]
