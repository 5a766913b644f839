"""The page of an alert."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alert.evidence import known_evidence
from tocsin.desk.alert.evidence_view import EvidenceView
from tocsin.desk.alert.guide_view import shown_guide
from tocsin.desk.alert.shown_alert import find_alert
from tocsin.desk.alerts.labels import REASON_LABELS
from tocsin.desk.alerts.neighbours import alert_address, list_address, neighbour, row_address
from tocsin.desk.alerts.undo_offers import taken_message
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader
from tocsin.management import alerts
from tocsin.management.alert_changes import TAGS
from tocsin.response.cases.case_alerts import cases_of_alert

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/alerts/{id}")
async def show_alert(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show an alert."""
    shown_alert = await find_alert(request, id)
    alert, view = shown_alert.flat, EvidenceView.of(id, request.query_params)
    context: dict[str, Any] = {
        **known_evidence(shown_alert, view),
        "guide": await run_in_threadpool(shown_guide, alert, visitor, view.list),
        "query_number": _number(request.query_params.get("query", "")),
        "history": await records.run(lambda session: alerts.history(session, id)),
        "cases": await records.read(lambda session: cases_of_alert(session, id)),
        "reasons": REASON_LABELS,
        "users": await records.run(alerts.assignable_users) if visitor.may_respond else [],
        "tags": tags if isinstance(tags := alert.values.get(TAGS) or [], list) else [tags],
        "message": taken_message(request, visitor),
        "here": view.address(page=view.page),
        "in_list": False,
        "row_address": row_address(id, view.list),
    }
    return page(request, "alert/page.html", visitor, **context)


@router.get("/alerts/{id}/next")
async def show_next(request: Request, visitor: Reader, id: str, list: str = "") -> Response:
    """Go to the next alert of the list that the address names; behind the last one, back to the list."""
    return await _beside(request, id, list, after=True)


@router.get("/alerts/{id}/previous")
async def show_previous(request: Request, visitor: Reader, id: str, list: str = "") -> Response:
    """Go to the alert before one in the list that the address names; before the first one, back to the list."""
    return await _beside(request, id, list, after=False)


async def _beside(request: Request, id_: str, list_: str, *, after: bool) -> Response:
    address = list_address(list_)
    other = await neighbour(request, address, id_, after=after) if address else None
    return RedirectResponse(alert_address(other, address) if other else row_address(id_, address), 303)


def _number(text: str) -> str:
    """Return the number of the guide's query whose rows are shown, nothing where an address names none."""
    return text if text.isdecimal() and text.isascii() and len(text) < 4 else ""
