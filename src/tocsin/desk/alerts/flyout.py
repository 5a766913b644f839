"""An alert beside the list that it is one of: what is known of it at a glance, and its notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter
from markupsafe import Markup
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.desk.alert.shown_alert import find_alert
from tocsin.desk.alerts.labels import LONGEST_NOTE
from tocsin.desk.alerts.neighbours import LIST_PATH, alert_address, list_address
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page, part
from tocsin.desk.shown import cut_in_the_middle
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Reader, Responder, Visitor
from tocsin.investigation.highlighted_fields import highlighted_fields
from tocsin.management import alerts
from tocsin.management.alert_changes import NOTES

router = APIRouter(route_class=PageRoute, include_in_schema=False)
TABS = {"overview": N_("Overview"), "table": N_("Table"), "json": N_("JSON"), "history": N_("History")}
_OF_RULE = "kibana.alert.rule.parameters.investigation_fields.field_names"
_LONGEST = 200_000  # characters of a document that are shown


def flyout_address(list_: str, id_: str, tab: str = "overview") -> str:
    """Return the address of a list with an alert beside it."""
    parameters = {"flyout": id_, **({"tab": tab} if tab != "overview" else {})}
    joined = "&" if "?" in list_ else "?from=&"
    return f"{list_ or LIST_PATH}{joined}{urlencode(parameters)}"


@router.get("/alerts/{id}/flyout")
async def show_flyout(
    request: Request, visitor: Reader, records: RequestTransactions, id: str, list: str = "", tab: str = ""
) -> Response:
    """Show an alert as it stands beside its list; without a script on the list's page."""
    address = list_address(list)
    if "hx-request" not in request.headers:
        return RedirectResponse(flyout_address(address, id, tab or "overview"), 303)
    context = await flyout_of(request, visitor, records, id, address, tab)
    return page(request, "alerts/flyout.html", visitor, **context)


@router.post("/alerts/{id}/notes")
async def add_note(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions, id: str
) -> Response:
    """Add a note to an alert."""
    text, list_ = field(form, "note").strip(), list_address(field(form, "list"))
    if len(text) > LONGEST_NOTE:
        raise bad_request(f"a note has at most {LONGEST_NOTE:,} characters")

    def work(session: Session) -> None:
        alerts.add_note(session, visitor.actor, id, text)

    await records.run(work)
    if "hx-request" not in request.headers:
        return RedirectResponse(flyout_address(list_, id, "history"), 303)
    context = await flyout_of(request, visitor, records, id, list_, "history")
    return page(request, "alerts/flyout.html", visitor, **context)


async def flyout_of(
    request: Request, visitor: Visitor, records: TransactionRunner, id_: str, list_: str, tab: str
) -> dict[str, Any]:
    """Return what an alert's flyout shows. Raises ApiError where there is no such alert."""
    shown = await find_alert(request, id_)
    alert, tab = shown.flat, tab if tab in TABS else "overview"
    of_rule = alert.values.get(_OF_RULE) or ()
    names: Sequence[str] = [of_rule] if isinstance(of_rule, str) else of_rule
    return {
        "alert": alert, "tab": tab, "tabs": TABS, "list": list_, "alert_address": alert_address(id_, list_),
        "tab_address": lambda name: flyout_address(list_, id_, name),
        "highlighted": highlighted_fields(shown.event, names),
        "fields": sorted(alert.values) if tab == "table" else [],
        "json": _json(shown.document) if tab == "json" else "",
        "history": await records.run(lambda session: alerts.history(session, id_)),
        "note_count": len(shown.document.get(NOTES) or ()),
    }  # fmt: skip


async def asked_flyout(request: Request, visitor: Visitor, records: TransactionRunner, list_: str) -> Markup:
    """Return the flyout that the address of a list names, nothing where it names none that there is."""
    id_ = request.query_params.get("flyout", "")
    if not id_:
        return Markup()
    try:
        context = await flyout_of(request, visitor, records, id_, list_, request.query_params.get("tab", ""))
    except ApiError as error:
        if error.status != 404:
            raise
        return Markup()
    return part("alerts/flyout.html", visitor, **context)


def _json(document: dict[str, Any]) -> str:
    return cut_in_the_middle(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode(), _LONGEST)
