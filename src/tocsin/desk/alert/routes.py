"""The page of an alert."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import ApiError
from tocsin.desk.alert.guide_view import shown_guide
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.shown import cut_in_the_middle
from tocsin.desk.visitor import Visitor, visitor
from tocsin.management import alerts
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.access import Scope

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Visitor, Depends(visitor(Scope.READ))]
_LONGEST = 200_000  # characters of an alert's JSON
# Fields shown first, those that say who did what; then all others of the event, by name.
_FIRST = ("host.", "user.", "process.", "file.", "registry.", "dns.", "source.", "destination.", "network.")


@router.get("/alerts/{id}")
async def show_alert(request: Request, visitor: Reader, id: str) -> Response:
    """Show an alert."""
    answer = await search(request, [ALERTS_INDEX], {"query": {"ids": {"values": [id]}}, "size": 1})
    hits = answer["hits"]["hits"]
    if not hits:
        raise ApiError(404, "resource_not_found_exception", f"there is no alert {id}")
    alert = flat_document(hits[0])

    def changes() -> list[dict[str, Any]]:
        with request.app.state.service.records.transaction() as session:
            return alerts.history(session, id)

    context: dict[str, Any] = {
        "alert": alert,
        "event": _event_fields(alert),
        "guide": await run_in_threadpool(shown_guide, alert, visitor),
        "query_number": _number(request.query_params.get("query", "")),
        "history": await run_in_threadpool(changes),
        "json": cut_in_the_middle(orjson.dumps(hits[0]["_source"], option=orjson.OPT_INDENT_2).decode(), _LONGEST),
        "reasons": alerts.REASONS,
    }
    return page(request, "alert.html", visitor, **context)


def _event_fields(alert: FlatDocument) -> list[tuple[str, str]]:
    names = [name for name in alert.values if not name.startswith(("kibana.", "tocsin."))]
    names.sort(key=lambda name: (next((n for n, p in enumerate(_FIRST) if name.startswith(p)), len(_FIRST)), name))
    return [(name, alert.text(name)) for name in names]


def _number(text: str) -> str:
    """Return the number of the guide's query whose rows are shown, nothing where an address names none."""
    return text if text.isdecimal() and text.isascii() and len(text) < 4 else ""
