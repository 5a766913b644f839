"""Errors and doubtful parts of a rule: reported when it is saved, with the field's name."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.detection.compile import UNKNOWN_FIELD, doubtful_fields, prepare
from tocsin.detection.rule_limits import faults
from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.detection.schedule import read_schedule, unread
from tocsin.ecs import Schema
from tocsin.errors import RuleError
from tocsin.rules.model import Rule

# The field that a reason for not running is about; other reasons are about the query.
_FIELDS = {"invalid filter": "filters", "invalid rule": "query"}


@dataclass(frozen=True)
class Problem:
    """A problem of a field; a rule with a `fatal` one is refused."""

    field: str
    message: str
    fatal: bool = False


def rule_problems(rule: Rule, schema: Schema) -> list[Problem]:
    """Return the problems of a rule."""
    problems: list[Problem] = []
    try:
        schedule = read_schedule(rule)
        message = unread(rule, schedule)
        if message:
            problems.append(Problem("from", message))
    except RuleError as error:
        field = error.message.split("`")[1] if "`" in error.message else "interval"
        problems.append(Problem(field, error.message, fatal=True))
    ready, skipped = prepare([rule], schema)
    for skip in skipped:
        known = rule.type in RULE_TYPES and skip.invalid
        field = _FIELDS.get(skip.reason, "query") if skip.invalid else "type"
        problems.append(Problem(field, skip.message, fatal=known and skip.reason != UNKNOWN_FIELD))
    for compiled in ready:
        problems += [Problem("query", message) for message in doubtful_fields(compiled, schema)]
    problems += [Problem(field, f"`{field}` {message}", fatal=True) for field, message in faults(rule)]
    return problems
