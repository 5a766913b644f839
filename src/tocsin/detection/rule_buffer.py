"""What fitted a rule, remembered for as long as a window can hold it: times, place and a few fields of each event.

A row is an event that fits one step of a rule. The full event stays in the store. Rows lie in parts, as they came
in: broad steps of sequences fit most events, and a tick should not have to move millions of rows that nothing
comes of. So windows of sequences take only rows whose join key every needed step has; each row has a hash of it.
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

Needless = Callable[[pa.Table], npt.NDArray[np.bool_]]  # rows -> which of them need not be kept


class _Part:
    """Some rows, as one piece, and the spans of their times."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows
        times, arrived = self.numbers(TIME), self.numbers(ARRIVED)
        self.first, self.last = int(times.min()), int(times.max())
        self.first_arrived, self.last_arrived = int(arrived.min()), int(arrived.max())

    def numbers(self, name: str) -> Numbers:
        """Return one of the columns of whole numbers."""
        found: Numbers = self.rows.column(name).to_numpy()
        return found


def _joined(parts: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


@dataclass
class RuleBuffer:
    """What is remembered for one rule: every row whose time is not before `since`, and others that came late.

    `needed` are the steps of which a sequence needs an event each.
    """

    since: int
    needed: tuple[int, ...] = ()
    parts: list[_Part] = field(default_factory=list)

    @classmethod
    def of(cls, rule: CompiledRule, since: int, rows: Sequence[pa.Table] = ()) -> RuleBuffer:
        """Return the memory of a rule, with the rows that there are from a moment on."""
        found = cls(since, rule.needed_steps)
        for part in rows:
            found.add(part)
        return found

    def copy(self) -> RuleBuffer:
        """Return what is remembered now, for who reads it while more comes in."""
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
        """Remember rows."""
        if not rows.num_rows:
            return
        while self.parts and self.parts[-1].rows.num_rows < min(_LARGE, 2 * rows.num_rows):
            rows = _joined([self.parts.pop().rows, rows])
        self.parts.append(_Part(_joined([rows])))

    def window(self, window: Window, before: int) -> pa.Table | None:
        """Return the rows that a window holds of what had arrived before a moment, None where nothing comes of it.

        They are in order of arrival, and of those that arrived together by id: the same at whatever time one asks.
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
            chosen = self._able(chosen)
        if not chosen:
            return None
        found = _joined(part.rows.take(pa.array(rows)) for part, rows in chosen)
        found = found.set_column(found.column_names.index(INDEX), INDEX, found.column(INDEX).cast(pa.string()))
        return found.take(
            pc.sort_indices(found, [(ARRIVED, "ascending"), (INDEX, "ascending"), (ID, "ascending")])
        )

    def _able(self, chosen: Sequence[tuple[_Part, Numbers]]) -> list[tuple[_Part, Numbers]]:
        """Leave out rows whose join key some needed step does not have."""
        if not chosen:
            return []
        keys = np.concatenate([part.numbers(KEY)[rows] for part, rows in chosen])
        steps = np.concatenate([part.numbers(STEP)[rows] for part, rows in chosen])
        of_steps = sorted((keys[steps == step] for step in self.needed), key=len)
        if not len(of_steps[0]):
            return []
        if (keys == ANY_KEY).any():
            return list(chosen)
        able = reduce(np.intersect1d, of_steps)
        kept = np.isin(keys, able)
        ends = np.cumsum([len(rows) for _, rows in chosen])
        parts = zip(chosen, np.split(kept, ends[:-1]), strict=True)
        return [(part, rows[some]) for (part, rows), some in parts if some.any()]

    def late_times(self, previous: int, upto: int) -> Numbers:
        """Return the times of what arrived from one moment to another, in order."""
        found = [np.zeros(0, np.int64)]
        for part in self.parts:
            if part.last_arrived >= previous and part.first_arrived < upto:
                arrived = part.numbers(ARRIVED)
                found.append(part.numbers(TIME)[(arrived >= previous) & (arrived < upto)])
        return np.sort(np.concatenate(found))

    def unseen(self, after: int, last: int, schedule: Schedule) -> int:
        """Return the last of the ticks behind a moment, up to one, that see no row each; `after` if there is none.

        A tick sees what has arrived since the one before, and what its window holds; windows only move forward.
        """
        interval = schedule.interval
        tick = after // interval * interval + interval
        start = schedule.window(tick).start
        following: int | None = None  # the first tick that sees something arrive
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
            # What has a time that is yet to come is seen when windows have got there.
            to_come = np.concatenate((arrived[arrived >= after], held))
            if len(to_come):
                first = int(to_come.min()) // interval * interval + interval
                following = first if following is None else min(first, following)
        return last if following is None else max(after, min(following - interval, last))

    def forget(self, before: int, seen: int, needless: Needless | None = None) -> None:
        """Let go of rows whose time lies before a moment, but of none that arrived since `seen`, not seen yet.

        `needless` tells which of these rows go; all of them where it is not given. A part of which most rows are
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
        """Take up every row from an earlier moment up to `self.since`, in place of those of them that are here."""
        parts: list[_Part] = []
        for part in self.parts:
            times = part.numbers(TIME)
            kept = (times < since) | (times >= self.since)
            if kept.any():
                parts.append(part if kept.all() else _Part(_joined([part.rows.filter(pa.array(kept))])))
        self.parts = parts
        for some in rows:
            self.add(some)
        self.since = since
