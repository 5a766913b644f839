"""The page of measures, the alerts behind each number, its tables as CSV, and the groups of hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import api_error, bad_request
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.desk.forms import Form, field
from tocsin.desk.measures.chart import Chart
from tocsin.desk.measures.view import (
    CLOSINGS,
    EXPORT_PATH,
    GROUPINGS,
    PATH,
    RANGES,
    MeasuresView,
    read_kind,
    read_page,
)
from tocsin.desk.measures.words import KIND_WORDS, MEASURE_WORDS
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader, Responder
from tocsin.errors import InvalidError
from tocsin.investigation.timeline_csv import csv_line
from tocsin.response.measures.figures import DurationFigures, Measure, TimeSpans, figures_of, took
from tocsin.response.measures.groups import CountedAs, Measured, MeasureGrouping
from tocsin.response.measures.host_groups import OTHER_HOSTS, define_host_groups, host_groups, read_host_groups
from tocsin.response.measures.measured_alerts import NEVER, MeasuredAlerts, MeasuredAlertsReader
from tocsin.response.measures.rule_figures import ending_exceptions, rule_figures, rule_names, silent_rules
from tocsin.response.measures.tables import TABLES, csv_rows

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SHOWN = 25  # rows of a table; its CSV has all
_PAGE = 100  # alerts of a page
_NOISY = 10  # rules that are listed by how many alerts they raise


@dataclass(frozen=True)
class MeasuredAlert:
    """An alert in a list: moments in ns since 1970 and spans of time in seconds, None where it did not happen."""

    id: str
    rule: str
    host: str
    severity: str
    status: str
    reason: str
    raised: int
    seconds: Mapping[Measure, float | None]


@router.get(PATH)
async def show_measures(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the measures of a time, of all alerts or of a group, over time and by group; and the rules' figures."""
    view, now = MeasuresView.of(request.query_params), datetime.now(UTC)
    measured = await _measured(request, visitor.actor, records, view, now)
    figured = await run_in_threadpool(_figured, measured)
    silent = await records.run(lambda session: silent_rules(session, measured.alerts))
    ending = await records.run(lambda session: ending_exceptions(session, now))
    context: dict[str, Any] = {
        **figured, "view": view, "measured": measured, "ranges": RANGES, "groupings": GROUPINGS,
        "closings": CLOSINGS, "kinds": CountedAs, "silent": silent, "ending": ending, "shown": SHOWN,
        "noisy": _NOISY, **_words(measured.alerts),
        "defined": "\n".join(group.line for group in measured.host_groups), "total": len(measured.alerts),
    }  # fmt: skip
    return page(request, "measures/page.html", visitor, **context)


