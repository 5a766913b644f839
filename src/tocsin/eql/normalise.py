"""Checked tree -> the smallest tree with the same meaning, so that equal tests of different rules become equal.

Each rewrite is a small function from expression to expression, applied bottom up. The facts behind them are
Elasticsearch's: `a != b` is `not a == b`, `a == null` asks whether a is missing, a condition `a == false` on
a test is its negation, and an address compared with a block asks whether it lies in it, one ordered beside another
whether it lies in all that is beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.addresses import LAST, Span, number_of, one_spelling, range_text
from tocsin.ecs import FieldType, Schema
from tocsin.eql import scalar
from tocsin.eql import syntax as s
from tocsin.eql.functions import ARITHMETIC_NAMES, FUNCTIONS, PATTERN_NAMES
from tocsin.eql.versions import Version
from tocsin.moments import to_nanoseconds

_MIRROR = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONDITIONS = (s.Comparison, s.Membership, s.PatternMatch, s.IsNull, s.Not, s.And, s.Or)
_TRUE, _FALSE, _NULL = s.Literal(True), s.Literal(False), s.Literal(None)


def normalise(statement: s.Statement, schema: Schema) -> s.Statement:
    """Return an equal statement in normal form."""
    pipes = tuple(
        replace(pipe, arguments=tuple(_argument(pipe.name, a, schema) for a in pipe.arguments))
        for pipe in statement.pipes
    )
    return s.Statement(_query(statement.query, schema), pipes)


def _argument(pipe: str, argument: s.Expression, schema: Schema) -> s.Expression:
    return condition(argument, schema) if pipe == "filter" else expression(argument, schema)


def _query(query: s.Query, schema: Schema) -> s.Query:
    if isinstance(query, s.EventQuery):
        return replace(query, condition=condition(query.condition, schema))
    steps = tuple(_step(step, schema) for step in query.steps)
    if isinstance(query, s.Sample):
        return replace(query, steps=steps)
    return replace(query, steps=steps, until=_step(query.until, schema) if query.until else None)


def _step(step: s.Step, schema: Schema) -> s.Step:
    event = replace(step.event, condition=condition(step.event.condition, schema))
    return replace(step, event=event)


def condition(node: s.Expression, schema: Schema) -> s.Expression:
    """Return the normal form of a condition; a bare field becomes `field == true`."""
    return _as_condition(expression(node, schema))


def _as_condition(node: s.Expression) -> s.Expression:
    match node:
        case s.FieldRef():
            return s.Comparison("==", node, _TRUE, node.place)
        case s.Not(operand):
            return s.Not(_as_condition(operand), node.place)
        case s.And(operands) | s.Or(operands):
            return replace(node, operands=tuple(_as_condition(o) for o in operands))
        case _:
            return node


def expression(node: s.Expression, schema: Schema) -> s.Expression:
    """Return the normal form of an expression."""
    node = _fold(_named_operators(_rebuild(_null_tests(node), schema)))
    for rewrite in (
        _typed_literals,
        _unmapped,
        _mirror,
        _addresses,
        _boolean_tests,
        _memberships,
        _logic,
    ):
        node = rewrite(node, schema)
    return _fold(node)


def _rebuild(node: s.Expression, schema: Schema) -> s.Expression:
    def below(child: s.Expression) -> s.Expression:
        return expression(child, schema)

    match node:
        case s.Comparison(_, left, right) | s.Arithmetic(_, left, right):
            return replace(node, left=below(left), right=below(right))
        case s.Membership(value, items):
            return replace(node, value=below(value), items=tuple(map(below, items)))
        case s.PatternMatch(_, _, value) | s.IsNull(value):
            return replace(node, value=below(value))
        case s.Negative(operand):
            return replace(node, operand=below(operand))
        case s.Not(operand):
            return replace(node, operand=_as_condition(below(operand)))
        case s.Call(_, arguments):
            return replace(node, arguments=tuple(map(below, arguments)))
        case s.And(operands) | s.Or(operands):
            return replace(node, operands=tuple(_as_condition(below(o)) for o in operands))
        case _:
            return node


# ---- rewrites


def _typed_literals(node: s.Expression, schema: Schema) -> s.Expression:
    """Give a literal the type of the field it is compared with: dates in nanoseconds, canonical addresses."""
    if isinstance(node, s.Comparison):
        left, right = node.left, node.right
        if isinstance(left, s.FieldRef):
            node = replace(node, right=_as_type(right, left, schema))
        elif isinstance(right, s.FieldRef):
            node = replace(node, left=_as_type(left, right, schema))
    elif isinstance(node, s.Membership) and isinstance(node.value, s.FieldRef):
        node = replace(node, items=tuple(_as_type(i, node.value, schema) for i in node.items))
    return node


def _as_type(literal: s.Expression, ref: s.FieldRef, schema: Schema) -> s.Expression:
    known = schema.find(ref.name)
    if known is None or not isinstance(literal, s.Literal):
        return literal
    if known.type is FieldType.DATE:
        return replace(literal, value=_nanoseconds(literal.value))
    if known.type is FieldType.VERSION and isinstance(literal.value, str):
        return replace(literal, value=Version(literal.value))
    if known.type is FieldType.IP and isinstance(literal.value, str):
        return replace(literal, value=one_spelling(literal.value))
    return literal


def _nanoseconds(value: s.Scalar) -> s.Scalar:
    try:
        return value if value is None else to_nanoseconds(value)
    except ValueError:
        return None


def _mirror(node: s.Expression, schema: Schema) -> s.Expression:
    """Put a literal on the right, and write `!=` as a negation."""
    if not isinstance(node, s.Comparison):
        return node
    if isinstance(node.left, s.Literal) and not isinstance(node.right, s.Literal):
        node = replace(node, operator=_MIRROR[node.operator], left=node.right, right=node.left)
    if node.operator == "!=":
        return s.Not(_fold(_boolean_tests(replace(node, operator="=="), schema)), node.place)
    return _boolean_tests(node, schema)


def _null_tests(node: s.Expression) -> s.Expression:
    """`a == null` asks whether a is missing. Only a written null does; one that is computed is just unknown."""
    if not isinstance(node, s.Comparison) or node.operator not in ("==", "!="):
        return node
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(other, s.Literal) and other.value is None:
            test = s.IsNull(side, node.place)
            return test if node.operator == "==" else s.Not(test, node.place)
    return node


def _unmapped(node: s.Expression, schema: Schema) -> s.Expression:
    """`a == ?x`, of an x that no schema knows -> that they are equal, or that both are missing.

    Elasticsearch writes null for a field that no index has, and a comparison with null asks what is missing: so
    `?x == ?y` holds for every event where neither is mapped, and `a == ?x` where a is missing.
    """
    if not isinstance(node, s.Comparison) or node.operator not in ("==", "!="):
        return node
    sides = (node.left, node.right)
    if any(isinstance(side, s.Literal) for side in sides) or not any(_is_unmapped(side, schema) for side in sides):
        return node
    missing: s.Expression = s.And(tuple(s.IsNull(side, node.place) for side in sides), node.place)
    same: s.Expression = s.Or((replace(node, operator="=="), missing), node.place)
    return same if node.operator == "==" else s.Not(same, node.place)


def _is_unmapped(node: s.Expression, schema: Schema) -> bool:
    """Tell whether an expression has no value without a field that no schema knows."""
    if isinstance(node, s.FieldRef):
        return node.optional and schema.find(node.name) is None
    return any(_is_unmapped(child, schema) for child in _decisive(node))


def _boolean_tests(node: s.Expression, schema: Schema) -> s.Expression:
    """`test == true` -> test, `test == false` -> not test; `address == block` -> cidrMatch."""
    if not (isinstance(node, s.Comparison) and node.operator == "==" and isinstance(node.right, s.Literal)):
        return node
    value = node.right.value
    if isinstance(value, bool) and (
        isinstance(node.left, _CONDITIONS) or (isinstance(node.left, s.Call) and _is_test(node.left))
    ):
        return node.left if value else s.Not(node.left, node.place)
    if _is_block(node.left, value, schema):
        return s.Call("cidrMatch", (node.left, node.right), False, node.place)
    return node


def _is_test(call: s.Call) -> bool:
    function = FUNCTIONS.get(call.name.lower())
    return function is not None and function.returns == "boolean"


def _named_operators(node: s.Expression) -> s.Expression:
    """`add(a, b)` -> `a + b`, `wildcard(a, "x*")` -> `a like "x*"`; one spelling for a function's name."""
    if not isinstance(node, s.Call):
        return node
    name = node.name.lower()
    if name in ARITHMETIC_NAMES:
        return s.Arithmetic(ARITHMETIC_NAMES[name], node.arguments[0], node.arguments[1], node.place)
    if name in PATTERN_NAMES:
        patterns = tuple(p.value for p in node.arguments[1:] if isinstance(p, s.Literal))
        kind: s.MatchKind = "regex" if PATTERN_NAMES[name] == "regex" else "wildcard"
        return s.PatternMatch(kind, node.insensitive, node.arguments[0], patterns, node.place)
    return replace(node, name=FUNCTIONS[name].name)


