"""The standing watch: every event is looked at once, when it comes in; every window is run when it is due.

A tick is run when everything that arrived before it can be seen, and sees nothing that arrived later, so that a
run which is late finds what it would have found on time (docs/decisions/018-what-a-late-run-sees.md).
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
from tocsin.detection.schedule import SECOND, Window
from tocsin.scheduler import execution_records as ledger
from tocsin.scheduler.backfill import AskedRuns
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.history import read_history
from tocsin.scheduler.execution import Executor, late_ticks, needed_from
from tocsin.scheduler.execution_log import ExecutionLog
from tocsin.scheduler.execution_records import ExecutionResult, tell
from tocsin.scheduler.recorded_alerts import stamp
from tocsin.scheduler.rule_state import State
from tocsin.scheduler.rule_states import RuleStates
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.scheduler.timeouts import run_with_timeout
from tocsin.store.clock import ArrivalClock
from tocsin.store.events import EventStore
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

log = logging.getLogger(__name__)
_MOMENT = SECOND // 20
_NEAR = 60 * SECOND  # how far behind it may be for a tick to be run by itself, before what has come in since
_COUNTED = 3600 * SECOND  # how far back of a start events are counted
_FORGET_EVERY = 3600 * SECOND


@dataclass
class Watch:
    """Runs the enabled rules of records over a store. `turn` does what is to be done now; one thread calls it."""

    store: EventStore
    records: Records
    settings: SchedulerSettings = field(default_factory=SchedulerSettings)
    raised: Callable[[Sequence[StoredAlert]], None] = lambda alerts: None
    clock: ArrivalClock = field(default_factory=ArrivalClock)  # that stamps arrivals in the store

    def __post_init__(self) -> None:
        self.executor = Executor(self.store, self.records)
        self.asked = AskedRuns(self.store, self.records, self.executor, lambda alerts: self.raised(alerts))
        self.cursor: int | None = None  # up to which arrivals have been looked at
        self._forgotten = 0
        self._begin(0)

    def _begin(self, now: int) -> None:
        self.volume = EventCounts(now - _COUNTED)
        self.roster = RuleStates(self.store, self.records, self.settings, self.volume, self.clock)

        def lost(state: State) -> None:
            self.roster.states.pop(state.entry.uuid, None)  # to be read anew

        self._notes = ExecutionLog(self.records, self.clock, now, lambda alerts: self.raised(alerts), lost)

    @property
    def states(self) -> dict[str, State]:
        """Where each rule stands, by its uuid."""
        return self.roster.states

    def memory(self) -> dict[str, int]:
        """Return how many bytes are held, by what for: whole events for alerts, rows for windows."""
        memories = [state.memory for state in list(self.states.values()) if state.memory is not None]
        return {"kept_events": self.executor.event_cache.size, "rule_windows": sum(one.size for one in memories)}

    def restart(self) -> None:
        """Forget everything, and take it up from records and the store again: a turn has ended halfway."""
        self.__post_init__()

    def turn(self) -> None:
        """Take up changed rules, look at what has come in, and run what is due."""
        mark = self.store.watermark()
        if self.cursor is None:
            self.cursor = mark
            self._begin(mark)
        self.roster.take_up(mark, self.cursor)
        self.roster.loaded()
        tick = self._next_tick()
        if tick < mark < self.cursor + _NEAR:  # what has come in since then is not to delay its rules
            self._turn_to(tick)
        self._turn_to(mark)
        self.asked.turn(mark)
        self._forget(mark)

    def _forget(self, mark: int) -> None:
        """Let go of what lies far back, once an hour."""
        if mark < self._forgotten + _FORGET_EVERY:
            return
        self._forgotten = mark
        self.volume.forget(mark)
        if self.settings.history is not None:
            with self.records.transaction() as session:
                gone = ledger.forget(session, mark - self.clock.lead - self.settings.history)
            if gone:
                log.info("let go of %d records of executions and messages that were too old", gone)

    def _turn_to(self, upto: int) -> None:
        """Look at what has come in before a moment, and run what is due by then."""
        began, seen = time.monotonic(), self.volume.total
        self._look(upto)
        looked = time.monotonic()
        for state in sorted(self.states.values(), key=lambda state: state.memory.rows if state.memory else 0):
            self._run_due(state, upto)
        self._notes.write()
        log.debug(
            "looked at %d events in %.1f s, ran rules in %.1f s",
            self.volume.total - seen, looked - began, time.monotonic() - looked,
        )  # fmt: skip

    def due_in(self) -> int:
        """Return how many nanoseconds it takes until a rule is due, a few at least."""
        return max(0, self._next_tick() - self.store.watermark()) + _MOMENT

    def _next_tick(self) -> int:
        """Return the first tick of any rule behind what has been looked at."""
        assert self.cursor is not None
        intervals = {state.schedule.interval for state in self.states.values()}
        return min((self.cursor // each * each + each for each in intervals), default=self.cursor + _NEAR)

    # ---- events

    def _look(self, mark: int) -> None:
        """Remember what fits the rules of all that arrived since the last look."""
        assert self.cursor is not None
        if mark <= self.cursor:
            return
        span = {"arrived_from": self.cursor, "arrived_to": mark}
        found = self.roster.reader.read(
            self.store, self.store.schema(), **span, volume=self.volume, kept=self.executor.event_cache
        )
        self.roster.remember(found)
        self.cursor = mark

    # ---- runs

    def _run_due(self, state: State, upto: int) -> None:
        last = upto // state.schedule.interval * state.schedule.interval
        if state.done_to >= last:
            return
        while state.done_to < last:
            done = self._run_next(state, last, self.store.watermark())
            if done is None:
                return
            previous, state.done_to = state.done_to, done.last_tick
            if not self._notes.note(state, done, previous):
                return
        rule = state.entry.watched
        if rule is not None and state.memory is not None:
            state.memory.forget(self.roster.recent(state, rule), state.done_to, _needless(rule))

    def _run_next(self, state: State, last: int, now: int) -> ExecutionResult | None:
        """Run the next tick, or all up to one that see no event: after a pause there may be thousands.

        Return None for one that takes long: it goes on beside the others, and is asked for again in later turns.
        """
        rule, memory = state.entry.watched, state.memory
        tick = state.next_tick
        if state.loading:
            return None
        if state.running is not None:
            return self._finished(state, state.running)
        if state.entry.waiting is not None:
            return self._nothing(state, tick, last, now, waiting=state.entry.waiting)
        failure = state.entry.failure or self.roster.reader.broken.get(state.entry.uuid)
        if rule is None or memory is None or failure:
            return self._nothing(state, tick, last, now, failure or "not read")
        empty = memory.unseen(state.done_to, last, rule.schedule)
        if empty > state.done_to:
            return self._nothing(state, tick, empty, now)
        work = partial(self._run_tick, rule, memory.copy(), state.done_to, tick, now, self.cursor or 0)
        running = run_with_timeout(work, 0 if state.slow else self.settings.patience / SECOND)
        if not running.done() and not state.slow:
            log.warning("%s takes long; the other rules go on", state.entry.name)
        return self._finished(state, running)

    def _finished(self, state: State, running: Future[ExecutionResult]) -> ExecutionResult | None:
        """Return what came of an execution, None while it goes on. Raises faults of the store or the database."""
        if not running.done():
            state.running = running
            return None
        late, state.running = state.running is not None, None
        done = running.result()
        state.slow = sum(done.durations.values()) > self.settings.patience / SECOND
        if late:  # rules that look at alerts have looked behind the moment at which these were made
            now = self.store.watermark()
            for alert in done.alerts:
                stamp(alert, now)
        assert state.entry.watched is not None
        self._tell(done, state.entry.watched, done.window)
        return done

    def _tell(self, done: ExecutionResult, rule: CompiledRule, window: Window) -> None:
        tell(done, rule, window, self.volume, self.store.names(), self.store.set_aside())
        if self.clock.problem():
            done.notes.append("the system clock was set, and is not followed yet: see /readyz")

    def _nothing(
        self,
        state: State,
        first: int,
        last: int,
        now: int,
        failure: str | None = None,
        waiting: str | None = None,
    ) -> ExecutionResult:
        """Return what comes of ticks that find nothing, as they fail or wait for a field of events."""
        window = state.schedule.window(last)
        ticks = (last - first) // state.schedule.interval + 1
        done = ExecutionResult(state.entry.uuid, first, last, ticks, window, late=now - last, failure=failure)
        if waiting is not None:
            done.messages.append(waiting)
        if state.entry.watched is not None:
            whole = Window(state.schedule.window(first).start, window.end)
            self._tell(done, state.entry.watched, whole)
        return done

    def _run_tick(
        self, rule: CompiledRule, memory: RuleBuffer, done_to: int, tick: int, now: int, cursor: int
    ) -> ExecutionResult:
        # While the system clock is behind, what has just happened is late by as much.
        since = tick - self.settings.late - self.clock.lead
        late = late_ticks(rule, memory, done_to, tick, since)
        if late and needed_from(rule, late[0]) < memory.since:
            start = needed_from(rule, late[0])
            if rule.rule.type == "new_terms":  # of older history only the last event of each term is remembered
                past = read_history(self.store, [rule], start, None, cursor)
                memory = RuleBuffer.of(rule, start, past.get(rule.uuid, []))
            else:
                past = read_history(self.store, [rule], start, memory.since, cursor)
                memory.reach_back(start, past.get(rule.uuid, []))
        return self.executor.run(rule, memory, [*late, tick], tick, now)


def _needless(rule: CompiledRule) -> Needless | None:
    """Return what of the past a rule does not need, None where it needs nothing of it."""
    if rule.rule.type != "new_terms":
        return None
    return lambda rows: ~last_of_each(rows, rule.rule.terms_fields)
