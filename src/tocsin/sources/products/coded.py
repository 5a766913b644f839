"""Columns as codes over values, so that what is worked out of a value is worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.engine.table import to_array
from tocsin.sources.values import text

Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]  # a mask of them


class Coded:
    """A column as codes over values, -1 for null. The values are distinct where `distinct` says so."""

    __slots__ = ("codes", "distinct", "values")

    def __init__(self, codes: Codes, values: list[Any], *, distinct: bool = True) -> None:
        self.codes, self.values, self.distinct = codes, values, distinct

    def convert(self, convert: Callable[[Any], Any]) -> Coded:
        """Return the column with each distinct value converted; values that become None are null."""
        if convert is text:
            return self
        lookup, values = numbered_values(list(map(convert, self.values)))
        return Coded(lookup[self.codes], values)

    def or_else(self, other: Coded) -> Coded:
        """Return the column with the other's values where it is null."""
        null = self.codes < 0
        if not null.any():
            return self
        if null.all():
            return other
        shifted = np.where(other.codes < 0, -1, other.codes + len(self.values))
        return Coded(np.where(null, shifted, self.codes), [*self.values, *other.values], distinct=False)

    def only(self, rows: Rows) -> Coded:
        """Return the column with nulls outside of some rows."""
        return Coded(np.where(rows, self.codes, -1), self.values, distinct=self.distinct)

    def to_arrow(self) -> pa.Array | None:
        """Return the column for an event table, None when all of it is null."""
        codes, values = self.codes, self.values
        if not self.distinct:
            lookup, values = numbered_values(values)
            codes = lookup[codes]
        array = _lists(values) if values and type(values[0]) is list else to_array(values)
        if array is None or not (codes >= 0).any():
            return None
        indices = pa.array(codes, pa.int64(), mask=codes < 0)
        if pa.types.is_list(array.type):
            return array.take(indices)
        return pa.DictionaryArray.from_arrays(indices, array)


def _lists(values: list[Any]) -> pa.Array | None:
    """Return lists of texts as an array, which is faster than looking at each item's type."""
    try:
        items = pa.array([item for value in values for item in value], pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid, TypeError):  # of something else, or some are no lists
        return to_array(values)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, items)


def numbered_values(values: list[Any]) -> tuple[Codes, list[Any]]:
    """Return a number for each value, None as -1, and the values by their numbers.

    Equal values have one number, but for lists, which nothing compares. The numbers end in one for null, so that
    code -1 finds it.
    """
    kinds = set(map(type, values)) - {type(None)}
    if list in kinds:
        present = np.array([value is not None for value in values] + [False])
        return np.where(present, np.cumsum(present) - 1, -1), [value for value in values if value is not None]
    known: dict[Any, int] = {}
    keys = values if len(kinds) < 2 else [None if v is None else (type(v), v) for v in values]  # 1 equals True
    distinct = dict.fromkeys(keys)
    if len(distinct) == len(values) and None not in distinct:
        return np.append(np.arange(len(values)), -1), values
    numbers = [-1 if key is None else known.setdefault(key, len(known)) for key in keys]
    return np.array([*numbers, -1], np.int64), list(known) if len(kinds) < 2 else [value for _, value in known]


def combine(columns: Sequence[Coded], work_out: Callable[..., Any], only: Rows | None = None) -> Coded:
    """Return what a function makes of several columns, called once a combination; for `only` some rows."""
    if only is not None:
        of_rows = combine([Coded(column.codes[only], column.values) for column in columns], work_out)
        codes = np.full(len(only), -1, np.int64)
        codes[only] = of_rows.codes
        return Coded(codes, of_rows.values)
    combined = np.zeros(len(columns[0].codes), np.int64)
    for column in columns:
        _, combined = _numbered(combined * (len(column.values) + 1) + column.codes + 1)
    first, combined = _numbered(combined)
    lists = [[*column.values, None] for column in columns]
    picked = [
        [values[code] for code in column.codes[first]] for column, values in zip(columns, lists, strict=True)
    ]
    lookup, values = numbered_values([work_out(*parts) for parts in zip(*picked, strict=True)])
    return Coded(lookup[combined], values)


def _numbered(codes: Codes) -> tuple[npt.NDArray[np.intp], Codes]:
    """Return where each distinct code stands first, and the codes numbered in that order."""
    encoded = pa.array(codes).dictionary_encode()
    numbers = encoded.indices.to_numpy().astype(np.int64)
    first = np.full(len(encoded.dictionary), -1, np.intp)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    return first, numbers


def encoded_column(column: pa.ChunkedArray) -> Coded:
    """Return a column of Arrow as codes over its distinct values."""
    array = column.combine_chunks()
    if array.null_count == len(array):
        return Coded(np.full(len(array), -1, np.int64), [])
    encoded = array.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return Coded(codes, encoded.dictionary.to_pylist())
