"""The buffer of a rule: rows of the events that fit it, for as long as a window can hold them.

A row is an event that fits one step of a rule: its times, its place and a few fields. The full event stays in the
store. Rows lie in parts, as they arrived: broad steps of sequences fit most events, and a tick should not move
millions of rows that cannot be part of a sequence. So windows of sequences take only the rows whose join key
occurs in every needed step; each row has a hash of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detection.columns import ANY_KEY, ARRIVED, ID, INDEX, KEY, STEP, TIME, Numbers
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.schedule import Schedule, Window

_LARGE = 1 << 17  # rows of a part, beyond which it is not joined with others

Needless = Callable[[pa.Table], npt.NDArray[np.bool_]]  # rows -> which of them are not needed


class _Part:
    """Some rows, as one piece, and the spans of their times."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows
        times, arrived = self.numbers(TIME), self.numbers(ARRIVED)
        self.first, self.last = int(times.min()), int(times.max())
        self.first_arrived, self.last_arrived = int(arrived.min()), int(arrived.max())

    def numbers(self, name: str) -> Numbers:
        """Return one of the columns of whole numbers."""
        column: Numbers = self.rows.column(name).to_numpy()
        return column


def _joined(parts: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


@dataclass
class RuleBuffer:
    """The rows of one rule: all whose time is not before `since`, and others that arrived late.

    `needed` are the steps of a sequence that need an event.
    """

    since: int
    needed: tuple[int, ...] = ()
    parts: list[_Part] = field(default_factory=list)

    @classmethod
    def of(cls, rule: CompiledRule, since: int, rows: Sequence[pa.Table] = ()) -> RuleBuffer:
        """Return the buffer of a rule, with its rows from a moment on."""
        buffer = cls(since, rule.needed_steps)
        for part in rows:
            buffer.add(part)
        return buffer

    def copy(self) -> RuleBuffer:
        """Return the buffer as it is now, for a thread that reads it while rows are added."""
        return RuleBuffer(self.since, self.needed, list(self.parts))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.rows.num_rows for part in self.parts)

    @property
    def size(self) -> int:
        """How many bytes the rows take."""
        return sum(part.rows.nbytes for part in list(self.parts))

    def add(self, rows: pa.Table) -> None:
        """Add rows."""
        if not rows.num_rows:
            return
        while self.parts and self.parts[-1].rows.num_rows < min(_LARGE, 2 * rows.num_rows):
            rows = _joined([self.parts.pop().rows, rows])
        self.parts.append(_Part(_joined([rows])))

    def window(self, window: Window, before: int) -> pa.Table | None:
        """Return the rows in a window that had arrived before a moment, None when there can be no finding.

        They are in order of arrival, then of index and id, so that the order is always the same.
        """
        chosen: list[tuple[_Part, Numbers]] = []
        for part in self.parts:
            if (
                part.first_arrived >= before
                or (window.start is not None and part.last < window.start)
                or (window.end is not None and part.first >= window.end)
            ):
                continue
            times = part.numbers(TIME)
            inside = part.numbers(ARRIVED) < before
            if window.start is not None:
                inside &= times >= window.start
            if window.end is not None:
                inside &= times < window.end
            rows = np.flatnonzero(inside)
            if len(rows):
                chosen.append((part, rows))
        if self.needed:
            chosen = self._joinable(chosen)
        if not chosen:
            return None
        table = _joined(part.rows.take(pa.array(rows)) for part, rows in chosen)
        table = table.set_column(table.column_names.index(INDEX), INDEX, table.column(INDEX).cast(pa.string()))
        return table.take(
            pc.sort_indices(table, [(ARRIVED, "ascending"), (INDEX, "ascending"), (ID, "ascending")])
        )

    def _joinable(self, chosen: Sequence[tuple[_Part, Numbers]]) -> list[tuple[_Part, Numbers]]:
        """Return the rows whose join key occurs in every needed step."""
        if not chosen:
            return []
        keys = np.concatenate([part.numbers(KEY)[rows] for part, rows in chosen])
        steps = np.concatenate([part.numbers(STEP)[rows] for part, rows in chosen])
        of_steps = sorted((keys[steps == step] for step in self.needed), key=len)
        if not len(of_steps[0]):
            return []
        if (keys == ANY_KEY).any():
            return list(chosen)
        common = reduce(np.intersect1d, of_steps)
        kept = np.isin(keys, common)
        ends = np.cumsum([len(rows) for _, rows in chosen])
        parts = zip(chosen, np.split(kept, ends[:-1]), strict=True)
        return [(part, rows[inside]) for (part, rows), inside in parts if inside.any()]

    def late_times(self, previous: int, upto: int) -> Numbers:
        """Return the times of rows that arrived from one moment to another, in order."""
        times = [np.zeros(0, np.int64)]
        for part in self.parts:
            if part.last_arrived >= previous and part.first_arrived < upto:
                arrived = part.numbers(ARRIVED)
                times.append(part.numbers(TIME)[(arrived >= previous) & (arrived < upto)])
        return np.sort(np.concatenate(times))

    def unseen(self, after: int, last: int, schedule: Schedule) -> int:
        """Return the last of the ticks from `after` to `last` that, one after the other, see no row; else `after`.

        A tick sees the rows that have arrived since the tick before, and those in its window; windows only move
        forward.
        """
        interval = schedule.interval
        tick = after // interval * interval + interval
        start = schedule.window(tick).start
        following: int | None = None  # the first tick that sees newly arrived rows
        for part in self.parts:
            if part.last_arrived < after and start is not None and part.last < start:
                continue
            arrived = part.numbers(ARRIVED)
            if start is None:
                return after
            times = part.numbers(TIME)
            held = times[(times >= start) & (arrived < tick)]
            if (held < tick).any() or (len(held) and "+" in schedule.end):
                return after
            # A row with a future time is seen when a window reaches that time.
            to_come = np.concatenate((arrived[arrived >= after], held))
            if len(to_come):
                first = int(to_come.min()) // interval * interval + interval
                following = first if following is None else min(first, following)
        return last if following is None else max(after, min(following - interval, last))

    def forget(self, before: int, seen: int, needless: Needless | None = None) -> None:
        """Remove rows whose time lies before a moment, but none that arrived since `seen`: no tick has seen these.

        `needless` selects which of these rows are removed; without it, all are. A part of which most rows are
        still needed stays whole.
        """
        if before <= self.since:
            return
        self.since = before
        parts: list[_Part] = []
        for part in self.parts:
            if part.first >= before:
                parts.append(part)
                continue
            kept = (part.numbers(TIME) >= before) | (part.numbers(ARRIVED) >= seen)
            if needless is not None:
                old = np.flatnonzero(~kept)
                kept[old] = ~needless(part.rows.take(pa.array(old)))
            count = int(np.count_nonzero(kept))
            if count * 2 > len(kept):
                parts.append(part)
            elif count:
                parts.append(_Part(_joined([part.rows.filter(pa.array(kept))])))
        self.parts = parts

    def reach_back(self, since: int, rows: Sequence[pa.Table]) -> None:
        """Add all rows from an earlier moment up to `self.since`, instead of those of this span that it holds."""
        parts: list[_Part] = []
        for part in self.parts:
            times = part.numbers(TIME)
            kept = (times < since) | (times >= self.since)
            if kept.any():
                parts.append(part if kept.all() else _Part(_joined([part.rows.filter(pa.array(kept))])))
        self.parts = parts
        for added in rows:
            self.add(added)
        self.since = since
