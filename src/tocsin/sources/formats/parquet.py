"""Parquet files: flat columns with dotted names, nested structs, or both.

ECS events are read as columns. Rows that are something else, raw records or documents that no pipeline has seen,
are read one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP
from tocsin.engine.table import EventTable
from tocsin.errors import InputError
from tocsin.sources.batch import EventBatch, RawEvent, Rejects, RowBatch, Wanted, whole_events
from tocsin.sources.document import DATASET_FIELDS, Documents, constant_index, index_and_counts, moments
from tocsin.sources.event_time import rank_of
from tocsin.sources.formats.rows import Rows, count_unseen
from tocsin.sources.json_columns import at
from tocsin.sources.products.product import telltales
from tocsin.sources.unseen import Reason, describes_event, of_kinds, rows_without_values
from tocsin.sources.windows.forms.shipped import MARKS as SHIPPED_MARKS
from tocsin.sources.windows.recognise import MARKS
from tocsin.sources.windows.unfinished import fields_of_a_log
from tocsin.sources.windows.unfinished_columns import may_be_unfinished
from tocsin.sources.wrappers import OUTERMOST

_ROWS, _AT_ONCE = 1 << 16, 4096


def read_parquet(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[EventBatch | RowBatch]:
    """Yield the events of a Parquet file, one row group after the other. Raises InputError."""
    try:
        parquet = pq.ParquetFile(file)
        arrow_schema = parquet.schema_arrow
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{name} is not readable as Parquet: {str(error).splitlines()[0]}") from None
    fields = {*wanted.fields, *DATASET_FIELDS, INDEX, CATEGORY}
    if wanted.judge is not None:
        fields |= of_kinds()
    signs = _Signs.of(arrow_schema)
    of_a_log = fields_of_a_log() if signs.logged else frozenset()
    places = {field: _find(arrow_schema, field) for field in fields | of_a_log}
    paths = {field: path for field, path in places.items() if path is not None}
    what_happened = [
        path for field, path in paths.items() if describes_event(field) and not field.startswith("event.")
    ]
    may_wrap = not OUTERMOST.isdisjoint(arrow_schema.names)
    columns = sorted({".".join(path) for path in (*paths.values(), *signs.strange, *signs.logged)})

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
            others = signs.others(part, length, {name: paths[name] for name in of_a_log & paths.keys()})
            if may_wrap:  # a row that says nothing of what happened may hold another record
                others |= ~_any_valid(part, what_happened, length)
            if signs.times and TIMESTAMP in wanted.fields:
                others |= _untimed(part, paths.get(TIMESTAMP), documents, length)
            if others.any():
                content = whole(group).slice(start, length).filter(pa.array(others))
                yield from _one_by_one(content, np.flatnonzero(others) + start, name, wanted, rejects, documents)
                if others.all():
                    continue
                part = part.filter(pa.array(~others))
            place = np.flatnonzero(~others) + start
            length = len(place)
            kept, counts, lacking = _columns(part, length, paths, wanted.fields, documents)
            raw = _raw(whole, group, place, name, documents)
            batch = EventBatch(EventTable(kept, length, events=whole_events(raw)), raw, counts, borrowed=True)
            if wanted.judge is not None:
                count_unseen(wanted.judge, kept, batch, name, rejects.unseen, in_ecs=True)
                rejects.unseen.add(Reason.NO_VALUES, name, lacking)
            yield batch


class _Signs(NamedTuple):
    """Where a file has what shows that a row is no ECS event.

    `strange` lies in a raw record alone, `logged` in documents of Windows' logs, which may not be ECS yet.
    `times` says whether any field may hold the time of an event without `@timestamp`.
    """

    strange: list[tuple[str, ...]]
    logged: list[tuple[str, ...]]
    times: bool

    @classmethod
    def of(cls, schema: pa.Schema) -> _Signs:
        """Return the signs that a schema has; of an object, its first value."""
        strange = [*((mark,) for mark in MARKS), *telltales()]
        logged = [("winlog",), *((mark,) for mark in SHIPPED_MARKS)]
        there, of_a_log = (
            [leaf for path in paths if (leaf := _leaf(schema, path))] for paths in (strange, logged)
        )
        return cls(there, of_a_log, any(rank_of(name) is not None for name in _names(schema)))

    def others(self, part: pa.Table, rows: int, of_a_log: Mapping[str, tuple[str, ...]]) -> npt.NDArray[np.bool_]:
        """Return which rows are to be read one by one; `of_a_log` is where fields of a log's documents lie."""
        logged = _any_valid(part, self.logged, rows)
        columns = {name: at(part, path) for name, path in of_a_log.items()} if logged.any() else {}
        return may_be_unfinished(columns, logged) | _any_valid(part, self.strange, rows)


