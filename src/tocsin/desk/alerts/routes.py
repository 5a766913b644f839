"""The list of alerts: its page, and the part of it that changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import RunningService, service_of
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alerts.arrivals import ArrivalMark, arrivals_address, mark_now
from tocsin.desk.alerts.columns import COLUMNS, DEFAULT_COLUMNS, moved_column, with_column, without_column
from tocsin.desk.alerts.flyout import asked_flyout
from tocsin.desk.alerts.grouping import GROUPS, MOST_GROUPS, groups_of, groups_search
from tocsin.desk.alerts.histogram import Histogram, span_of
from tocsin.desk.alerts.labels import REASON_LABELS
from tocsin.desk.alerts.neighbours import alert_address
from tocsin.desk.alerts.saved_views import default_address, saved_views
from tocsin.desk.alerts.undo_offers import taken_message
from tocsin.desk.alerts.view import FACET_VALUES, FACETS, PAGE_SIZE, RANGES, AlertsView, written_place
from tocsin.desk.documents import flat_document
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader
from tocsin.management import alerts
from tocsin.moments import to_datetime
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
    if not request.query_params:
        begin = await records.run(lambda session: default_address(session, visitor.actor))
        if begin:
            return RedirectResponse(begin, 303)
    view = AlertsView.of(request.query_params)
    is_part = "hx-request" in request.headers
    context: dict[str, Any] = {
        **_shown(view), "facets": FACETS, "facet_values": FACET_VALUES, "ranges": RANGES, "problem": "",
        "total": 0, "counts": {}, "histogram": None, "page_size": PAGE_SIZE, "is_part": is_part, "in_list": True,
        "views": await records.run(lambda session: saved_views(session, visitor.actor)),
        "message": taken_message(request, visitor), "reasons": REASON_LABELS,
        "users": await records.run(alerts.assignable_users) if visitor.may_respond else [],
        "flyout": "" if is_part else await asked_flyout(
            request, visitor, records, view.here
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
            view = replace(view, page=last, after="", before="")
            context |= {"view": view, "here": view.here, **await _listed(request, view)}
    except ApiError as error:
        if error.status != 400:
            raise
        context["problem"] = error.reason
    context |= {"seen": mark.moment, "arrivals": arrivals_address(view, mark)}
    context["tags"] = [bucket["key"] for bucket in context["counts"].get("tag", ())]
    return page(request, "alerts/list.html" if is_part else "alerts/page.html", visitor, **context)


@router.get("/alerts/rows")
async def list_rows(request: Request, visitor: Reader) -> Response:
    """Show the first alerts of a group."""
    view = AlertsView.of(request.query_params)
    answer = await search(request, [ALERTS_INDEX], view.page_search())
    return page(request, "alerts/group_rows.html", visitor, **(_shown(view) | _rows(view, answer)))


@router.get("/alerts/facets/{name}")
async def list_facet_values(request: Request, visitor: Reader, name: str) -> Response:
    """Show many values of a facet, those that hold the `text`."""
    facet = next((facet for facet in FACETS if facet.name == name), None)
    if facet is None:
        raise ApiError(404, "resource_not_found_exception", f"there is no facet {name}")
    view, text = AlertsView.of(request.query_params), request.query_params.get("text", "").strip()
    answer = await search(request, [ALERTS_INDEX], view.facet_values(facet, text))
    buckets = [
        bucket
        for bucket in answer["aggregations"]["values"]["buckets"]
        if text.lower() in str(bucket["key"]).lower()
    ]
    return page(request, "alerts/facet_values.html", visitor, view=view, facet=facet, buckets=buckets, text=text)


def _shown(view: AlertsView) -> dict[str, Any]:
    """Return what of a list needs no search."""
    return {
        "view": view, "here": view.here, "alert_address": alert_address, "columns": view.shown_columns(),
        "default_columns": DEFAULT_COLUMNS,
        "other_columns": [column for name, column in COLUMNS.items() if name not in view.columns],
        "with_column": with_column, "without_column": without_column, "moved_column": moved_column,
        "groupings": GROUPS, "groups": None, "most_groups": MOST_GROUPS, "rows": [], "previous": "", "next": "",
    }  # fmt: skip


def _rows(view: AlertsView, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of a page out of a search's answer, and the addresses of the pages before and after it."""
    hits = answer["hits"]["hits"]
    total = answer["hits"]["total"]["value"]
    if view.before:
        hits.reverse()
    shown: dict[str, Any] = {"rows": [flat_document(hit) for hit in hits], "total": total}
    if hits and view.page > 2:
        shown["previous"] = view.address(page=view.page - 1, before=written_place(hits[0]["sort"]))
    elif view.page == 2:
        shown["previous"] = view.address()
    if hits and view.page * PAGE_SIZE < total:
        shown["next"] = view.address(page=view.page + 1, after=written_place(hits[-1]["sort"]))
    return shown


def _first_alert(request: Request) -> datetime | None:
    """Return when the first alert was raised, None where there is none."""
    firsts = [
        index.first for index in service_of(request).alerts.indices([ALERTS_INDEX]) if index.first is not None
    ]
    return to_datetime(min(firsts)) if firsts else None


async def _grouped(request: Request, view: AlertsView) -> dict[str, Any]:
    answer = await search(request, [ALERTS_INDEX], groups_search(view))
    return {"groups": groups_of(view, answer), "total": answer["hits"]["total"]["value"]}


async def _listed(request: Request, view: AlertsView) -> dict[str, Any]:
    since, until = view.bounds(datetime.now(UTC))
    if since is None:  # then the histogram begins with the first alert
        since = await run_in_threadpool(_first_alert, request)
    span = span_of(since, until)
    if view.group:
        shown, answer = await asyncio.gather(
            _grouped(request, view), search(request, [ALERTS_INDEX], view.counts(span))
        )
    else:
        answer = await search(request, [ALERTS_INDEX], view.listing(span))
        shown = _rows(view, answer)
    aggregations = answer["aggregations"]
    return {
        **shown,
        "counts": view.facet_counts(aggregations),
        "histogram": Histogram.of(view.spans(aggregations), span, since, until),
    }
