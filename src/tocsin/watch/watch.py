"""The standing watch: every event is looked at once, when it comes in; every window is run when it is due.

A tick is run when everything that arrived before it can be seen, and sees nothing that arrived later, so that a
run which is late finds what it would have found on time (docs/decisions/018-what-a-late-run-sees.md).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from tocsin.detection.schedule import SECOND, Schedule, Window
from tocsin.store.events import EventStore
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert
from tocsin.watch import ledger
from tocsin.watch.backfill import AskedRuns
from tocsin.watch.documents import stamp
from tocsin.watch.execution import Executor, late_ticks, needed_from
from tocsin.watch.kept import KeptEvents
from tocsin.watch.ledger import Done, tell
from tocsin.watch.loading import Loading, Needed
from tocsin.watch.memory import Memory, Needless
from tocsin.watch.new_terms import last_of_each
from tocsin.watch.notes import Notes
from tocsin.watch.past import read_past
from tocsin.watch.patience import patiently
from tocsin.watch.reading import Reader
from tocsin.watch.rule import WatchedRule
from tocsin.watch.ruleset import Entry, changes, read_entries
from tocsin.watch.settings import WatchSettings
from tocsin.watch.state import State
from tocsin.watch.volume import Volume

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
    settings: WatchSettings = field(default_factory=WatchSettings)
    raised: Callable[[Sequence[StoredAlert]], None] = lambda alerts: None

    def __post_init__(self) -> None:
        self.states: dict[str, State] = {}
        self.executor = Executor(self.store, self.records)
        self.asked = AskedRuns(self.store, self.records, self.executor, lambda alerts: self.raised(alerts))
        self.cursor: int | None = None  # up to which arrivals have been looked at
        self._counted = False  # what was there at the start
        self._loadings: list[tuple[Loading, dict[str, State], bool]] = []
        self._forgotten = 0
        self.volume = Volume(0)
        self._reader = Reader([])
        self._notes = self._noting(0)

    def _noting(self, started: int) -> Notes:
        def lost(state: State) -> None:
            self.states.pop(state.entry.uuid, None)  # to be read anew

        return Notes(self.records, started, lambda alerts: self.raised(alerts), lost)

    def restart(self) -> None:
        """Forget everything, and take it up from records and the store again: a turn has ended halfway."""
        self.__post_init__()

    def turn(self) -> None:
        """Take up changed rules, look at what has come in, and run what is due."""
        mark = self.store.watermark()
        if self.cursor is None:
            self.cursor = mark
            self._notes = self._noting(mark)
            self.volume = Volume(mark - _COUNTED)
        self._take_up(mark)
        self._loaded()
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
                gone = ledger.forget(session, mark - self.settings.history)
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

    # ---- rules

    def _take_up(self, mark: int) -> None:
        """Bring the states in line with records."""
        with self.records.transaction() as session:
            now_there = changes(session)
            gone = [uuid for uuid in self.states if uuid not in now_there]
            new = [u for u, changed in now_there.items() if self._changed(u, mark) != changed]
            if not gone and not new:
                return
            entries = read_entries(session, new, self.store.schema(), mark)
        for uuid in gone:
            del self.states[uuid]
        for entry in entries:
            known = self.states.get(entry.uuid)
            state = State(entry, 0, last=known.last if known else None)
            self.states[entry.uuid] = state
            self._place(state, entry, mark)
            if known is not None:
                self._keep_memory(state, known)
        every = [state.entry.watched for state in self.states.values() if state.entry.watched is not None]
        self._reader = Reader(every)
        self._load([self.states[entry.uuid] for entry in entries])

    def _keep_memory(self, state: State, known: State) -> None:
        """Let a rule that looks at the same events as before go on with what it remembers of them."""
        rule, before = state.entry.watched, known.entry.watched
        if rule is None or before is None or known.memory is None or known.loading or known.running is not None:
            return
        if rule.remembers_as(before) and known.memory.since <= self._since(state, rule):
            state.memory = known.memory

    def _changed(self, uuid: str, mark: int) -> int:
        """Return the number of changes that a rule here has seen; none once an exception of it has expired."""
        known = self.states.get(uuid)
        if known is None or (known.entry.until is not None and known.entry.until <= mark):
            return -1
        return known.entry.changed

    def _place(self, state: State, entry: Entry, mark: int) -> None:
        """Find where a rule goes on, and note what was missed and is not run by itself."""
        schedule = state.schedule
        interval = schedule.interval
        begins = min(entry.watched_from, mark) // interval * interval
        upto = entry.done_to
        with self.records.transaction() as session:
            if upto is not None and upto < begins:  # it was disabled meanwhile
                missed = _ends(schedule, upto, begins)
                if missed is not None:
                    ledger.note_gap(session, entry.uuid, *missed, "disabled", interval)
            place = begins if upto is None else max(upto, begins)
            oldest = (mark - self.settings.catch_up) // interval * interval
            if place < oldest:
                missed = _ends(schedule, place, oldest)
                if missed is not None:
                    ledger.note_gap(session, entry.uuid, *missed, "service down", interval)
                place = oldest
            if place != upto:
                ledger.skip(session, entry.uuid, upto, place)
        state.done_to = place

    def _load(self, states: Sequence[State]) -> None:
        """Have what rules need of the past read."""
        assert self.cursor is not None
        needed: list[Needed] = []
        for state in states:
            rule = state.entry.watched
            if rule is not None and state.memory is None:
                since = self._since(state, rule)
                state.memory, state.loading = Memory.of(rule, since), True
                needed.append(Needed(rule, since, min(since, state.done_to)))
        if needed:
            seconds = self.settings.loading / SECOND
            loading = Loading(self.store, needed, self.cursor, self.volume, seconds)
            self._loadings.append((loading, {state.entry.uuid: state for state in states}, not self._counted))
            self._counted = True

    def _loaded(self) -> None:
        """Take up what has been read of the past."""
        going_on = []
        for loading, states, counts in self._loadings:
            for stretch in loading.take():
                for uuid, parts in stretch.rows.items():
                    states[uuid].remember(parts)
                for uuid in stretch.ready:
                    states[uuid].loading = False
                if counts:
                    self.volume.merge(stretch.volume)
                self._reader.broken.update(stretch.broken)
            if any(state.loading for state in states.values()):
                going_on.append((loading, states, counts))
        self._loadings = going_on

    def _remember(self, found: Mapping[str, Sequence[pa.Table]]) -> None:
        for uuid, parts in found.items():
            self.states[uuid].remember(parts)

    def _since(self, state: State, rule: WatchedRule) -> int:
        """Return from when on a rule needs events: those of its next window, and of the history before."""
        return min(needed_from(rule, state.next_tick), self._recent(state, rule))

    def _recent(self, state: State, rule: WatchedRule) -> int:
        """Return from when on a rule needs every event: from its next window on, and a little more."""
        start = rule.schedule.window(state.next_tick).start or 0
        return start if rule.by_arrival else start - self.settings.kept

    # ---- events

    def _look(self, mark: int) -> None:
        """Remember what fits the rules of all that arrived since the last look."""
        assert self.cursor is not None
        if mark <= self.cursor:
            return
        kept = self.executor.kept
        self._remember(self._arrived(self._reader, self.cursor, mark, self.volume, kept))
        self.cursor = mark

    def _arrived(
        self, reader: Reader, start: int, end: int, volume: Volume | None, kept: KeptEvents | None = None
    ) -> dict[str, list[pa.Table]]:
        """Return, by rule, the rows of events that arrived in a span of time, whenever they happened."""
        schema = self.store.schema()
        return reader.read(self.store, schema, arrived_from=start, arrived_to=end, volume=volume, kept=kept)

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
            state.memory.forget(self._recent(state, rule), state.done_to, _needless(rule))

    def _run_next(self, state: State, last: int, now: int) -> Done | None:
        """Run the next tick, or all up to one that see no event: after a pause there may be thousands.

        Return None for one that takes long: it goes on beside the others, and is asked for again in later turns.
        """
        rule, memory = state.entry.watched, state.memory
        tick = state.next_tick
        if state.loading:
            return None
        if state.running is not None:
            return self._finished(state, state.running)
        failure = state.entry.failure or self._reader.broken.get(state.entry.uuid)
        if rule is None or memory is None or failure:
            return self._nothing(state, tick, last, now, failure or "not read")
        empty = memory.unseen(state.done_to, last, rule.schedule)
        if empty > state.done_to:
            return self._nothing(state, tick, empty, now)
        work = partial(
            self._run_tick, state.entry, rule, memory.copy(), state.done_to, tick, now, self.cursor or 0
        )
        running = patiently(work, 0 if state.slow else self.settings.patience / SECOND)
        if not running.done() and not state.slow:
            log.warning("%s takes long; the other rules go on", state.entry.name)
        return self._finished(state, running)

    def _finished(self, state: State, running: Future[Done]) -> Done | None:
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
        tell(done, state.entry.watched, done.window, self.volume, self.store.names())
        return done

    def _nothing(self, state: State, first: int, last: int, now: int, failure: str | None = None) -> Done:
        """Return what comes of ticks that find nothing."""
        window = state.schedule.window(last)
        ticks = (last - first) // state.schedule.interval + 1
        done = Done(state.entry.uuid, first, last, ticks, window, late=now - last, failure=failure)
        if state.entry.watched is not None:
            whole = Window(state.schedule.window(first).start, window.end)
            tell(done, state.entry.watched, whole, self.volume, self.store.names())
        return done

    def _run_tick(
        self, entry: Entry, rule: WatchedRule, memory: Memory, done_to: int, tick: int, now: int, cursor: int
    ) -> Done:
        since = max(entry.watched_from, tick - self.settings.late)
        late = late_ticks(rule, memory, done_to, tick, since)
        if late and needed_from(rule, late[0]) < memory.since:
            start = needed_from(rule, late[0])
            if rule.rule.type == "new_terms":  # of older history only the last event of each term is remembered
                past = read_past(self.store, [rule], start, None, cursor)
                memory = Memory.of(rule, start, past.get(rule.uuid, []))
            else:
                past = read_past(self.store, [rule], start, memory.since, cursor)
                memory.reach_back(start, past.get(rule.uuid, []))
        return self.executor.run(rule, memory, [*late, tick], tick, now)


def _needless(rule: WatchedRule) -> Needless | None:
    """Return what of the past a rule does not need, None where it needs nothing of it."""
    if rule.rule.type != "new_terms":
        return None
    return lambda rows: ~last_of_each(rows, rule.rule.terms_fields)


def _ends(schedule: Schedule, after: int, upto: int) -> tuple[int, int] | None:
    """Return the first and the last of the ticks behind a moment and up to another, none where there is none."""
    first = after // schedule.interval * schedule.interval + schedule.interval
    last = upto // schedule.interval * schedule.interval
    return (first, last) if first <= last else None
