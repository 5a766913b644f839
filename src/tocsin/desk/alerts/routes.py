"""The list of alerts: its page, the part of it that changes, and changes of many alerts at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alerts.histogram import Histogram, span_of
from tocsin.desk.alerts.view import FACETS, PAGE_SIZE, RANGES, SORTS, AlertsView
from tocsin.desk.documents import flat_document
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute, path_of
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader, Responder
from tocsin.management import alerts
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
async def first_page() -> Response:
    """Begin with the alerts."""
    return RedirectResponse("/alerts", 303)


@router.get("/alerts")
async def list_alerts(request: Request, visitor: Reader) -> Response:
    """Show alerts: the page, or what of it changes with another choice."""
    view = AlertsView.of(request.query_params)
    context: dict[str, Any] = {
        "view": view, "facets": FACETS, "ranges": RANGES, "sorts": SORTS, "problem": "", "rows": [], "total": 0,
        "counts": {}, "histogram": None, "page_size": PAGE_SIZE, "reasons": alerts.REASONS,
    }  # fmt: skip
    try:
        context |= await _listed(request, view)
    except ApiError as error:
        if error.status != 400:
            raise
        context["problem"] = error.reason
    template = "alerts/list.html" if "hx-request" in request.headers else "alerts/page.html"
    return page(request, template, visitor, **context)


async def _listed(request: Request, view: AlertsView) -> dict[str, Any]:
    since, until = view.bounds(datetime.now(UTC))
    span = span_of(since, until)
    rows, counts = await asyncio.gather(
        search(request, [ALERTS_INDEX], view.search()), search(request, [ALERTS_INDEX], view.counts(span))
    )
    aggregations = counts["aggregations"]
    return {
        "rows": [flat_document(hit) for hit in rows["hits"]["hits"]],
        "total": rows["hits"]["total"]["value"],
        "counts": {facet.name: aggregations[facet.name]["values"]["buckets"] for facet in FACETS},
        "histogram": Histogram.of(aggregations["histogram"]["spans"]["buckets"], span, since, until),
    }


@router.post("/alerts/status")
async def set_status(request: Request, form: Form, visitor: Responder, records: RequestTransactions) -> Response:
    """Open, acknowledge or close the alerts that are selected, with a reason and a comment."""
    ids, status = form.get("id", []), field(form, "status")
    reason, comment = field(form, "reason") or None, field(form, "comment").strip()

    def change(session: Session) -> None:
        alerts.set_status(session, visitor.actor, ids, status, reason)
        for id_ in ids if comment else ():
            alerts.add_note(session, visitor.actor, id_, comment)

    await records.run(change)
    return RedirectResponse(path_of(request.headers.get("hx-current-url") or field(form, "back")), 303)
