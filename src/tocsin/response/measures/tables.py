"""Measures as tables of texts and numbers, for CSV and for terminals; spans of time are in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from tocsin.investigation.timeline_csv import written_cell
from tocsin.moments import iso
from tocsin.response.measures.figures import DurationFigures, Measure, TimeSpans
from tocsin.response.measures.groups import Measured, MeasureGrouping
from tocsin.response.measures.host_groups import OTHER_HOSTS
from tocsin.response.measures.rule_figures import ending_exceptions, rule_figures, rule_names, silent_rules

Row = Sequence[str | float | None]
_FIGURES = ("alerts", "mean_seconds", "median_seconds", "p90_seconds")


def csv_rows(session: Session, measured: Measured, table: str, now: datetime) -> Iterator[list[str]]:
    """Yield the rows of a table, one of TABLES, as cells of CSV; the first has the names of columns."""
    for row in TABLES[table](session, measured, now):
        yield [written_cell(round(cell, 6) if isinstance(cell, float) else cell) for cell in row]


def group_label(measured: Measured, value: str) -> str:
    """Return what a group is called: a rule by its name, hosts that no pattern fits as others."""
    if measured.grouping is MeasureGrouping.RULE:
        return rule_names(measured.alerts).get(value, value)
    return "other hosts" if value == OTHER_HOSTS and measured.host_groups else value


def group_rows(session: Session, measured: Measured, now: datetime) -> Iterator[Row]:
    """Yield the figures by rule, severity or host group."""
    names = rule_names(measured.alerts)
    yield [measured.grouping.value, "name", "raised", *_columns()]
    for group in measured.by_group():
        label = names.get(group.value) or group_label(measured, group.value)
        cells = [cell for measure in Measure for cell in _cells(group.figures[measure])]
        yield [group.value, label, group.raised, *cells]


def time_rows(session: Session, measured: Measured, now: datetime) -> Iterator[Row]:
    """Yield the figures over time, of the group that is chosen."""
    spans = TimeSpans.of(measured.since, measured.until)
    figures = [spans.figures(measured.durations(measure)) for measure in Measure]
    yield ["from", "to", *_columns()]
    for place in range(len(spans)):
        cells = [cell for of_measure in figures for cell in _cells(of_measure[place])]
        yield [iso(spans.edges[place]), iso(spans.edges[place + 1]), *cells]


def rule_rows(session: Session, measured: Measured, now: datetime) -> Iterator[Row]:
    """Yield what each rule raised, and what of it people closed as false positives."""
    yield ["rule", "name", "raised", "hosts", "closed_by_people", "false_positives", "false_positive_share"]
    for rule in rule_figures(measured.alerts, measured.since, measured.until):
        yield [
            rule.id, rule.name, rule.raised, rule.hosts, rule.closed, rule.false_positives,
            rule.false_positive_share,
        ]  # fmt: skip


def silent_rows(session: Session, measured: Measured, now: datetime) -> Iterator[Row]:
    """Yield the enabled rules of which no alert is kept."""
    yield ["rule", "name", "severity", "enabled_since"]
    for rule in silent_rules(session, measured.alerts):
        since = None if rule.watched_from is None else iso(rule.watched_from)
        yield [rule.id, rule.name, rule.severity, since]


def exception_rows(session: Session, measured: Measured, now: datetime) -> Iterator[Row]:
    """Yield the exceptions that are about to expire, or did lately."""
    yield ["list", "exception", "name", "expires", "expired"]
    for ending in ending_exceptions(session, now):
        yield [ending.list_name, ending.item_id, ending.name, iso(ending.expires), str(ending.is_expired).lower()]


TABLES: Mapping[str, Callable[[Session, Measured, datetime], Iterable[Row]]] = {
    "groups": group_rows,
    "time": time_rows,
    "rules": rule_rows,
    "silent": silent_rows,
    "exceptions": exception_rows,
}


def _columns() -> list[str]:
    return [f"{measure}_{name}" for measure in Measure for name in _FIGURES]


def _cells(figures: DurationFigures | None) -> Row:
    return [0, None, None, None] if figures is None else [figures.count, figures.mean, figures.median, figures.p90]
