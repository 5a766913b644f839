"""How the sources of events are: when something last arrived for each index, how much, and whether it is silent.

All of it is told by what the store knows of its files: no event is read. A file's events are taken to have arrived
evenly between its first and its last one, so that rates are close and not exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tocsin.moments import DAY, HOUR, MINUTE
from tocsin.store.events import ArrivedEvents

LOOKED_AT = 14 * DAY  # in which the usual rate and pauses are looked for: a weekend lies in it
NOW = 5 * MINUTE  # over which the rate of now is taken
SHORTEST_SILENCE = 30 * MINUTE
_PAUSES = 2  # times the longest pause so far, that are no silence yet
_A_RHYTHM = HOUR  # over which an index must have been sent events, so that its pauses mean something
_OLD = DAY  # events that are older when they arrive were brought here by an import


class SourceState(StrEnum):
    """What is to be said of an index."""

    RECEIVING = "receiving"  # something has arrived within the last minutes
    QUIET = "quiet"  # nothing has, for no longer than usual
    SILENT = "silent"  # nothing has, for longer than ever lately
    IMPORTED = "imported"  # old events, which came all at once: nothing is expected
    EMPTY = "empty"  # it has a mapping and no event
    UNKNOWN = "unknown"  # when its events arrived is not known of what an older version stored


@dataclass(frozen=True)
class SourceHealth:
    """An index as a source. Moments and spans are in nanoseconds.

    `day` is how many events arrived in the last 24 hours, `rate` how many an hour do now, `usual` how many an hour
    did lately, None where too little is known. `pause` is the longest time lately in which nothing arrived.
    `ahead` is how far an event of the last day is ahead of its arrival at least, `late` how old one was when it
    arrived, `late_events` how many were older than an hour at least.
    """

    index: str
    state: SourceState
    events: int
    size: int
    newest: int | None = None  # `@timestamp`
    arrived: int | None = None  # the last of them
    silence: int = 0  # since when nothing has arrived
    pause: int = 0
    day: int = 0
    rate: float = 0.0
    usual: float | None = None
    ahead: int = 0
    late: int = 0
    late_events: int = 0

    @property
    def share(self) -> float | None:
        """The rate of now as a part of the usual one, None where that is not known."""
        return self.rate / self.usual if self.usual else None

    def fell_silent_after(self, moment: int) -> bool:
        """Tell whether it is silent, and was not yet at a moment."""
        return self.state is SourceState.SILENT and (self.arrived or 0) + _patience(self.pause) > moment


def source_health(arrivals: Mapping[str, Sequence[ArrivedEvents]], now: int) -> list[SourceHealth]:
    """Return how each index is at a moment, by name. `now` is of the store's clock."""
    return [_health(index, parts, now) for index, parts in sorted(arrivals.items())]


def _health(index: str, parts: Sequence[ArrivedEvents], now: int) -> SourceHealth:
    events, size = sum(part.events for part in parts), sum(part.size for part in parts)
    if not events:
        return SourceHealth(index, SourceState.EMPTY, 0, size)
    newest = max(part.last for part in parts)
    spans = [(part.arrived, part) for part in parts if part.arrived is not None and part.events]
    if not spans:
        return SourceHealth(index, SourceState.UNKNOWN, events, size, newest)
    last = max(arrived[1] for arrived, _ in spans)
    lately = [(arrived, part) for arrived, part in spans if arrived[1] >= last - LOOKED_AT]
    first = max(min(arrived[0] for arrived, _ in lately), last - LOOKED_AT)
    pause = _longest_pause(arrived for arrived, _ in lately)
    known = last - first
    usual = _arrived_within(lately, first, last + 1) / (known / HOUR) if known >= _A_RHYTHM else None
    today = [(arrived, part) for arrived, part in lately if arrived[1] >= now - DAY]
    silence = max(0, now - last)
    return SourceHealth(
        index=index,
        state=_state(silence, pause, known, last - newest),
        events=events,
        size=size,
        newest=newest,
        arrived=last,
        silence=silence,
        pause=pause,
        day=round(_arrived_within(today, now - DAY, now + 1)),
        rate=_arrived_within(today, now - NOW, now + 1) * (HOUR / NOW),
        usual=usual,
        ahead=max((part.last - arrived[1] for arrived, part in today), default=0),
        late=max((arrived[0] - part.first for arrived, part in today), default=0),
        late_events=sum(part.events for arrived, part in today if arrived[0] - part.last > HOUR),
    )


def _state(silence: int, pause: int, known: int, age: int) -> SourceState:
    """Return the state of an index to which events were sent for a time that is `known`, the last one so old."""
    if silence <= NOW:
        return SourceState.RECEIVING
    if known < _A_RHYTHM and age > _OLD:
        return SourceState.IMPORTED
    return SourceState.SILENT if silence > _patience(pause) else SourceState.QUIET


def _patience(pause: int) -> int:
    """Return how long an index may be without an event before it is called silent."""
    return max(SHORTEST_SILENCE, _PAUSES * pause)


def _longest_pause(spans: Iterable[tuple[int, int]]) -> int:
    longest, end = 0, None
    for first, last in sorted(spans):
        if end is not None:
            longest = max(longest, first - end)
        end = last if end is None else max(end, last)
    return longest


def _arrived_within(parts: Iterable[tuple[tuple[int, int], ArrivedEvents]], start: int, end: int) -> float:
    """Return about how many events arrived between two moments."""
    total = 0.0
    for (first, last), part in parts:
        inside = min(last + 1, end) - max(first, start)
        if inside > 0:
            total += part.events * inside / (last + 1 - first)
    return total
