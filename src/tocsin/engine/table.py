"""Event tables: one Arrow array a field, each turned into codes over its distinct values on first use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.ecs import Schema, default_schema
from tocsin.engine.column import Column, Rows, encode
from tocsin.eql.functions import to_string


class EventTable:
    """Flat columns of one length; a field without a column is null in every row.

    A table that was taken from another one inherits its columns as far as they are encoded.
    """

    def __init__(
        self,
        columns: Mapping[str, pa.Array | pa.ChunkedArray],
        rows: int,
        schema: Schema | None = None,
    ) -> None:
        self.rows = rows
        self.schema = schema or default_schema()
        self.inherited: set[str] = set()
        self._of: tuple[EventTable, Rows] | None = None
        self._raw = columns
        self._raw_names = columns.fields if isinstance(columns, RowColumns) else frozenset(columns)
        self._encoded: dict[str, Column | None] = {}
        self._taken: Counter[str] = Counter()  # rows for which a column was read in part

    @property
    def is_columnar(self) -> bool:
        """Tell whether columns are at hand, and not put together from events that were read one by one."""
        return not isinstance(self._raw, RowColumns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._raw)

    def raw(self, name: str) -> pa.Array | pa.ChunkedArray | None:
        """Return a column as it was given, or None."""
        return self._raw.get(name)

    def worth_taking(self, names: Iterable[str], rows: int) -> bool:
        """Tell whether to read columns for a few rows alone (`take`) instead of whole, and remember the choice.

        A column that was read for some rows again and again is at last read whole, so that reading in parts
        never costs more than twice as much as reading whole would have.
        """
        unread = [name for name in names if name in self._raw_names and not self._has_encoded(name)]
        if not unread or any(self._taken[name] + rows >= self.rows for name in unread):
            return False
        for name in unread:
            self._taken[name] += rows
        return True

    def _has_encoded(self, name: str) -> bool:
        return name in self._encoded or (self._of is not None and self._of[0]._has_encoded(name))

    def column(self, name: str, *, distinct: bool = True) -> Column | None:
        """Return a column over its distinct values, or None when no row has the field.

        Without `distinct` equal values may be kept apart, which costs less where nearly all are different.
        """
        if name not in self._encoded and self._of is not None and self._of[0]._has_encoded(name):
            whole, rows = self._of
            column = whole.column(name)
            self._encoded[name] = None if column is None else column.take(rows)
            self.inherited.add(name)
        if name not in self._encoded:
            raw = self._raw.get(name)
            known = self.schema.find(name)
            kind = known.type if known else None
            self._encoded[name] = None if raw is None else encode(raw, kind, distinct=distinct)
        return self._encoded[name]

    def take(self, rows: npt.NDArray[np.intp]) -> EventTable:
        """Return a table of some rows; columns are only taken when they are read."""
        raw = self._raw
        taken = raw.take(rows) if isinstance(raw, RowColumns) else _Taken(raw, pa.array(rows))
        table = EventTable(taken, len(rows), self.schema)
        table._of = (self, rows)
        return table


class _Taken(Mapping[str, pa.Array]):
    """Columns restricted to some rows, each when it is first read."""

    def __init__(self, columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: pa.Array) -> None:
        self._columns, self._rows = columns, rows

    def __getitem__(self, name: str) -> pa.Array:
        return self._columns[name].take(self._rows)

    def __iter__(self) -> Any:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns


class Row(Protocol):
    """An event that gives a field's value, a list of values, or None by its name."""

    def get(self, name: str, /) -> Any:
        """Return a field's value."""


class Kind(Protocol):
    """What events of one kind have in common."""

    def constant(self, field: str, /) -> tuple[bool, Any]:
        """Tell whether every event of this kind has the same value in a field, and which."""


class RowColumns(Mapping[str, pa.Array]):
    """Columns of events that were read one by one, each put together when it is first read.

    Rows may have a `kind`; what is constant for each kind is not read from the rows.
    """

    def __init__(self, rows: Sequence[Row], fields: Iterable[str]) -> None:
        self._rows, self.fields = rows, frozenset(fields)
        self._built: dict[str, pa.Array | None] = {}

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._built:
            self._built[name] = self._build(name) if name in self.fields else None
        array = self._built[name]
        if array is None:
            raise KeyError(name)
        return array

    def _build(self, name: str) -> pa.Array | None:
        kinds, codes = self._kinds
        constants = [kind.constant(name) for kind in kinds]
        if constants and all(known for known, _ in constants):
            values = to_array([value for _, value in constants])
            return None if values is None else values.take(codes)
        return to_array([row.get(name) for row in self._rows])

    @cached_property
    def _kinds(self) -> tuple[list[Kind], pa.Array]:
        """The different kinds of the rows, and which each row is of; none where a row does not tell."""
        numbers: dict[Kind, int] = {}
        codes = []
        for row in self._rows:
            kind = getattr(row, "kind", None)
            if kind is None:
                return [], pa.array([], pa.int32())
            codes.append(numbers.setdefault(kind, len(numbers)))
        return list(numbers), pa.array(np.array(codes, np.int32))

    def __iter__(self) -> Iterator[str]:
        return (name for name in sorted(self.fields) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def take(self, rows: npt.NDArray[np.intp]) -> RowColumns:
        """Return the columns of some rows."""
        return RowColumns([self._rows[row] for row in rows], self.fields)


def table_from_events(rows: Sequence[Row], fields: Iterable[str], schema: Schema | None = None) -> EventTable:
    """Return a table of some fields of events that were read one by one.

    A column becomes a list as soon as one event holds several values; values of mixed types become strings.
    """
    return EventTable(RowColumns(rows, fields), len(rows), schema)


def to_array(values: list[Any]) -> pa.Array | None:
    """Return an Arrow array of values, lists of values among them, or None when all are null."""
    kinds = {type(value) for value in values}
    kinds.discard(type(None))
    if not kinds:
        return None
    if list in kinds:
        values = [v if isinstance(v, list) or v is None else [v] for v in values]
        kinds = {type(item) for value in values if value for item in value} - {type(None)}
        if len(kinds) > 1 and kinds != {int, float}:
            values = [None if v is None else [None if i is None else to_string(i) for i in v] for v in values]
    elif len(kinds) > 1 and kinds != {int, float}:
        values = [None if v is None else to_string(v) for v in values]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # whole numbers beyond 64 bits
        wide = [[to_string(i) for i in v] if isinstance(v, list) else v and to_string(v) for v in values]
        return pa.array(wide)
