"""The enabled rules: read from records as they change, with the earlier events that they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import pyarrow as pa

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_buffer import RuleBuffer
from tocsin.detection.schedule import Schedule
from tocsin.ecs import Schema
from tocsin.moments import SECOND
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.loading import Loading, LoadRequest
from tocsin.scheduler.buffer.row_reader import RowReader
from tocsin.scheduler.execution import needed_from
from tocsin.scheduler.gaps import record_gap, skip
from tocsin.scheduler.rule_state import RuleState
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.scheduler.stored_rules import changes, read_states
from tocsin.store.clock import ArrivalClock
from tocsin.store.events import EventStore
from tocsin.store.mappings.index_mapping import IndexMapping
from tocsin.store.records.database import Records


@dataclass
class ActiveRules:
    """Where each enabled rule of records stands (`states`, by uuid), and all of them together (`reader`)."""

    store: EventStore
    records: Records
    settings: SchedulerSettings
    event_counts: EventCounts
    clock: ArrivalClock
    states: dict[str, RuleState] = field(default_factory=dict)
    reader: RowReader = field(default_factory=lambda: RowReader([]))
    _loadings: list[tuple[Loading, dict[str, RuleState], bool]] = field(default_factory=list)
    _counted: bool = False  # the events that were there at the start
    _fields: frozenset[str] = frozenset()  # that were known when waiting rules were last read
    _mappings: list[tuple[str, IndexMapping]] = field(default_factory=list)  # as of the last look at the rules

    def take_up(self, mark: int, cursor: int) -> None:
        """Update the states from records; events that arrived before `cursor` have been read."""
        schema_of = cache(lambda patterns: self.store.schema(patterns))
        again = self._no_longer_waiting() | self._with_changed_mappings(schema_of)
        with self.records.transaction() as session:
            enabled = changes(session)
            removed = [uuid for uuid in self.states if uuid not in enabled]
            new = [u for u, changed in enabled.items() if u in again or self._changed(u, mark) != changed]
            if not removed and not new:
                return
            states = read_states(session, new, lambda patterns: schema_of(tuple(patterns)), mark)
        for uuid in removed:
            del self.states[uuid]
        for state in states:
            known = self.states.get(state.uuid)
            self.states[state.uuid] = state
            self._place(state, mark)
            if known is not None:
                state.last = known.last
                self._keep_buffer(state, known)
        compiled = [state.rule for state in self.states.values() if state.rule is not None]
        self.reader = RowReader(compiled)
        self._load(states, cursor)

    def _no_longer_waiting(self) -> frozenset[str]:
        """Return the rules that wait for a field, when events have brought new fields.

        Among them are rules that have read such a field as null so far.
        """
        waiting = frozenset(uuid for uuid, state in self.states.items() if state.waits is not None)
        nulls = {uuid: names for uuid, state in self.states.items() if (names := _nulls(state))}
        if not waiting and not nulls:
            return waiting
        known = frozenset(self.store.schema().fields)
        if known == self._fields:
            return frozenset()
        self._fields = known
        return waiting.union(uuid for uuid, names in nulls.items() if not known.isdisjoint(names))

    def _with_changed_mappings(self, schema_of: Callable[[tuple[str, ...]], Schema]) -> frozenset[str]:
        """Return the rules that were compiled against mappings that have changed since."""
        mappings = [(name, self.store.mapping(name)) for name in self.store.names()]
        if mappings == self._mappings:
            return frozenset()
        self._mappings = mappings
        return frozenset(uuid for uuid, state in self.states.items() if _is_stale(state, schema_of))

    def _keep_buffer(self, state: RuleState, known: RuleState) -> None:
        """Keep the buffer of a rule that looks at the same events as before."""
        rule, before = state.rule, known.rule
        if rule is None or before is None or known.buffer is None or known.loading or known.running is not None:
            return
        if rule.buffers_like(before) and known.buffer.since <= self._since(state, rule):
            state.buffer = known.buffer

    def _changed(self, uuid: str, mark: int) -> int:
        """Return the number of changes with which a rule was read; -1 once one of its exceptions has expired."""
        known = self.states.get(uuid)
        if known is None or (known.expires is not None and known.expires <= mark):
            return -1
        return known.changed

    def _place(self, state: RuleState, mark: int) -> None:
        """Set the tick after which a rule goes on, and record the missed ticks that will not be run."""
        schedule = state.schedule
        interval = schedule.interval
        begins = min(state.enabled_from, mark) // interval * interval
        upto = state.recorded_to
        with self.records.transaction() as session:
            if upto is not None and upto < begins:  # it was disabled meanwhile
                missed = _ends(schedule, upto, begins)
                if missed is not None:
                    record_gap(session, state.uuid, *missed, "disabled", interval)
            place = begins if upto is None else max(upto, begins)
            oldest = (mark - self.settings.catch_up) // interval * interval
            if place < oldest:
                missed = _ends(schedule, place, oldest)
                if missed is not None:
                    record_gap(session, state.uuid, *missed, "service down", interval)
                place = oldest
            if place != upto:
                skip(session, state.uuid, upto, place)
        state.done_to = place

    def _load(self, states: Sequence[RuleState], cursor: int) -> None:
        """Start to read the earlier events that rules need."""
        needed: list[LoadRequest] = []
        for state in states:
            rule = state.rule
            if rule is not None and state.buffer is None:
                since = self._since(state, rule)
                state.buffer, state.loading = RuleBuffer.of(rule, since), True
                needed.append(LoadRequest(rule, since, min(since, state.done_to)))
        if needed:
            seconds = self.settings.loading_wait / SECOND
            loading = Loading(self.store, needed, cursor, self.event_counts, seconds)
            self._loadings.append((loading, {state.uuid: state for state in states}, not self._counted))
            self._counted = True

    def take_loaded(self) -> None:
        """Add the earlier events that have been read since the last call."""
        unfinished = []
        for loading, states, counts in self._loadings:
            for stretch in loading.take():
                for uuid, parts in stretch.rows.items():
                    states[uuid].add_rows(parts)
                for uuid in stretch.ready:
                    states[uuid].loading = False
                if counts:
                    self.event_counts.merge(stretch.event_counts)
                self.reader.broken.update(stretch.broken)
            if any(state.loading for state in states.values()):
                unfinished.append((loading, states, counts))
        self._loadings = unfinished

    def add_rows(self, rows: Mapping[str, Sequence[pa.Table]]) -> None:
        """Add rows of events that fit rules to their buffers. A rule that has been removed gets none."""
        for uuid, parts in rows.items():
            state = self.states.get(uuid)
            if state is not None:
                state.add_rows(parts)

    def _since(self, state: RuleState, rule: CompiledRule) -> int:
        """Return the earliest moment whose events a rule needs, for its next window and its history."""
        return min(needed_from(rule, state.next_tick), self.recent(state, rule))

    def recent(self, state: RuleState, rule: CompiledRule) -> int:
        """Return the moment from which a rule needs every event: the start of its next window, and a margin."""
        start = rule.schedule.window(state.next_tick).start or 0
        return start if rule.by_arrival else start - self.settings.margin - self.clock.lead


def _nulls(state: RuleState) -> tuple[str, ...]:
    """Return the fields that a rule reads as null, because no index has them."""
    pipeline = None if state.rule is None else state.rule.pipeline
    return () if pipeline is None else pipeline.nulls


def _is_stale(state: RuleState, schema_of: Callable[[tuple[str, ...]], Schema]) -> bool:
    """Return whether the types of a rule's fields have changed in its indices since it was compiled."""
    rule = state.rule
    if rule is None:
        return state.failure is not None or state.waits is not None
    schema = schema_of(tuple(rule.rule.index or ("*",)))
    return any(schema.find(name) != known for name, known in rule.known_fields.items())


def _ends(schedule: Schedule, after: int, upto: int) -> tuple[int, int] | None:
    """Return the first and the last tick after a moment and up to another; None when there is none."""
    first = after // schedule.interval * schedule.interval + schedule.interval
    last = upto // schedule.interval * schedule.interval
    return (first, last) if first <= last else None
