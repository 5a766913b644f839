"""Reports of alerts: of those that a filter finds, or of one with its processes and its history."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.elasticsearch.searching import searched
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alert.shown_alert import find_alert
from tocsin.desk.alert.surroundings import steps_of
from tocsin.desk.alerts.view import AlertsView
from tocsin.desk.documents import flat_document
from tocsin.desk.page_route import PageRoute
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader
from tocsin.investigation.processes.process_events import TreeTask
from tocsin.investigation.processes.processes import PROCESS_FIELDS
from tocsin.management import alerts
from tocsin.moments import iso
from tocsin.report.alerts_report import MOST_ALERTS, AlertsReport, about_one, history_line
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@router.get("/alerts/report")
async def report_alerts(request: Request, visitor: Reader) -> Response:
    """Return a file with the alerts that a filter finds, the first of them where they are very many."""
    view = AlertsView.of(request.query_params)
    body = {**view.search(), "size": MOST_ALERTS, "from": 0, "_source": True}
    answer = await search(request, [ALERTS_INDEX], {n: v for n, v in body.items() if n != "fields"})
    report = AlertsReport(
        documents=[flat_document(hit).values for hit in answer["hits"]["hits"]],
        total=answer["hits"]["total"]["value"],
        about=_about(view),
        made=iso(datetime.now(UTC)),
    )
    return await _file(report, "alerts")


@router.get("/alerts/{id}/report")
async def report_alert(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Return a file with an alert: its event or its sequence's, its processes, its guide and its history."""
    alert = await find_alert(request, id)
    event = {name: value for name, value in alert.event.items() if name in PROCESS_FIELDS}
    tree, steps, changes = await asyncio.gather(
        searched(request, TreeTask(event)),
        steps_of(request, alert),
        records.run(lambda session: alerts.history(session, id)),
    )
    report = AlertsReport(
        documents=[alert.flat.values],
        total=1,
        about=about_one(alert.flat.values),
        made=iso(datetime.now(UTC)),
        steps=[step.values for step in steps],
        processes=orjson.loads(tree)["nodes"],
        history=[history_line(c.time, c.actor, c.field, c.old, c.new) for c in changes],
    )
    return await _file(report, f"{alert.flat.text('kibana.alert.rule.name')} {id[:12]}")


def _about(view: AlertsView) -> str:
    """Return what a list was asked for, in words."""
    parts: list[str] = [f"query {view.kql}"] if view.kql.strip() else []
    parts += [f"raised from {view.since}"] if view.since else []
    parts += [f"until {view.until}"] if view.until else []
    parts += [f"{name} {' or '.join(values)}" for name, values in view.chosen.items() if values]
    parts += [f"{name} not {' or '.join(values)}" for name, values in view.excluded.items() if values]
    return f"{'; '.join(parts)}." if parts else "All alerts."


async def _file(report: AlertsReport, name: str) -> Response:
    text: str = await run_in_threadpool(report.html)
    headers: dict[str, Any] = {
        "Content-Disposition": f'attachment; filename="tocsin-{_NOT_IN_A_NAME.sub("-", name).strip("-")}.html"',
        "Content-Security-Policy": "sandbox; default-src 'none'",  # should it be shown from here all the same
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type="text/html", headers=headers)
