"""The scheduler: every event is read once, after its arrival; every window is run when it is due.

A tick is run when all events that arrived before it can be read, and it reads no event that arrived later. So a
late run finds the same as a run on time (docs/decisions/018-what-a-late-run-sees.md).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_buffer import Needless, RuleBuffer
from tocsin.detection.rule_types.new_terms import last_of_each
from tocsin.detection.schedule import Window
from tocsin.moments import SECOND
from tocsin.scheduler import execution_records
from tocsin.scheduler.active_rules import ActiveRules
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.history import read_history
from tocsin.scheduler.execution import Executor, late_ticks, needed_from
from tocsin.scheduler.execution_result import ExecutionResult, add_messages
from tocsin.scheduler.execution_writer import ExecutionWriter
from tocsin.scheduler.recorded_alerts import stamp
from tocsin.scheduler.requested_runs import RequestedRuns
from tocsin.scheduler.rule_state import RuleState
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.scheduler.timeouts import run_with_timeout
from tocsin.store.clock import ArrivalClock
from tocsin.store.events import EventStore
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

log = logging.getLogger(__name__)
_MOMENT = SECOND // 20  # by how much a turn comes after the tick that is due
_NEAR = 60 * SECOND  # how late the scheduler may be and still run a tick before it reads newer events
_COUNTED = 3600 * SECOND  # how long before a start events are counted
_FORGET_EVERY = 3600 * SECOND


@dataclass
class Scheduler:
    """Runs the enabled rules of records over a store. `turn` does all that is due; only one thread may call it."""

    store: EventStore
    records: Records
    settings: SchedulerSettings = field(default_factory=SchedulerSettings)
    on_alerts: Callable[[Sequence[StoredAlert]], None] = lambda alerts: None
    clock: ArrivalClock = field(default_factory=ArrivalClock)  # that stamps arrivals in the store

    def __post_init__(self) -> None:
        self.executor = Executor(self.store, self.records)
        self.requested_runs = RequestedRuns(
            self.store, self.records, self.executor, lambda alerts: self.on_alerts(alerts)
        )
        self.cursor: int | None = None  # up to which arrivals have been looked at
        self._forgotten = 0
        self._begin(0)

    def _begin(self, now: int) -> None:
        self.event_counts = EventCounts(now - _COUNTED)
        self.active_rules = ActiveRules(self.store, self.records, self.settings, self.event_counts, self.clock)

        def read_again(state: RuleState) -> None:
            self.active_rules.states.pop(state.uuid, None)

        self._writer = ExecutionWriter(
            self.records, self.clock, now, lambda alerts: self.on_alerts(alerts), read_again
        )

    @property
    def states(self) -> dict[str, RuleState]:
        """The state of each rule, by its uuid."""
        return self.active_rules.states

    def buffer_sizes(self) -> dict[str, int]:
        """Return how many bytes are buffered: whole events for alerts, and rows for windows."""
        buffers = [state.buffer for state in list(self.states.values()) if state.buffer is not None]
        return {
            "kept_events": self.executor.event_cache.size,
            "rule_windows": sum(buffer.size for buffer in buffers),
        }

    def restart(self) -> None:
        """Discard all state, to read it again from records and the store: a turn has failed halfway."""
        self.__post_init__()

    def turn(self) -> None:
        """Read changed rules and new events, and run the rules that are due."""
        mark = self.store.watermark()
        if self.cursor is None:
            self.cursor = mark
            self._begin(mark)
        self.active_rules.take_up(mark, self.cursor)
        self.active_rules.take_loaded()
        tick = self._next_tick()
        if tick < mark < self.cursor + _NEAR:  # newer events must not delay its rules
            self._turn_to(tick)
        self._turn_to(mark)
        self.requested_runs.turn(mark)
        self._forget(mark)

    def _forget(self, mark: int) -> None:
        """Remove old counts and records, once an hour."""
        if mark < self._forgotten + _FORGET_EVERY:
            return
        self._forgotten = mark
        self.event_counts.forget(mark)
        if self.settings.history is not None:
            with self.records.transaction() as session:
                deleted = execution_records.delete_older(session, mark - self.clock.lead - self.settings.history)
            if deleted:
                log.info("removed %d records of executions and messages that were too old", deleted)

    def _turn_to(self, upto: int) -> None:
        """Read the events that arrived before a moment, and run the rules that are due by then."""
        began, seen = time.monotonic(), self.event_counts.total
        self._look(upto)
        looked = time.monotonic()
        for state in sorted(self.states.values(), key=lambda state: state.buffer.rows if state.buffer else 0):
            self._run_due(state, upto)
        self._writer.write()
        log.debug(
            "looked at %d events in %.1f s, ran rules in %.1f s",
            self.event_counts.total - seen, looked - began, time.monotonic() - looked,
        )  # fmt: skip

    def due_in(self) -> int:
        """Return in how many nanoseconds the next rule is due, and a little more."""
        return max(0, self._next_tick() - self.store.watermark()) + _MOMENT

    def _next_tick(self) -> int:
        """Return the first tick of any rule after the events that have been read."""
        assert self.cursor is not None
        intervals = {state.schedule.interval for state in self.states.values()}
        return min(
            (self.cursor // interval * interval + interval for interval in intervals), default=self.cursor + _NEAR
        )

    # ---- events

    def _look(self, mark: int) -> None:
        """Add the events that arrived since the last look and fit a rule to the buffers."""
        assert self.cursor is not None
        if mark <= self.cursor:
            return
        span = {"arrived_from": self.cursor, "arrived_to": mark}
        rows = self.active_rules.reader.read(
            self.store,
            self.store.schema(),
            **span,
            event_counts=self.event_counts,
            event_cache=self.executor.event_cache,
        )
        self.active_rules.add_rows(rows)
        self.cursor = mark

    # ---- runs

    def _run_due(self, state: RuleState, upto: int) -> None:
        last = upto // state.schedule.interval * state.schedule.interval
        if state.done_to >= last:
            return
        while state.done_to < last:
            result = self._run_next(state, last, self.store.watermark())
            if result is None:
                return
            previous, state.done_to = state.done_to, result.last_tick
            if not self._writer.add(state, result, previous):
                return
        rule = state.rule
        if rule is not None and state.buffer is not None:
            state.buffer.forget(self.active_rules.recent(state, rule), state.done_to, _needless(rule))

    def _run_next(self, state: RuleState, last: int, now: int) -> ExecutionResult | None:
        """Run the next tick, or all ticks before the first with events: after a pause there may be thousands.

        Return None for an execution that takes long: it goes on in its thread, and later turns look at it again.
        """
        rule, buffer = state.rule, state.buffer
        tick = state.next_tick
        if state.loading:
            return None
        if state.running is not None:
            return self._finished(state, state.running)
        if state.waits is not None:
            return self._without_findings(state, tick, last, now, waits=state.waits)
        failure = state.failure or self.active_rules.reader.broken.get(state.uuid)
        if rule is None or buffer is None or failure:
            return self._without_findings(state, tick, last, now, failure or "not read")
        empty = buffer.unseen(state.done_to, last, rule.schedule)
        if empty > state.done_to:
            return self._without_findings(state, tick, empty, now)
        work = partial(self._run_tick, rule, buffer.copy(), state.done_to, tick, now, self.cursor or 0)
        running = run_with_timeout(work, 0 if state.slow else self.settings.longest_wait / SECOND)
        if not running.done() and not state.slow:
            log.warning("%s takes long; the other rules go on", state.name)
        return self._finished(state, running)

    def _finished(self, state: RuleState, running: Future[ExecutionResult]) -> ExecutionResult | None:
        """Return the result of an execution, None while it goes on. Raises errors of the store or the database."""
        if not running.done():
            state.running = running
            return None
        late, state.running = state.running is not None, None
        result = running.result()
        state.slow = sum(result.durations.values()) > self.settings.longest_wait / SECOND
        if late:  # rules over alerts have already read past the moment at which these were made
            now = self.store.watermark()
            for alert in result.alerts:
                stamp(alert, now)
        assert state.rule is not None
        self._add_messages(result, state.rule, result.window)
        return result

    def _add_messages(self, result: ExecutionResult, rule: CompiledRule, window: Window) -> None:
        add_messages(result, rule, window, self.event_counts, self.store.names(), self.store.set_aside())
        if self.clock.problem():
            result.notices.append("the system clock was set, and is not followed yet: see /readyz")

    def _without_findings(
        self,
        state: RuleState,
        first: int,
        last: int,
        now: int,
        failure: str | None = None,
        waits: str | None = None,
    ) -> ExecutionResult:
        """Return the result of ticks without findings: empty, failed, or of a rule that waits for a field."""
        window = state.schedule.window(last)
        ticks = (last - first) // state.schedule.interval + 1
        result = ExecutionResult(state.uuid, first, last, ticks, window, late=now - last, failure=failure)
        if waits is not None:
            result.messages.append(waits)
        if state.rule is not None:
            whole = Window(state.schedule.window(first).start, window.end)
            self._add_messages(result, state.rule, whole)
        return result

    def _run_tick(
        self, rule: CompiledRule, buffer: RuleBuffer, done_to: int, tick: int, now: int, cursor: int
    ) -> ExecutionResult:
        # While the system clock is behind, new events are late by as much.
        since = tick - self.settings.late - self.clock.lead
        late = late_ticks(rule, buffer, done_to, tick, since)
        if late and needed_from(rule, late[0]) < buffer.since:
            start = needed_from(rule, late[0])
            if rule.rule.type == "new_terms":  # the buffer holds only the last event of each older term
                history = read_history(self.store, [rule], start, None, cursor)
                buffer = RuleBuffer.of(rule, start, history.get(rule.uuid, []))
            else:
                history = read_history(self.store, [rule], start, buffer.since, cursor)
                buffer.reach_back(start, history.get(rule.uuid, []))
        return self.executor.run(rule, buffer, [*late, tick], tick, now)


def _needless(rule: CompiledRule) -> Needless | None:
    """Return a function that picks the rows of a rule's history that it does not need; None without one."""
    if rule.rule.type != "new_terms":
        return None
    return lambda rows: ~last_of_each(rows, rule.rule.terms_fields)
