"""Runs that somebody asks for, over a span of the past, a few windows a turn; previews, which keep nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from tocsin.detection.alerts.history import AlertsInMemory
from tocsin.detection.compiled_rule import CompiledRule, scheduled, with_rows
from tocsin.detection.rule_buffer import RuleBuffer
from tocsin.detection.schedule import Schedule, Window, read_schedule, span
from tocsin.errors import RuleError
from tocsin.rules.files import read_rule
from tocsin.rules.model import Rule
from tocsin.scheduler import execution_records as ledger
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.history import read_history
from tocsin.scheduler.execution import Executor, needed_from
from tocsin.scheduler.execution_records import ExecutionResult, Last
from tocsin.scheduler.other_clock import outside
from tocsin.scheduler.stored_rules import ready_rule
from tocsin.store.events import EventReader, EventStore
from tocsin.store.records.database import Records
from tocsin.store.records.models import Run, StoredAlert, StoredRule

_AT_ONCE = 12  # ticks whose events are read together
_A_TURN = 1.0  # seconds that runs take of a turn of the watch
MOST_TICKS = 100_000
_PREVIEW, _MANUAL = "preview", "manual"


@dataclass
class Result:
    """What came of a run: figures over all its ticks."""

    ticks: int = 0
    events: int = 0
    matches: int = 0
    written: int = 0
    duplicates: int = 0
    messages: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    failure: str | None = None
    gaps_filled: int = 0
    outside: dict[str, Any] | None = None  # events that its windows do not hold, as `outside.Outside` has them

    def add(self, done: ExecutionResult) -> None:
        """Count what came of a tick."""
        self.ticks += done.ticks
        self.events += done.events
        self.matches += done.matches
        self.written += len(done.alerts)
        self.duplicates += done.duplicates
        self.messages += [told for told in done.told if told not in self.messages]
        self.alerts += [alert.id for alert in done.alerts]
        self.failure = self.failure or done.failure

    def document(self) -> dict[str, Any]:
        """Return it as records keep it."""
        return {**vars(self), "alerts": self.alerts[:1000]}


def watched_rule(records: Records, uuid: str, rule: Rule, store: EventReader, revision: int = 0) -> CompiledRule:
    """Return a rule ready to run. Raises RuleError."""
    schema = store.schema(rule.index or ("*",))
    with records.transaction() as session:
        ready, _ = ready_rule(session, rule, uuid, schema, store.watermark())
    return scheduled(with_rows(ready, schema), uuid, read_schedule(rule), revision)


def executions(
    executor: Executor, rule: CompiledRule, ticks: Sequence[int], before: int, kind: str
) -> Iterator[ExecutionResult]:
    """Run some ticks of a rule, as they are with what had arrived before a moment; yield what comes of each."""
    previewed = AlertsInMemory() if kind == _PREVIEW else None
    for start in range(0, len(ticks), _AT_ONCE):
        some = ticks[start : start + _AT_ONCE]
        memory, volume = memory_of(executor.store, rule, some, before)
        for tick in some:
            done = executor.run(rule, memory, [tick], before, executor.store.watermark(), kind, previewed)
            done.late = 0
            ledger.tell(done, rule, done.window, volume, executor.store.names(), executor.store.set_aside())
            if previewed is not None:
                previewed.add(done.new_alerts)
            yield done


def memory_of(
    store: EventReader, rule: CompiledRule, ticks: Sequence[int], before: int
) -> tuple[RuleBuffer, EventCounts]:
    """Return what the windows of some ticks hold for a rule, and how many events there were to be read."""
    since = needed_from(rule, ticks[0])
    end = rule.schedule.window(ticks[-1]).end
    volume = EventCounts(since)
    rows = read_history(store, [rule], since, end, before, volume).get(rule.uuid, [])
    return RuleBuffer.of(rule, since, rows), volume


def preview(
    executor: Executor, rule: CompiledRule, ticks: Sequence[int]
) -> tuple[Result, list[StoredAlert], list[ExecutionResult]]:
    """Return the alerts that a rule would raise at some ticks, whether or not they are there; nothing is kept."""
    result, alerts, every = Result(), list[StoredAlert](), list[ExecutionResult]()
    for done in executions(executor, rule, ticks, executor.store.watermark(), _PREVIEW):
        result.add(done)
        alerts += done.alerts
        every.append(done)
    return result, alerts, every


@dataclass
class AskedRuns:
    """The runs of records that wait, worked off a little at each turn of the watch."""

    store: EventStore
    records: Records
    executor: Executor
    raised: Callable[[Sequence[StoredAlert]], None]
    _current: Iterator[None] | None = None

    def turn(self, mark: int) -> None:
        """Go on for a moment."""
        until = time.monotonic() + _A_TURN
        while time.monotonic() < until:
            if self._current is None:
                with self.records.transaction() as session:
                    run = session.scalar(select(Run).where(Run.done.is_(None)).order_by(Run.id).limit(1))
                if run is None:
                    return
                # What had come in when it was asked for has to be seen, though this turn may have begun before.
                self._current = self._work(run, max(mark, self.store.watermark()))
            try:
                next(self._current)
            except StopIteration:
                self._current = None
            except BaseException:
                self._current = None
                raise

    def _work(self, run: Run, mark: int) -> Iterator[None]:
        result = Result()
        try:
            with self.records.transaction() as session:
                stored = session.get(StoredRule, run.rule_uuid)
            if stored is None:
                raise RuleError("the rule has been removed")
            rule = watched_rule(self.records, stored.id, read_rule(stored.document), self.store, stored.revision)
            ticks = ticks_of(rule, run.start, run.end, mark)
            last: Last | None = None
            for done in executions(self.executor, rule, ticks, mark, run.kind):
                with self.records.transaction() as session:
                    last = ledger.write(session, done, None, last)
                result.add(done)
                if done.alerts:
                    self.raised(done.alerts)
                yield
            if ticks and not result.failure:
                with self.records.transaction() as session:
                    result.gaps_filled = ledger.fill_gaps(session, rule.uuid, ticks[0], ticks[-1], run.asked_by)
            if run.kind == _MANUAL and not result.failure:
                result.outside = asdict(outside(self.store, rule, _span_of(rule, ticks), min(run.end, mark), mark))
        except RuleError as error:
            result.failure = error.message
        with self.records.transaction() as session:
            kept = session.get(Run, run.id)
            if kept is not None:
                kept.done, kept.result = datetime.now(UTC), result.document()


def _span_of(rule: CompiledRule, ticks: Sequence[int]) -> Window:
    """Return what the windows of some ticks hold, from the first to the last."""
    return Window(rule.schedule.window(ticks[0]).start, rule.schedule.window(ticks[-1]).end)


def ticks_of(rule: CompiledRule, start: int, end: int, now: int) -> list[int]:
    """Return the ticks behind a moment up to another; without one, the other moment itself. Raises RuleError."""
    end = min(end, now)
    refuse_too_many(rule.schedule, start, end)
    return list(rule.schedule.ticks(start - 1, end)) or [end]


def refuse_too_many(schedule: Schedule, start: int, end: int) -> None:
    """Raise RuleError for a span that holds more windows than one run may have."""
    windows = (end - start) // schedule.interval
    if windows > MOST_TICKS:
        longest = span(MOST_TICKS * schedule.interval)
        raise RuleError(
            f"the span holds {windows:,} windows of the rule; a run has at most {MOST_TICKS:,}",
            hint=f"ask for at most {longest} at a time",
        )
