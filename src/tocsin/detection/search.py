"""One query over telemetry: its matches in order of time, sent through its pipes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.detection.hunt import Hunt, Progress, Window
from tocsin.detection.prepare import ReadyRule
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.eql import syntax as s
from tocsin.rules.model import Rule
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import Input

_EVERY = 1 << 62


@dataclass(frozen=True)
class Found:
    """The results of a query: hits (an event each, or a count), events read, seconds taken."""

    hits: list[Hit]
    events: int
    seconds: float


def search(
    statement: s.Statement,
    inputs: Iterable[Input],
    rejects: Rejects,
    window: Window,
    progress: Progress | None = None,
) -> Found:
    """Run an event query over every input."""
    started = time.perf_counter()
    rule = Rule(rule_id="query", name="query", type="eql", severity="low", risk_score=0)
    bare = s.Statement(statement.query)  # the pipes see all matches at once, below
    report = Hunt([ReadyRule(rule, bare)], window, max_alerts=_EVERY).run(inputs, rejects, progress)
    hits = [Hit(alert.event, alert.event) for alert in report.alerts]
    return Found(apply_pipes(statement.pipes, hits), report.total_events, time.perf_counter() - started)
