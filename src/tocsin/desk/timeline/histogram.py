"""How many events there are over time, as bars of an SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.investigation.timeline import TimelineQuery, span_length
from tocsin.moments import MILLISECOND, iso

WIDTH, HEIGHT = 1000, 60


@dataclass(frozen=True)
class EventBar:
    """A bar: where it stands, how many events it is, and the span, from and to."""

    x: float
    y: float
    height: float
    count: int
    since: str
    until: str


@dataclass(frozen=True)
class EventHistogram:
    """Bars, all of one width, between two moments; the highest count; how long the span of a bar is."""

    bars: tuple[EventBar, ...]
    width: float
    first: str
    last: str
    highest: int
    span: str


def event_histogram(counted: Mapping[str, Any] | None, query: TimelineQuery, now: int) -> EventHistogram | None:
    """Return the histogram of what a search counted, None where there is nothing.

    It lies between the bounds of the query, else between its first event and `now` (ns) or its last.
    """
    if not counted or not counted["bars"]:
        return None
    length = span_length(counted["span"])
    starts = [bar[0] * MILLISECOND for bar in counted["bars"]]
    first = starts[0] if query.since is None else min(query.since, starts[0])
    last = max(now if query.until is None else query.until, starts[-1] + length)
    scale = WIDTH / ((last - first) / length)
    highest = max(bar[1] for bar in counted["bars"])
    bars = []
    for start, (_, count) in zip(starts, counted["bars"], strict=True):
        height = max(1.5, HEIGHT * count / highest)
        x = round((start - first) / length * scale, 2)
        top = round(HEIGHT - height, 2)
        bars.append(EventBar(x, top, round(height, 2), count, iso(start, 0), iso(start + length, 0)))
    width = max(1.0, round(scale * 0.9, 2))
    return EventHistogram(tuple(bars), width, iso(first, 0), iso(last, 0), highest, counted["span"])
