"""Join keys as numbers: the keys of many steps and tables, equal ones alike, without a Python object a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.engine.column import CodedColumn, Codes
from tocsin.eql.functions import to_string

Key = tuple[Any, ...]


class Keyed(NamedTuple):
    """Events of one step and table: places (n, 3), and for each join key codes (n) over its distinct values."""

    places: Codes
    codes: tuple[npt.NDArray[np.int32], ...]
    values: tuple[pa.Array | None, ...]


def compact(codes: Codes, column: CodedColumn | None) -> tuple[npt.NDArray[np.int32], pa.Array | None]:
    """Return codes over the values that they use alone: what is kept should not hold a whole column's."""
    if column is None:
        return codes.astype(np.int32), None
    if len(column.values) <= len(codes):
        return codes.astype(np.int32), column.values
    used, again = np.unique(codes, return_inverse=True)
    none = int(len(used) > 0 and used[0] < 0)
    return (again.reshape(-1) - none).astype(np.int32), column.values.take(pa.array(used[none:]))


class KeyNumbers:
    """Numbers for the keys of many steps and tables, equal keys getting one; without a Python object a key."""

    def __init__(self, keyed: Sequence[Keyed], positions: int) -> None:
        self.numbers = np.zeros(sum(len(events.places) for events in keyed), np.int64)
        self._codes: list[Codes] = []
        self._values: list[pa.Array] = []
        for position in range(positions):
            codes, values = _joined([(events.codes[position], events.values[position]) for events in keyed])
            self._codes.append(codes)
            self._values.append(values)
            combined = self.numbers * (len(values) + 1) + codes + 1
            self.numbers = np.unique(combined, return_inverse=True)[1].reshape(-1).astype(np.int64)
        self.count = int(self.numbers.max()) + 1 if len(self.numbers) else 0
        self._first = np.zeros(self.count, np.int64)
        self._first[self.numbers[::-1]] = np.arange(len(self.numbers))[::-1]

    def key(self, number: int) -> Key:
        """Return the key that has a number."""
        at = self._first[number]
        picked = ((values, int(codes[at])) for values, codes in zip(self._values, self._codes, strict=True))
        return tuple(None if code < 0 else values[code].as_py() for values, code in picked)


def _joined(parts: Sequence[tuple[npt.NDArray[np.int32], pa.Array | None]]) -> tuple[Codes, pa.Array]:
    """Return codes of several arrays over one set of distinct values."""
    present = [values for _, values in parts if values is not None and len(values)]
    kinds = {values.type for values in present}
    if len(kinds) > 1:  # a field that no schema knows may have another type in another table
        present = [pa.array([to_string(v) for v in values.to_pylist()], pa.string()) for values in present]
    if not present:
        return np.full(sum(len(codes) for codes, _ in parts), -1, np.int64), pa.array([], pa.string())
    encoded = pa.chunked_array(present).combine_chunks().dictionary_encode()
    lookup = np.append(encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), -1)
    renumbered, start = [], 0
    for codes, values in parts:
        renumbered.append(np.where(codes < 0, -1, lookup[codes + start] if values is not None else -1))
        start += len(values) if values is not None else 0
    return np.concatenate(renumbered), encoded.dictionary


def with_key(keyed: Keyed, position: int, allowed: pa.Array, null: bool) -> Keyed:
    """Return the events whose key at a position is one of those allowed (null among them or not)."""
    values = keyed.values[position]
    if values is None or not len(values):
        return keyed if null else _where(keyed, np.zeros(len(keyed.places), np.bool_))
    if values.type != allowed.type:
        return keyed
    truth = pc.is_in(values, value_set=allowed).to_numpy(zero_copy_only=False)
    return _where(keyed, np.append(truth, null)[keyed.codes[position]])


def _where(keyed: Keyed, kept: npt.NDArray[np.bool_]) -> Keyed:
    if kept.all():
        return keyed
    return Keyed(keyed.places[kept], tuple(codes[kept] for codes in keyed.codes), keyed.values)
