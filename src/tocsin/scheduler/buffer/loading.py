"""Earlier events that rules need when they are read from records: loaded beside the turns of the scheduler.

Every event is read once: for all rules what came in last, for few what is older. So a rule that looks at weeks of
history keeps no other from running.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.schedule import SECOND
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.history import read_history
from tocsin.scheduler.buffer.row_reader import RowReader
from tocsin.scheduler.timeouts import run_with_timeout
from tocsin.store.events import EventReader

_FIRST = 600 * SECOND  # the first stretch; the next one reaches four times as far, and so on


@dataclass(frozen=True)
class LoadRequest:
    """A rule, from when on it needs every event, and from when on it needs what arrived; nanoseconds."""

    rule: CompiledRule
    since: int
    arrived: int


@dataclass(frozen=True)
class Stretch:
    """What a stretch of the past has brought: rows by rule, and the rules that have all that they need by then.

    `event_counts` counts the events that were read, `broken` says which rules could not be evaluated, and why.
    """

    rows: Mapping[str, Sequence[pa.Table]]
    ready: Sequence[str]
    event_counts: EventCounts
    broken: Mapping[str, str]


class Loading:
    """Reads what arrived before a moment, for some rules, in a thread of its own.

    Some seconds are waited for it: mostly it is done by then.
    """

    def __init__(
        self,
        store: EventReader,
        needed: Sequence[LoadRequest],
        end: int,
        event_counts: EventCounts,
        seconds: float,
    ) -> None:
        self._store, self._needed, self._end, self._event_counts = store, needed, end, event_counts
        self._found: queue.SimpleQueue[Stretch] = queue.SimpleQueue()
        self._work = run_with_timeout(self._read, seconds)

    def take(self) -> Iterator[Stretch]:
        """Yield what has been read since the last time. Raises what has gone wrong."""
        ended = self._work.done()
        while not self._found.empty():
            yield self._found.get()
        if ended:
            self._work.result()

    def _read(self) -> None:
        left, end, reach = list(self._needed), self._end, _FIRST
        while left:
            within = [one.arrived for one in left if one.arrived >= self._end - reach]
            reach *= 4
            if within:
                self._found.put(self._stretch(left, min(within), end))
                end = min(within)
                left = [one for one in left if one.arrived < end]

    def _stretch(self, needed: Sequence[LoadRequest], start: int, end: int) -> Stretch:
        reader, schema, event_counts = (
            RowReader([one.rule for one in needed]),
            self._store.schema(),
            self._event_counts.beside(),
        )
        rows = reader.read(self._store, schema, arrived_from=start, arrived_to=end, event_counts=event_counts)
        ready = [one for one in needed if one.arrived >= start]
        by_time = [one for one in ready if not one.rule.by_arrival]
        if by_time:  # their windows may hold what had arrived before
            oldest = min(one.since for one in by_time)
            for uuid, parts in read_history(
                self._store, [one.rule for one in by_time], oldest, None, start
            ).items():
                rows.setdefault(uuid, []).extend(parts)
        return Stretch(rows, [one.rule.uuid for one in ready], event_counts, reader.broken)
