"""Syntax tree -> EQL text on one line, to show a part of a query; parsing it gives the same tree."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.eql import syntax as s
from tocsin.eql.parser import KEYWORDS
from tocsin.field_patterns import field_pattern

_PLAIN = re.compile(r"[A-Za-z_@]\w*(\.[A-Za-z_@]\w*)*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
# How tightly each kind of expression binds; an operand that binds less goes into parentheses.
_OR, _AND, _NOT, _TEST, _SUM, _PRODUCT, _SIGN, _PRIMARY = range(8)
_SUMS = ("+", "-")


def render(node: s.Expression) -> str:
    """Return an expression as EQL."""
    return _render(node)[0]


def _render(node: s.Expression) -> tuple[str, int]:
    """Return the text of a node and how tightly it binds."""
    match node:
        case s.Literal(value):
            negative = isinstance(value, int | float) and not isinstance(value, bool) and value < 0
            return literal(value), _SIGN if negative else _PRIMARY
        case s.FieldRef(name, optional):
            many = field_pattern(name)
            if many is not None:  # which EQL has no word for
                return many.title, _PRIMARY
            return ("?" if optional else "") + field_name(name), _PRIMARY
        case s.Comparison(operator, left, right):
            return f"{_within(left, _SUM)} {operator} {_within(right, _SUM)}", _TEST
        case s.IsNull(value):
            return f"{_within(value, _SUM)} == null", _TEST
        case s.Membership():
            return _membership(node, "in"), _TEST
        case s.PatternMatch(_, _, value, patterns):
            texts = [literal(pattern) for pattern in patterns]
            listed = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
            return f"{_within(value, _SUM)} {_matcher(node)} {listed}", _TEST
        case s.Arithmetic(operator, left, right):
            level = _SUM if operator in _SUMS else _PRODUCT
            return f"{_within(left, level)} {operator} {_within(right, level + 1)}", level
        case s.Negative(operand):
            return f"-{_within(operand, _PRIMARY)}", _SIGN
        case s.Call(name, arguments, insensitive):
            return f"{name}{'~' if insensitive else ''}{_listed(arguments)}", _PRIMARY
        case s.Not(s.Membership() as inner):
            return _membership(inner, "not in"), _TEST
        case s.Not(operand):
            return f"not {_within(operand, _NOT)}", _NOT
        case s.And(operands):
            return " and ".join(_within(operand, _NOT) for operand in operands), _AND
        case s.Or(operands):
            return " or ".join(_within(operand, _AND) for operand in operands), _OR


def _within(node: s.Expression, least: int) -> str:
    text, level = _render(node)
    return text if level >= least else f"({text})"


def _membership(node: s.Membership, word: str) -> str:
    return f"{_within(node.value, _SUM)} {word}{'~' if node.insensitive else ''} {_listed(node.items)}"


def _listed(nodes: Iterable[s.Expression]) -> str:
    return f"({', '.join(_within(node, _OR) for node in nodes)})"


def _matcher(node: s.PatternMatch) -> str:
    if node.kind == "wildcard" and node.insensitive:
        return ":"
    return ("regex" if node.kind == "regex" else "like") + ("~" if node.insensitive else "")


def literal(value: s.Scalar) -> str:
    """Return a constant as EQL."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'
    return repr(value)


def field_name(name: str) -> str:
    """Return a field's name, in backticks where it is no plain one."""
    plain = _PLAIN.fullmatch(name) and name not in KEYWORDS and name.lower() not in KEYWORDS
    return name if plain else f"`{name}`"
