"""Earlier events that new or changed rules need: loaded while the turns of the scheduler go on.

Every event is read once: the latest for all rules, older ones for the few that need them. So a rule with weeks of
history does not hold up the others.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.moments import SECOND
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.history import read_history
from tocsin.scheduler.buffer.row_reader import RowReader
from tocsin.scheduler.timeouts import run_with_timeout
from tocsin.store.events import EventReader

_FIRST = 600 * SECOND  # the first stretch; the next one reaches four times as far, and so on


@dataclass(frozen=True)
class LoadRequest:
    """A rule, and from when on it needs events: by their time (`since`), and by arrival; nanoseconds."""

    rule: CompiledRule
    since: int
    arrived: int


@dataclass(frozen=True)
class Stretch:
    """The rows by rule of one stretch of earlier events, and the rules that have all that they need by then.

    `event_counts` counts the events that were read, `broken` says which rules could not be evaluated, and why.
    """

    rows: Mapping[str, Sequence[pa.Table]]
    ready: Sequence[str]
    event_counts: EventCounts
    broken: Mapping[str, str]


class Loading:
    """Reads the events that arrived before a moment, for some rules, in a thread of its own.

    It is waited for up to `seconds`: mostly it is done by then.
    """

    def __init__(
        self,
        store: EventReader,
        requests: Sequence[LoadRequest],
        end: int,
        event_counts: EventCounts,
        seconds: float,
    ) -> None:
        self._store, self._requests, self._end, self._event_counts = store, requests, end, event_counts
        self._stretches: queue.SimpleQueue[Stretch] = queue.SimpleQueue()
        self._work = run_with_timeout(self._read, seconds)

    def take(self) -> Iterator[Stretch]:
        """Yield the stretches that have been read since the last call. Raises the error that ended reading."""
        ended = self._work.done()
        while not self._stretches.empty():
            yield self._stretches.get()
        if ended:
            self._work.result()

    def _read(self) -> None:
        left, end, reach = list(self._requests), self._end, _FIRST
        while left:
            within = [request.arrived for request in left if request.arrived >= self._end - reach]
            reach *= 4
            if within:
                self._stretches.put(self._stretch(left, min(within), end))
                end = min(within)
                left = [request for request in left if request.arrived < end]

    def _stretch(self, requests: Sequence[LoadRequest], start: int, end: int) -> Stretch:
        reader = RowReader([request.rule for request in requests])
        schema, event_counts = self._store.schema(), self._event_counts.beside()
        rows = reader.read(self._store, schema, arrived_from=start, arrived_to=end, event_counts=event_counts)
        ready = [request for request in requests if request.arrived >= start]
        by_time = [request for request in ready if not request.rule.by_arrival]
        if by_time:  # their windows may hold events that arrived before the stretch
            oldest = min(request.since for request in by_time)
            earlier = read_history(self._store, [request.rule for request in by_time], oldest, None, start)
            for uuid, parts in earlier.items():
                rows.setdefault(uuid, []).extend(parts)
        return Stretch(rows, [request.rule.uuid for request in ready], event_counts, reader.broken)