def _memberships(node: s.Expression, schema: Schema) -> s.Expression:
    """Split off the items of `in` that are not constants, or that are address blocks, as equalities."""
    if not isinstance(node, s.Membership):
        return node

    def is_plain(item: s.Expression) -> bool:
        return isinstance(item, s.Literal) and not _is_block(node.value, item.value, schema)

    plain = tuple(item for item in node.items if is_plain(item))
    others = [item for item in node.items if not is_plain(item)]
    if not others:
        return node
    tests: list[s.Expression] = [replace(node, items=plain)] if plain else []
    for item in others:
        if node.insensitive and not isinstance(item, s.Literal):
            tests.append(replace(node, items=(item,)))
        else:
            tests.append(_boolean_tests(s.Comparison("==", node.value, item, node.place), schema))
    return tests[0] if len(tests) == 1 else s.Or(tuple(tests), node.place)


def _is_block(node: s.Expression, value: s.Scalar, schema: Schema) -> bool:
    return isinstance(value, str) and "/" in value and _is_address(node, schema)


def _is_address(node: s.Expression, schema: Schema) -> bool:
    known = schema.find(node.name) if isinstance(node, s.FieldRef) else None
    return known is not None and known.type is FieldType.IP


def _addresses(node: s.Expression, schema: Schema) -> s.Expression:
    """`address >= constant` -> those that lie there; `address : (block, pattern)` -> a test of each kind."""
    if isinstance(node, s.Comparison) and node.operator in _BEYOND and isinstance(node.right, s.Literal):
        if not _is_address(node.left, schema) or not isinstance(node.right.value, str):
            return node
        low, high = _BEYOND[node.operator](number_of(node.right.value))
        if low > high:
            return _FALSE
        return s.Call("cidrMatch", (node.left, s.Literal(range_text((low, high)))), False, node.place)
    if isinstance(node, s.PatternMatch) and node.kind == "wildcard" and _is_address(node.value, schema):
        blocks = tuple(p for p in node.patterns if isinstance(p, str) and "/" in p)
        others = tuple(one_spelling(str(p)) for p in node.patterns if not (isinstance(p, str) and "/" in p))
        inside = s.Call("cidrMatch", (node.value, *map(s.Literal, blocks)), False, node.place)
        if not blocks:
            return replace(node, patterns=others)
        return inside if not others else s.Or((replace(node, patterns=others), inside), node.place)
    return node


