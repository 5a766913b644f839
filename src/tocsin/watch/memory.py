"""What fitted a rule, remembered for as long as a window can hold it: times, place and a few fields of each event.

A row is an event that fits one step of a rule. The full event stays in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detection.schedule import Schedule, Window
from tocsin.ecs import FieldType

STEP, TIME, ARRIVED, ORDER, TIE = "_step", "_time", "_arrived", "_order", "_tie"
INDEX, ID = "_index", "_id"
NUMBERS = (STEP, TIME, ARRIVED, ORDER, TIE)

Needless = Callable[[pa.Table], npt.NDArray[np.bool_]]  # rows -> which of them need not be kept
_PHYSICAL = {
    FieldType.LONG: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.timestamp("us", "UTC"),
}


def schema_of(types: Mapping[str, FieldType]) -> pa.Schema:
    """Return the columns of what is remembered of events with some fields, each a list of values."""
    own = [*((name, pa.int64()) for name in NUMBERS), (INDEX, pa.string()), (ID, pa.string())]
    return pa.schema([*own, *((name, pa.list_(_PHYSICAL.get(kind, pa.string()))) for name, kind in types.items())])


@dataclass
class Memory:
    """What is remembered for one rule: every row whose time is not before `since`, and others that came late."""

    schema: pa.Schema
    since: int
    parts: list[pa.Table] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.num_rows for part in self.parts)

    def add(self, rows: pa.Table) -> None:
        """Remember rows."""
        if rows.num_rows:
            self.parts.append(rows)

    def table(self) -> pa.Table:
        """Return all that is remembered, as one piece."""
        if len(self.parts) != 1:
            self.parts = (
                [pa.concat_tables(self.parts).combine_chunks()] if self.parts else [self.schema.empty_table()]
            )
        return self.parts[0]

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """Return one of the columns of whole numbers."""
        found: npt.NDArray[np.int64] = self.table().column(name).to_numpy()
        return found

    def window(self, window: Window, before: int) -> pa.Table | None:
        """Return the rows that a window holds of what had arrived before a moment, None where there is none.

        They are in order of arrival, and of those that arrived together by id: the same at whatever time one asks.
        """
        if not self.rows:
            return None
        times = self.numbers(TIME)
        inside = self.numbers(ARRIVED) < before
        if window.start is not None:
            inside &= times >= window.start
        if window.end is not None:
            inside &= times < window.end
        if not inside.any():
            return None
        found = self.table() if inside.all() else self.table().filter(pa.array(inside))
        return found.take(
            pc.sort_indices(found, [(ARRIVED, "ascending"), (INDEX, "ascending"), (ID, "ascending")])
        )

    def unseen(self, after: int, last: int, schedule: Schedule) -> int:
        """Return the last of the ticks behind a moment, up to one, that see no row each; `after` if there is none.

        Rows are looked at as a whole, so that fewer ticks may be returned than are empty.
        """
        if not self.rows:
            return last
        arrived, interval = self.numbers(ARRIVED), schedule.interval
        first = int(arrived.min()) // interval * interval  # what arrives at a tick is not seen by it
        if first > after:
            return min(first, last)
        start = schedule.window(after // interval * interval + interval).start
        if arrived.max() < after and start is not None and self.numbers(TIME).max() < start:
            return last
        return after

    def forget(self, before: int, seen: int, needless: Needless | None = None) -> None:
        """Let go of rows whose time lies before a moment, but of none that arrived since `seen`, not seen yet.

        `needless` tells which of these rows go; all of them where it is not given.
        """
        if before <= self.since:
            return
        self.since = before
        if self.rows:
            kept = (self.numbers(TIME) >= before) | (self.numbers(ARRIVED) >= seen)
            if needless is not None:
                old = np.flatnonzero(~kept)
                kept[old] = ~needless(self.table().take(pa.array(old)))
            if not kept.all():
                self.parts = [self.table().filter(pa.array(kept))]

    def reach_back(self, since: int, rows: Sequence[pa.Table]) -> None:
        """Take up every row from an earlier moment up to `self.since`, in place of those of them that are here."""
        if self.rows:
            times = self.numbers(TIME)
            again = (times >= since) & (times < self.since)
            self.parts = [self.table().filter(pa.array(~again))]
        self.parts += rows
        self.since = since
