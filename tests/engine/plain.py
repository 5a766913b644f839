"""EQL one event at a time, as plainly as it can be written: what the columnar evaluator is held to.

It reads the parsed tree before any rewriting and shares no code with the evaluator beyond that tree. What it
says: a test holds for an event when it is true for some choice of one value of each of its fields, a field
without values being null; `and`, `or`, `not` join the answers of tests; inside a test null is unknown.
"""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
from collections.abc import Mapping
from typing import Any

from tocsin.eql import syntax as s

Event = Mapping[str, Any]


def holds(node: s.Expression, event: Event) -> bool:
    """Does the event meet the condition?"""
    if constant(node):
        return constant(node) == "true"
    if isinstance(node, s.And):
        return all(holds(operand, event) for operand in node.operands)
    if isinstance(node, s.Or):
        return any(holds(operand, event) for operand in node.operands)
    if isinstance(node, s.Not):
        return not holds(node.operand, event)
    if isinstance(node, s.Comparison):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, s.Literal) and node.operator in ("==", "!="):
                wanted = node.operator == "=="
                if isinstance(other.value, bool) and is_condition(side):
                    return holds(side, event) is (other.value is wanted)
        if node.operator == "!=":
            return not holds(s.Comparison("==", node.left, node.right), event)
    names = sorted(fields_of(node))
    choices = [values(event.get(name)) or [None] for name in names]
    return any(value_of(node, dict(zip(names, c, strict=True))) is True for c in itertools.product(*choices))


def constant(node: s.Expression) -> str:
    """ "true", "false" or "null" for a condition that is the same for every event, else "".

    A constant null stays null under `not`, as in Elasticsearch, where a missing field's test does not.
    """
    if not fields_of(node):
        return {True: "true", False: "false", None: "null"}.get(value_of(node, {}), "")
    match node:
        case s.And(operands) | s.Or(operands):
            neutral, deciding = ("true", "false") if isinstance(node, s.And) else ("false", "true")
            rest = {constant(operand) for operand in operands} - {neutral}
            return deciding if deciding in rest else neutral if not rest else "null" if rest == {"null"} else ""
        case s.Not(operand):
            return {"true": "false", "false": "true"}.get(constant(operand), constant(operand))
        case s.Comparison(operator, left, right):
            for side, other in ((left, right), (right, left)):
                if is_condition(side) and isinstance(other, s.Literal) and isinstance(other.value, bool):
                    same = (operator == "==") is other.value
                    return constant(side) if same else constant(s.Not(side))
            written = s.Literal(None) in (left, right) and operator in ("==", "!=")
            return "null" if not written and "null" in (constant(left), constant(right)) else ""
        case s.Arithmetic(_, left, right):
            return "null" if "null" in (constant(left), constant(right)) else ""
        case s.Negative(value) | s.Membership(value) | s.PatternMatch(_, _, value):
            return "null" if constant(value) == "null" else ""
        case s.Call(name, arguments):
            required = {"substring": 1, "indexof": 2, "number": 1}.get(name.lower(), len(arguments))
            return "null" if "null" in map(constant, arguments[:required]) else ""
    return ""


def is_condition(node: s.Expression) -> bool:
    tests = (s.Comparison, s.Membership, s.PatternMatch, s.Not, s.And, s.Or)
    return isinstance(node, tests) or (
        isinstance(node, s.Call)
        and node.name.lower() in ("startswith", "endswith", "stringcontains", "cidrmatch", "wildcard", "match")
    )


def fields_of(node: s.Expression) -> set[str]:
    if isinstance(node, s.FieldRef):
        return {node.name}
    return set().union(*(fields_of(child) for child in s.children(node)))


def values(found: Any) -> list[Any]:
    return [v for v in (found if isinstance(found, list) else [found]) if v is not None]


def value_of(node: s.Expression, row: Event) -> Any:
    """The value of an expression for one value of each field; None is null."""
    match node:
        case s.Literal(value):
            return value
        case s.FieldRef(name):
            return row.get(name)
        case s.And(operands):
            found = [value_of(o, row) for o in operands]
            return False if False in found else None if None in found else True
        case s.Or(operands):
            found = [value_of(o, row) for o in operands]
            return True if True in found else None if None in found else False
        case s.Not(operand):
            value = value_of(operand, row)
            return None if value is None else not value
        case s.Comparison(operator, left, right):
            return compared(operator, left, right, row)
        case s.Membership(value, items, insensitive):
            found = value_of(value, row)
            if found is None:
                return None
            fold = address if is_address(value) else folded if insensitive else (lambda x: x)
            others = [value_of(item, row) for item in items]
            equal = any(fold(found) == fold(other) for other in others if other is not None)
            return True if equal else None if None in others else False
        case s.PatternMatch(kind, insensitive, value, patterns):
            found = value_of(value, row)
            return None if found is None else any(matches(kind, insensitive, found, str(p)) for p in patterns)
        case s.Arithmetic(operator, left, right):
            return calculated(operator, value_of(left, row), value_of(right, row))
        case s.Negative(operand):
            value = value_of(operand, row)
            return None if value is None else -value
        case s.Call(name, arguments, insensitive):
            return called(name.lower(), [value_of(a, row) for a in arguments], insensitive)
        case _:
            raise AssertionError(node)


