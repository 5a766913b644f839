"""Small batches -> large ones, of any index: the cost of hundreds of rules grows with the number of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.store.events import StoredBatch

_ROWS = 1 << 16  # of a batch that is large enough
_Read = Callable[[Sequence[int]], list[Any]]
_Array = Any  # pa.Array or pa.ChunkedArray
# The type of columns of moments in batches where one has nanoseconds; others have microseconds.
_NANOSECONDS = pa.timestamp("ns", "UTC")
Rows = npt.NDArray[np.int64]


class BatchPart(NamedTuple):
    """The rows of a batch within a larger one."""

    index: str  # type: ignore[assignment]  # a tuple has a method of this name
    start: int
    end: int


class JoinedBatch:
    """Events of several batches, one after the other."""

    def __init__(self, batches: Sequence[StoredBatch]) -> None:
        self._batches = batches
        self._starts = np.concatenate(([0], np.cumsum([batch.rows for batch in batches])))
        self.rows = int(self._starts[-1])
        self.columns: Mapping[str, _Array] = _Columns(batches)

    def parts(self) -> Iterator[BatchPart]:
        """Yield which rows are of which index."""
        for number, batch in enumerate(self._batches):
            yield BatchPart(batch.index, int(self._starts[number]), int(self._starts[number + 1]))

    def indices(self) -> pa.DictionaryArray:
        """Return the index of each row."""
        names = list(dict.fromkeys(batch.index for batch in self._batches))
        codes = np.repeat([names.index(batch.index) for batch in self._batches], np.diff(self._starts))
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names, pa.string()))

    def sources(self, rows: Sequence[int]) -> list[bytes]:
        """Return the documents in some rows."""
        return self._read(rows, lambda batch: batch.sources)

    def ids(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of the events in some rows."""
        return self._read(rows, lambda batch: batch.ids)

    def _read(self, rows: Sequence[int], of: Callable[[StoredBatch], _Read]) -> list[Any]:
        wanted = np.asarray(rows, np.int64)
        of_batch = np.searchsorted(self._starts, wanted, side="right") - 1
        cells = np.empty(len(wanted), object)
        for number in np.unique(of_batch).tolist():
            places = np.flatnonzero(of_batch == number)
            cells[places] = of(self._batches[number])((wanted[places] - self._starts[number]).tolist())
        values: list[Any] = cells.tolist()
        return values


class _Columns(Mapping[str, _Array]):
    """Columns of several batches, each joined when it is read."""

    def __init__(self, batches: Sequence[StoredBatch]) -> None:
        self._batches = batches
        self._names = dict.fromkeys(name for batch in batches for name in batch.columns)

    def __getitem__(self, name: str) -> _Array:
        if name not in self._names:
            raise KeyError(name)
        if len(self._batches) == 1:
            return self._batches[0].columns[name]
        columns = [batch.columns.get(name) for batch in self._batches]
        types = {column.type for column in columns if column is not None}
        joined = next(filter(pa.types.is_list, types), None)
        joined = joined or next((type_ for type_ in types if type_ == _NANOSECONDS), None)
        if joined is None:
            joined = next(filter(pa.types.is_dictionary, types), None) or types.pop()
        return pa.chunked_array(
            [
                chunk
                for column, batch in zip(columns, self._batches, strict=True)
                for chunk in _chunks(column, batch.rows, joined)
            ],
            joined,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


def _chunks(column: _Array | None, rows: int, kind: pa.DataType) -> Iterator[pa.Array]:
    """Yield a column's chunks as one type: dictionaries stay dictionaries, single values become lists."""
    if column is None:
        yield pa.nulls(rows, kind)
        return
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        if chunk.type == kind:
            yield chunk
        elif kind == _NANOSECONDS:
            yield chunk.cast(kind)
        elif pa.types.is_dictionary(kind):
            yield chunk.dictionary_encode()
        else:
            plain = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
            offsets = np.concatenate(([0], np.cumsum(plain.is_valid().to_numpy(zero_copy_only=False))))
            yield pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), plain.drop_null()).cast(kind)


@dataclass
class _Group:
    batches: list[StoredBatch] = field(default_factory=list)
    types: dict[str, pa.DataType] = field(default_factory=dict)
    rows: int = 0

    def takes(self, types: Mapping[str, pa.DataType]) -> bool:
        return all(self.types.get(name, kind) == kind for name, kind in types.items())

    def add(self, batch: StoredBatch, types: Mapping[str, pa.DataType]) -> None:
        self.batches.append(batch)
        self.types.update(types)
        self.rows += batch.rows


def join_batches(batches: Iterable[StoredBatch]) -> Iterator[JoinedBatch]:
    """Join batches into larger ones: those whose columns have values of the same types."""
    groups: list[_Group] = []
    for batch in batches:
        types = {name: _of_values(column.type) for name, column in batch.columns.items()}
        group = next((group for group in groups if group.takes(types)), None)
        if group is None:
            group = _Group()
            groups.append(group)
        group.add(batch, types)
        if group.rows >= _ROWS:
            groups.remove(group)
            yield JoinedBatch(group.batches)
    for group in groups:
        yield JoinedBatch(group.batches)


def _of_values(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values, also of those in lists or dictionaries."""
    while pa.types.is_list(kind) or pa.types.is_dictionary(kind):
        kind = kind.value_type
    return _NANOSECONDS if pa.types.is_timestamp(kind) else kind
