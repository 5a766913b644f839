"""What a function over the values of one row is, and values as a field holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tocsin.addresses import LAST, number_of
from tocsin.ecs import FieldType
from tocsin.esql import syntax as q
from tocsin.moments import iso

Value = Any
KEYWORD, LONG, DOUBLE = FieldType.KEYWORD, FieldType.LONG, FieldType.DOUBLE
BOOLEAN, DATE, IP = FieldType.BOOLEAN, FieldType.DATE, FieldType.IP


class Many(Enum):
    """What a function does with a field of several values."""

    NULL = "it is null"
    EACH = "each value is converted"
    WHOLE = "it takes a tuple of all values, empty for null"


@dataclass(frozen=True)
class Function:
    """A function of one row's values.

    Null in gives null out, and so does a field with several values, except where `many` or `nulls` say otherwise.
    `parameters` are families of types, a letter each: `k` text, `n` number, `b` boolean, `d` date, `s` span of
    time, `p` span of time or number, `a` any, and capital letters for constants. The last repeats when `variadic`.
    `returns` is a type, or the place of the argument whose type it has. `misused` says what is wrong with
    arguments that are of the right types. `otherwise` is called where the first argument is of another family.
    """

    parameters: str
    returns: FieldType | int
    apply: Callable[..., Value]
    required: int | None = None
    variadic: bool = False
    many: Many = Many.NULL
    nulls: bool = False  # whether it is asked although an argument is null
    misused: Callable[[Sequence[q.Expression]], str | None] | None = None
    otherwise: Function | None = None


def several(values: Sequence[Value]) -> Value:
    """Return values as a field holds them: null, one, or a tuple."""
    return None if not values else values[0] if len(values) == 1 else tuple(values)


def shown(value: Value, kind: FieldType | None) -> Value:
    """Return a column's value as JSON has it."""
    if isinstance(value, tuple):
        return [shown(element, kind) for element in value]
    return iso(value) if kind is DATE and value is not None else value


# ---- addresses in their order


@dataclass(frozen=True, order=True)
class _Address:
    """An address in the order of addresses; what is none comes behind all of them."""

    number: int
    text: str


def address_order(text: str) -> Value:
    """Return what orders an address among others."""
    try:
        return _Address(number_of(text), text)
    except ValueError:
        return _Address(LAST + 1, text)


def by_address(apply: Callable[..., Value]) -> Callable[..., Value]:
    """Return a function of values as one of addresses, which are compared and sorted as such."""

    def applied(*arguments: Value) -> Value:
        return _plain(apply(*(_in_order(argument) for argument in arguments)))

    return applied


def _in_order(value: Value) -> Value:
    if isinstance(value, (tuple, list)):
        return type(value)(map(_in_order, value))
    return address_order(value) if isinstance(value, str) else value


def _plain(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.text if isinstance(value, _Address) else value
