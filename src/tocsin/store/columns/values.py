"""Values -> columns: each field in the type that the schema or its first value gives it.

A value that does not fit its field's type is converted where Elasticsearch would (`"5"` in a `long`), and left out
of the column otherwise: the document is kept whole, and its `_ignored` names the field. Several values lie in
a column of lists where ECS says that the field is one, and elsewhere in a second column, `name#many`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tocsin.date_formats import DEFAULT, DEFAULT_NANOSECONDS, nanoseconds_of
from tocsin.ecs import TIMESTAMP, Field, FieldType, is_long
from tocsin.eql.functions import to_string
from tocsin.moments import read_moment
from tocsin.store.columns.fields import MANY, PHYSICAL, column_name

_MICROSECONDS = range(-(1 << 53), 1 << 53)

# Column, rows, values, and the rows whose values did not fit.
Built = tuple[str, Sequence[int], pa.Array, Sequence[int]]


def columns_of(known: Field, rows: list[int], values: list[Any]) -> Iterable[Built]:
    """Yield the columns of a field that has values in some rows."""
    name, physical = column_name(known.name), physical_of(known)
    if not known.many and set(map(type, values)) == {_native(known)}:
        try:
            yield name, rows, pa.array(values, physical), ()
            return
        except (OverflowError, pa.ArrowInvalid):  # a whole number beyond 64 bits: each by itself
            pass
    given = [_flat(value) if isinstance(value, list) else [value] for value in values]
    convert = converter(known)
    lists = [[fit for item in items if (fit := convert(item)) is not None] for items in given]
    bad = [row for row, items, fits in zip(rows, given, lists, strict=True) if len(fits) < len(items)]
    if known.many:
        yield name, rows, pa.array(lists, pa.list_(physical)), bad
        return
    single = [(row, fits[0]) for row, fits in zip(rows, lists, strict=True) if len(fits) == 1]
    several = [(row, fits) for row, fits in zip(rows, lists, strict=True) if len(fits) > 1]
    yield name, [row for row, _ in single], pa.array([value for _, value in single], physical), bad
    yield name + MANY, [row for row, _ in several], pa.array([f for _, f in several], pa.list_(physical)), ()


def _native(known: Field) -> type | None:
    """Return the type of values that a column takes as they are."""
    limited = known.mapped is not None and known.mapped.type in _LIMITS
    return None if limited else _NATIVE.get(known.type)


def physical_of(known: Field) -> pa.DataType:
    """Return the type of a field's column; Delta has no nanoseconds, and so `date_nanos` lies in whole numbers."""
    if known.mapped is not None and known.mapped.type == "date_nanos" and known.name != TIMESTAMP:
        return pa.int64()
    return PHYSICAL[known.type]


def converter(known: Field) -> Callable[[Any], Any]:
    """Return what gives the value of a field's column for one of a document, None for one that does not fit."""
    mapped = known.mapped
    if mapped is None:
        return _CONVERT[known.type]
    limits = _LIMITS.get(mapped.type)
    if limits is not None:
        return lambda value: number if (number := _long(value)) is not None and number in limits else None
    if known.type is not FieldType.DATE:
        return _CONVERT[known.type]
    format, unit = mapped.format or DEFAULT, 1000 if physical_of(known) == PHYSICAL[FieldType.DATE] else 1
    if format in (DEFAULT, DEFAULT_NANOSECONDS) and unit > 1:
        return _date

    def of_date(value: Any) -> int | None:
        try:
            return nanoseconds_of(value, format) // unit
        except (TypeError, ValueError):
            return None

    return of_date


def _flat(items: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        if isinstance(item, list):
            flat.extend(_flat(item))
        elif item is not None:
            flat.append(item)
    return flat


# ---- values -> what a column of a type holds; None for what does not fit


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else to_string(value)


def _long(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        number = int(value) if isinstance(value, int) else int(float(value))
        if isinstance(value, str):
            number = int(value) if value.strip().lstrip("+-").isdigit() else number
    except (TypeError, ValueError, OverflowError):
        return None
    return number if is_long(number) else None


def _double(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


_TRUTH = {"true": True, "false": False, "": False}


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else _TRUTH.get(value) if isinstance(value, str) else None


def _date(value: Any) -> datetime | int | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, bool):
        return None
    try:
        microseconds = read_moment(value) // 1000
    except (TypeError, ValueError):
        return _far_date(value)
    return microseconds if microseconds in _MICROSECONDS else None


def _far_date(value: Any) -> datetime | None:
    """Read a date before 1678, such as the zero of Windows' clock, or after 2261."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_CONVERT: Mapping[FieldType, Callable[[Any], Any]] = {
    FieldType.KEYWORD: _text,
    FieldType.IP: _text,
    FieldType.VERSION: _text,
    FieldType.LONG: _long,
    FieldType.DOUBLE: _double,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
}
_LIMITS: Mapping[str, range] = {
    "byte": range(-128, 128),
    "short": range(-32_768, 32_768),
    "integer": range(-(1 << 31), 1 << 31),
}
_NATIVE: Mapping[FieldType, type] = {
    FieldType.KEYWORD: str,
    FieldType.IP: str,
    FieldType.VERSION: str,
    FieldType.LONG: int,
    FieldType.DOUBLE: float,
    FieldType.BOOLEAN: bool,
}
