"""When something was seen first and last: read from both ends of the store's time, until it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.investigation.processes.process_events import EVENTS
from tocsin.investigation.processes.processes import SECOND
from tocsin.moments import iso
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.selection import Clock
from tocsin.store.events import EventReader

_DAY = 86_400 * SECOND
_WIDER = 4  # times as long as the span before, in which nothing was
Span = tuple[int, int]


@dataclass(frozen=True)
class SeenTask:
    """The moments `first` and `last` of the events that meet a query, as JSON; null where there are none."""

    query: Mapping[str, Any]

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the moments. Raises TocsinError."""
        indices = [info for info in reader.indices(EVENTS) if info.first is not None and info.last is not None]
        if not indices:
            return orjson.dumps({"first": None, "last": None})
        start = min(info.first for info in indices if info.first is not None)
        end = max(info.last for info in indices if info.last is not None)
        seen = _Seen(self.query, reader, clock)
        last = seen.moment("max", spans_back(start, end))
        first = None if last is None else seen.moment("min", spans_onward(start, end))
        return orjson.dumps({"first": first, "last": last})


class _Seen:
    def __init__(self, query: Mapping[str, Any], reader: EventReader, clock: Clock) -> None:
        self._query, self._reader, self._clock = query, reader, clock
        self._context = context_of(reader, EVENTS)

    def moment(self, which: str, spans: Iterator[Span]) -> str | None:
        """Return the moment of the first span that has one."""
        for start, end in spans:
            within = {"range": {"@timestamp": {"gte": iso(start, 9), "lte": iso(end, 9)}}}
            body = {
                "size": 0, "query": {"bool": {"filter": [self._query, within]}},
                "aggs": {"moment": {which: {"field": "@timestamp"}}},
            }  # fmt: skip
            request = read_search(body, self._context)
            answer = run_search(self._reader, EVENTS, request, self._context.schema, self._clock, parsed=True)
            if (value := answer.aggregations["moment"]["value"]) is not None:
                return iso(int(value) * 1_000_000)
        return None


def spans_back(start: int, end: int) -> Iterator[Span]:
    """Yield spans from the end to the start of time, each longer than the one before."""
    length = _DAY
    while end >= start:
        first = max(start, end - length)
        yield first, end
        end, length = first - 1, length * _WIDER


def spans_onward(start: int, end: int) -> Iterator[Span]:
    """Yield spans from the start to the end of time, each longer than the one before."""
    length = _DAY
    while start <= end:
        last = min(end, start + length)
        yield start, last
        start, length = last + 1, length * _WIDER
