"""The page of an alert."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.desk.alert.evidence import known_evidence
from tocsin.desk.alert.evidence_view import EvidenceView
from tocsin.desk.alert.found import Reader, find_alert
from tocsin.desk.alert.guide_view import shown_guide
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.management import alerts

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/alerts/{id}")
async def show_alert(request: Request, visitor: Reader, id: str) -> Response:
    """Show an alert."""
    found_alert = await find_alert(request, id)
    alert = found_alert.flat

    def changes() -> list[dict[str, Any]]:
        with request.app.state.service.records.transaction() as session:
            return alerts.history(session, id)

    context: dict[str, Any] = {
        **known_evidence(found_alert, EvidenceView.of(id, request.query_params)),
        "guide": await run_in_threadpool(shown_guide, alert, visitor),
        "query_number": _number(request.query_params.get("query", "")),
        "history": await run_in_threadpool(changes),
        "reasons": alerts.REASONS,
    }
    return page(request, "alert.html", visitor, **context)


def _number(text: str) -> str:
    """Return the number of the guide's query whose rows are shown, nothing where an address names none."""
    return text if text.isdecimal() and text.isascii() and len(text) < 4 else ""
