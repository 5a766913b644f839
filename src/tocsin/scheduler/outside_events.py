"""Events that lie in a span by one of two times and not by the other: why a run over it finds nothing.

The windows of a rule by arrival hold the events that arrived within them, whenever they happened; those of
other rules hold the events that happened within them, whenever they arrived
(docs/decisions/018-what-a-late-run-sees.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.schedule import Window
from tocsin.ecs import TIMESTAMP, Field, FieldType
from tocsin.engine.candidates import whole_numbers
from tocsin.engine.table import EventTable
from tocsin.store.events import ARRIVED, EventStore, Scan

Times = npt.NDArray[np.int64]


@dataclass
class OutsideEvents:
    """How many events a run does not see. `first` and `last` are their moments in nanoseconds.

    With `by_arrival`, these are the arrivals of events that happened within the span; otherwise the times of
    events that arrived within it. `behind` counts events in the span after the last window, which ends at `end`.
    """

    by_arrival: bool
    end: int
    events: int = 0
    first: int = 0
    last: int = 0
    behind: int = 0

    def add(self, moments: Times) -> None:
        """Count events by their moments."""
        if len(moments):
            low, high = int(moments.min()), int(moments.max())
            self.first = min(self.first, low) if self.events else low
            self.last = max(self.last, high)
            self.events += len(moments)


def count_outside_events(
    store: EventStore, rule: CompiledRule, windows: Window, upto: int, before: int
) -> OutsideEvents:
    """Count the events that arrived before `before` and that a run up to `upto` does not see.

    They lie in indices of the rule. `windows` is the span of all its windows; both ends are known.
    """
    assert windows.end is not None
    outside = OutsideEvents(rule.by_arrival, windows.end)
    span = Window(windows.start, max(windows.end, upto))
    for held, other in _clocks(store, rule, span, by_arrival=not rule.by_arrival, before=before):
        outside.add(held[_within(other, span) & ~_within(held, span) & (held != 0)])
    rest = Window(windows.end, upto)
    if windows.end < upto:
        for held, _ in _clocks(store, rule, rest, by_arrival=rule.by_arrival, before=before):
            outside.behind += int(_within(held, rest).sum())
    return outside


def _clocks(
    store: EventStore, rule: CompiledRule, span: Window, *, by_arrival: bool, before: int
) -> Iterator[tuple[Times, Times]]:
    """Yield, for events that may lie in a span, the moments that windows go by, and the other moments.

    0 stands for no moment.
    """
    patterns, fields = rule.index or ("*",), frozenset((TIMESTAMP, ARRIVED, rule.time_field))
    bounds = (
        Scan(patterns, fields, arrived_from=span.start, arrived_to=min(before, span.end or before))
        if by_arrival
        else Scan(patterns, fields, span.start, span.end, arrived_to=before)
        if rule.time_field == TIMESTAMP or rule.by_arrival
        else Scan(patterns, fields, arrived_to=before)
    )
    schema = store.schema(patterns).extended([Field(ARRIVED, FieldType.DATE)])
    for batch in store.scan(bounds):
        table = EventTable(batch.columns, batch.rows, schema)
        arrived, happened = _moments(table, ARRIVED), _moments(table, TIMESTAMP)
        if not rule.by_arrival and rule.time_field != TIMESTAMP:
            own = _moments(table, rule.time_field)
            happened = np.where(own == 0, happened, own) if rule.falls_back else own
        there = arrived < before
        held, other = (arrived, happened) if rule.by_arrival else (happened, arrived)
        yield held[there], other[there]


def _moments(table: EventTable, name: str) -> Times:
    """Return a column of moments as nanoseconds since 1970, 0 where there is none."""
    moments, known = whole_numbers(table.column(name, distinct=False), np.arange(table.rows))
    return np.where(known, moments, 0)


def _within(moments: Times, span: Window) -> npt.NDArray[np.bool_]:
    inside = np.ones(len(moments), np.bool_)
    if span.start is not None:
        inside &= moments >= span.start
    if span.end is not None:
        inside &= moments < span.end
    return inside
