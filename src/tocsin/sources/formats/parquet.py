"""Parquet files of ECS events: flat columns with dotted names, nested structs, or both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.engine.table import EventTable
from tocsin.errors import InputError
from tocsin.sources.batch import EventBatch, RawEvent, Rejects, Wanted, whole_events
from tocsin.sources.document import DATASET_FIELDS, Documents, constant_index, index_and_counts, moments
from tocsin.sources.json_columns import at
from tocsin.sources.unseen import of_columns

_ROWS = 1 << 16


def read_parquet(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[EventBatch]:
    """Yield the events of a Parquet file, one row group after the other. Raises InputError."""
    try:
        parquet = pq.ParquetFile(file)
        arrow_schema = parquet.schema_arrow
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{name} is not readable as Parquet: {str(error).splitlines()[0]}") from None
    fields = {*wanted.fields, *DATASET_FIELDS, INDEX}
    paths = {field: path for field in fields if (path := _find(arrow_schema, field)) is not None}
    columns = sorted({".".join(path) for path in paths.values()})

    @lru_cache(maxsize=1)
    def whole(group: int) -> pa.Table:
        return parquet.read_row_group(group)

    for group in range(parquet.num_row_groups):
        try:
            table = parquet.read_row_group(group, columns=columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{name}: row group {group} is damaged: {str(error).splitlines()[0]}") from None
        rows = parquet.metadata.row_group(group).num_rows
        for start in range(0, rows, _ROWS):
            part = table.slice(start, _ROWS)
            length = min(_ROWS, rows - start)
            kept, counts = _columns(part, length, paths, wanted.fields, documents)
            if wanted.judge is not None:
                for reason, count in of_columns(wanted.judge, kept, length, in_ecs=True).items():
                    rejects.unseen.add(reason, name, count)
            raw = _raw(whole, group, start, name, documents)
            yield EventBatch(EventTable(kept, length, events=whole_events(raw)), raw, counts, borrowed=True)


def _raw(
    whole: Callable[[int], pa.Table], group: int, start: int, name: str, documents: Documents
) -> Callable[[int], RawEvent]:
    def raw(row: int) -> RawEvent:
        found = whole(group).slice(start + row, 1).to_pylist()[0]
        return RawEvent(orjson.dumps(found, default=str), name, documents.read)

    return raw


def _columns(
    part: pa.Table,
    rows: int,
    paths: dict[str, tuple[str, ...]],
    wanted: Iterable[str],
    documents: Documents,
) -> tuple[dict[str, pa.ChunkedArray], Counter[str]]:
    """Return the wanted fields of some rows, and the rows by dataset."""
    columns: dict[str, pa.ChunkedArray] = {}
    for field, path in paths.items():
        column = at(part, path)
        if column.null_count < len(column):
            columns[field] = column
    index, counts = index_and_counts({k: v for k, v in columns.items() if k in (INDEX, *DATASET_FIELDS)}, rows)
    columns.pop(INDEX, None)
    if documents.source is not None:
        index = constant_index(documents.source, rows)
    if index is not None:
        columns[INDEX] = index
    kept = {field: column for field, column in columns.items() if field in wanted}
    if TIMESTAMP in kept:
        kept[TIMESTAMP] = moments(kept[TIMESTAMP], documents)
    return kept, counts


def _find(schema: pa.Schema, field: str) -> tuple[str, ...] | None:
    """Return where a field lies: as one column, or inside structs, at any split of its dots."""
    return _find_in({f.name: f.type for f in schema}, field)


def _find_in(types: dict[str, pa.DataType], field: str) -> tuple[str, ...] | None:
    if field in types and not pa.types.is_struct(types[field]):
        return (field,)
    parts = field.split(".")
    for length in range(1, len(parts)):
        head = ".".join(parts[:length])
        kind = types.get(head)
        if kind is not None and pa.types.is_struct(kind):
            below = _find_in({f.name: f.type for f in kind}, ".".join(parts[length:]))
            if below is not None:
                return (head, *below)
    return None
