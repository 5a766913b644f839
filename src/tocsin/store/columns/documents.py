"""Documents -> the table of an index: by columns where they are laid out as others were, one by one elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP, Field, FieldType
from tocsin.store.columns.fields import IGNORED, INGESTED, MANY, NOT_INDEXED, IndexFields, column_name
from tocsin.store.columns.layout import MOMENT, fitted, wrapped
from tocsin.store.columns.values import columns_of, physical_of
from tocsin.store.events import ARRIVED, HOST, ID, NANOSECONDS, SOURCE, USER
from tocsin.store.mappings.values import mapped_values


class DocumentEntry(Protocol):
    """A document: its id, its time and that of its arrival in nanoseconds since 1970, and its text."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def time(self) -> int: ...  # noqa: D102
    @property
    def ingested(self) -> int: ...  # noqa: D102
    @property
    def source(self) -> bytes: ...  # noqa: D102


_CHUNK = 2048  # documents that are read one by one when one of them is laid out like no other
_SAMPLE = 64
_TEXTS = frozenset({FieldType.KEYWORD, FieldType.IP, FieldType.VERSION})


def to_table(entries: Sequence[DocumentEntry], fields: IndexFields) -> pa.Table:
    """Return documents of one index as a table: its own columns, then one or two for each field."""
    parts = list(_parts(entries, fields))
    return parts[0] if len(parts) == 1 else pa.concat_tables(parts, promote_options="default")


def _parts(entries: Sequence[DocumentEntry], fields: IndexFields) -> Iterator[pa.Table]:
    whole = _by_columns(entries, fields)
    if whole is not None:
        yield whole
        return
    for entry in entries[:: max(1, len(entries) // _SAMPLE)]:
        fields.layout.learn(orjson.loads(entry.source))
    for start in range(0, len(entries), _CHUNK):
        chunk = entries[start : start + _CHUNK]
        table = _by_columns(chunk, fields)
        yield _one_by_one(chunk, fields) if table is None else table


def _by_columns(entries: Sequence[DocumentEntry], fields: IndexFields) -> pa.Table | None:
    """Return documents as a table, None when one is not laid out as those were that the index had."""
    if fields.mapping_of().by_rows:
        return None
    columns = fields.layout.read([entry.source for entry in entries])
    if columns is None:
        return None
    table = _Table(entries, fields)
    for name, array in columns.items():
        if name == TIMESTAMP or array.null_count == len(array):
            continue
        known = table.field(name, partial(_first_of, array))
        if known is None:
            table.note(np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False)).tolist(), name)
            continue
        if known.type in _TEXTS and _is_floating(array.type):  # whole numbers among them have lost their spelling
            return None
        column = fitted(known, array)
        if column is not None:
            table.columns[column_name(name)] = column
            continue
        rows = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False)).tolist()
        table.put(known, rows, array.drop_null().to_pylist())
    return table.whole()


def _is_floating(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind.value_type if pa.types.is_list(kind) else kind))


def _one_by_one(entries: Sequence[DocumentEntry], fields: IndexFields) -> pa.Table:
    cells: dict[str, tuple[list[int], list[Any]]] = {}
    mapping = fields.mapping_of()
    for row, entry in enumerate(entries):
        document = orjson.loads(entry.source)
        fields.layout.learn(document)
        for name, value in mapped_values(document, mapping).items():
            cell = cells.get(name)
            if cell is None:
                cell = cells[name] = ([], [])
            cell[0].append(row)
            cell[1].append(value)
    cells.pop(TIMESTAMP, None)
    table = _Table(entries, fields)
    for name, (rows, values) in cells.items():
        known = table.field(name, partial(_first, values))
        if known is None:
            table.note(rows, name)
        else:
            table.put(known, rows, values)
    return table.whole()


