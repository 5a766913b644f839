"""Earlier events that rules need: rows read from the store for a span of their windows."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detection.columns import TIME
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.ecs import TIMESTAMP
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.row_reader import RowReader
from tocsin.store.events import EventReader

_NEVER = (1 << 63) - 1


def read_history(
    store: EventReader,
    rules: Sequence[CompiledRule],
    start: int,
    end: int | None,
    arrived_to: int,
    event_counts: EventCounts | None = None,
) -> dict[str, list[pa.Table]]:
    """Return, by rule, the rows of events from `start` to `end` that had arrived before `arrived_to`.

    The windows of all rules hold events by arrival, or all by a time of the events. The events that are read are
    counted in `event_counts`.
    """
    reader, schema = RowReader(rules), store.schema()
    if rules[0].by_arrival:
        upto = arrived_to if end is None else min(end, arrived_to)
        return reader.read(store, schema, arrived_from=start, arrived_to=upto, event_counts=event_counts)
    if all(rule.time_field == TIMESTAMP for rule in rules):
        return reader.read(store, schema, arrived_to=arrived_to, start=start, end=end, event_counts=event_counts)
    return _between(reader.read(store, schema, arrived_to=arrived_to, event_counts=event_counts), start, end)


def _between(rows: dict[str, list[pa.Table]], start: int | None, end: int | None) -> dict[str, list[pa.Table]]:
    low, high = -_NEVER if start is None else start, _NEVER if end is None else end

    def within(part: pa.Table) -> pa.Table:
        return part.filter(pc.and_(pc.greater_equal(part[TIME], low), pc.less(part[TIME], high)))

    return {uuid: list(map(within, parts)) for uuid, parts in rows.items()}
