"""EQL's functions: signature and meaning of each, for single values. The facts are Elasticsearch's.

A function whose argument is null gives null, except where its entry says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tocsin.addresses import number_of, span_of
from tocsin.eql.strings import lower

Value = Any  # None | bool | int | float | str


@dataclass(frozen=True)
class Function:
    """One function: parameter types (the last repeats when `variadic`), how many are required, its result.

    `apply` takes the arguments and, where `foldable`, the keyword `insensitive`.
    """

    name: str
    parameters: tuple[str, ...]
    required: int
    returns: str
    apply: Callable[..., Value]
    foldable: bool = False
    variadic: bool = False
    nulls: bool = False


def between(source: str, left: str, right: str, greedy: bool = False, *, insensitive: bool = False) -> Value:
    """Return what stands between the first `left` and the next (greedy: last) `right`, or null."""
    text, left, right = _folded(insensitive, source, left, right)
    start = text.find(left)
    if start < 0:
        return None
    start += len(left)
    end = text.rfind(right, start) if greedy else text.find(right, start)
    return None if end < 0 else source[start:end]


def _folded(insensitive: bool, *texts: str) -> tuple[str, ...]:
    return tuple(lower(text) for text in texts) if insensitive else texts


def index_of(source: str, part: str, start: int | None = None, *, insensitive: bool = False) -> Value:
    """Return where `part` first occurs at or behind `start`, or null."""
    source, part = _folded(insensitive, source, part)
    position = source.find(part, max(0, start or 0))
    return None if position < 0 else position


def substring(source: str, start: int | None = 0, end: int | None = None) -> str:
    """Return a part of `source`; negative positions count from its end."""
    return source[slice(start, end)]


def cidr_match(address: str, *blocks: str) -> Value:
    """Tell whether an address lies in one of the blocks; null when it is no address."""
    try:
        number = number_of(address)
    except ValueError:
        return None
    return any(low <= number <= high for low, high in map(span_of, blocks))


def number(text: str, base: int | None = None) -> Value:
    """Return the number that `text` spells, whole or decimal, `0x` in hexadecimal; null when it is none."""
    try:
        if base is None:
            if text[:2].lower() == "0x":
                return int(text, 16)
            try:
                return int(text)
            except ValueError:
                result = float(text)
                return result if math.isfinite(result) else None
        if base == 10 and not text.lstrip("+-").isdigit():
            return float(text)
        return int(text, base)
    except ValueError:
        return None


def to_string(value: Value) -> str:
    """Return a value as text, spelled as Java spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java_double(value)
    return str(value)


def _java_double(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value) if "e" not in repr(value) else f"{value:f}".rstrip("0")
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        digits = f"{value:e}".partition("e")[2]
        power = int(digits)
        mantissa = repr(value / 10.0**power)
        exponent = str(power)
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Return `left operator right`. Whole numbers divide and take remainders towards zero, as in Java.

    Null when an operand is null or a whole number is divided by zero.
    """
    if left is None or right is None:
        return None
    whole = isinstance(left, int) and isinstance(right, int)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if right == 0:
                return None
            if not whole:
                return left / right
            quotient = abs(left) // abs(right)
            return quotient if (left < 0) == (right < 0) else -quotient
        case _:
            if right == 0:
                return None
            remainder = abs(left) % abs(right) if whole else math.fmod(abs(left), abs(right))
            return -remainder if left < 0 else remainder


def _starts(text: str, part: str, *, insensitive: bool = False) -> bool:
    text, part = _folded(insensitive, text, part)
    return text.startswith(part)


def _ends(text: str, part: str, *, insensitive: bool = False) -> bool:
    text, part = _folded(insensitive, text, part)
    return text.endswith(part)


def _contains(text: str, part: str, *, insensitive: bool = False) -> bool:
    text, part = _folded(insensitive, text, part)
    return part in text


def _calculation(operator: str) -> Callable[..., Value]:
    return lambda left, right: arithmetic(operator, left, right)


_TABLE = (
    Function("add", ("number", "number"), 2, "number", _calculation("+")),
    Function("between", ("string", "string", "string", "boolean"), 3, "string", between, foldable=True),
    Function("cidrMatch", ("ip", "string"), 2, "boolean", cidr_match, variadic=True),
    Function("concat", ("any",), 1, "string", lambda *v: "".join(map(to_string, v)), variadic=True),
    Function("divide", ("number", "number"), 2, "number", _calculation("/")),
    Function("endsWith", ("string", "string"), 2, "boolean", _ends, foldable=True),
    Function("indexOf", ("string", "string", "number"), 2, "number", index_of, foldable=True, nulls=True),
    Function("length", ("string",), 1, "number", len),
    Function("modulo", ("number", "number"), 2, "number", _calculation("%")),
    Function("multiply", ("number", "number"), 2, "number", _calculation("*")),
    Function("number", ("string", "number"), 1, "number", number, nulls=True),
    Function("startsWith", ("string", "string"), 2, "boolean", _starts, foldable=True),
    Function("string", ("any",), 1, "string", to_string),
    Function("stringContains", ("string", "string"), 2, "boolean", _contains, foldable=True),
    Function("substring", ("string", "number", "number"), 1, "string", substring, nulls=True),
    Function("subtract", ("number", "number"), 2, "number", _calculation("-")),
)

FUNCTIONS: dict[str, Function] = {function.name.lower(): function for function in _TABLE}

# Functions that are another spelling of an operator; the normaliser rewrites them.
ARITHMETIC_NAMES = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}
PATTERN_NAMES = {"wildcard": "wildcard", "match": "regex", "matchlite": "regex"}


def call(function: Function, arguments: tuple[Value, ...], insensitive: bool) -> Value:
    """Apply a function to values, null in giving null out (optional arguments may be null)."""
    if any(a is None for a in (arguments[: function.required] if function.nulls else arguments)):
        return None
    return function.apply(*arguments, insensitive=True) if insensitive else function.apply(*arguments)
