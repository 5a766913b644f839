"""What an expression means for one value of each field it reads. Three-valued: null is `None`.

The columnar evaluator runs this over distinct values wherever it has no faster kernel, and the normaliser
folds constants with it, so this is the one place that says what an operator means.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tocsin.eql import syntax as s
from tocsin.eql.functions import FUNCTIONS, arithmetic, call
from tocsin.eql.strings import has_wildcard, lower, lucene_to_regex, wildcard_to_regex
from tocsin.linear_regex import whole_match
from tocsin.three_valued_logic import conjunction, disjunction, negation

Value = Any
Row = Sequence[Value]
Evaluator = Callable[[Row], Value]

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": op.eq,
    "!=": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
}


def compare(operator: str, left: Value, right: Value) -> bool | None:
    """Return `left operator right`; null when either is null; strings by code point."""
    if left is None or right is None:
        return None
    if isinstance(left, str) != isinstance(right, str) or isinstance(left, bool) != isinstance(right, bool):
        return operator == "!="
    return bool(_ORDER[operator](left, right))


def pattern_test(node: s.PatternMatch) -> Callable[[str], bool]:
    """Return a test of one string against a pattern match's patterns (whole value, any of them)."""
    exact: set[str] = set()
    general: list[str] = []
    for pattern in node.patterns:
        text = str(pattern)
        if node.kind == "regex":
            general.append(lucene_to_regex(text))
        elif has_wildcard(text):
            general.append(wildcard_to_regex(lower(text) if node.insensitive else text))
        else:
            exact.add(lower(text) if node.insensitive else text)
    tests = [whole_match(pattern, insensitive=node.insensitive and node.kind == "regex") for pattern in general]
    fold = lower if node.insensitive and node.kind == "wildcard" else str

    def test(value: str) -> bool:
        folded = fold(value)
        return folded in exact or any(fits(folded) for fits in tests)

    return test


def evaluator(node: s.Expression, slots: Mapping[str, int]) -> Evaluator:
    """Compile an expression to a function of a row, where `slots` tells each field's place in the row."""
    match node:
        case s.Literal(value):
            return lambda row: value
        case s.FieldRef(name):
            slot = slots[name]
            return lambda row: row[slot]
        case s.Comparison(operator, left, right):
            first, second = evaluator(left, slots), evaluator(right, slots)
            return lambda row: compare(operator, first(row), second(row))
        case s.IsNull(value):
            inner = evaluator(value, slots)
            return lambda row: inner(row) is None
        case s.Arithmetic(operator, left, right):
            first, second = evaluator(left, slots), evaluator(right, slots)
            return lambda row: arithmetic(operator, first(row), second(row))
        case s.Negative(operand):
            inner = evaluator(operand, slots)
            return lambda row: arithmetic("-", 0, inner(row))
        case s.PatternMatch(_, _, value):
            inner, test = evaluator(value, slots), pattern_test(node)
            return lambda row: None if (v := inner(row)) is None else test(str(v))
        case s.Membership(value, items, insensitive):
            return _membership(evaluator(value, slots), [evaluator(i, slots) for i in items], insensitive)
        case s.Call(name, arguments, insensitive):
            function = FUNCTIONS[name.lower()]
            inners = [evaluator(a, slots) for a in arguments]
            return lambda row: call(function, tuple(i(row) for i in inners), insensitive)
        case s.Not(operand):
            return negation(evaluator(operand, slots))
        case s.And(operands):
            return conjunction([evaluator(o, slots) for o in operands])
        case s.Or(operands):
            return disjunction([evaluator(o, slots) for o in operands])


def _membership(inner: Evaluator, items: list[Evaluator], insensitive: bool) -> Evaluator:
    def fold(value: Value) -> Value:
        return lower(value) if insensitive and isinstance(value, str) else value

    def equal(item: Evaluator) -> Callable[[tuple[Value, Row]], Value]:
        return lambda value_and_row: compare("==", value_and_row[0], fold(item(value_and_row[1])))

    any_equal = disjunction([equal(item) for item in items])

    def test(row: Row) -> Value:
        value = fold(inner(row))
        return None if value is None else any_equal((value, row))

    return test


def fold(node: s.Expression) -> Value:
    """Return the value of an expression that reads no field."""
    return evaluator(node, {})(())
