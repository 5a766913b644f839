"""Exports of a timeline: all that its query finds, streamed page by page, as NDJSON or CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tocsin.api.answers import bad_request
from tocsin.api.elasticsearch.searching import searched
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.page_route import PageRoute
from tocsin.desk.timeline.events import TimelineRow, timeline_row
from tocsin.desk.timeline.saved import SavedTimeline, find_saved
from tocsin.desk.timeline.view import TimelineView
from tocsin.desk.visitor import Reader
from tocsin.investigation.timeline import TimelineTask
from tocsin.investigation.timeline_csv import csv_line, written_cell

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_EVENTS = 100_000  # of an export
MOST_GROUPS = 5_000  # sequences, or events that pipes of EQL let through: all of them are in memory at once
_PAGE = 2_000  # events that are in memory at once
MEDIA_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8; header=present"}
_Page = Mapping[str, Any]


@router.get("/timeline/export")
async def export(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Send all that the query of a timeline finds, or its pins: whole documents as NDJSON, the columns as CSV.

    What is cut says so in the file's name, and in the header `X-Tocsin-Exported`.
    """
    view = TimelineView.of(request.query_params, visitor.zone)
    form = request.query_params.get("format", "")
    if form not in MEDIA_TYPES:
        raise bad_request("an export is ndjson or csv")
    now = datetime.now(UTC)
    if "pins" in request.query_params:
        saved = await records.run(lambda session: find_saved(session, visitor.actor, view.id))
        return Response(
            _pinned(saved, view.columns if form == "csv" else ()),
            media_type=MEDIA_TYPES[form],
            headers=download_headers(now, form, len(saved.pins), len(saved.pins), name="pins"),
        )
    task = replace(view.task(now), size=_PAGE, after=None, backwards=False, page=1, whole=form == "ndjson")
    first = await _page(request, task)
    if "problem" in first:
        raise bad_request(str(first["problem"]["message"]))
    most = MOST_EVENTS
    if "groups" in first or "piped" in first:
        most = MOST_GROUPS
        if first["has_next"]:
            task = replace(task, size=MOST_GROUPS)
            first = await _page(request, task)
    columns = view.columns if form == "csv" else ()
    return StreamingResponse(
        _streamed(request, task, first, columns, most),
        media_type=MEDIA_TYPES[form],
        headers=download_headers(now, form, int(first["total"]), most, is_exact=bool(first["complete"])),
    )


def download_headers(
    now: datetime, form: str, total: int, most: int, *, is_exact: bool = True, name: str = "timeline"
) -> dict[str, str]:
    """Return the headers of an export of `total` events, of which at most `most` are sent."""
    of_all = f"{total}" if is_exact else "more"
    cut = f"-first-{most}-of-{of_all}" if total > most else ""
    file = f"{name}-{now:%Y%m%dT%H%M%SZ}{cut}.{form}"
    exported = f"{min(total, most)} of {of_all}" + ("; the others are cut" if cut else "")
    return {"Content-Disposition": f'attachment; filename="{file}"', "X-Tocsin-Exported": exported}


async def _page(request: Request, task: TimelineTask) -> _Page:
    page: _Page = orjson.loads(await searched(request, task))
    return page


async def _streamed(
    request: Request, task: TimelineTask, page: _Page, columns: Sequence[str], most: int
) -> AsyncIterator[bytes]:
    """Yield the lines of an export, a page at a time; `columns` are those of CSV, none for NDJSON."""
    if columns:
        yield csv_header(columns, is_grouped="groups" in page)
    if "groups" in page:
        for number, group in enumerate(page["groups"][:most], 1):
            yield b"".join(_group_lines(number, group, columns))
        return
    sent = 0
    while True:
        events = page["events"][: most - sent]
        sent += len(events)
        yield b"".join(event_line(event, columns) for event in events)
        if not page["has_next"] or sent >= most or "piped" in page:
            return
        # What follows is not counted again: only what lies behind is read.
        page = await _page(request, replace(task, after=tuple(events[-1]["sort"]), counted=False))


def _pinned(saved: SavedTimeline, columns: Sequence[str]) -> bytes:
    """Return the lines of pinned events: of their copies, with what of these is cut."""
    if not columns:
        lines = [
            orjson.dumps({**pin.source, "_cut": list(pin.cut)} if pin.cut else pin.source) for pin in saved.pins
        ]
        return b"".join(line + b"\n" for line in lines)
    rows = [csv_line([*_cells(pin.row, columns), written_cell(list(pin.cut))]) for pin in saved.pins]
    return csv_line([*map(written_cell, columns), "cut"]) + b"".join(rows)


def csv_header(columns: Sequence[str], *, is_grouped: bool = False) -> bytes:
    """Return the first line of CSV: the names of its fields."""
    return csv_line([*(("sequence", "step") if is_grouped else ()), *map(written_cell, columns)])


def event_line(event: Mapping[str, Any], columns: Sequence[str]) -> bytes:
    """Return an event as a line: its columns, or without any its document."""
    if not columns:
        return orjson.dumps(event["source"]) + b"\n"
    return csv_line(_cells(timeline_row(event), columns))


def _cells(row: TimelineRow, columns: Sequence[str]) -> Iterator[str]:
    for name in columns:
        yield written_cell(row.document.sentence if name == "message" else row.document.values.get(name))


def _group_lines(number: int, group: Mapping[str, Any], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield the events of a sequence with its number and their steps; in NDJSON a sequence is one line."""
    if columns:
        for step, event in enumerate(group["events"], 1):
            yield csv_line([str(number), str(step), *_cells(timeline_row(event), columns)])
        return
    events = [None if event.get("missing") else event["source"] for event in group["events"]]
    yield orjson.dumps({"sequence": number, "join_keys": group["keys"], "events": events}) + b"\n"
