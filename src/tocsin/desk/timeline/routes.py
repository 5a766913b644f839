"""The timeline's page, the part of it that changes, one event of it, and the names of fields for its columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import ServiceStore
from tocsin.api.elasticsearch.searching import searched
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alert.shown_alert import find_alert
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.timeline.events import OpenedEvent, opened_event, timeline_row
from tocsin.desk.timeline.exports import MOST_EVENTS
from tocsin.desk.timeline.histogram import event_histogram
from tocsin.desk.timeline.saved import SavedTimeline, find_saved, pinned_document
from tocsin.desk.timeline.view import (
    DEFAULT_COLUMNS,
    PAGE_SIZE,
    RANGES,
    SORTS,
    TimelineView,
    shown_time,
    written_keys,
)
from tocsin.desk.timeline.ways_in import host_timeline
from tocsin.desk.visitor import Reader
from tocsin.investigation.timeline import EVENTS_AND_ALERTS
from tocsin.moments import datetime_nanoseconds
from tocsin.search.hits import MOST_HITS

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MOST_NAMES = 3_000  # fields that are offered


@router.get("/timeline")
async def show_timeline(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show events by time: the page, or what of it changes with another choice."""
    view = TimelineView.of(request.query_params, visitor.zone)
    is_part = "hx-request" in request.headers
    saved = await _saved(records, visitor, view)
    if saved and view.given <= {"id", "open", "at"}:  # the address says no more than which one
        view = TimelineView.of({**saved.view, "id": saved.id, "open": view.open, "at": view.at})
        if not is_part:
            return RedirectResponse(view.address(open=view.open), 303)
    # A moment that was typed in the visitor's zone, or a column that was added: links say it otherwise.
    typed = request.query_params
    if not is_part and ("column" in typed or any(typed.get(n, v) != v for n, v in view.times())):
        return RedirectResponse(_again(view), 303)
    context: dict[str, Any] = {
        "view": view, "ranges": RANGES, "sorts": SORTS, "default_columns": DEFAULT_COLUMNS, "page_size": PAGE_SIZE,
        "since": shown_time(view.since, visitor.zone), "until": shown_time(view.until, visitor.zone),
        "saved": saved, "change_of_saved": saved is not None and saved.is_changed(view),
        "problem": None, "refused": "", "rows": [], "groups": [], "total": 0, "complete": True, "histogram": None,
        "dates": [], "next": "", "previous": "", "opened": None, "most_groups": MOST_HITS,
        "most_events": MOST_EVENTS, "patterns": ",".join(EVENTS_AND_ALERTS),
    }  # fmt: skip
    try:
        context |= await _events(request, view)
        if view.open:
            context["opened"] = await _opened(request, view, saved)
    except ApiError as error:
        if error.status != 400:
            raise
        context["refused"] = error.reason
    if not is_part:
        return page(request, "timeline/page.html", visitor, **context)
    return page(request, "timeline/list.html", visitor, headers={"HX-Push-Url": _again(view)}, **context)


async def _saved(records: RequestTransactions, visitor: Reader, view: TimelineView) -> SavedTimeline | None:
    """Return the saved timeline that an address names. Raises NotFoundError."""
    if not view.id:
        return None
    return await records.run(lambda session: find_saved(session, visitor.actor, view.id))


async def _opened(request: Request, view: TimelineView, saved: SavedTimeline | None) -> OpenedEvent:
    """Return the event that is open; its pinned copy where the store has it no more."""
    opened = await opened_event(request, view.open, view.at)
    copy = pinned_document(saved, view.open) if opened.document is None else None
    return opened if copy is None else replace(opened, document=copy, is_copy=True)


def _again(view: TimelineView) -> str:
    return view.address(open=view.open)


async def _events(request: Request, view: TimelineView) -> dict[str, Any]:
    now = datetime.now(UTC)
    task = view.task(now)
    answer: dict[str, Any] = orjson.loads(await searched(request, task))
    if "problem" in answer:
        return {"problem": answer["problem"]}
    rows = [timeline_row(event) for event in answer.get("events", ())]
    groups = [
        {"keys": group["keys"], "rows": [timeline_row(event) for event in group["events"]]}
        for group in answer.get("groups", ())
    ]
    following = previous = ""
    is_numbered = bool(groups) or bool(answer.get("piped"))
    if answer["has_next"]:
        after = "" if is_numbered else written_keys(rows[-1].sort or ())
        following = view.address(after=after, page=view.page + 1)
    if answer["has_previous"]:
        before = written_keys(rows[0].sort or ()) if rows and not is_numbered else ""
        previous = view.address(page=1) if view.page <= 2 else view.address(before=before, page=view.page - 1)
    histogram = event_histogram(answer.get("histogram"), task.query, datetime_nanoseconds(now))
    return {
        "rows": rows, "groups": groups, "total": answer["total"], "complete": answer["complete"],
        "histogram": histogram, "dates": answer["dates"], "next": following, "previous": previous,
    }  # fmt: skip


@router.get("/timeline/event")
async def show_event(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show one event with all of its fields: below its row, or as a page."""
    view = TimelineView.of(request.query_params, visitor.zone)
    saved = await _saved(records, visitor, view)
    context: dict[str, Any] = {"view": view, "saved": saved, "opened": await _opened(request, view, saved)}
    template = "timeline/opened.html" if "hx-request" in request.headers else "timeline/event_page.html"
    return page(request, template, visitor, **context)


@router.get("/timeline/around/{id}")
async def show_around(request: Request, visitor: Reader, id: str) -> Response:
    """Show what happened on the host of an alert around it."""
    return RedirectResponse(host_timeline((await find_alert(request, id)).event), 303)


@router.get("/timeline/fields")
async def show_fields(request: Request, visitor: Reader, store: ServiceStore) -> Response:
    """Show the names of fields and of indices, for what is chosen by typing."""
    view = TimelineView.of(request.query_params, visitor.zone)
    names = sorted(store.fields(list(view.patterns)))[:_MOST_NAMES]
    indices = [index.name for index in store.indices(["*", "-.*"])][:_MOST_NAMES]
    return page(request, "timeline/names.html", visitor, fields=names, indices=indices)
