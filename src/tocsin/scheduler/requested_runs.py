"""Runs by hand and backfills over earlier events, a few windows a turn; previews, which write nothing."""

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
from tocsin.scheduler import execution_records
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.history import read_history
from tocsin.scheduler.execution import Executor, needed_from
from tocsin.scheduler.execution_records import WrittenExecution
from tocsin.scheduler.execution_result import ExecutionResult, add_messages
from tocsin.scheduler.gaps import fill_gaps
from tocsin.scheduler.outside_events import count_outside_events
from tocsin.scheduler.stored_rules import compile_stored_rule
from tocsin.store.events import EventReader, EventStore
from tocsin.store.records.database import Records
from tocsin.store.records.models import Run, StoredAlert, StoredRule

_TICKS_PER_READ = 12  # ticks whose events are read together
_SECONDS_PER_TURN = 1.0  # that runs take of a turn of the scheduler
MOST_TICKS = 100_000
_PREVIEW, _MANUAL = "preview", "manual"


@dataclass
class RunResult:
    """The result of a run: figures over all its ticks."""

    ticks: int = 0
    events: int = 0
    matches: int = 0
    written: int = 0
    duplicates: int = 0
    messages: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    failure: str | None = None
    gaps_filled: int = 0
    outside: dict[str, Any] | None = (
        None  # events that its windows do not hold, as `outside_events.OutsideEvents` has them
    )

    def add(self, result: ExecutionResult) -> None:
        """Add the result of a tick."""
        self.ticks += result.ticks
        self.events += result.events
        self.matches += result.matches
        self.written += len(result.alerts)
        self.duplicates += result.duplicates
        self.messages += [message for message in result.all_messages if message not in self.messages]
        self.alerts += [alert.id for alert in result.alerts]
        self.failure = self.failure or result.failure

    def document(self) -> dict[str, Any]:
        """Return it as records keep it."""
        return {**vars(self), "alerts": self.alerts[:1000]}


def scheduled_rule(records: Records, uuid: str, rule: Rule, store: EventReader, revision: int = 0) -> CompiledRule:
    """Return a rule ready to run. Raises RuleError."""
    schema = store.schema(rule.index or ("*",))
    with records.transaction() as session:
        ready, _ = compile_stored_rule(session, rule, uuid, schema, store.watermark())
    return scheduled(with_rows(ready, schema), uuid, read_schedule(rule), revision)


def executions(
    executor: Executor, rule: CompiledRule, ticks: Sequence[int], before: int, kind: str
) -> Iterator[ExecutionResult]:
    """Run ticks of a rule over the events that had arrived before a moment; yield the result of each."""
    previewed = AlertsInMemory() if kind == _PREVIEW else None
    for start in range(0, len(ticks), _TICKS_PER_READ):
        together = ticks[start : start + _TICKS_PER_READ]
        buffer, event_counts = buffer_of(executor.store, rule, together, before)
        for tick in together:
            result = executor.run(rule, buffer, [tick], before, executor.store.watermark(), kind, previewed)
            result.late = 0
            add_messages(
                result, rule, result.window, event_counts, executor.store.names(), executor.store.set_aside()
            )
            if previewed is not None:
                previewed.add(result.new_alerts)
            yield result


def buffer_of(
    store: EventReader, rule: CompiledRule, ticks: Sequence[int], before: int
) -> tuple[RuleBuffer, EventCounts]:
    """Return the buffer of a rule for the windows of some ticks, and the counts of the events that were read."""
    since = needed_from(rule, ticks[0])
    end = rule.schedule.window(ticks[-1]).end
    event_counts = EventCounts(since)
    rows = read_history(store, [rule], since, end, before, event_counts).get(rule.uuid, [])
    return RuleBuffer.of(rule, since, rows), event_counts


def preview(
    executor: Executor, rule: CompiledRule, ticks: Sequence[int]
) -> tuple[RunResult, list[StoredAlert], list[ExecutionResult]]:
    """Return the alerts that a rule would make at some ticks, also those in records; nothing is written."""
    total, alerts, results = RunResult(), list[StoredAlert](), list[ExecutionResult]()
    for result in executions(executor, rule, ticks, executor.store.watermark(), _PREVIEW):
        total.add(result)
        alerts += result.alerts
        results.append(result)
    return total, alerts, results


@dataclass
class RequestedRuns:
    """The runs that wait in records, done bit by bit at each turn of the scheduler."""

    store: EventStore
    records: Records
    executor: Executor
    on_alerts: Callable[[Sequence[StoredAlert]], None]
    _current: Iterator[None] | None = None

    def turn(self, mark: int) -> None:
        """Go on with the runs for about a second."""
        until = time.monotonic() + _SECONDS_PER_TURN
        while time.monotonic() < until:
            if self._current is None:
                with self.records.transaction() as session:
                    run = session.scalar(select(Run).where(Run.done.is_(None)).order_by(Run.id).limit(1))
                if run is None:
                    return
                # The run has to see what had arrived when it was requested; this turn may have begun before that.
                self._current = self._work(run, max(mark, self.store.watermark()))
            try:
                next(self._current)
            except StopIteration:
                self._current = None
            except BaseException:
                self._current = None
                raise

    def _work(self, run: Run, mark: int) -> Iterator[None]:
        total = RunResult()
        try:
            with self.records.transaction() as session:
                stored = session.get(StoredRule, run.rule_uuid)
            if stored is None:
                raise RuleError("the rule has been removed")
            rule = scheduled_rule(self.records, stored.id, read_rule(stored.document), self.store, stored.revision)
            ticks = ticks_of(rule, run.start, run.end, mark)
            last: WrittenExecution | None = None
            for result in executions(self.executor, rule, ticks, mark, run.kind):
                with self.records.transaction() as session:
                    last = execution_records.write(session, result, None, last)
                total.add(result)
                if result.alerts:
                    self.on_alerts(result.alerts)
                yield
            if ticks and not total.failure:
                with self.records.transaction() as session:
                    total.gaps_filled = fill_gaps(session, rule.uuid, ticks[0], ticks[-1], run.asked_by)
            if run.kind == _MANUAL and not total.failure:
                total.outside = asdict(
                    count_outside_events(self.store, rule, _span_of(rule, ticks), min(run.end, mark), mark)
                )
        except RuleError as error:
            total.failure = error.message
        with self.records.transaction() as session:
            stored_run = session.get(Run, run.id)
            if stored_run is not None:
                stored_run.done, stored_run.result = datetime.now(UTC), total.document()


def _span_of(rule: CompiledRule, ticks: Sequence[int]) -> Window:
    """Return the span of the windows of some ticks, from the first to the last."""
    return Window(rule.schedule.window(ticks[0]).start, rule.schedule.window(ticks[-1]).end)


def ticks_of(rule: CompiledRule, start: int, end: int, now: int) -> list[int]:
    """Return the ticks after `start` up to `end`, or `end` itself when there is none. Raises RuleError."""
    end = min(end, now)
    refuse_too_many(rule.schedule, start, end)
    return list(rule.schedule.ticks(start - 1, end)) or [end]


def refuse_too_many(schedule: Schedule, start: int, end: int) -> None:
    """Raises RuleError for a span with more windows than one run may have."""
    windows = (end - start) // schedule.interval
    if windows > MOST_TICKS:
        longest = span(MOST_TICKS * schedule.interval)
        raise RuleError(
            f"the span holds {windows:,} windows of the rule; a run has at most {MOST_TICKS:,}",
            hint=f"ask for at most {longest} at a time",
        )
