"""Functions of ES|QL that convert values. Facts are from Elastic's ES|QL reference."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.addresses import canonical
from tocsin.ecs import FieldType, is_long
from tocsin.eql.functions import to_string
from tocsin.esql.dates import to_moment
from tocsin.esql.functions.function import BOOLEAN, DATE, DOUBLE, IP, KEYWORD, LONG, Function, Many, Value


def _to_long(value: Value) -> int | None:
    number = _to_whole(value)
    return number if number is not None and is_long(number) else None


def _to_whole(value: Value) -> int | None:
    try:
        return round(float(value)) if isinstance(value, float | str) and not _is_whole(value) else int(value)
    except (ValueError, OverflowError):
        return None


def _is_whole(value: Value) -> bool:
    return isinstance(value, str) and value.strip().lstrip("+-").isdigit()


def _to_integer(value: Value) -> int | None:
    number = _to_long(value)
    return number if number is not None and -(1 << 31) <= number < 1 << 31 else None


def _to_unsigned_long(value: Value) -> int | None:
    number = _to_whole(value)
    return number if number is not None and 0 <= number < 1 << 64 else None


def _to_double(value: Value) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _to_boolean(value: Value) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)


def to_ip(value: str) -> str | None:
    """Return an address in its one spelling, null for a text that is none."""
    try:
        return canonical(value)
    except ValueError:
        return None


CONVERSIONS: Mapping[str, Function] = {
    "to_string": Function("a", KEYWORD, to_string, many=Many.EACH),
    "to_long": Function("a", LONG, _to_long, many=Many.EACH),
    "to_integer": Function("a", LONG, _to_integer, many=Many.EACH),
    "to_unsigned_long": Function("a", LONG, _to_unsigned_long, many=Many.EACH),
    "to_double": Function("a", DOUBLE, _to_double, many=Many.EACH),
    "to_boolean": Function("a", BOOLEAN, _to_boolean, many=Many.EACH),
    "to_ip": Function("k", IP, to_ip, many=Many.EACH),
    "to_version": Function("k", FieldType.VERSION, to_string, many=Many.EACH),
    "to_datetime": Function("a", DATE, to_moment, many=Many.EACH),
}
