"""Conditions on fields of IP addresses: single ones, blocks, ranges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tocsin.addresses import LAST, Span, number_of, range_text, span_of, spelled
from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.query_dsl.context import ref
from tocsin.query_dsl.values import Bound


def address_tests(name: str, values: Iterable[Any]) -> list[s.Expression]:
    """Return conditions, one of which a field meets that has one of some addresses, or one in one of some blocks.

    Raises QueryError.
    """
    addresses: list[s.Literal] = []
    blocks: list[s.Literal] = []
    for value in map(str, values):
        if "/" in value:
            _span(name, value)
            blocks.append(s.Literal(value))
        else:
            addresses.append(s.Literal(spelled(_number_of(name, value))))
    tests: list[s.Expression] = []
    if addresses:
        alone = len(addresses) == 1
        one_of = s.Membership(ref(name), tuple(addresses))
        tests.append(s.Comparison("==", ref(name), addresses[0]) if alone else one_of)
    if blocks:
        tests.append(s.Call("cidrMatch", (ref(name), *blocks)))
    return tests


def _number_of(name: str, value: Any) -> int:
    try:
        return number_of(str(value))
    except ValueError as error:
        raise QueryError(f"{error} ([{name}] holds addresses)") from None


def _span(name: str, value: str) -> Span:
    try:
        return span_of(value)
    except ValueError as error:
        raise QueryError(f"{error} ([{name}] holds addresses)") from None


def address_ranges(name: str, values: Iterable[str]) -> s.Expression:
    """Return that a field's address lies in a block or range (`10.0.0.1-10.0.0.9`) of some. Raises QueryError."""
    texts = tuple(values)
    for text in texts:
        _span(name, text)
    return s.Call("cidrMatch", (ref(name), *map(s.Literal, texts))) if texts else s.Literal(False)


def addresses_between(name: str, bounds: Iterable[Bound]) -> s.Expression:
    """Return that a field's address lies within bounds. Raises QueryError."""
    low, high = 0, LAST
    for bound in bounds:
        number = _number_of(name, bound.value)
        match bound.operator:
            case ">" | ">=":
                low = max(low, number + (bound.operator == ">"))
            case _:
                high = min(high, number - (bound.operator == "<"))
    if low > high:
        return s.Literal(False)
    return s.Call("cidrMatch", (ref(name), s.Literal(range_text((low, high)))))
