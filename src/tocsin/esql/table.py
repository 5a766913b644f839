"""The tables that commands change: columns as codes over values, and which events each row stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Value = Any  # None, a boolean, a number, a text; a tuple of two or more of these; moments in nanoseconds


class Values(NamedTuple):
    """A column: for each row the place of its value in a list, -1 for null."""

    codes: Codes
    values: Sequence[Value]

    def take(self, rows: Codes) -> Values:
        """Return the column of some rows."""
        return Values(self.codes[rows], self.values)

    def of(self, row: int) -> Value:
        """Return the value in a row."""
        code = self.codes[row]
        return None if code < 0 else self.values[code]

    def distinct(self) -> Values:
        """Return the same column with each value once, and null as -1."""
        numbers: dict[Any, int] = {}
        lookup = np.empty(len(self.values) + 1, np.int64)
        lookup[-1] = -1
        for place, value in enumerate(self.values):
            # 1, 1.0 and true are one key in Python; a column holds one kind of them.
            lookup[place] = -1 if value is None else numbers.setdefault(value, len(numbers))
        return Values(lookup[self.codes], list(numbers))

    def spread(self) -> tuple[Codes, Values]:
        """Return the column with a row for each value of rows that have several, and which row each was."""
        many = [place for place, value in enumerate(self.values) if isinstance(value, tuple)]
        if not many:
            return np.arange(len(self.codes)), self
        flat: list[Value] = list(self.values)
        parts: dict[int, list[int]] = {}
        for place in many:
            parts[place] = list(range(len(flat), len(flat) + len(self.values[place])))
            flat += self.values[place]
        rows: list[int] = []
        codes: list[int] = []
        for row, code in enumerate(self.codes.tolist()):
            chosen = parts.get(code, (code,))
            rows += [row] * len(chosen)
            codes += chosen
        return np.array(rows, np.int64), Values(np.array(codes, np.int64), flat)


def constant(value: Value, rows: int) -> Values:
    """Return a column of one value."""
    return Values(np.zeros(rows, np.int64), [value])


def from_list(values: Iterable[Value]) -> Values:
    """Return a column of some values, row by row."""
    column = list(values)
    return Values(np.arange(len(column), dtype=np.int64), column)


def combinations(columns: Sequence[Values], rows: int) -> tuple[Codes, Codes]:
    """Return the different combinations of codes (combinations, columns), and which of them each row has."""
    if not columns:
        return np.zeros((min(rows, 1), 0), np.int64), np.zeros(rows, np.int64)
    numbers = columns[0].codes + 1
    for column in columns[1:]:
        # Numbered anew at each step, so that the product stays small.
        _, numbers = np.unique(numbers, return_inverse=True)
        numbers = numbers.astype(np.int64) * (len(column.values) + 1) + column.codes + 1
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.stack([column.codes[first] for column in columns], axis=1), inverse.astype(np.int64)


Load = Callable[[str, Codes], Values]  # the values of a field in some of the events


@dataclass(frozen=True)
class Table:
    """Some rows. `events` holds the number of the event that a row is, until rows are grouped.

    `columns` are those that commands have made, and fields that have been read; `made` names the former. `groups`
    says, once rows are grouped, which events each row stands for, and `keys` what its group has in common.
    """

    rows: int
    load: Load
    events: Codes
    columns: dict[str, Values] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    groups: tuple[Codes, ...] | None = None
    keys: tuple[Mapping[str, Value], ...] = ()

    def column(self, name: str) -> Values:
        """Return a column."""
        values = self.columns.get(name)
        if values is None:
            values = self.columns[name] = self.load(name, self.events)
        return values

    def take(self, rows: Codes) -> Table:
        """Return a table of some rows, in their order."""
        columns = {name: values.take(rows) for name, values in self.columns.items()}
        groups = None if self.groups is None else tuple(self.groups[row] for row in rows.tolist())
        keys = tuple(self.keys[row] for row in rows.tolist()) if self.keys else ()
        events = self.events[rows] if self.groups is None else self.events
        return replace(self, rows=len(rows), events=events, columns=columns, groups=groups, keys=keys)

    def defined(self, columns: Mapping[str, Values]) -> Table:
        """Return the table with some columns more, or others."""
        return replace(self, columns={**self.columns, **columns}, made=self.made.union(columns))

    def with_nulls(self, names: Iterable[str]) -> Table:
        """Return the table with fields of events that are null in each."""
        return replace(self, columns={**self.columns, **{name: constant(None, self.rows) for name in names}})

    def without(self, names: Iterable[str]) -> Table:
        """Return the table without some of the columns that were made."""
        gone = frozenset(names)
        columns = {name: values for name, values in self.columns.items() if name not in gone}
        return replace(self, columns=columns, made=self.made - gone)

    def events_of(self, row: int) -> Codes:
        """Return the numbers of the events that a row stands for."""
        return self.events[row : row + 1] if self.groups is None else self.groups[row]


def source(rows: int, load: Load) -> Table:
    """Return the table of some events, a row each."""
    return Table(rows, load, np.arange(rows, dtype=np.int64))
