"""The evidence of an alert: its processes as an outline, and the events of the one that is selected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import bad_request
from tocsin.api.elasticsearch.searching import searched
from tocsin.desk.alert.evidence_view import (
    COLUMNS,
    LABELS,
    PAGE_SIZE,
    EvidenceView,
    read_process,
    written_process,
)
from tocsin.desk.alert.shown_alert import ShownAlert, find_alert
from tocsin.desk.alert.surroundings import SURROUNDINGS, surroundings_of
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.shown import cut_in_the_middle
from tocsin.desk.timeline.ways_in import process_timeline
from tocsin.desk.visitor import Reader
from tocsin.investigation.processes.process_events import EVENTS, KINDS, STARTS, TreeTask, around, events_of
from tocsin.investigation.processes.processes import PROCESS_FIELDS, SECOND, Process, moment_of, process_of
from tocsin.investigation.processes.windows_executables import remarks
from tocsin.store.alerts.names import ALERTS_INDEX

_LONGEST = 200_000  # characters of an alert's JSON
router = APIRouter(route_class=PageRoute, include_in_schema=False)
# Fields shown first, those that say who did what; then all others of the event, by name.
_FIRST = ("host.", "user.", "process.", "file.", "registry.", "dns.", "source.", "destination.", "network.")


@router.get("/alerts/{id}/tree")
async def show_tree(request: Request, visitor: Reader, id: str) -> Response:
    """Show the processes around an alert, each with how many events of each kind it has."""
    alert = await find_alert(request, id)
    event = {name: value for name, value in alert.event.items() if name in PROCESS_FIELDS}
    view = EvidenceView.of(id, request.query_params)
    tree: dict[str, Any] = orjson.loads(await searched(request, TreeTask(event, view.further)))
    for node in tree["nodes"]:
        node["address"] = "" if node["relation"] == "alert" else written_process(node)
    template = "alert/tree.html" if "hx-request" in request.headers else "alert/tree_page.html"
    context: dict[str, Any] = {"tree": tree, "view": view, "kinds": list(KINDS), "alert": alert.flat}
    return page(request, template, visitor, **context)


@router.get("/alerts/{id}/events")
async def show_events(request: Request, visitor: Reader, id: str) -> Response:
    """Show the process that is selected, or its events of a kind."""
    alert = await find_alert(request, id)
    view = EvidenceView.of(id, request.query_params)
    context = await _evidence(request, alert, view)
    return page(request, "alert/events.html", visitor, **context)


def known_evidence(alert: ShownAlert, view: EvidenceView) -> dict[str, Any]:
    """Return what is shown below the outline that needs no search. Raises ApiError."""
    process = _selected(alert, view)
    return {
        "view": view, "labels": LABELS, "columns": COLUMNS.get(view.show, ()), "page_size": PAGE_SIZE,
        "process": process, "remarks": () if process is None else remarks(process), "counts": {}, "rows": [],
        "total": 0, "alert": alert.flat,
        "waits": view.show in KINDS or view.show in SURROUNDINGS,
        "surroundings": SURROUNDINGS, "kinds": list(KINDS),
        "has_steps": alert.flat.raw("kibana.alert.group.id") is not None,
        "timeline": "" if process is None else process_timeline(process, view.show),
        "event": event_fields(alert.flat),
        "json": _json(alert) if view.show == "json" else "",
    }  # fmt: skip


async def _evidence(request: Request, alert: ShownAlert, view: EvidenceView) -> dict[str, Any]:
    shown = known_evidence(alert, view)
    process: Process | None = shown["process"]
    if process is None:
        return shown | (await surroundings_of(request, alert, view) if view.show in SURROUNDINGS else {})
    events = events_of(process, None if view.ever else around(moment_of(alert.event) or 0))
    rows: Awaitable[Any] | None = None
    if view.show == "process" and view.process:
        rows = search(request, list(EVENTS), _start_of(process, events))
    elif view.show in SURROUNDINGS:
        rows = surroundings_of(request, alert, view)
    counted, answer = await asyncio.gather(
        search(request, [*EVENTS, ALERTS_INDEX], view.search(events)), rows or _nothing()
    )
    buckets = counted["aggregations"]["kinds"]["buckets"]
    shown["counts"] = {kind: bucket["doc_count"] for kind, bucket in buckets.items()}
    if view.show in KINDS:
        shown["rows"] = [flat_document(hit) for hit in counted["hits"]["hits"]]
        shown["total"] = counted["hits"]["total"]["value"]
    elif view.show in SURROUNDINGS:
        shown |= answer
    elif answer and (hits := answer["hits"]["hits"]):
        shown["process"] = process = process_of(hits[0]["fields"])
        shown["remarks"] = remarks(process)
    return shown


async def _nothing() -> None:
    return None


def _start_of(process: Process, events: Mapping[str, Any]) -> dict[str, Any]:
    """Return the search for the start of a process, which may lie far before the events that are shown."""
    if process.start is not None:
        events = events_of(process, (process.start - SECOND, process.start + SECOND))
    return {
        "query": {"bool": {"filter": [events, *STARTS]}}, "size": 1, "_source": False, "fields": [*PROCESS_FIELDS],
    }  # fmt: skip


def _json(alert: ShownAlert) -> str:
    return cut_in_the_middle(orjson.dumps(alert.document, option=orjson.OPT_INDENT_2).decode(), _LONGEST)


def _selected(alert: ShownAlert, view: EvidenceView) -> Process | None:
    """Return the process that is selected, that of the alert by itself; None if its event names none."""
    if view.process:
        process = read_process(alert.flat.text("host.name"), view.process)
        if process is None:
            raise bad_request("the address names no process: choose one of the outline")
        return process
    process = process_of(alert.event)
    return process if process.entity_id or process.pid is not None else None


def event_fields(alert: FlatDocument) -> list[tuple[str, str]]:
    """Return the names and values of an alert's event."""
    names = [name for name in alert.values if not name.startswith(("kibana.", "tocsin."))]
    names.sort(key=lambda name: (next((n for n, p in enumerate(_FIRST) if name.startswith(p)), len(_FIRST)), name))
    return [(name, alert.text(name)) for name in names]
