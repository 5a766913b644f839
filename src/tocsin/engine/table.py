"""Event tables: one Arrow array a field, each turned into codes over its distinct values on first use."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import FieldType, Schema, default_schema
from tocsin.eql.functions import to_string
from tocsin.moments import to_nanoseconds

Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Column:
    """One field of a table, as codes over values: distinct ones, unless nearly all of them are different.

    `codes` holds one number a value, -1 for null. A field with one value a row has `offsets` None; otherwise
    the values of row i are `codes[offsets[i]:offsets[i + 1]]` (length rows + 1).
    """

    values: pa.Array
    codes: Codes
    offsets: Codes | None = None

    @cached_property
    def objects(self) -> list[Any]:
        """The distinct values as Python objects."""
        objects: list[Any] = self.values.to_pylist()
        return objects

    @cached_property
    def lowered(self) -> pa.Array:
        """The distinct values in lower case (strings only)."""
        data = self.values.buffers()[2]
        plain = data is None or pc.all(pc.string_is_ascii(self.values)).as_py() is not False
        return pc.ascii_lower(self.values) if plain else pc.utf8_lower(self.values)

    def take(self, rows: Rows) -> Column:
        """Return the column of some rows, over the same values."""
        if self.offsets is None:
            return Column(self.values, self.codes[rows])
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Column(self.values, self.codes[np.repeat(starts, lengths) + within], offsets)

    @cached_property
    def rows_a_value(self) -> Codes:
        """In how many rows each distinct value stands (for a field with many values, at most)."""
        present = self.codes[self.codes >= 0]
        return np.bincount(present, minlength=len(self.values)).astype(np.int64, copy=False)

    @cached_property
    def counts(self) -> Codes:
        """How many values that are not null each row has."""
        present = self.codes >= 0
        if self.offsets is None:
            return present.astype(np.int64)
        running = np.concatenate(([0], np.cumsum(present)))
        counts: Codes = running[self.offsets[1:]] - running[self.offsets[:-1]]
        return counts

    def rows_where(self, truth: Mask, when_null: bool) -> Mask:
        """Spread the truth of each distinct value over the rows: any value of a row decides for it."""
        lookup = np.append(truth, False if self.offsets is not None else when_null)
        by_value: Mask = lookup[self.codes]
        if self.offsets is None:
            return by_value
        running = np.concatenate(([0], np.cumsum(by_value)))
        rows: Mask = running[self.offsets[1:]] > running[self.offsets[:-1]]
        if when_null:
            rows |= self.counts == 0
        return rows


class EventTable:
    """Flat columns of one length; a field without a column is null in every row.

    A table that was taken from another one inherits its columns as far as they are encoded.
    """

    def __init__(
        self,
        columns: Mapping[str, pa.Array | pa.ChunkedArray],
        rows: int,
        schema: Schema | None = None,
    ) -> None:
        self.rows = rows
        self.schema = schema or default_schema()
        self.inherited: set[str] = set()
        self._of: tuple[EventTable, Rows] | None = None
        self._raw = columns
        self._raw_names = columns.fields if isinstance(columns, RowColumns) else frozenset(columns)
        self._encoded: dict[str, Column | None] = {}
        self._taken: Counter[str] = Counter()  # rows for which a column was read in part

    @property
    def is_columnar(self) -> bool:
        """Tell whether columns are at hand, and not put together from events that were read one by one."""
        return not isinstance(self._raw, RowColumns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._raw)

    def raw(self, name: str) -> pa.Array | pa.ChunkedArray | None:
        """Return a column as it was given, or None."""
        return self._raw.get(name)

    def worth_taking(self, names: Iterable[str], rows: int) -> bool:
        """Tell whether to read columns for a few rows alone (`take`) instead of whole, and remember the choice.

        A column that was read for some rows again and again is at last read whole, so that reading in parts
        never costs more than twice as much as reading whole would have.
        """
        unread = [name for name in names if name in self._raw_names and not self._has_encoded(name)]
        if not unread or any(self._taken[name] + rows >= self.rows for name in unread):
            return False
        for name in unread:
            self._taken[name] += rows
        return True

    def _has_encoded(self, name: str) -> bool:
        return name in self._encoded or (self._of is not None and self._of[0]._has_encoded(name))

    def column(self, name: str, *, distinct: bool = True) -> Column | None:
        """Return a column over its distinct values, or None when no row has the field.

        Without `distinct` equal values may be kept apart, which costs less where nearly all are different.
        """
        if name not in self._encoded and self._of is not None and self._of[0]._has_encoded(name):
            whole, rows = self._of
            column = whole.column(name)
            self._encoded[name] = None if column is None else column.take(rows)
            self.inherited.add(name)
        if name not in self._encoded:
            raw = self._raw.get(name)
            known = self.schema.find(name)
            kind = known.type if known else None
            self._encoded[name] = None if raw is None else encode(raw, kind, distinct=distinct)
        return self._encoded[name]

    def take(self, rows: npt.NDArray[np.intp]) -> EventTable:
        """Return a table of some rows; columns are only taken when they are read."""
        raw = self._raw
        taken = raw.take(rows) if isinstance(raw, RowColumns) else _Taken(raw, pa.array(rows))
        table = EventTable(taken, len(rows), self.schema)
        table._of = (self, rows)
        return table


class _Taken(Mapping[str, pa.Array]):
    """Columns restricted to some rows, each when it is first read."""

    def __init__(self, columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: pa.Array) -> None:
        self._columns, self._rows = columns, rows

    def __getitem__(self, name: str) -> pa.Array:
        return self._columns[name].take(self._rows)

    def __iter__(self) -> Any:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns


class Row(Protocol):
    """An event that gives a field's value, a list of values, or None by its name."""

    def get(self, name: str, /) -> Any:
        """Return a field's value."""


