"""Alerts for machines: JSON, NDJSON, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson

from tocsin.cli.profile import profile_document
from tocsin.detection.alerts.documents import hunt_document
from tocsin.detection.hunt import Report, severity_counts
from tocsin.printable import escaped_json, printable_line
from tocsin.sources.unseen import Reason

CSV_FIELDS = (
    "@timestamp",
    "host.name",
    "user.domain",
    "user.name",
    "process.name",
    "process.executable",
    "process.command_line",
    "process.parent.name",
    "process.entity_id",
    "event.code",
    "event.dataset",
)
_FORMULAS = frozenset("=+-@＝＋－＠")  # the wide ones are taken for the others in some languages


def as_ndjson(report: Report) -> Iterator[str]:
    """Yield a line an alert: the documents of many alerts are larger than their events in memory."""
    for alert in report.alerts:
        yield _dump(hunt_document(alert)) + "\n"


def as_json(report: Report) -> Iterator[str]:
    """Yield one object in parts: the alerts, one at a time, and the summary."""
    before = '{\n  "alerts": [\n'
    for alert in report.alerts:
        document = _dump(hunt_document(alert), orjson.OPT_INDENT_2)
        yield before + "    " + document.replace("\n", "\n    ")
        before = ",\n"
    yield "\n  ],\n" if report.alerts else '{\n  "alerts": [],\n'
    rest: dict[str, Any] = {"summary": summary(report)}
    if report.profile:
        rest["profile"] = profile_document(report.profile, report.rules)
    yield _dump(rest, orjson.OPT_INDENT_2).removeprefix("{\n") + "\n"


def as_csv(report: Report) -> Iterator[str]:
    """Yield one alert a row, the columns a responder sorts by."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["severity", "risk_score", "rule.name", "rule.id", "tactics", *CSV_FIELDS, "origin", "alert.id"]
    )
    for alert in report.alerts:
        rule = alert.rule
        head = [rule.severity, rule.risk_score, rule.name, rule.rule_id, " ".join(rule.tactics)]
        cells = [*head, *map(alert.value, CSV_FIELDS), alert.origin, alert.id]
        writer.writerow([_safe(cell) if isinstance(cell, str) else cell for cell in cells])
    yield text.getvalue()


def _safe(value: str) -> str:
    """Keep a spreadsheet from running a value as a formula, and from hiding a part of it."""
    shown = printable_line(value)
    return f"'{shown}" if value.lstrip()[:1] in _FORMULAS or value[:1] in ("\t", "\r") else shown


def summary(report: Report) -> dict[str, Any]:
    """Return the figures of a hunt."""
    skipped: dict[str, int] = {}
    for rule in report.skipped:
        skipped[rule.reason] = skipped.get(rule.reason, 0) + 1
    return {
        "alerts": len(report.alerts),
        "alerts_by_severity": dict(severity_counts(report.alerts)),
        "matches_beyond_max_alerts": report.capped(),
        "events": report.total_events,
        "events_by_dataset": dict(report.events),
        "events_without_time": report.rejects.unseen.total(Reason.NO_TIME),
        "events_not_seen": report.rejects.unseen.document(),
        "events_outside_window": report.outside,
        "dates": report.rejects.unseen.dates(),
        "files": report.files,
        "rejected": dict(report.rejects.counts),
        "recovered": report.rejects.recovered.total(),
        "files_passed_over": report.rejects.passed_over,
        "rules_run": len(report.rules),
        "suppressed": report.suppressed,
        "repeated": report.repeated,
        "history": report.history_lines(),
        "messages": report.messages,
        "rules_skipped": skipped,
        "seconds": round(report.seconds, 3),
    }


def _dump(value: Any, option: int = 0) -> str:
    return escaped_json(orjson.dumps(value, option=option, default=str).decode())
