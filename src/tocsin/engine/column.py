"""One field of a table as codes over its values: how Arrow arrays of any type become that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.addresses import number_of, one_spelling
from tocsin.ecs import FieldType, is_long
from tocsin.eql.functions import to_string
from tocsin.moments import read_moment

Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_HALF = (1 << 64) - 1
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"


def ranges(starts: Codes, lengths: Codes) -> Codes:
    """Return the numbers of several ranges, one behind the other: from each start as many as its length."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


class Addresses(NamedTuple):
    """Addresses as numbers of 128 bits, in two halves; `known` is false for a text that is no address."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    known: Mask

    def within(self, first: int, last: int) -> Mask:
        """Tell which addresses lie from one number to another."""
        return self.known & self._not_below(first) & ~self._not_below(last + 1)

    def _not_below(self, number: int) -> Mask:
        if number >> 128:
            return np.zeros(len(self.high), np.bool_)
        high, low = np.uint64(number >> 64), np.uint64(number & _HALF)
        beyond: Mask = (self.high > high) | ((self.high == high) & (self.low >= low))
        return beyond

    def as_bytes(self) -> pa.Array:
        """Return the addresses as 16 bytes each, in whose order they are; null for a text that is none."""
        halves = np.stack((self.high, self.low), axis=1).astype(">u8")
        return pa.array([row.tobytes() for row in halves], pa.binary(), mask=~self.known)


@dataclass(frozen=True)
class CodedColumn:
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

    @cached_property
    def addresses(self) -> Addresses:
        """The distinct values as addresses (strings only)."""
        return _numbered(self.values)

    def take(self, rows: Rows) -> CodedColumn:
        """Return the column of some rows, over the same values."""
        if self.offsets is None:
            return CodedColumn(self.values, self.codes[rows])
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        return CodedColumn(self.values, self.codes[ranges(starts, lengths)], offsets)

    def first_codes(self) -> Codes:
        """Return the code of each row's first value, -1 where there is none."""
        if self.offsets is None:
            return self.codes.copy()
        rows = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        present = np.flatnonzero(self.codes >= 0)[::-1]
        codes = np.full(len(self.offsets) - 1, -1, np.int64)
        codes[rows[present]] = self.codes[present]
        return codes

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


# ---- encoding


def encode(
    raw: pa.Array | pa.ChunkedArray, kind: FieldType | None, *, distinct: bool = True
) -> CodedColumn | None:
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
        apart = not distinct and not converted.null_count
        values, codes = (converted, codes) if apart else _unify(converted, codes)
    return CodedColumn(values, codes, offsets)


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
    if not is_long(number):
        raise OverflowError
    return number


def _to_boolean(value: Any) -> bool:
    if isinstance(value, str):
        return {"true": True, "false": False}[value.lower()] if value.lower() in ("true", "false") else _no(value)
    return value if isinstance(value, bool) else _no(value)


def _no(value: Any) -> Any:
    raise ValueError(value)


def _dates(values: pa.Array) -> pa.Array:
    try:
        if pa.types.is_timestamp(values.type):
            return values.cast(pa.timestamp("ns", values.type.tz)).cast(pa.int64())
        if pa.types.is_string(values.type) and _is_utc(values):
            return values.cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:  # one that is spelled otherwise or beyond 64 bits: each by itself
        pass
    return _each(read_moment, pa.int64())(values)


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


def _addresses(values: pa.Array) -> pa.Array:
    """Give each address its one spelling; IPv4 has no other, and what is no address stays as it is."""
    strings = _strings(values)
    several = pc.match_substring_regex(strings, "[:%]")
    if not pc.any(several).as_py():
        return strings
    return pc.replace_with_mask(strings, several, _each(one_spelling, pa.string())(strings.filter(several)))


def _numbered(values: pa.Array) -> Addresses:
    """Return texts as addresses: those of IPv4 by Arrow, the others one by one."""
    high, low = np.zeros(len(values), np.uint64), np.zeros(len(values), np.uint64)
    known = pc.match_substring_regex(values, _IPV4).fill_null(False).to_numpy(zero_copy_only=False).copy()
    octets = pc.list_flatten(pc.split_pattern(values.filter(pa.array(known)), "."))
    parts = octets.cast(pa.uint64()).to_numpy(zero_copy_only=False).reshape(-1, 4)
    low[known] = parts @ np.array([1 << 24, 1 << 16, 1 << 8, 1], np.uint64) + np.uint64(0xFFFF << 32)
    for at in np.flatnonzero(~known).tolist():
        try:
            number = number_of(values[at].as_py())
        except ValueError:
            continue
        high[at], low[at], known[at] = number >> 64, number & _HALF, True
    return Addresses(high, low, known)


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
    FieldType.VERSION: _strings,
    FieldType.LONG: _longs,
    FieldType.DOUBLE: _doubles,
    FieldType.BOOLEAN: _booleans,
    FieldType.DATE: _dates,
}