def is_address(node: s.Expression) -> bool:
    """Does it stand for a field of addresses? Their names begin with `ip` here."""
    return isinstance(node, s.FieldRef) and node.name.startswith("ip")


def address(text: Any) -> int:
    """An address as the number that an IPv6 address is; an IPv4 address is mapped to one."""
    found = ipaddress.ip_address(text)
    return int(found) if found.version == 6 else int(ipaddress.IPv6Address(f"::ffff:{found}"))


def compared(operator: str, left: s.Expression, right: s.Expression, row: Event) -> Any:
    one, two = value_of(left, row), value_of(right, row)
    if is_address(left) or is_address(right):
        one, two = (address(value) if isinstance(value, str) else value for value in (one, two))
    for literal, other in ((left, two), (right, one)):
        if isinstance(literal, s.Literal) and literal.value is None and operator in ("==", "!="):
            return (other is None) == (operator == "==")
    if one is None or two is None:
        return None
    return {
        "==": one == two,
        "!=": one != two,
        "<": one < two,
        "<=": one <= two,
        ">": one > two,
        ">=": one >= two,
    }[operator]


def folded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "".join("i" if c == "\u0130" else c.lower() for c in value)


def matches(kind: str, insensitive: bool, value: str, pattern: str) -> bool:
    if kind == "regex":
        return re.fullmatch(pattern, value, re.DOTALL | (re.IGNORECASE if insensitive else 0)) is not None
    if insensitive:
        value, pattern = folded(value), folded(pattern)
    return wildcard(value, pattern)


def wildcard(value: str, pattern: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(wildcard(value[i:], pattern[1:]) for i in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and wildcard(value[1:], pattern[1:])


def calculated(operator: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        return None
    if operator == "/":
        return math.trunc(left / right) if isinstance(left, int) and isinstance(right, int) else left / right
    return (
        int(math.fmod(left, right)) if isinstance(left, int) and isinstance(right, int) else math.fmod(left, right)
    )


def called(name: str, arguments: list[Any], insensitive: bool) -> Any:
    if name in ("wildcard", "match"):
        kind = "wildcard" if name == "wildcard" else "regex"
        value, *patterns = arguments
        return None if value is None else any(matches(kind, insensitive, value, p) for p in patterns)
    if name in ("add", "subtract", "multiply", "divide", "modulo"):
        return calculated(
            {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}[name], *arguments
        )
    optional = {"substring": 1, "indexof": 2, "number": 1}.get(name, len(arguments))
    if any(a is None for a in arguments[:optional]):
        return None
    first = arguments[0]
    if insensitive:
        arguments = [folded(a) for a in arguments]
    match name:
        case "length":
            return len(first)
        case "startswith":
            return arguments[0].startswith(arguments[1])
        case "endswith":
            return arguments[0].endswith(arguments[1])
        case "stringcontains":
            return arguments[1] in arguments[0]
        case "concat":
            return "".join(spelled(a) for a in arguments)
        case "string":
            return spelled(first)
        case "substring":
            return first[slice(*[*arguments[1:], None, None][:2])]
        case "indexof":
            found = arguments[0].find(arguments[1], max(0, [*arguments, None][2] or 0))
            return None if found < 0 else found
        case "between":
            start = arguments[0].find(arguments[1])
            if start < 0:
                return None
            start += len(arguments[1])
            rest = arguments[0][start:]
            end = rest.rfind(arguments[2]) if len(arguments) > 3 and arguments[3] else rest.find(arguments[2])
            return None if end < 0 else first[start : start + end]
        case "number":
            return read_number(first, [*arguments, None][1])
        case "cidrmatch":
            blocks = [ipaddress.ip_network(b, strict=False) for b in arguments[1:]]
            return any(address(b[0]) <= address(first) <= address(b[-1]) for b in blocks)
    raise AssertionError(name)


def spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_number(text: str, base: int | None) -> Any:
    if base is None and text.startswith("0x"):
        base = 16
    for kind in (lambda: int(text, base or 10), lambda: float(text) if base in (None, 10) else None):
        try:
            found = kind()
        except ValueError:
            continue
        return found if found is None or math.isfinite(found) else None
    return None
