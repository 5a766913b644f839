"""Small batches put together, of several indices too: what a batch costs hardly depends on its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.ecs import INDEX
from tocsin.store.events import StoredBatch

_SMALL = 1 << 13  # rows of a batch that is put together with others
_MOST = 1 << 15  # rows that are put together
_OfRows = Callable[[Sequence[int]], Sequence[Any]]


def coalesced(batches: Iterable[StoredBatch]) -> Iterator[StoredBatch]:
    """Yield the events of batches in fewer ones, in no order."""
    waiting, rows = list[StoredBatch](), 0
    for batch in batches:
        if batch.rows >= _SMALL:
            yield batch
            continue
        waiting.append(batch)
        rows += batch.rows
        if rows >= _MOST:
            yield from _joined(waiting)
            waiting, rows = [], 0
    yield from _joined(waiting)


def _joined(parts: Sequence[StoredBatch]) -> Iterator[StoredBatch]:
    """Yield one batch of several; where a field has other types in them, one of each index, or these."""
    if len(parts) < 2:
        yield from parts
        return
    try:
        whole = pa.concat_tables(map(_table, parts), promote_options="default")
    except pa.ArrowException:
        by_index: dict[str, list[StoredBatch]] = {}
        for part in parts:
            by_index.setdefault(part.index, []).append(part)
        for own in by_index.values():
            yield from _joined(own) if len(by_index) > 1 else own
        return
    columns = {name: whole.column(name) for name in whole.column_names if name not in (_ROW, INDEX)}
    indices = None if len({part.index for part in parts}) == 1 else whole.column(INDEX)
    starts = np.concatenate(([0], np.cumsum([part.rows for part in parts])))
    sources = _of_parts(starts, [part.sources for part in parts])
    ids = _of_parts(starts, [part.ids for part in parts])
    yield StoredBatch(
        "" if indices is not None else parts[0].index, whole.num_rows, columns, sources, ids, indices
    )


_MOMENT = pa.timestamp("ns", "UTC")
_ROW = "_row"  # so that a batch without a column has its number of rows


def _table(batch: StoredBatch) -> pa.Table:
    columns = {name: _plain(column) for name, column in batch.columns.items()}
    return pa.table({**columns, INDEX: batch.index_column(), _ROW: pa.nulls(batch.rows)})


def _plain(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return a column as those of other batches are: not coded, and with moments in nanoseconds."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column.cast(_MOMENT) if pa.types.is_timestamp(column.type) else column


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