class Kind(Protocol):
    """What events of one kind have in common."""

    def constant(self, field: str, /) -> tuple[bool, Any]:
        """Tell whether every event of this kind has the same value in a field, and which."""


class RowColumns(Mapping[str, pa.Array]):
    """Columns of events that were read one by one, each put together when it is first read.

    Rows may have a `kind`; what is constant for each kind is not read from the rows.
    """

    def __init__(self, rows: Sequence[Row], fields: Iterable[str]) -> None:
        self._rows, self.fields = rows, frozenset(fields)
        self._built: dict[str, pa.Array | None] = {}

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._built:
            self._built[name] = self._build(name) if name in self.fields else None
        array = self._built[name]
        if array is None:
            raise KeyError(name)
        return array

    def _build(self, name: str) -> pa.Array | None:
        kinds, codes = self._kinds
        constants = [kind.constant(name) for kind in kinds]
        if constants and all(known for known, _ in constants):
            values = to_array([value for _, value in constants])
            return None if values is None else values.take(codes)
        return to_array([row.get(name) for row in self._rows])

    @cached_property
    def _kinds(self) -> tuple[list[Kind], pa.Array]:
        """The different kinds of the rows, and which each row is of; none where a row does not tell."""
        numbers: dict[Kind, int] = {}
        codes = []
        for row in self._rows:
            kind = getattr(row, "kind", None)
            if kind is None:
                return [], pa.array([], pa.int32())
            codes.append(numbers.setdefault(kind, len(numbers)))
        return list(numbers), pa.array(np.array(codes, np.int32))

    def __iter__(self) -> Iterator[str]:
        return (name for name in sorted(self.fields) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def take(self, rows: npt.NDArray[np.intp]) -> RowColumns:
        """Return the columns of some rows."""
        return RowColumns([self._rows[row] for row in rows], self.fields)


# ---- encoding


def encode(raw: pa.Array | pa.ChunkedArray, kind: FieldType | None, *, distinct: bool = True) -> Column | None:
    """Turn an Arrow array into a column of the given type; values that cannot be converted become null."""
    array = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    if isinstance(array, pa.ChunkedArray):  # several chunks of dictionaries that could not be unified
        array = pa.concat_arrays(array.unify_dictionaries().chunks)
    offsets: Codes | None = None
    if pa.types.is_null(array.type):
        return None
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        array, offsets = _flatten(array)
        if pa.types.is_null(array.type):
            return None
    values, codes = _dictionary(array) if distinct else _as_they_are(array)
    converted = _CONVERSIONS[kind](values) if kind in _CONVERSIONS else values
    if converted is not values:
        values, codes = _unify(converted, codes)
    return Column(values, codes, offsets)


def _dictionary(array: pa.Array) -> tuple[pa.Array, Codes]:
    """Return an array's distinct values and codes."""
    if not pa.types.is_dictionary(array.type):
        if array.null_count * 2 > len(array):  # nulls cost as much as values; looking for them costs less
            return _sparse(array)
        array = array.dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    values = array.dictionary
    return values, _without_null_values(values, codes) if values.null_count else codes


def _sparse(array: pa.Array) -> tuple[pa.Array, Codes]:
    present = array.drop_null().dictionary_encode()
    return present.dictionary, _placed(array, present.indices.to_numpy(zero_copy_only=False))


def _as_they_are(array: pa.Array) -> tuple[pa.Array, Codes]:
    """Return an array's values without the nulls, each with a code of its own."""
    if pa.types.is_dictionary(array.type):
        return _dictionary(array)
    if not array.null_count:
        return array, np.arange(len(array), dtype=np.int64)
    present = array.drop_null()
    return present, _placed(array, np.arange(len(present)))


def _placed(array: pa.Array, codes_of_values: npt.NDArray[Any]) -> Codes:
    codes = np.full(len(array), -1, np.int64)
    codes[array.is_valid().to_numpy(zero_copy_only=False)] = codes_of_values
    return codes


def _flatten(array: pa.Array) -> tuple[pa.Array, Codes]:
    offsets = array.offsets.to_numpy().astype(np.int64)
    if array.null_count:  # a null list may still have a length
        null = ~array.is_valid().to_numpy(zero_copy_only=False)
        if np.diff(offsets)[null].any():
            array = pc.if_else(array.is_valid(), array, pa.scalar([], array.type))
            offsets = array.offsets.to_numpy().astype(np.int64)
    inner = array.values.slice(offsets[0], offsets[-1] - offsets[0])
    return inner, offsets - offsets[0]


def _without_null_values(values: pa.Array, codes: Codes) -> Codes:
    lookup = np.arange(len(values) + 1, dtype=np.int64)
    lookup[:-1][values.is_null().to_numpy(zero_copy_only=False)] = -1
    lookup[-1] = -1
    return lookup[codes]


def _unify(converted: pa.Array, codes: Codes) -> tuple[pa.Array, Codes]:
    """Two distinct values may be one after conversion, or none."""
    again = converted.dictionary_encode()
    lookup = np.append(again.indices.fill_null(-1).to_numpy(zero_copy_only=False), -1).astype(np.int64)
    return again.dictionary, lookup[codes]


def _each(convert: Callable[[Any], Any], to: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    """Return a conversion that runs over distinct values, null where `convert` raises."""

    def apply(values: pa.Array) -> pa.Array:
        out: list[Any] = []
        for value in values.to_pylist():
            try:
                out.append(None if value is None else convert(value))
            except (ValueError, TypeError, OverflowError):
                out.append(None)
        return pa.array(out, to)

    return apply


def _to_long(value: Any) -> int:
    number = int(value, 0) if isinstance(value, str) and value[:2].lower() == "0x" else int(float(value))
    if isinstance(value, str) and value.lstrip("+-").isdigit():
        number = int(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _to_boolean(value: Any) -> bool:
    if isinstance(value, str):
        return {"true": True, "false": False}[value.lower()] if value.lower() in ("true", "false") else _no(value)
    return value if isinstance(value, bool) else _no(value)


def _no(value: Any) -> Any:
    raise ValueError(value)


def _dates(values: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("ns", values.type.tz)).cast(pa.int64())
    if pa.types.is_string(values.type) and _is_utc(values):
        try:
            return values.cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:  # one that is spelled otherwise: each by itself
            pass
    return _each(to_nanoseconds, pa.int64())(values)


def _is_utc(values: pa.Array) -> bool:
    """Tell whether every text is a moment in the usual spelling, `2026-10-06T08:26:00.000Z`."""
    spelled = pc.match_substring_regex(values, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$")
    return pc.all(spelled).as_py() is not False


def _strings(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        return values.cast(pa.string())
    return _each(to_string, pa.string())(values)


def _canonical_address(text: str) -> str:
    return str(ipaddress.ip_address(text)) if ":" in text else text


def _addresses(values: pa.Array) -> pa.Array:
    strings = _strings(values)
    with_colon = pc.any(pc.match_substring(strings, ":")).as_py()
    return _each(_canonical_address, pa.string())(strings) if with_colon else strings


def _longs(values: pa.Array) -> pa.Array:
    if pa.types.is_int64(values.type):
        return values
    return (
        values.cast(pa.int64()) if pa.types.is_signed_integer(values.type) else _each(_to_long, pa.int64())(values)
    )


def _doubles(values: pa.Array) -> pa.Array:
    if pa.types.is_float64(values.type):
        return values
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    return values.cast(pa.float64(), safe=False) if numeric else _each(float, pa.float64())(values)


def _booleans(values: pa.Array) -> pa.Array:
    return values if pa.types.is_boolean(values.type) else _each(_to_boolean, pa.bool_())(values)


_CONVERSIONS: dict[FieldType | None, Callable[[pa.Array], pa.Array]] = {
    FieldType.KEYWORD: _strings,
    FieldType.IP: _addresses,
    FieldType.LONG: _longs,
    FieldType.DOUBLE: _doubles,
    FieldType.BOOLEAN: _booleans,
    FieldType.DATE: _dates,
}


def table_from_events(rows: Sequence[Row], fields: Iterable[str], schema: Schema | None = None) -> EventTable:
    """Return a table of some fields of events that were read one by one.

    A column becomes a list as soon as one event holds several values; values of mixed types become strings.
    """
    return EventTable(RowColumns(rows, fields), len(rows), schema)


def to_array(values: list[Any]) -> pa.Array | None:
    """Return an Arrow array of values, lists of values among them, or None when all are null."""
    kinds = {type(value) for value in values}
    kinds.discard(type(None))
    if not kinds:
        return None
    if list in kinds:
        values = [v if isinstance(v, list) or v is None else [v] for v in values]
        kinds = {type(item) for value in values if value for item in value} - {type(None)}
        if len(kinds) > 1 and kinds != {int, float}:
            values = [None if v is None else [None if i is None else to_string(i) for i in v] for v in values]
    elif len(kinds) > 1 and kinds != {int, float}:
        values = [None if v is None else to_string(v) for v in values]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # whole numbers beyond 64 bits
        wide = [[to_string(i) for i in v] if isinstance(v, list) else v and to_string(v) for v in values]
        return pa.array(wide)
