"""One query over files: its results in order of time, after its pipes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.hunt import Hunt, Progress
from tocsin.detection.schedule import Window
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.eql import syntax as s
from tocsin.errors import UnknownFieldError
from tocsin.rules.model import Rule
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import Input

_EVERY = 1 << 62


@dataclass(frozen=True)
class SearchResult:
    """The results of a query: hits (an event each, or a count) or sequences; events and files read, seconds."""

    events: int
    files: int
    seconds: float
    hits: list[Hit] = field(default_factory=list)
    sequences: list[Alert] = field(default_factory=list)


def search(
    statement: s.Statement,
    unknown: Mapping[str, UnknownFieldError],
    inputs: Iterable[Input],
    rejects: Rejects,
    window: Window,
    progress: Progress | None = None,
) -> SearchResult:
    """Run a query over every input.

    `unknown` holds the error for each field that no schema knows; it is raised if no event has the field either.
    """
    started = time.perf_counter()
    rule = Rule(rule_id="query", name="query", type="eql", severity="low", risk_score=0)
    of_events = isinstance(statement.query, s.EventQuery)
    # The pipes of an event query are applied below, to all matches: `count` leaves no event for an alert.
    hunted = s.Statement(statement.query) if of_events else statement
    ready = CompiledRule(rule, hunted, unknown={name: str(error) for name, error in unknown.items()})
    report = Hunt([ready], window, max_alerts=_EVERY).run(inputs, rejects, progress)
    for name in report.missing:
        raise unknown[name]
    files = max(0, report.files - rejects.passed_over)  # a file that is no telemetry was opened too
    if not of_events:
        return SearchResult(report.total_events, files, time.perf_counter() - started, sequences=report.alerts)
    hits = [Hit(alert.event, alert.event) for alert in report.alerts]
    piped = apply_pipes(statement.pipes, hits)
    return SearchResult(report.total_events, files, time.perf_counter() - started, hits=piped)
