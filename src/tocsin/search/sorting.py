"""The first events in some order: sort keys of each batch, of which only the first rows so far are kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP, FieldType
from tocsin.engine.column import CodedColumn, Rows
from tocsin.engine.table import EventTable
from tocsin.eql.versions import version_key
from tocsin.search.errors import SearchError
from tocsin.store.events import ID, StoredBatch

_ROW, _BATCH = "row", "batch"
_READERS = 3  # batches whose documents are read at once


@dataclass(frozen=True)
class FieldSortKey:
    """A field to sort by. Events without it come last, or first where `missing_first`.

    The key of a date is in units of `unit` nanoseconds, as clients see it, or written in `format`. Where dates are
    rounded to such units, events that are equal by all keys are in the order of their exact dates.
    """

    field: str
    descending: bool = False
    missing_first: bool = False
    unit: int = 1
    format: str | None = None


def fields_of_keys(keys: Sequence[FieldSortKey]) -> set[str]:
    """Return the fields to read of all rows for an order.

    Ids behind a moment are not: few rows are left then, whose ids the batch gives.
    """
    late = {ID} if keys and keys[0].field == TIMESTAMP else set()
    return {key.field for key in keys} - late


@dataclass(frozen=True)
class SortedEvent:
    """An event of the result: where it lies, and its sort keys."""

    batch: int
    row: int
    keys: tuple[Any, ...]


@dataclass
class TopRows:
    """The first `size` rows in the order of `keys`, behind the keys `after` where given."""

    keys: Sequence[FieldSortKey]
    size: int
    after: Sequence[Any] | None = None
    _kept: pa.Table | None = None
    _batches: dict[int, StoredBatch] = field(default_factory=dict)
    _number: int = 0

    def collect(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        """Take up rows of a batch."""
        self._number += 1
        if not self.size or (not self.keys and self._kept is not None and self._kept.num_rows >= self.size):
            return
        columns: dict[str, pa.Array] = {}
        for n, key in enumerate(self.keys):
            if key.field == ID and table.raw(ID) is None:
                columns[f"k{n}"] = pa.array(batch.ids(rows.tolist()), pa.string())
            else:
                columns[f"k{n}"] = _key_values(table, key, rows)
            if key.unit > 1 and pa.types.is_int64(columns[f"k{n}"].type):
                columns[f"e{n}"] = columns[f"k{n}"]
                columns[f"k{n}"] = _in_units(columns[f"k{n}"], key.unit)
            if n == 0:  # most rows are far behind: their other keys are not looked at
                near = self._near(columns["k0"]) if self.after is None else self._near_behind(columns["k0"])
                if near is not None:
                    rows = rows[near]
                    columns = {name: column.take(pa.array(near)) for name, column in columns.items()}
        columns[_BATCH] = pa.array(np.full(len(rows), self._number))
        columns[_ROW] = pa.array(rows.astype(np.int64))
        mine = pa.table(columns)
        if self.after is not None:
            mine = mine.filter(self._behind(mine))
        mine = self._first(mine)
        both = mine if self._kept is None else pa.concat_tables([self._kept, mine], promote_options="permissive")
        self._kept = self._first(both)
        self._batches[self._number] = replace(batch, columns={})
        used = set(pc.unique(self._kept.column(_BATCH)).to_pylist())
        for number in self._batches.keys() - used:
            del self._batches[number]

    def _first(self, table: pa.Table) -> pa.Table:
        if not self.keys:
            return table.slice(0, self.size)
        if table.num_rows > self.size:
            near = self._near(table.column("k0").combine_chunks())
            table = table if near is None else table.take(pa.array(near))
        order: pa.Array | None = None
        exact = [(f"e{n}", key) for n, key in enumerate(self.keys) if f"e{n}" in table.column_names]
        for name, key in reversed([*((f"k{n}", key) for n, key in enumerate(self.keys)), *exact]):
            column = table.column(name) if order is None else table.column(name).take(order)
            direction = "descending" if key.descending else "ascending"
            placement = "at_start" if key.missing_first else "at_end"
            step = pc.array_sort_indices(column, order=direction, null_placement=placement)
            order = step if order is None else order.take(step)
        return table.slice(0, self.size) if order is None else table.take(order.slice(0, self.size))

    def _near(self, column: pa.Array) -> Rows | None:
        """Return the rows that the first key (`column`) does not put behind `size` others; None for all."""
        key = self.keys[0]
        if (
            len(column) <= 4 * self.size + 1024
            or key.missing_first
            or column.null_count
            or pa.types.is_boolean(column.type)
            or pa.types.is_null(column.type)
        ):
            return None
        if pa.types.is_int64(column.type):
            numbers = column.to_numpy()
            at = len(numbers) - self.size if key.descending else self.size - 1
            last = np.partition(numbers, at)[at]
            return np.flatnonzero(numbers >= last if key.descending else numbers <= last)
        order = "descending" if key.descending else "ascending"
        best = pc.select_k_unstable(pa.table({"k": column}), self.size, [("k", order)])
        least = column.take(best.slice(len(best) - 1, 1))[0]
        near = pc.greater_equal(column, least) if key.descending else pc.less_equal(column, least)
        return np.flatnonzero(near.to_numpy(zero_copy_only=False))

    def _near_behind(self, column: pa.Array) -> Rows | None:
        """Return the rows that the first key (`column`) puts beside `after` or near behind it; None for all."""
        if self.after is None or self.after[0] is None or column.null_count or not pa.types.is_int64(column.type):
            return None
        numbers, at = column.to_numpy(), int(self.after[0])
        behind = np.flatnonzero(numbers <= at if self.keys[0].descending else numbers >= at)
        # Those that are equal may stand before it: they do not count among the `size` that hide others.
        certain = np.flatnonzero(numbers[behind] != at)
        if len(certain) <= self.size:
            return behind
        place = len(certain) - self.size if self.keys[0].descending else self.size - 1
        last = np.partition(numbers[behind][certain], place)[place]
        reached = numbers[behind] >= last if self.keys[0].descending else numbers[behind] <= last
        return behind[np.flatnonzero(reached)]

    def _behind(self, table: pa.Table) -> pa.Array:
        """Return for each row whether it comes behind the keys `after`."""
        behind = pa.array(np.zeros(table.num_rows, np.bool_))
        same = pa.array(np.ones(table.num_rows, np.bool_))
        assert self.after is not None
        for n, (key, value) in enumerate(zip(self.keys, self.after, strict=True)):
            column = table.column(f"k{n}").combine_chunks()
            missing = column.is_null()
            if value is None:
                later = pc.and_(pc.invert(missing), pa.scalar(key.missing_first))
                equal = missing
            else:
                try:
                    at = pa.scalar(value).cast(column.type)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                    raise SearchError(f"[search_after] has a value of another type for [{key.field}]") from None
                compare = pc.less if key.descending else pc.greater
                later = pc.or_(
                    compare(column, at).fill_null(False), pc.and_(missing, pa.scalar(not key.missing_first))
                )
                equal = pc.equal(column, at).fill_null(False)
            behind = pc.or_(behind, pc.and_(same, later))
            same = pc.and_(same, equal)
        return behind

    def sorted_events(self) -> list[SortedEvent]:
        """Return the first rows, in order."""
        if self._kept is None:
            return []
        columns = [self._kept.column(f"k{n}").to_pylist() for n in range(len(self.keys))]
        batches, rows = self._kept.column(_BATCH).to_pylist(), self._kept.column(_ROW).to_pylist()
        return [
            SortedEvent(b, r, tuple(c[i] for c in columns))
            for i, (b, r) in enumerate(zip(batches, rows, strict=True))
        ]

    def documents(self, events: Sequence[SortedEvent]) -> list[tuple[str, str, bytes]]:
        """Return index, id and text of events."""
        places: dict[int, list[int]] = {}
        for number, event in enumerate(events):
            places.setdefault(event.batch, []).append(number)
        documents: list[tuple[str, str, bytes]] = [("", "", b"")] * len(events)

        def read(item: tuple[int, list[int]]) -> None:
            batch = self._batches[item[0]]
            rows = [events[number].row for number in item[1]]
            for number, row, id_, source in zip(item[1], rows, batch.ids(rows), batch.sources(rows), strict=True):
                documents[number] = (batch.index_of(row), id_, source)

        with ThreadPoolExecutor(_READERS) as pool:
            list(pool.map(read, places.items()))
        return documents


_EMPTY = {
    FieldType.LONG: pa.int64(),
    FieldType.DATE: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.IP: pa.binary(),  # addresses as 16 bytes
}


def _in_units(moments: pa.Array, unit: int) -> pa.Array:
    """Return moments in units of so many nanoseconds, rounded down."""
    whole = moments.fill_null(0).to_numpy(zero_copy_only=False) // unit
    return pa.array(whole, mask=moments.is_null().to_numpy(zero_copy_only=False))


def _key_values(table: EventTable, key: FieldSortKey, rows: Rows) -> pa.Array:
    known = table.schema.find(key.field)
    if (
        known is not None and known.type is FieldType.DATE
    ):  # nearly all different: coding them costs most of a sort
        table, rows = table.take(rows), np.arange(len(rows))
        column = table.column(key.field, distinct=False)
    elif key.field == ID and len(rows) < table.rows:  # all different
        table, rows = table.take(rows), np.arange(len(rows))
        column = table.column(key.field)
    else:
        column = table.column(key.field)
    if column is None:
        return pa.nulls(len(rows), _EMPTY.get(known.type, pa.string()) if known else pa.string())
    if known is not None and known.type is FieldType.IP and pa.types.is_string(column.values.type):
        addresses = column.addresses
        codes = np.where(np.append(addresses.known, False)[column.codes], column.codes, -1)
        column = CodedColumn(addresses.as_bytes(), codes, column.offsets)
    if known is not None and known.type is FieldType.VERSION and pa.types.is_string(column.values.type):
        keys = pa.array(list(map(version_key, column.values.to_pylist())), pa.string())
        column = CodedColumn(keys, column.codes, column.offsets)
    return one_value(column, rows, largest=key.descending)


def one_value(column: CodedColumn, rows: Rows, *, largest: bool) -> pa.Array:
    """Return one value of a column for each row: of several the smallest or the largest."""
    if column.offsets is None:
        codes = column.codes[rows]
    else:
        values = column.values
        rank = np.empty(len(values), np.int64)
        rank[pc.array_sort_indices(values).to_numpy()] = np.arange(len(values))
        codes = np.full(len(rows), -1, np.int64)
        for place, row in enumerate(rows.tolist()):
            present = column.codes[column.offsets[row] : column.offsets[row + 1]]
            present = present[present >= 0]
            if len(present):
                best = rank[present].argmax() if largest else rank[present].argmin()
                codes[place] = present[best]
    return column.values.take(pa.array(codes, mask=codes < 0))
