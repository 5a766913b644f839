"""Events of a batch that fit rules -> rows for the buffers of these rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.detection.columns import ANY_KEY, Numbers, hashes_of
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.engine.candidates import whole_numbers
from tocsin.engine.column import CodedColumn
from tocsin.engine.sequence import NO_TIEBREAKER
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s


class Fitting(NamedTuple):
    """Events of a part that fit a step: their rows, a hash of their join keys, and which have all keys."""

    rows: npt.NDArray[np.intp]
    keys: Numbers
    joinable: npt.NDArray[np.bool_]


class EventPart:
    """The events of a batch that fit any rule."""

    def __init__(self, table: EventTable, ids: pa.Array, indices: pa.DictionaryArray) -> None:
        self.table, self.ids, self.indices = table, ids, indices
        self._hashes: dict[str, Numbers] = {}

    def fitting(self, fields: Sequence[s.FieldRef], rows: npt.NDArray[np.intp]) -> Fitting:
        """Return rows with a hash of their join keys, the values of `fields`."""
        keys, joinable = np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)
        several = np.zeros(len(rows), np.bool_)
        for field in fields:
            column = self.table.column(field.name)
            if column is None:
                codes = np.full(len(rows), -1, np.int64)
            elif column.offsets is None:
                codes = column.codes[rows]
            else:
                codes = column.take(rows).first_codes()
                several |= column.counts[rows] > 1
            if not field.optional:
                joinable &= codes >= 0
            keys = keys * 1_000_003 + self._hash(field.name, column)[codes]
        keys &= ~1
        keys[several] = ANY_KEY
        return Fitting(rows, keys, joinable)

    def _hash(self, name: str, column: CodedColumn | None) -> Numbers:
        """Return the hashes of a column's values, and last that of null."""
        if name not in self._hashes:
            values = [] if column is None else column.objects
            self._hashes[name] = np.append(hashes_of(values), 0)
        return self._hashes[name]


def rows_of(
    rule: CompiledRule,
    step: int,
    part: EventPart,
    fitting: Fitting,
    times: Numbers,
    arrived: Numbers,
    schema: pa.Schema,
) -> pa.Table:
    """Return the rows of events that fit a step. `times` are those that windows go by.

    `schema` is that of the rule's rows (`columns.schema_of`).
    """
    table, rows = part.table, fitting.rows
    ordering = rule.ordering
    order, ordered = moments_of(table, ordering.timestamp, rows)
    ties, tied = moments_of(table, ordering.tiebreaker, rows)
    values: list[pa.Array] = [
        pa.array(np.full(len(rows), step)),
        pa.array(times),
        pa.array(arrived),
        pa.array(np.where(ordered, order, times)),
        pa.array(np.where(tied, ties, NO_TIEBREAKER)),
        pa.array(fitting.keys),
        part.indices.take(pa.array(rows)),
        part.ids.take(pa.array(rows)),
    ]
    values += (_lists(table, name, rows, schema.field(name).type) for name in rule.row_fields)
    return pa.Table.from_arrays(values, schema=schema)


def moments_of(table: EventTable, name: str, rows: npt.NDArray[np.intp]) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return a column of moments or other whole numbers at some rows, and which rows have one."""
    return whole_numbers(table.column(name, distinct=False), rows)


def _lists(table: EventTable, name: str, rows: npt.NDArray[np.intp], kind: pa.DataType) -> pa.Array:
    """Return a field's values in some rows as lists of one type; values of other types become null."""
    column = table.column(name)
    if column is None:
        return pa.nulls(len(rows), kind)
    taken = column.take(rows)
    values = column.values
    if pa.types.is_timestamp(kind.value_type) and pa.types.is_integer(values.type):
        values = pa.array(values.to_numpy(zero_copy_only=False), kind.value_type)
    elif values.type != kind.value_type:
        values = _cast(values, kind.value_type)
    present = taken.codes >= 0
    codes = taken.codes[present]
    counted = np.concatenate(([0], np.cumsum(present)))
    offsets = counted if taken.offsets is None else counted[taken.offsets]
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values.take(pa.array(codes)))


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_converted(value, kind) for value in values.to_pylist()], kind)


def _converted(value: object, kind: pa.DataType) -> object:
    try:
        return pa.scalar(value).cast(kind).as_py() if value is not None else None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
