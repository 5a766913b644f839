"""Whether a condition can be true although no event has some of its fields."""

from __future__ import annotations

from collections.abc import Collection

from tocsin.eql import syntax as s


def could_hold(condition: s.Expression, missing: Collection[str]) -> bool:
    """Return whether a condition can be true of an event without the missing fields; in doubt it can."""
    return _outcomes(condition, frozenset(missing))[0]


def _outcomes(node: s.Expression, missing: frozenset[str]) -> tuple[bool, bool]:
    """Return whether a condition can be true, and whether it can be false or null."""
    match node:
        case s.Literal(value):
            return value is True, value is not True
        case s.Not(operand):
            true, other = _outcomes(operand, missing)
            return other, true
        case s.And(operands):
            outcomes = [_outcomes(operand, missing) for operand in operands]
            return all(true for true, _ in outcomes), any(other for _, other in outcomes)
        case s.Or(operands):
            outcomes = [_outcomes(operand, missing) for operand in operands]
            return any(true for true, _ in outcomes), all(other for _, other in outcomes)
    names = s.field_names(node)
    if not names or not missing.issuperset(names):
        return True, True
    return (True, False) if isinstance(node, s.IsNull) else (False, True)
