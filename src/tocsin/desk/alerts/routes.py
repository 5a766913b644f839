"""The list of alerts: its page, and the part of it that changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import RunningService
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alerts.arrivals import ArrivalMark, arrivals_address, mark_now
from tocsin.desk.alerts.flyout import asked_flyout
from tocsin.desk.alerts.histogram import Histogram, span_of
from tocsin.desk.alerts.labels import REASON_LABELS
from tocsin.desk.alerts.neighbours import alert_address
from tocsin.desk.alerts.undo_offers import message_of
from tocsin.desk.alerts.view import FACETS, PAGE_SIZE, RANGES, SORTS, AlertsView
from tocsin.desk.documents import flat_document
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader
from tocsin.management import alerts
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
async def first_page() -> Response:
    """Begin with the alerts."""
    return RedirectResponse("/alerts", 303)


@router.get("/alerts")
async def list_alerts(
    request: Request, visitor: Reader, service: RunningService, records: RequestTransactions
) -> Response:
    """Show alerts: the page, or what of it changes with another choice."""
    view = AlertsView.of(request.query_params)
    is_part = "hx-request" in request.headers
    context: dict[str, Any] = {
        "view": view, "facets": FACETS, "ranges": RANGES, "sorts": SORTS, "problem": "", "rows": [], "total": 0,
        "counts": {}, "histogram": None, "page_size": PAGE_SIZE, "here": view.address(page=view.page),
        "alert_address": alert_address, "is_part": is_part, "in_list": True,
        "message": message_of(request, visitor), "reasons": REASON_LABELS,
        "users": await records.run(alerts.assignable_users) if visitor.may_respond else [],
        "flyout": "" if is_part else await asked_flyout(
            request, visitor, records, view.address(page=view.page)
        ),
    }  # fmt: skip
    # Asked before the rows: an alert that comes in between is new, and not taken for one that was seen.
    mark = ArrivalMark(0, 0)
    try:
        view.bounds(datetime.now(UTC))  # which says of a time what is wrong with it
        mark = await mark_now(request, service.alerts, view)
        context |= await _listed(request, view)
        last = max(1, -(-context["total"] // PAGE_SIZE))
        if view.page > last and not context["rows"]:  # the alerts of the last pages are gone
            view = replace(view, page=last)
            context |= {"view": view, "here": view.address(page=last), **await _listed(request, view)}
    except ApiError as error:
        if error.status != 400:
            raise
        context["problem"] = error.reason
    context |= {"seen": mark.moment, "arrivals": arrivals_address(view, mark)}
    context["tags"] = [bucket["key"] for bucket in context["counts"].get("tag", ())]
    return page(request, "alerts/list.html" if is_part else "alerts/page.html", visitor, **context)


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
