"""What an alert's guide asks for: counts and rows of its queries, and its steps, ticked."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alert.guide_view import alert_queries, guide_of, investigate_blocks, shown_step
from tocsin.desk.alert.shown_alert import find_alert
from tocsin.desk.documents import flat_document
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.timeline.ways_in import guide_timeline
from tocsin.desk.visitor import Reader, Responder
from tocsin.investigation.guides.guide import GuideStep
from tocsin.investigation.guides.query_counts import CountSearch, count_searches
from tocsin.management import alerts
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# As the buttons of Kibana's guides: all events, and alerts.
EVERYWHERE = ("*", ALERTS_INDEX)
ROWS = 50


@router.get("/alerts/{id}/guide/counts")
async def show_counts(request: Request, visitor: Reader, id: str) -> Response:
    """Show how many documents each query of the guide finds; one that fails says why, and the others stay."""
    alert = (await find_alert(request, id)).flat
    queries = alert_queries(guide_of(alert, visitor.language), alert)
    counted = await asyncio.gather(
        *(_counted(request, search_counts) for search_counts in count_searches(queries))
    )
    counts = {number: count for search_counts in counted for number, count in search_counts.items()}
    context: dict[str, Any] = {"queries": queries, "counts": counts, "address": request.url.path}
    return page(request, "alert/guide_counts.html", visitor, **context)


async def _counted(request: Request, asked: CountSearch) -> dict[int, int | str]:
    """Return the counts of a search by the numbers of its queries, or for each of them what went wrong."""
    try:
        return dict(asked.counts(await search(request, EVERYWHERE, asked.body)))
    except ApiError as error:
        return dict.fromkeys(asked.queries, error.reason)


@router.get("/alerts/{id}/guide/{number}")
async def show_rows(request: Request, visitor: Reader, id: str, number: int) -> Response:
    """Show what a query of the guide finds, the newest first."""
    alert = (await find_alert(request, id)).flat
    guide = guide_of(alert, visitor.language)
    block = investigate_blocks(guide).get(number)
    if block is None:
        raise ApiError(404, "resource_not_found_exception", f"the guide of this alert has no query {number}")
    query = alert_queries(guide, alert)[number]
    context: dict[str, Any] = {
        "alert": alert, "block": block, "query": query, "rows": [], "total": 0, "problem": "", "shown": ROWS,
        "alerts_index": ALERTS_INDEX, "address": request.url.path, "timeline": guide_timeline(query),
    }  # fmt: skip
    if query.query is not None:
        body = {"query": query.query, "size": ROWS, "sort": [{"@timestamp": "desc"}]}
        try:
            answer = await search(request, EVERYWHERE, body)
            context["rows"] = [flat_document(hit) for hit in answer["hits"]["hits"]]
            context["total"] = answer["hits"]["total"]["value"]
        except ApiError as error:
            context["problem"] = error.reason
    template = "alert/guide_rows.html" if "hx-request" in request.headers else "alert/guide_rows_page.html"
    return page(request, template, visitor, **context)


@router.post("/alerts/{id}/guide/steps/{number}")
async def set_step(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions, id: str, number: int
) -> Response:
    """Tick a step of the guide, or take that back."""

    def work(session: Session) -> dict[str, Any] | None:
        done = field(form, "done") == "true"
        return alerts.set_step(session, visitor.actor, id, number, done=done)

    step = await records.run(work)
    if "hx-request" in request.headers:
        text = str(step["text"]) if step else ""
        return HTMLResponse(shown_step(id, GuideStep(number, text), step, visitor))
    return RedirectResponse(f"/alerts/{id}", 303)
