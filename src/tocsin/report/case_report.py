"""A case as one self-contained HTML page, and as Markdown in which no value is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.printable import printable, printable_line
from tocsin.report.alerts_report import reported_alerts
from tocsin.report.moments_shown import shown_time
from tocsin.report.page import report_page

# Every mark that CommonMark or GitHub's Markdown could read something into; a backslash may stand before each.
_MARKS = re.compile(r"([!-/:-@\[-`{-~])")
_LONGEST = 4_000  # characters of a value


@dataclass(frozen=True)
class ReportedTask:
    """A step or task: its depth in the list, its text, and who did it when; an empty text where nobody did."""

    depth: int
    text: str
    done: str


@dataclass(frozen=True)
class ReportedEvidence:
    """A piece of evidence: what it is, and the SHA-256 of its bytes."""

    title: str
    kind: str
    size: int
    sha256: str
    added: str


@dataclass(frozen=True)
class CaseReport:
    """What a report of a case is of. Moments are as ISO 8601 writes them; `alerts` are documents, flat.

    `facts` are names with values; `comments` who, when and what; `observables` types with values; `activity`
    moment, who and what. `alert_count` is how many alerts there are where `alerts` are the first.
    """

    number: int
    title: str
    severity: str
    description: str
    facts: Sequence[tuple[str, str]]
    tasks: Sequence[ReportedTask]
    evidence: Sequence[ReportedEvidence]
    comments: Sequence[tuple[str, str, str]]
    observables: Sequence[tuple[str, str]]
    linked: Sequence[str]
    activity: Sequence[tuple[str, str, str]]
    alerts: Sequence[Mapping[str, Any]]
    alert_count: int
    made: str

    def html(self) -> str:
        """Return the page."""
        whole = reported_alerts(self.alerts)
        places = sorted({mark.x for mark in whole.marks})
        return report_page("case.html", places=places, case=self, alerts=whole, made=shown_time(self.made))

    def markdown(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"# \\#{self.number} {escaped(self.title)}"
        yield ""
        yield from (f"- {escaped(name)}: {escaped(value)}" for name, value in self.facts)
        yield from ("", "## What it is about", "", *_quoted(self.description or "Nothing is written."))
        yield from ("", "## What was done", "")
        for task in self.tasks:
            box = "[x]" if task.done else "[ ]"
            done = f" ({escaped(task.done)})" if task.done else ""
            yield f"{'  ' * min(task.depth, 4)}- {box} {escaped(task.text)}{done}"
        yield from ("", "## Observables", "")
        yield from (f"- {escaped(type_)}: {escaped(value)}" for type_, value in self.observables)
        yield from ("", f"## Alerts ({self.alert_count:,})", "")
        yield from _table(("Time", "Severity", "Rule", "Host", "User"), self._alert_rows())
        if len(self.alerts) < self.alert_count:
            yield from ("", f"These are the first {len(self.alerts):,} of {self.alert_count:,}.")
        yield from ("", "## Evidence", "")
        rows = [(e.title, e.kind, f"{e.size:,} bytes", e.sha256, e.added) for e in self.evidence]
        yield from _table(("Title", "Kind", "Size", "SHA-256", "Added"), rows)
        yield from ("", "## Comments")
        for actor, moment, text in self.comments:
            yield from ("", f"{escaped(actor)}, {escaped(shown_time(moment))} UTC:", "", *_quoted(text))
        if self.linked:
            yield from ("", "## Other cases", "", *(f"- {escaped(text)}" for text in self.linked))
        yield from ("", "## Activity", "")
        activity = [(f"{shown_time(moment)} UTC", actor, what) for moment, actor, what in self.activity]
        yield from _table(("Time", "Who", "What"), activity)
        yield from ("", f"Made {escaped(shown_time(self.made))} UTC by tocsin.")

    def _alert_rows(self) -> list[tuple[str, ...]]:
        whole = reported_alerts(self.alerts)
        return [
            (f"{shown_time(a.timestamp)} UTC", a.rule.severity, a.rule.name, a.host, a.user) for a in whole.alerts
        ]


def escaped(text: str) -> str:
    """Return a text in one line of Markdown in which each of its characters stands for itself."""
    line = printable_line(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    return _MARKS.sub(r"\\\1", line)


def _quoted(text: str) -> list[str]:
    """Return a text of several lines as a quotation, each line of it as it is."""
    return [f"> {escaped(line.strip())}  " for line in printable(text).splitlines()] or ["> "]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        yield "None."
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(map(escaped, row))} |" for row in rows)
