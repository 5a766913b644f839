"""Event correlation rules: events, sequences and samples of EQL."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detection.columns import ID, INDEX, ORDER, OWN, STEP, TIE, TIME
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.findings import Finding, Place, RuleWindow
from tocsin.detection.rule_types.query import query_findings
from tocsin.detection.schedule import Window
from tocsin.ecs import TIMESTAMP, Field, FieldType, default_schema
from tocsin.engine.candidates import TIEBREAKER, Candidates, Ordering, Places
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.engine.sequence import SequenceMatcher, View
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s


def eql_findings(rule: CompiledRule, rows: pa.Table, window: RuleWindow) -> list[Finding]:
    """Return a finding for each event that fits, or for each sequence or sample."""
    if rule.joined is None:
        return query_findings(rule, rows, window)
    return sequence_findings(rule, rows, window.window)


def sequence_findings(rule: CompiledRule, rows: pa.Table, window: Window) -> list[Finding]:
    """Return the sequences, or samples, of the events of a window.

    A sequence that begins or ends with a missing event is complete when the window holds all the time in which
    that event might lie.
    """
    query = rule.joined
    assert query is not None
    table = EventTable(
        _columns(rows), rows.num_rows, _SCHEMA.extended(Field(n, k) for n, k in rule.row_types.items())
    )
    steps = rows.column(STEP).to_numpy()
    candidates = Candidates(query, Ordering(TIMESTAMP, TIEBREAKER))
    of_steps = [np.flatnonzero(steps == number) for number in range(len(s.steps_of(query)))]
    # An event that fits several steps has a row for each, but is one event.
    candidates.add(table, of_steps, _SameEvents(table, _numbered(rows)))
    times, helds = rows.column(ORDER).to_numpy(), rows.column(TIME).to_numpy()
    matcher = None
    if isinstance(query, s.Sequence) and window.start is not None and window.end is not None:
        matcher = SequenceMatcher(query, view=View(window.start, window.end, helds))
    hits = [Hit(result, {}) for result in candidates.results(matcher)]
    hits = apply_pipes(rule.statement.pipes, hits)
    needed = sorted({event for hit in hits for event in hit.event.events if event is not None})
    needed_rows = rows.take(pa.array(needed, pa.int64()))
    indices, ids = needed_rows.column(INDEX).to_pylist(), needed_rows.column(ID).to_pylist()
    of_event = {event: Place(*place) for event, *place in zip(needed, indices, ids, strict=True)}
    findings = []
    for hit in hits:
        events = hit.event.events
        places = tuple(None if event is None else of_event[event] for event in events)
        last, held = (int(max(t[event] for event in events if event is not None)) for t in (times, helds))
        findings.append(Finding(places, last, held, hit.event.keys))
    return findings


def _numbered(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return for each row the number of the first row of the same event."""
    names = pc.binary_join_element_wise(rows.column(INDEX), rows.column(ID), "/").combine_chunks()
    codes = names.dictionary_encode().indices.to_numpy()
    _, first, events = np.unique(codes, return_index=True, return_inverse=True)
    numbers: np.ndarray[Any, np.dtype[np.int64]] = first[events].astype(np.int64)
    return numbers


class _SameEvents(Places):
    """Places of rows, several of which may be of one event."""

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
    own = {TIMESTAMP: rows.column(ORDER), TIEBREAKER: rows.column(TIE)}
    others = (n for n in rows.column_names if n not in (*OWN, TIMESTAMP, TIEBREAKER))
    return {**{name: rows.column(name) for name in others}, **own}
