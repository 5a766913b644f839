"""What a window holds: from the rows of a rule to its findings, each of which becomes an alert."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detection.schedule import Window
from tocsin.ecs import TIMESTAMP, Field, FieldType, default_schema
from tocsin.engine.candidates import TIEBREAKER, Candidates, Ordering, Places
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.engine.sequence import SequenceMatcher, View
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s
from tocsin.watch import memory as m
from tocsin.watch.rule import WatchedRule


class Place(NamedTuple):
    """Where an event lies."""

    index: str  # type: ignore[assignment]  # a tuple has a method of this name
    id: str


@dataclass(frozen=True)
class Finding:
    """One match of a rule: its events by step, None where one is missing, and when the last one happened.

    `held` is the same by the time that windows go by, which may be that of arrival.

    `keys` are a sequence's join keys. `group` holds what the events of a group have in common, field by field;
    `about` is what the alert tells beside, and its `key` what tells it from others of the same events or group.
    `row` are columns that a query has made of the events. Without `fetched` the alert does not hold an event.
    """

    places: tuple[Place | None, ...]
    time: int
    held: int
    keys: tuple[Any, ...] = ()
    group: Mapping[str, Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] = field(default_factory=dict)
    fetched: bool = True


def key_of_group(group: Mapping[str, Any]) -> str:
    """Return the name of a group of values, field by field."""
    return hashlib.sha256(orjson.dumps(dict(group), option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def of_events(rule: WatchedRule, rows: pa.Table) -> list[Finding]:
    """Return a finding for each event, the oldest first, those that the rule's pipes leave."""
    found = [
        Finding((Place(index, id_),), time, held)
        for index, id_, time, held in zip(
            *(rows.column(n).to_pylist() for n in (m.INDEX, m.ID, m.ORDER, m.TIME)), strict=True
        )
    ]
    order = np.lexsort((np.arange(len(found)), rows.column(m.TIE).to_numpy(), rows.column(m.ORDER).to_numpy()))
    pipes = rule.ready.statement.pipes
    if not pipes:
        return [found[at] for at in order.tolist()]
    values = values_of(rows, rule.kept)
    hits = [Hit(found[at], values[at]) for at in order.tolist()]
    return [hit.event for hit in apply_pipes(pipes, hits)]


def of_sequences(rule: WatchedRule, rows: pa.Table, window: Window) -> list[Finding]:
    """Return the sequences, or samples, that the events of a window make.

    One that should begin or end with a missing event is found when the window holds all the time in which the
    event may come.
    """
    query = rule.ready.joined
    assert query is not None
    table = EventTable(_columns(rows), rows.num_rows, _SCHEMA.extended(Field(n, k) for n, k in rule.types.items()))
    steps = rows.column(m.STEP).to_numpy()
    candidates = Candidates(query, Ordering(TIMESTAMP, TIEBREAKER))
    of_steps = [np.flatnonzero(steps == number) for number in range(len(s.steps_of(query)))]
    # An event that fits several steps has a row for each, and is one event all the same.
    candidates.add(table, of_steps, _SameEvents(table, _numbered(rows)))
    times, helds = rows.column(m.ORDER).to_numpy(), rows.column(m.TIME).to_numpy()
    matcher = None
    if isinstance(query, s.Sequence) and window.start is not None and window.end is not None:
        matcher = SequenceMatcher(query, view=View(window.start, window.end, helds))
    hits = [Hit(result, {}) for result in candidates.results(matcher)]
    hits = apply_pipes(rule.ready.statement.pipes, hits)
    needed = sorted({event for hit in hits for event in hit.event.events if event is not None})
    some = rows.take(pa.array(needed, pa.int64()))
    of_event = {
        event: Place(*place)
        for event, *place in zip(
            needed, some.column(m.INDEX).to_pylist(), some.column(m.ID).to_pylist(), strict=True
        )
    }
    found = []
    for hit in hits:
        events = hit.event.events
        places = tuple(None if event is None else of_event[event] for event in events)
        last, held = (int(max(t[event] for event in events if event is not None)) for t in (times, helds))
        found.append(Finding(places, last, held, hit.event.keys))
    return found


def _numbered(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return for each row the number of the first row of the same event."""
    names = pc.binary_join_element_wise(rows.column(m.INDEX), rows.column(m.ID), "/").combine_chunks()
    codes = names.dictionary_encode().indices.to_numpy()
    _, first, events = np.unique(codes, return_index=True, return_inverse=True)
    numbers: np.ndarray[Any, np.dtype[np.int64]] = first[events].astype(np.int64)
    return numbers


class _SameEvents(Places):
    """Places of rows, some of which are of one event."""

    def __init__(self, table: EventTable, events: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        super().__init__(table, 0)
        self._events = events

    def of(self, rows: Any, ordering: Ordering) -> Any:
        """Return the place of some rows, with the event's number in it."""
        places, timed = super().of(rows, ordering)
        places = places.copy()
        places[:, 2] = self._events[rows]
        return places, timed


_SCHEMA = default_schema().extended([Field(TIMESTAMP, FieldType.LONG), Field(TIEBREAKER, FieldType.LONG)])


def _columns(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    own = {TIMESTAMP: rows.column(m.ORDER), TIEBREAKER: rows.column(m.TIE)}
    others = (n for n in rows.column_names if n not in (*m.OWN, TIMESTAMP, TIEBREAKER))
    return {**{name: rows.column(name) for name in others}, **own}


def many(value: Any) -> list[Any]:
    """Return a field's value, as `values_of` gives it, as a list."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of lists with moments that Python has: it knows no nanoseconds."""
    kind = column.type
    if not pa.types.is_list(kind) or not pa.types.is_timestamp(kind.value_type):
        return column
    return column.cast(pa.list_(pa.timestamp("us", "UTC")), safe=False)


def values_of(rows: pa.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return fields of rows as plain values: one where there is one, a list where there are several."""
    columns = [_plain(rows.column(name)).to_pylist() for name in names]
    return [
        {n: value[0] if len(value) == 1 else value for n, value in zip(names, row, strict=True) if value}
        for row in (zip(*columns, strict=True) if columns else ((),) * rows.num_rows)
    ]
