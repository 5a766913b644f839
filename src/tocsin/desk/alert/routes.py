"""The page of an alert."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alert.evidence import known_evidence
from tocsin.desk.alert.evidence_view import EvidenceView
from tocsin.desk.alert.guide_view import shown_guide
from tocsin.desk.alert.shown_alert import find_alert
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader
from tocsin.management import alerts

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/alerts/{id}")
async def show_alert(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show an alert."""
    shown_alert = await find_alert(request, id)
    alert = shown_alert.flat
    context: dict[str, Any] = {
        **known_evidence(shown_alert, EvidenceView.of(id, request.query_params)),
        "guide": await run_in_threadpool(shown_guide, alert, visitor),
        "query_number": _number(request.query_params.get("query", "")),
        "history": await records.run(lambda session: alerts.history(session, id)),
        "reasons": alerts.REASONS,
    }
    return page(request, "alert/page.html", visitor, **context)


def _number(text: str) -> str:
    """Return the number of the guide's query whose rows are shown, nothing where an address names none."""
    return text if text.isdecimal() and text.isascii() and len(text) < 4 else ""
