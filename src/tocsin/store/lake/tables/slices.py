"""How slices of a day are written: quickly while they fill, and ordered and small when they are full."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake

from tocsin.ecs import TIMESTAMP
from tocsin.store.events import DAY, HOST, ID, SLICE, SOURCE, USER
from tocsin.store.lake.tables.slim_documents import slim_documents

GROUP_ROWS = 1 << 14  # events in a row group: what is read at once
_BITS = 16  # of each field's place in the order


def _writing(compression: Literal["LZ4_RAW", "ZSTD"], level: int | None) -> WriterProperties:
    plain = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
    return WriterProperties(
        compression=compression,
        compression_level=level,
        max_row_group_size=GROUP_ROWS,
        statistics_truncate_length=64,
        column_properties={SOURCE: plain, ID: plain},
    )


QUICK, _SMALL = (
    _writing("LZ4_RAW", None),
    _writing("ZSTD", 3),
)  # for files that are soon written anew, and for those that stay


class Slice(NamedTuple):
    """A slice of a day; no events are to come into one that is complete."""

    day: date
    number: int
    complete: bool = True


def order_slice(path: Path, slice_: Slice) -> None:
    """Write the files of a slice anew as one: events in z-order of user and host, documents without rich values.

    The files of a slice that is not complete are put together as they are. Nothing else may order slices of the
    table meanwhile. Raises CommitFailedError, and changes nothing, when events come into a complete slice.
    """
    table = DeltaTable(str(path))
    if not slice_.complete:
        # This commits beside one that brings events, where what is below would fail.
        filters = [(DAY, "=", str(slice_.day)), (SLICE, "=", str(slice_.number))]
        table.optimize.compact(filters, target_size=1 << 40, max_concurrent_tasks=1, writer_properties=QUICK)
        return
    events = table.to_pyarrow_table(filters=[(DAY, "=", slice_.day), (SLICE, "=", slice_.number)])
    if not events.num_rows:
        return
    events = events.take(pa.array(_z_order(events)))
    events = slim_documents(events)
    write_deltalake(
        table,
        events,
        mode="overwrite",
        predicate=f"{DAY} = '{slice_.day}' AND {SLICE} = {slice_.number}",
        target_file_size=1 << 40,
        writer_properties=_SMALL,
    )


def _z_order(events: pa.Table) -> npt.NDArray[np.intp]:
    """Return the rows so that events of one user lie together, and those of one host."""
    places = [_spread(_place(events.column(name))) << shift for shift, name in enumerate((HOST, USER))]
    times = events.column(TIMESTAMP).cast(pa.int64()).to_numpy()
    return np.lexsort((times, places[0] | places[1]))


def _place(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return the place of each row's value among all, scaled to some bits; null comes first."""
    coded = column.combine_chunks().dictionary_encode()
    values = coded.dictionary
    rank = np.empty(len(values) + 1, np.int64)
    rank[np.argsort(values.to_numpy(zero_copy_only=False).astype(str), kind="stable")] = np.arange(
        1, len(values) + 1
    )
    rank[-1] = 0
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    scaled: npt.NDArray[np.int64] = rank[codes] * ((1 << _BITS) - 1) // max(len(values), 1)
    return scaled


def _spread(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return numbers of 16 bits with a zero before each bit."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        bits = (bits | (bits << shift)) & mask
    return bits
