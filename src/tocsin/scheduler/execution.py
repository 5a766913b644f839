"""One execution of a rule: the windows of a tick -> findings -> new alerts, figures and messages."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.alerts.documents import ExecutionContext, flat
from tocsin.detection.alerts.history import AlertHistory
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_buffer import RuleBuffer
from tocsin.detection.rule_run import RuleRun
from tocsin.detection.rule_types.findings import IndicatorReader, Place, RuleWindow
from tocsin.detection.schedule import Window
from tocsin.errors import TocsinError
from tocsin.rules.model import Rule
from tocsin.scheduler.buffer.event_cache import EventCache
from tocsin.scheduler.buffer.row_reader import RowReader
from tocsin.scheduler.execution_result import ExecutionResult
from tocsin.scheduler.recorded_alerts import RecordedAlerts, stored_alerts
from tocsin.store.events import ID, EventReader
from tocsin.store.records.database import Records

log = logging.getLogger(__name__)
_READERS = 2  # indices whose events are fetched at once


@dataclass(frozen=True)
class Executor:
    """Runs rules over what is buffered for them."""

    store: EventReader
    records: Records
    event_cache: EventCache = field(default_factory=EventCache)

    def run(
        self,
        rule: CompiledRule,
        buffer: RuleBuffer,
        ticks: Sequence[int],
        before: int,
        now: int,
        kind: str = "scheduled",
        history: AlertHistory | None = None,
    ) -> ExecutionResult:
        """Run the windows of some ticks over the events that had arrived before a moment.

        The last tick is the one that is due. Alerts that `history` (or else records) holds already are not made
        again. The result reports an error of the rule; errors of the store or the database are raised.
        """
        window = rule.schedule.window(ticks[-1])
        result = ExecutionResult(rule.uuid, ticks[-1], ticks[-1], 1, window, kind, late=max(0, now - ticks[-1]))
        began = time.perf_counter()
        run = RuleRun(rule, history or RecordedAlerts(self.records, rule.uuid), self.fetch, rule.rule.max_signals)
        new: list[tuple[Alert, ExecutionContext]] = []
        for tick in ticks:
            span = rule.schedule.window(tick)
            rows = buffer.window(span, before)
            if rows is None:
                continue
            rule_window = RuleWindow(
                tick,
                span,
                run.counted_to,
                lambda start, end: buffer.window(Window(start, end), before),
                partial(self._indicators, rule.rule, before),
            )
            try:
                findings = run.findings(rows, rule_window)
            except (TocsinError, OSError):  # of the store or the database: the tick is tried again
                raise
            except Exception as error:
                log.exception("rule %s failed", rule.rule.name)
                result.failure = f"{type(error).__name__}: {error}"
                break
            began = _lap(result, "evaluating", began)
            context = ExecutionContext(result.uuid, kind, tick, now)
            new += ((alert, context) for alert in run.raise_alerts(rows, findings))
            began = _lap(result, "making alerts", began)
        if not result.failure:
            result.updated_groups = run.finish()
            result.suppressed = run.suppressed
        result.matches, result.duplicates = run.matches, run.duplicates
        result.messages = [*run.limit_messages, *run.messages]
        result.new_alerts = run.alerts
        result.alerts = [stored for alert, context in new for stored in stored_alerts(alert, context)]
        _lap(result, "making alerts", began)
        return result

    def _indicators(self, rule: Rule, before: int) -> IndicatorReader:
        """Return the indicators in the store that had arrived before a moment."""
        schema = self.store.schema(rule.threat_index)

        def rows(query: CompiledRule) -> list[pa.Table]:
            return RowReader([query]).read(self.store, schema, arrived_to=before).get(query.uuid, [])

        return IndicatorReader(schema, rows, self.fetch)

    def fetch(self, places: Iterable[Place]) -> dict[Place, dict[str, Any]]:
        """Return events of the store, flat; those that have been removed are missing."""
        by_index: dict[str, list[str]] = {}
        events: dict[Place, dict[str, Any]] = {}
        for place in dict.fromkeys(places):
            source = self.event_cache.get(place)
            if source is None:
                by_index.setdefault(place.index, []).append(place.id)
            else:
                events[place] = {**flat(source), "_index": place.index}
        if by_index:
            with ThreadPoolExecutor(_READERS, thread_name_prefix="watch-fetch") as pool:
                for of_index in pool.map(self._find, *zip(*by_index.items(), strict=True)):
                    events.update(of_index)
        return events

    def _find(self, index: str, ids: Sequence[str]) -> dict[Place, dict[str, Any]]:
        """Return events of an index. While their files are unpacked, other threads can run."""
        events: dict[Place, dict[str, Any]] = {}
        for batch in self.store.find([index], ids):
            column = batch.columns.get(ID)
            if column is None:
                continue
            rows = np.flatnonzero(pc.is_in(column.cast(pa.string()), value_set=pa.array(ids, pa.string())))
            ids_there = column.take(pa.array(rows)).to_pylist()
            for id_, source in zip(ids_there, batch.sources(rows.tolist()), strict=True):
                events[Place(index, id_)] = {**flat(source), "_index": index}
        return events


def _lap(result: ExecutionResult, stage: str, since: float) -> float:
    now = time.perf_counter()
    result.durations[stage] = result.durations.get(stage, 0.0) + now - since
    return now


def late_ticks(rule: CompiledRule, buffer: RuleBuffer, previous: int, tick: int, since: int) -> list[int]:
    """Return the ticks before `tick`, but not before `since`, whose windows hold events that arrived late.

    `previous` is the tick before: the ticks up to it have seen what had arrived by then.
    """
    if rule.by_arrival or not buffer.rows:
        return []
    times = buffer.late_times(previous, tick)
    late: list[int] = []
    if not len(times):
        return late
    interval, earlier = rule.schedule.interval, previous
    while earlier > since:
        window = rule.schedule.window(earlier)
        assert window.start is not None
        assert window.end is not None
        if window.end <= times[0]:
            break
        low, high = np.searchsorted(times, (window.start, window.end))
        if low < high:
            late.append(earlier)
        # Between windows with events there may be years of empty ones.
        free = 0 if low < high else window.start - int(times[low - 1]) - rule.schedule.uneven
        earlier -= max(interval, free // interval * interval)
    return late[::-1]


def needed_from(rule: CompiledRule, tick: int) -> int:
    """Return the earliest moment that the window of a tick holds, or the history that it looks at."""
    start = rule.schedule.window(tick).start
    assert start is not None
    history = rule.history(tick)
    return start if history is None else min(history, start)