def _untimed(
    part: pa.Table, path: tuple[str, ...] | None, documents: Documents, rows: int
) -> npt.NDArray[np.bool_]:
    """Return which rows have no `@timestamp` that can be read."""
    if path is None:
        return np.ones(rows, bool)
    untimed: npt.NDArray[np.bool_] = moments(at(part, path), documents.moment).is_null().to_numpy()
    return untimed


def _names(schema: pa.Schema) -> Iterator[str]:
    """Yield the fields, those inside structs with dots."""
    for field in schema:
        if pa.types.is_struct(field.type):
            yield from (f"{field.name}.{name}" for name in _names(field.type))
        else:
            yield field.name


def _any_valid(part: pa.Table, paths: Iterable[tuple[str, ...]], rows: int) -> npt.NDArray[np.bool_]:
    valid = np.zeros(rows, bool)
    for path in paths:
        valid |= part.column(path[0]).is_valid().to_numpy()  # of an object, whichever of its values is read
    return valid


def _one_by_one(
    content: pa.Table,
    numbers: npt.NDArray[np.intp],
    name: str,
    wanted: Wanted,
    rejects: Rejects,
    documents: Documents,
) -> Iterator[RowBatch]:
    for start in range(0, content.num_rows, _AT_ONCE):
        rows = Rows(name, wanted, rejects, documents)
        for number, row in enumerate(content.slice(start, _AT_ONCE).to_pylist(), start):
            text = orjson.dumps(_present(row), default=str)
            rows.add(orjson.loads(text), f"row {numbers[number] + 1}", text)
        batch = rows.batch()
        if batch is not None:
            yield batch


def _present(value: Any) -> Any:
    """Return a value without the nulls that columns have where a row has nothing."""
    if isinstance(value, dict):
        inner = {name: _present(member) for name, member in value.items()}
        return {name: member for name, member in inner.items() if member is not None} or None
    return value


def _raw(
    whole: Callable[[int], pa.Table], group: int, place: npt.NDArray[np.intp], name: str, documents: Documents
) -> Callable[[int], RawEvent]:
    def raw(row: int) -> RawEvent:
        record = whole(group).slice(int(place[row]), 1).to_pylist()[0]
        return RawEvent(orjson.dumps(record, default=str), name, documents.read)

    return raw


def _columns(
    part: pa.Table,
    rows: int,
    paths: dict[str, tuple[str, ...]],
    wanted: Iterable[str],
    documents: Documents,
) -> tuple[dict[str, pa.ChunkedArray], Counter[str], int]:
    """Return the wanted fields of some rows, the rows by dataset, and how many lack the values of their kind."""
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
        kept[TIMESTAMP] = moments(kept[TIMESTAMP], documents.moment)
    return kept, counts, rows_without_values(columns, rows)


def _leaf(schema: pa.Schema, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return where a value lies, or the first value of an object; None without."""
    fields = {field.name: field.type for field in schema}
    leaf: list[str] = []
    for name in path:
        if name not in fields:
            return None
        leaf.append(name)
        fields = _members(fields[name])
    while fields:
        name = next(iter(fields))
        leaf.append(name)
        fields = _members(fields[name])
    return tuple(leaf)


def _members(kind: pa.DataType) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}


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
