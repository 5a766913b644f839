"""A hunt: every input once, all rules together, alerts in order of time, everything accounted for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tocsin.detection.alert import Alert, event_time
from tocsin.detection.prepare import ReadyRule
from tocsin.ecs import TIMESTAMP
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import Program, compile_rules
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.rules.load import Skipped
from tocsin.sources.batch import Event, EventBatch, Rejects, Wanted
from tocsin.sources.inputs import Input
from tocsin.sources.read import read_inputs

MAX_ALERTS = 10_000  # a rule


@dataclass(frozen=True)
class Window:
    """A span of event time in nanoseconds, start included and end excluded; None leaves a side open."""

    start: int | None = None
    end: int | None = None

    def __bool__(self) -> bool:
        return self.start is not None or self.end is not None


@dataclass
class Report:
    """What a hunt found and what it cost."""

    alerts: list[Alert] = field(default_factory=list)
    matches: Counter[str] = field(default_factory=Counter)  # rule id -> matches, kept as alerts or not
    events: Counter[str] = field(default_factory=Counter)  # dataset -> events read
    files: int = 0
    outside: int = 0  # matches outside the window
    rules: list[ReadyRule] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    rejects: Rejects = field(default_factory=Rejects)
    seconds: float = 0.0

    @property
    def total_events(self) -> int:
        """Events read."""
        return self.events.total()

    def capped(self) -> dict[str, int]:
        """Return, by rule id, the matches of rules that had more than became alerts."""
        kept = Counter(alert.rule.rule_id for alert in self.alerts)
        return {rule: count for rule, count in self.matches.items() if count > kept[rule] > 0}


Progress = Callable[[Input | EventBatch], None]  # an input was opened, a batch was done


@dataclass(frozen=True)
class Hunt:
    """The rules, compiled together, and what limits the hunt."""

    rules: Sequence[ReadyRule]
    window: Window = Window()
    any_index: bool = False
    max_alerts: int = MAX_ALERTS

    def program(self) -> Program:
        """Compile the rules."""
        return compile_rules(rule.event_rule(any_index=self.any_index) for rule in self.rules)

    def run(self, inputs: Iterable[Input], rejects: Rejects, progress: Progress | None = None) -> Report:
        """Read every input and return what the rules found. Bad input is rejected, never raised."""
        started = time.perf_counter()
        program = self.program()
        fields = program.fields | ({TIMESTAMP} if self.window else frozenset())
        categories = {rule.category for rule in self.rules}
        known = frozenset(c for c in categories if c is not None)
        wanted = Wanted(frozenset(fields), None if None in categories else known)
        report = Report(rules=list(self.rules), rejects=rejects)
        found: dict[str, list[Match]] = {}

        def opened(source: Input) -> None:
            report.files += 1
            if progress:
                progress(source)

        for batch in read_inputs(inputs, wanted, rejects, opened):
            report.events.update(batch.counts)
            self._match(program, batch, found, report)
            if progress:
                progress(batch)
        self._alert(found, report)
        report.seconds = time.perf_counter() - started
        return report

    def _match(self, program: Program, batch: EventBatch, found: dict[str, list[Match]], report: Report) -> None:
        for rule_id, rows in evaluate(program, batch.table).items():
            kept = self._inside(batch, rows)
            report.outside += len(rows) - len(kept)
            report.matches[rule_id] += len(kept)
            matches = found.setdefault(rule_id, [])
            for row in kept[: self.max_alerts - len(matches)]:
                event = batch.document(int(row))
                matches.append(Match(event_time(event) or 0, event, batch.origin(int(row))))

    def _inside(self, batch: EventBatch, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the rows whose time lies in the window; an event without a time lies in none."""
        if not self.window:
            return rows
        column = batch.table.column(TIMESTAMP)
        if column is None or column.offsets is not None:
            return rows[:0]
        times = column.values.to_numpy(zero_copy_only=False)[column.codes[rows]]
        inside = column.codes[rows] >= 0
        if self.window.start is not None:
            inside &= times >= self.window.start
        if self.window.end is not None:
            inside &= times < self.window.end
        return rows[inside]

    def _alert(self, found: dict[str, list[Match]], report: Report) -> None:
        for ready in self.rules:
            matches = sorted(found.get(ready.rule.rule_id, []), key=lambda match: match.time)
            if ready.statement.pipes:
                hits = [Hit(match, match.event) for match in matches]
                matches = [hit.event for hit in apply_pipes(ready.statement.pipes, hits)]
                report.matches[ready.rule.rule_id] = len(matches)
            report.alerts += [Alert(ready.rule, match.event, match.origin) for match in matches]
        report.alerts.sort(key=lambda alert: alert.time)
        for rule_id in [rule_id for rule_id, count in report.matches.items() if not count]:
            del report.matches[rule_id]


@dataclass(frozen=True)
class Match:
    """An event that a rule matched, with its time for ordering."""

    time: int
    event: Event
    origin: str


def severity_counts(alerts: Iterable[Alert]) -> Counter[str]:
    """Count alerts by severity."""
    return Counter(alert.rule.severity for alert in alerts)


def top(alerts: Iterable[Alert], field_name: str, limit: int = 5) -> list[tuple[str, int]]:
    """Return the commonest values of a field among alerts."""
    values: Counter[Any] = Counter(alert.value(field_name) for alert in alerts)
    values.pop("", None)
    return values.most_common(limit)
