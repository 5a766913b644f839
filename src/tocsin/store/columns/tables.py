"""Tables of documents as batches: which columns hold some fields, and one of the two that a field may have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP
from tocsin.store.columns.fields import MANY, column_name
from tocsin.store.columns.layout import wrapped
from tocsin.store.events import ID, NANOSECONDS, SOURCE, StoredBatch


def stored_columns(fields: Collection[str], there: Collection[str]) -> list[str]:
    """Return the columns that hold some fields, of those that are there."""
    names = [name for field in sorted(fields) for name in (column_name(field), column_name(field) + MANY)]
    if TIMESTAMP in fields:
        names.append(NANOSECONDS)
    return [name for name in names if name in there]


def read_table(index: str, table: pa.Table, fields: Collection[str]) -> StoredBatch:
    """Return a table in memory as a batch."""
    there = {name: table.column(name) for name in stored_columns(fields, table.column_names)}

    def sources(rows: Sequence[int]) -> list[bytes]:
        return [text.encode() for text in table.column(SOURCE).take(pa.array(rows, pa.int64())).to_pylist()]

    def ids(rows: Sequence[int]) -> list[str]:
        taken: list[str] = table.column(ID).take(pa.array(rows, pa.int64())).to_pylist()
        return taken

    return StoredBatch(index, table.num_rows, logical_columns(fields, there), sources, ids)


def logical_columns(fields: Collection[str], there: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.ChunkedArray]:
    """Return fields as a batch has them, of the columns that hold them: one or two each."""
    columns: dict[str, pa.ChunkedArray] = {}
    for field in fields:
        name = column_name(field)
        single, many = there.get(name), there.get(name + MANY)
        if many is not None and many.null_count < len(many):
            columns[field] = many if single is None else _joined(single, many)
        elif single is not None and single.null_count < len(single):
            columns[field] = single
    if TIMESTAMP in columns and NANOSECONDS in there:
        columns[TIMESTAMP] = _with_nanoseconds(columns[TIMESTAMP], there[NANOSECONDS])
    return columns


def _with_nanoseconds(times: pa.ChunkedArray, beyond: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return moments in microseconds with the nanoseconds that lie beyond them."""
    if beyond.null_count == len(beyond):
        return times
    whole = pc.multiply(times.cast(pa.int64()), 1000)
    return pc.add(whole, beyond.cast(pa.int64()).fill_null(0)).cast(pa.timestamp("ns", "UTC"))


def _joined(single: pa.ChunkedArray, many: pa.ChunkedArray) -> pa.Array:
    """Return values of both columns as lists."""
    kind = many.type
    values = single.combine_chunks().cast(kind.value_type)
    lists = wrapped(values)
    return pc.if_else(values.is_valid(), lists, many.combine_chunks().cast(lists.type))
