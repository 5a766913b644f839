"""Small batches of an index put together: what a batch costs to be evaluated hardly depends on how small it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.store.events import StoredBatch

_SMALL = 1 << 13  # rows of a batch that is put together with others
_MOST = 1 << 15  # rows that are put together
_OfRows = Callable[[Sequence[int]], Sequence[Any]]


def coalesced(batches: Iterable[StoredBatch]) -> Iterator[StoredBatch]:
    """Yield the events of batches in fewer ones, in no order."""
    waiting: dict[str, list[StoredBatch]] = {}
    for batch in batches:
        if batch.rows >= _SMALL:
            yield batch
            continue
        parts = waiting.setdefault(batch.index, [])
        parts.append(batch)
        if sum(part.rows for part in parts) >= _MOST:
            yield from _joined(waiting.pop(batch.index))
    for parts in waiting.values():
        yield from _joined(parts)


def _joined(parts: Sequence[StoredBatch]) -> Iterator[StoredBatch]:
    """Yield one batch of several, or these where a field has another type in each."""
    if len(parts) == 1:
        yield parts[0]
        return
    try:
        whole = pa.concat_tables(map(_table, parts), promote_options="default")
    except pa.ArrowException:
        yield from parts
        return
    columns = {name: whole.column(name) for name in whole.column_names if name != _ROW}
    starts = np.concatenate(([0], np.cumsum([part.rows for part in parts])))
    sources = _of_parts(starts, [part.sources for part in parts])
    ids = _of_parts(starts, [part.ids for part in parts])
    yield StoredBatch(parts[0].index, whole.num_rows, columns, sources, ids)


_ROW = "_row"  # so that a batch without a column has its number of rows


def _table(batch: StoredBatch) -> pa.Table:
    return pa.table({**batch.columns, _ROW: pa.nulls(batch.rows)})


def _of_parts(starts: Any, readers: Sequence[_OfRows]) -> Callable[[Sequence[int]], list[Any]]:
    """Return what gives values of rows of the whole, which each part has of its own rows."""

    def read(rows: Sequence[int]) -> list[Any]:
        wanted = np.asarray(rows, np.int64)
        part_of = np.searchsorted(starts, wanted, side="right") - 1
        values: list[Any] = [None] * len(wanted)
        for part in np.unique(part_of).tolist():
            places = np.flatnonzero(part_of == part)
            read_values = readers[part](wanted[places] - starts[part])
            for place, value in zip(places.tolist(), read_values, strict=True):
                values[place] = value
        return values

    return read