@router.get("/measures/alerts")
async def show_alerts(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the alerts that a number counts: those of a measure that took longest first, others newest first."""
    view, number = MeasuresView.of(request.query_params), read_page(request.query_params.get("page", ""))
    kind = read_kind(request.query_params.get("of", ""))
    measured = await _measured(request, visitor.actor, records, view, datetime.now(UTC))
    places = await run_in_threadpool(_places, measured, kind)
    first = (number - 1) * _PAGE
    context: dict[str, Any] = {
        "view": view, "kind": kind, "number": number, "count": len(places), "first": first, "size": _PAGE,
        "rows": _listed(measured.alerts, places[first : first + _PAGE]), "measured": measured,
        **_words(measured.alerts),
    }  # fmt: skip
    return page(request, "measures/alerts.html", visitor, **context)


@router.get(EXPORT_PATH)
async def export(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Answer with a table as CSV; spans of time are in seconds."""
    view, table = MeasuresView.of(request.query_params), request.query_params.get("table", "")
    if table not in TABLES:
        raise bad_request(f"[table] is one of {', '.join(TABLES)}")
    now = datetime.now(UTC)
    measured = await _measured(request, visitor.actor, records, view, now)
    rows = await records.run(lambda session: list(csv_rows(session, measured, table, now)))
    headers = {"Content-Disposition": f'attachment; filename="tocsin-measures-{table}-{now:%Y%m%dT%H%M%SZ}.csv"'}
    text = b"".join(map(csv_line, rows))
    return Response(text, 200, headers, "text/csv; charset=utf-8; header=present")


@router.post("/measures/host-groups")
async def set_host_groups(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions
) -> Response:
    """Define the groups of hosts."""
    try:
        groups = read_host_groups(field(form, "groups"))
        await records.run(lambda session: define_host_groups(session, visitor.actor, groups))
    except InvalidError as error:
        raise api_error(error) from None
    return RedirectResponse(MeasuresView(by=MeasureGrouping.HOST_GROUP).address() + "#groups", 303)


async def _measured(
    request: Request, actor: Any, records: TransactionRunner, view: MeasuresView, now: datetime
) -> Measured:
    reader: MeasuredAlertsReader = request.app.state.measured_alerts
    since, until = view.bounds(now)
    groups = await records.read(lambda session: host_groups(session, actor))
    alerts = await run_in_threadpool(reader.read)
    return Measured(alerts, since, until, view.by, groups, view.group, view.closings)


def _words(alerts: MeasuredAlerts) -> dict[str, Any]:
    """Return what templates call measures, groups and spans of time by."""
    return {
        "measure_words": MEASURE_WORDS, "kind_words": KIND_WORDS, "took": took, "names": rule_names(alerts),
        "other": OTHER_HOSTS,
    }  # fmt: skip


def _figured(measured: Measured) -> dict[str, Any]:
    spans = TimeSpans.of(measured.since, measured.until)
    figures: dict[Measure, DurationFigures | None] = {}
    charts: dict[Measure, Chart | None] = {}
    for measure in Measure:
        within = measured.durations(measure)
        figures[measure] = figures_of(within.seconds)
        charts[measure] = Chart.of(spans, spans.figures(within))
    rules = rule_figures(measured.alerts, measured.since, measured.until)
    return {
        "figures": figures, "charts": charts, "groups": measured.by_group(),
        "counts": {kind: int(measured.marks(kind).sum()) for kind in CountedAs}, "rules": rules,
        "raised": sum(rule.raised for rule in rules),
        "mistaken": sorted(
            (rule for rule in rules if rule.false_positives),
            key=lambda rule: (-(rule.false_positive_share or 0), -rule.false_positives, rule.name),
        ),
    }  # fmt: skip


def _places(measured: Measured, kind: Measure | CountedAs) -> Sequence[int]:
    if isinstance(kind, Measure):
        within = measured.durations(kind)
        order = np.lexsort((-within.ended, -within.seconds))
        slowest: list[int] = within.places[order].tolist()
        return slowest
    places = np.flatnonzero(measured.marks(kind))
    newest: list[int] = places[np.argsort(-measured.alerts.created[places], kind="stable")].tolist()
    return newest


def _listed(alerts: MeasuredAlerts, places: Sequence[int]) -> list[MeasuredAlert]:
    def seconds(begin: Any, end: Any, place: int) -> float | None:
        return None if end[place] == NEVER else max(0.0, (float(end[place]) - float(begin[place])) / 1e9)

    by_hand = alerts.by_hand
    return [
        MeasuredAlert(
            str(alerts.ids[place].as_py()), alerts.rule_names.text(place), alerts.hosts.text(place),
            alerts.severities.text(place), alerts.statuses.text(place), alerts.reasons.text(place),
            int(alerts.created[place]),
            {
                Measure.MTTD: None if by_hand[place] else seconds(alerts.event_times, alerts.created, place),
                Measure.MTTA: seconds(alerts.created, alerts.taken_up, place),
                Measure.MTTR: seconds(alerts.created, alerts.closed, place),
            },
        )
        for place in places
    ]  # fmt: skip
