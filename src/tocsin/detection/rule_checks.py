"""What is wrong with a rule, or doubtful: told when it is saved, with the field's name."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.detection.compile import UNKNOWN_FIELD, doubtful_fields, prepare
from tocsin.detection.rule_limits import faults
from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.detection.schedule import read_schedule, unread
from tocsin.ecs import Schema
from tocsin.errors import RuleError
from tocsin.rules.model import Rule

# The field that a reason for not running is about; one that is not named here is about the query.
_FIELDS = {"invalid filter": "filters", "invalid rule": "query"}


@dataclass(frozen=True)
class Problem:
    """Something about a field; a rule with a `fatal` one is refused."""

    field: str
    message: str
    fatal: bool = False


def problems(rule: Rule, schema: Schema) -> list[Problem]:
    """Return what is to be told about a rule."""
    found: list[Problem] = []
    try:
        schedule = read_schedule(rule)
        told = unread(rule, schedule)
        if told:
            found.append(Problem("from", told))
    except RuleError as error:
        field = error.message.split("`")[1] if "`" in error.message else "interval"
        found.append(Problem(field, error.message, fatal=True))
    ready, skipped = prepare([rule], schema)
    for one in skipped:
        known = rule.type in RULE_TYPES and one.invalid
        field = _FIELDS.get(one.reason, "query") if one.invalid else "type"
        found.append(Problem(field, one.message, fatal=known and one.reason != UNKNOWN_FIELD))
    for one_ready in ready:
        found += [Problem("query", told) for told in doubtful_fields(one_ready, schema)]
    found += [Problem(field, f"`{field}` {told}", fatal=True) for field, told in faults(rule)]
    return found
