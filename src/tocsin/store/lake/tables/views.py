"""What a scan asks of an index whose mapping gives fields other columns than their own, and how it gets them."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from tocsin.store.events import Scan, StoredBatch
from tocsin.store.mappings.index_mapping import IndexMapping

_MOMENT = pa.timestamp("ns", "UTC")


def physical(scan: Scan, mapping: IndexMapping) -> Scan:
    """Return a scan that asks for the columns which hold the fields of another."""
    if not mapping.fields:
        return scan
    fields = frozenset(map(mapping.column_of, scan.fields))
    return replace(scan, fields=fields, equal={mapping.column_of(n): v for n, v in scan.equal.items()})


def shown(batch: StoredBatch, scan: Scan, mapping: IndexMapping) -> StoredBatch:
    """Return a batch with the columns under the names that a scan asks for."""
    if not mapping.fields:
        return batch
    columns = {}
    for name in scan.fields:
        column = batch.columns.get(mapping.column_of(name))
        if column is not None:
            columns[name] = _moments(column, name, mapping)
    return replace(batch, columns=columns)


def _moments(column: pa.Array, name: str, mapping: IndexMapping) -> pa.Array:
    """Return a column of nanoseconds as one of moments."""
    known = mapping.find(mapping.column_of(name))
    if known is None or known.mapped is None or known.mapped.type != "date_nanos":
        return column
    if pa.types.is_int64(column.type):
        return column.cast(_MOMENT)
    if pa.types.is_list(column.type) and pa.types.is_int64(column.type.value_type):
        return column.cast(pa.list_(_MOMENT))
    return column
