"""Small batches of an index -> large ones: what it costs to evaluate hundreds of rules depends on batches too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.store.events import StoredBatch

_ROWS = 1 << 16  # that are enough
_Read = Callable[[Sequence[int]], list[Any]]


def joined(batches: Iterable[StoredBatch]) -> Iterator[StoredBatch]:
    """Yield the events of batches, in fewer batches."""
    waiting: dict[str, list[StoredBatch]] = {}
    for batch in batches:
        some = waiting.setdefault(batch.index, [])
        some.append(batch)
        if sum(one.rows for one in some) >= _ROWS:
            yield from _join(waiting.pop(batch.index))
    for some in waiting.values():
        yield from _join(some)


def _join(batches: Sequence[StoredBatch]) -> Iterator[StoredBatch]:
    types: dict[str, pa.DataType] = {}
    for batch in batches:
        for name, column in batch.columns.items():
            if types.setdefault(name, column.type) != column.type:  # of one value here, of several there
                yield from batches
                return
    if len(batches) == 1:
        yield batches[0]
        return
    columns = {
        name: pa.chunked_array(
            [chunk for batch in batches for chunk in _chunks(batch.columns.get(name), batch.rows, kind)],
            kind,
        )
        for name, kind in types.items()
    }
    starts = np.concatenate(([0], np.cumsum([batch.rows for batch in batches])))

    def from_parts(read: Callable[[StoredBatch], _Read]) -> _Read:
        def asked(rows: Sequence[int]) -> list[Any]:
            wanted = np.asarray(rows, np.int64)
            of_part = np.searchsorted(starts, wanted, side="right") - 1
            found: dict[int, Any] = {}
            for part in np.unique(of_part).tolist():
                places = np.flatnonzero(of_part == part)
                values = read(batches[part])((wanted[places] - starts[part]).tolist())
                found.update(zip(places.tolist(), values, strict=True))
            return [found[place] for place in range(len(wanted))]

        return asked

    yield StoredBatch(
        batches[0].index,
        int(starts[-1]),
        columns,
        from_parts(lambda batch: batch.sources),
        from_parts(lambda batch: batch.ids),
    )


def _chunks(column: pa.Array | pa.ChunkedArray | None, rows: int, kind: pa.DataType) -> list[pa.Array]:
    if column is None:
        return [pa.nulls(rows, kind)]
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]
