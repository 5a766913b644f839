"""Values in queries as a field's type has them: numbers, moments, texts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from tocsin.date_formats import DEFAULT, DEFAULT_NANOSECONDS, date_format, zone_of
from tocsin.date_math import apply_math
from tocsin.ecs import FieldType, is_long
from tocsin.eql import syntax as s
from tocsin.eql.functions import to_string
from tocsin.eql.versions import Version
from tocsin.errors import QueryError
from tocsin.moments import to_nanoseconds
from tocsin.query_dsl.context import Context, base_name


def literal(name: str, value: Any, context: Context) -> s.Literal:
    """Return a value as the field's type has it. Raises QueryError."""
    return _LITERALS.get(context.type_of(base_name(name)), _keyword)(name, value, context)


def _keyword(name: str, value: Any, context: Context) -> s.Literal:
    if isinstance(value, (dict, list)) or value is None:
        raise QueryError(f"[{name}] is compared with a text or a number, not with {value!r}")
    if context.type_of(base_name(name)) is None and not isinstance(value, str):
        return s.Literal(value)
    return s.Literal(to_string(value))


def _number(name: str, value: Any, context: Context) -> s.Literal:
    if isinstance(value, str):
        try:
            value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
        except ValueError:
            raise QueryError(f"For input string: {value!r}, which is no number, in [{name}]") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise QueryError(f"[{name}] is compared with a number, not with {value!r}")
    whole = context.type_of(base_name(name)) is FieldType.LONG
    if whole and isinstance(value, float) and value.is_integer():
        return s.Literal(int(value))
    return s.Literal(value if whole else float(value))


def _boolean(name: str, value: Any, context: Context) -> s.Literal:
    truth = {True: True, False: False, "true": True, "false": False, "": False}
    if not isinstance(value, (bool, str)) or value not in truth:
        raise QueryError(f"Can't parse boolean value [{value}], expected [true] or [false], in [{name}]")
    return s.Literal(truth[value])


def _moment(name: str, value: Any, context: Context) -> s.Literal:
    return s.Literal(moment(name, value, context))


_LITERALS: dict[FieldType | None, Callable[[str, Any, Context], s.Literal]] = {
    FieldType.LONG: _number,
    FieldType.DOUBLE: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _moment,
    FieldType.VERSION: lambda name, value, context: s.Literal(Version(to_string(value))),
}


def moment(
    name: str,
    value: Any,
    context: Context,
    *,
    up: bool = False,
    zone: str | None = None,
    format: str | None = None,
) -> int:
    """Return a moment in nanoseconds: a date in a format, which is the field's if none is given, or date math.

    A rounded moment, and a date that leaves parts out, is its span's end when `up`. Raises QueryError.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise QueryError(f"[{name}] is compared with a date, not with {value!r}")
    try:
        text = str(value).strip()
        if text.startswith("now"):
            return apply_math(to_nanoseconds(context.now), text[3:], round_up=up)
        date, bars, math = text.partition("||") if isinstance(value, str) else (value, "", "")
        if math and not bars:
            raise ValueError("put `||` between a date and its math")
        start, length = _date(date, format or context.format_of(name), zone)
        if math:
            return apply_math(start, math, round_up=up)
        return start + length if up else start
    except (ValueError, OverflowError) as error:
        raise QueryError(f"failed to parse date field [{value}] in [{name}]: {error}") from None


def _date(date: str | float, format: str, zone: str | None) -> tuple[int, int]:
    """Return the beginning of a date's span, and how much longer than a nanosecond it is."""
    if format in (DEFAULT, DEFAULT_NANOSECONDS) and (not isinstance(date, str) or _MILLISECONDS.fullmatch(date)):
        return to_nanoseconds(date if isinstance(date, float) else int(date)), 0
    try:
        return date_format(format).parse(date, zone_of(zone) if zone else UTC)
    except ValueError:
        if format in (DEFAULT, DEFAULT_NANOSECONDS):  # ISO 8601 in its rarer variants
            return to_nanoseconds(date), 0
        raise


_MILLISECONDS = re.compile(r"-?\d{5,}", re.ASCII)


def readings(name: str, value: Any, context: Context) -> list[s.Literal]:
    """Return what a value may be in a field that nobody knows before events come: text, number, boolean."""
    text = to_string(literal(name, value, context).value)
    truth = {"true": True, "false": False}.get(text)
    return [s.Literal(text), *as_number(text), *([] if truth is None else [s.Literal(truth)])]


def as_number(text: str) -> list[s.Literal]:
    """Return the number that a text may be, none for any other text."""
    try:
        number = float(text)
    except ValueError:
        return []
    if not math.isfinite(number):
        return []
    return [s.Literal(int(number) if number.is_integer() and is_long(int(number)) else number)]


@dataclass(frozen=True)
class Bound:
    """One end of a range: an operator (`>`, `>=`, `<`, `<=`) and a value."""

    operator: str
    value: Any