class _Table:
    """A table of documents in the making."""

    def __init__(self, entries: Sequence[DocumentEntry], fields: IndexFields) -> None:
        self.entries, self.fields, self.rows = entries, fields, len(entries)
        self.ignored: dict[int, list[str]] = {}
        self.columns: dict[str, pa.Array] = {
            ID: pa.array([entry.id for entry in entries], pa.string()),
            TIMESTAMP: _moments([entry.time for entry in entries]),
        }

    def field(self, name: str, first: Callable[[], Any]) -> Field | None:
        with self.fields.lock:
            return self.fields.type_of(name, first)

    def note(self, rows: Iterable[int], name: str) -> None:
        """Note that some rows have a field that cannot be searched for."""
        known = self.fields.known(name)
        if self.fields.is_unsearched(name):
            return
        if name in NOT_INDEXED or (known is not None and known.type is FieldType.OBJECT):
            return
        for row in rows:
            self.ignored.setdefault(row, []).append(name)

    def put(self, known: Field, rows: list[int], values: list[Any]) -> None:
        for column, places, array, bad in columns_of(known, rows, values):
            self.note(bad, known.name)
            if len(array):
                self.columns[column] = _spread(array, places, self.rows)

    def whole(self) -> pa.Table:
        columns, rows = self.columns, self.rows
        arrived = _moments([entry.ingested for entry in self.entries])
        columns[ARRIVED] = arrived
        self._say_when_ingested(arrived)
        for own, name in ((USER, "user.name"), (HOST, "host.name")):
            column = columns.get(name)  # of the type that the index's mapping gives it
            columns[own] = pa.nulls(rows, pa.string()) if column is None else _as_text(column)
        if self.ignored:
            named = [self.ignored.get(row) for row in range(rows)]
            columns[IGNORED] = pa.array(named, pa.list_(pa.string()))
        beyond = np.array([entry.time for entry in self.entries], np.int64) % 1000
        if beyond.any():
            columns[NANOSECONDS] = pa.array(beyond.astype(np.int16))
        columns[SOURCE] = _texts([entry.source for entry in self.entries])
        return pa.table(columns)

    def _say_when_ingested(self, arrived: pa.Array) -> None:
        """Let events that do not say when they were ingested have the time of their arrival.

        Where the index's mapping has the field as something else than a moment, it is left to what events say.
        """
        known = self.fields.known(INGESTED)
        if known is None or self.fields.is_unsearched(INGESTED) or known.type is not FieldType.DATE:
            return
        kind = physical_of(known)
        times = arrived if kind == MOMENT else pc.multiply(arrived.cast(pa.int64()), 1000)
        said = self.columns.get(INGESTED)
        if known.many:
            lists = wrapped(times)
            self.columns[INGESTED] = lists if said is None else pc.if_else(said.is_valid(), said, lists)
            return
        several = self.columns.get(INGESTED + MANY)
        if several is not None:
            times = pc.if_else(several.is_valid(), pa.scalar(None, kind), times)
        self.columns[INGESTED] = times if said is None else pc.coalesce(said, times)


def _as_text(column: pa.Array) -> pa.Array:
    return pa.nulls(len(column), pa.string()) if pa.types.is_list(column.type) else column.cast(pa.string())


def _first_of(array: pa.Array) -> Any:
    return _first(array.drop_null().slice(0, 64).to_pylist())


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None and value != []), None)


def _moments(times: Sequence[int]) -> pa.Array:
    return pa.array(np.array(times, np.int64) // 1000, pa.timestamp("us")).cast(MOMENT)


def _texts(sources: Sequence[bytes]) -> pa.Array:
    """Return UTF-8 as texts; half the work of having Arrow look at each."""
    ends = np.cumsum(np.fromiter(map(len, sources), np.int64, len(sources)), dtype=np.int64)
    offsets = np.concatenate(([0], ends))
    if offsets[-1] >= 1 << 31:
        return pa.array(sources, pa.binary()).cast(pa.string())
    return pa.StringArray.from_buffers(
        len(sources), pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(sources))
    )


def _spread(array: pa.Array, rows: Sequence[int], length: int) -> pa.Array:
    """Return an array of values as a column: each in its row, null in the others."""
    if len(array) == length:
        return array
    places = np.full(length, -1, np.int64)
    places[rows] = np.arange(len(array))
    return array.take(pa.array(places, mask=places < 0))
