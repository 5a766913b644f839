"""Columns that grow and change: arrays that are joined, texts that many rows have in common held once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Positions = npt.NDArray[np.int64]
_STRETCHES = 64
_DISTINCT = 1024  # so many different texts are always worth a dictionary


@dataclass(frozen=True)
class Order:
    """Rows in another order. Where it has few stretches of rows that stay together, these are copied whole."""

    places: Positions

    @cached_property
    def _stretches(self) -> list[tuple[int, int]] | None:
        """Where stretches of rows begin, and their lengths; None when there are too many."""
        breaks = np.flatnonzero(np.diff(self.places) != 1) + 1
        if not len(self.places) or len(breaks) > _STRETCHES:
            return None
        starts = np.concatenate(([0], breaks))
        lengths = np.diff(np.concatenate((starts, [len(self.places)])))
        return list(zip(self.places[starts].tolist(), lengths.tolist(), strict=True))

    def of(self, array: pa.Array) -> pa.Array:
        """Return the rows of an array in this order."""
        if self._stretches is None:
            return array.take(pa.array(self.places))
        if pa.types.is_dictionary(array.type):
            return pa.DictionaryArray.from_arrays(self.of(array.indices), array.dictionary)
        return pa.concat_arrays([array.slice(start, length) for start, length in self._stretches])


def with_dictionary(array: pa.Array) -> pa.Array:
    """Return texts by dictionary, unless most of them are different; every other array as it is."""
    if pa.types.is_string(array.type):
        array = array.dictionary_encode()
    if pa.types.is_dictionary(array.type) and len(array.dictionary) > max(_DISTINCT, len(array) // 2):
        return array.dictionary_decode()
    return array


def joined(parts: Sequence[pa.Array]) -> pa.Array:
    """Return arrays of one type, some of them perhaps by dictionary, as one."""
    if len(parts) == 1:
        return parts[0]
    if any(pa.types.is_dictionary(part.type) for part in parts):
        coded = [part if pa.types.is_dictionary(part.type) else part.dictionary_encode() for part in parts]
        return with_dictionary(pa.concat_arrays(pa.chunked_array(coded).unify_dictionaries().chunks))
    return pa.concat_arrays(parts)


def changed(
    old: pa.Array | None, new: pa.Array | None, lengths: tuple[int, int], order: Order | None
) -> pa.Array | None:
    """Return the rows of a column, and behind them those of another, in an order; None where both have none.

    `lengths` are those of both; a column that is not there is of nulls.
    """
    there = old if old is not None else new
    if there is None:
        return None
    first = old if old is not None else _nulls(there, lengths[0])
    second = new if new is not None else _nulls(there, lengths[1])
    if pa.types.is_dictionary(first.type):
        return with_dictionary(_extended(first, second, order))
    both = joined([first, second])
    return with_dictionary(both if order is None else order.of(both))


def same_values(first: pa.Array | None, second: pa.Array | None) -> bool:
    """Return whether two columns hold the same; one that is not there is of nulls."""
    if first is None or second is None:
        there = first if first is not None else second
        return there is None or bool(there.null_count == len(there))
    texts = (a.dictionary_decode() if pa.types.is_dictionary(a.type) else a for a in (first, second))
    return bool(next(texts).equals(next(texts)))


def _nulls(like: pa.Array, length: int) -> pa.Array:
    kind = like.type.value_type if pa.types.is_dictionary(like.type) else like.type
    return with_dictionary(pa.nulls(length, kind))


def _extended(first: pa.DictionaryArray, second: pa.Array, order: Order | None) -> pa.DictionaryArray:
    """Return the rows of a column by dictionary, and further ones, in an order; its codes stay what they are."""
    values = second.dictionary_decode() if pa.types.is_dictionary(second.type) else second
    known = first.dictionary
    codes = pc.index_in(values, value_set=known)
    new = values.filter(pc.and_(codes.is_null(), values.is_valid()))
    if len(new):
        known = pa.concat_arrays([known, new.unique()])
        codes = pc.index_in(values, value_set=known)
    both = pa.concat_arrays([first.indices, codes])
    return pa.DictionaryArray.from_arrays(both if order is None else order.of(both), known)
