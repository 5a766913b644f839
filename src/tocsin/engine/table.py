"""Event tables: one Arrow array a field, each turned into codes over its distinct values on first use.

A name that stands for many fields (`field_patterns.py`) is a column of all their values, put together from whole
events where columns are of some fields alone, or else several columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.ecs import Schema, default_schema
from tocsin.engine.column import CodedColumn, Rows, encode
from tocsin.eql.functions import to_string
from tocsin.field_patterns import Content, FieldPattern, content_of, field_pattern

Events = Callable[[int], Mapping[str, Any]]  # the whole event in a row, flat


class EventTable:
    """Flat columns of one length; a field without a column is null in every row.

    A table that was taken from another one inherits its columns as far as they are encoded. `events` gives the
    whole event in a row; without it the columns hold every field that there is.
    """

    def __init__(
        self,
        columns: Mapping[str, pa.Array | pa.ChunkedArray],
        rows: int,
        schema: Schema | None = None,
        events: Events | None = None,
    ) -> None:
        self.rows = rows
        self._events = events
        self.schema = schema or default_schema()
        self.inherited: set[str] = set()
        self._of: tuple[EventTable, Rows] | None = None
        self._raw = columns
        self._raw_names = columns.fields if isinstance(columns, RowColumns) else frozenset(columns)
        self._encoded: dict[str, CodedColumn | None] = {}
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
        unread = [name for name in names if self._must_read(name) and not self._has_encoded(name)]
        if not unread or any(self._taken[name] + rows >= self.rows for name in unread):
            return False
        for name in unread:
            self._taken[name] += rows
        return True

    def _must_read(self, name: str) -> bool:
        return name in self._raw_names or field_pattern(name) is not None

    def _has_encoded(self, name: str) -> bool:
        return name in self._encoded or (self._of is not None and self._of[0]._has_encoded(name))

    def column(self, name: str, *, distinct: bool = True) -> CodedColumn | None:
        """Return a column over its distinct values, or None when no row has the field.

        Without `distinct` equal values may be kept apart, which costs less where nearly all are different.
        """
        if name not in self._encoded and self._of is not None and self._of[0]._has_encoded(name):
            whole, rows = self._of
            column = whole.column(name)
            self._encoded[name] = None if column is None else column.take(rows)
            self.inherited.add(name)
        if name not in self._encoded:
            pattern = field_pattern(name)
            if pattern is not None:
                self._gather(pattern)
                return self._encoded[name]
            raw = self._raw.get(name)
            known = self.schema.find(name)
            kind = known.type if known else None
            self._encoded[name] = None if raw is None else encode(raw, kind, distinct=distinct)
        return self._encoded[name]

    def columns(self, pattern: FieldPattern) -> Iterator[CodedColumn]:
        """Yield the columns that hold the values of all fields that a pattern stands for."""
        names = [pattern.name] if self._events is not None else self._names_of(pattern)
        for name in names:
            column = self.column(name)
            if column is not None:
                yield column

    def _names_of(self, pattern: FieldPattern) -> Iterator[str]:
        for name in self._raw:
            if pattern.fits(name) and pattern.content in (Content.ANY, self._content_of(name)):
                yield name

    def _content_of(self, name: str) -> Content | None:
        column = self._raw.get(name)
        return None if column is None else content_of(name, _example(column.type), self.schema)

    def _gather(self, pattern: FieldPattern) -> None:
        """Put together the columns of a pattern, of every content, from whole events."""
        assert self._events is not None
        fits: dict[str, bool] = {}
        contents: dict[str, Content | None] = {}
        values: dict[Content, list[Any]] = {content: [None] * self.rows for content in Content}
        for row in range(self.rows):
            row_values: dict[Content, list[Any]] = {}
            for name, value in self._events(row).items():
                if name not in fits:
                    fits[name] = pattern.fits(name)
                several = [value] if not isinstance(value, list) else value
                if not fits[name] or not several or value is None:
                    continue
                content = contents.get(name)
                if content is None:
                    content = contents[name] = content_of(name, several[0], self.schema)
                row_values[Content.ANY] = [True]
                if content is not None:
                    row_values.setdefault(content, []).extend(several)
            for content, several in row_values.items():
                values[content][row] = several
        for content, column in values.items():
            array = to_array(column)
            encoded = None if array is None else encode(array, content.type)
            self._encoded[FieldPattern(pattern.pattern, content).name] = encoded

    def typed(self, schema: Schema) -> EventTable:
        """Return the same columns, with the types of another schema."""
        return EventTable(self._raw, self.rows, schema, self._events)

    def take(self, rows: npt.NDArray[np.intp]) -> EventTable:
        """Return a table of some rows; columns are only taken when they are read."""
        raw = self._raw
        taken = raw.take(rows) if isinstance(raw, RowColumns) else _Taken(raw, pa.array(rows))
        events = self._events
        of_rows = None if events is None else lambda row: events(int(rows[row]))
        table = EventTable(taken, len(rows), self.schema, of_rows)
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


class EventRow(Protocol):
    """An event that gives a field's value, a list of values, or None by its name."""

    def get(self, name: str, /) -> Any:
        """Return a field's value."""


class EventKind(Protocol):
    """What events of one kind have in common."""

    def constant(self, field: str, /) -> tuple[bool, Any]:
        """Tell whether every event of this kind has the same value in a field, and which."""


class RowColumns(Mapping[str, pa.Array]):
    """Columns of events that were read one by one, each put together when it is first read.

    Rows may have a `kind`; what is constant for each kind is not read from the rows.
    """

    def __init__(self, rows: Sequence[EventRow], fields: Iterable[str]) -> None:
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
    def _kinds(self) -> tuple[list[EventKind], pa.Array]:
        """The different kinds of the rows, and which each row is of; none where a row does not say."""
        numbers: dict[EventKind, int] = {}
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


def table_from_events(
    rows: Sequence[EventRow], fields: Iterable[str], schema: Schema | None = None, events: Events | None = None
) -> EventTable:
    """Return a table of some fields of events that were read one by one.

    A column becomes a list as soon as one event holds several values; values of mixed types become strings. Rows
    that are no whole events themselves are whole through `events`.
    """
    return EventTable(RowColumns(rows, fields), len(rows), schema, events or _whole(rows))


def _whole(rows: Sequence[EventRow]) -> Events:
    def event(row: int) -> Mapping[str, Any]:
        event_row = rows[row]
        return event_row if isinstance(event_row, Mapping) else {}

    return event


def _example(kind: pa.DataType) -> Any:
    """Return a value such as columns of a type hold."""
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return False
    if pa.types.is_integer(kind):
        return 0
    return 0.0 if pa.types.is_floating(kind) else ""


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