_BEYOND: Mapping[str, Callable[[int], Span]] = {
    "<": lambda number: (0, number - 1),
    "<=": lambda number: (0, number),
    ">": lambda number: (number + 1, LAST),
    ">=": lambda number: (number, LAST),
}


def _logic(node: s.Expression, schema: Schema) -> s.Expression:
    """Flatten and / or, drop repeated operands and constants that decide nothing, undo double negation."""
    if isinstance(node, s.Not):
        if isinstance(node.operand, s.Not):
            return node.operand.operand
        return node
    if not isinstance(node, s.And | s.Or):
        return node
    neutral, deciding = (_TRUE, _FALSE) if isinstance(node, s.And) else (_FALSE, _TRUE)
    flat: dict[s.Expression, None] = {}
    for operand in node.operands:
        nested = operand.operands if type(operand) is type(node) else (operand,)
        flat.update(dict.fromkeys(o for o in nested if o != neutral))
    if deciding in flat:
        return deciding
    operands = tuple(flat)
    if not operands:
        return neutral
    return operands[0] if len(operands) == 1 else replace(node, operands=operands)


def _fold(node: s.Expression) -> s.Expression:
    """Replace an expression over constants by its value (null stays null: `not null` is null)."""
    below = s.children(node)
    if below and all(isinstance(child, s.Literal) for child in below):
        return s.Literal(scalar.fold(node), node.place)
    return s.Literal(None, node.place) if _NULL in _decisive(node) else node


def _decisive(node: s.Expression) -> tuple[s.Expression, ...]:
    """Return the operands of which one null makes the whole null, whatever the others are."""
    match node:
        case s.Comparison() | s.Arithmetic() | s.Negative() | s.PatternMatch():
            return s.children(node)
        case s.Membership(value):
            return (value,)
        case s.Call(name, arguments):
            function = FUNCTIONS.get(name.lower())
            return arguments[: function.required] if function and function.nulls else arguments
        case _:
            return ()
