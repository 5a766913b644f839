"""Hunts for indicators: asked for, watched, cancelled; what they found, and the rule that looks for it later."""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.dependencies import ServiceHunts, ServiceRecords, ServiceWork
from tocsin.api.response.indicator_hunt_routes import indicators_in
from tocsin.api.transactions import RequestTransactions
from tocsin.api.working import Pace, worked
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader, Responder, RuleWriter, Visitor
from tocsin.errors import ConflictError, TocsinError
from tocsin.response.reputation import indicator_hunts as hunts
from tocsin.response.reputation import indicator_lists as lists
from tocsin.sources.indicators import Indicators

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_RUNS = (hunts.WAITING, hunts.RUNNING)


@router.get("/indicators/hunts")
async def show_hunts(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the hunts that are kept."""
    return await _hunts(request, visitor, records)


@router.post("/indicators/hunts")
async def ask(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions, service_hunts: ServiceHunts
) -> Response:
    """Ask for a hunt for indicators that are pasted, or for those of a list."""

    def work(session: Session) -> str:
        documents = indicators_in(session, [field(form, "indicators")], field(form, "list") or None)
        case = field(form, "case") or None
        return hunts.ask_hunt(session, visitor.actor, field(form, "name"), documents, case).id

    try:
        id_ = await records.run(work)
    except TocsinError as error:
        return await _hunts(request, visitor, records, problem=error.message, form=form)
    service_hunts.wake()
    return RedirectResponse(f"/indicators/hunts/{id_}", 303)


async def _hunts(
    request: Request, visitor: Visitor, records: RequestTransactions, *, problem: str = "", form: Any = None
) -> Response:
    given = {name: field(form or {}, name) for name in ("name", "indicators", "case")}
    given["case"] = given["case"] or request.query_params.get("case", "")[:64]
    return page(
        request, "indicators/hunts.html", visitor, status=400 if problem else 200, problem=problem, given=given,
        hunts=await records.read(hunts.indicator_hunts),
    )  # fmt: skip


@router.get("/indicators/hunts/{id}")
async def show_hunt(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show a hunt: how far it is, or what it found; a part of the page while it runs."""

    def read(session: Session) -> tuple[Any, Any, int]:
        hunt = hunts.find_hunt(session, id)
        return hunt, hunt.result, len(hunt.indicators)

    hunt, result, indicators = await records.read(read)
    sightings = (result or {}).get("sightings", [])
    by_host = [(host, list(of)) for host, of in groupby(sightings, key=lambda sighting: sighting["host"])]
    template = "indicators/hunt_result.html" if "hx-request" in request.headers else "indicators/hunt.html"
    return page(
        request, template, visitor, hunt=hunt, result=result, indicators=indicators, by_host=by_host,
        runs=hunt.state in _RUNS,
    )  # fmt: skip


@router.post("/indicators/hunts/{id}/cancel")
async def cancel(form: Form, visitor: Responder, records: RequestTransactions, id: str) -> Response:
    """Have a hunt end."""

    def work(session: Session) -> None:
        hunts.cancel_hunt(session, visitor.actor, id)

    await records.run(work)
    return RedirectResponse(_address(id), 303)


@router.post("/indicators/hunts/{id}/rule")
async def make_rule(
    request: Request, form: Form, visitor: RuleWriter, records: ServiceRecords, work: ServiceWork, id: str
) -> Response:
    """Make a list of a hunt's indicators, and open the draft of a rule that looks for them from now on."""

    def run(pace: Pace) -> None:
        with records.transaction() as session:
            hunt = hunts.find_hunt(session, id)
            documents, name = hunt.indicators, hunt.name
            with suppress(ConflictError):  # it was made before
                lists.make_list(session, visitor.actor, lists.NewList(name, source=name))
        read = Indicators(tuple(documents), {})
        lists.load_list(records, visitor.actor, name, read, replace=False, go_on=pace.check)

    await worked(request, work, run)
    return RedirectResponse(f"/rules/new?indicator_hunt={quote(id, safe='')}", 303)


def _address(id_: str) -> str:
    return f"/indicators/hunts/{quote(id_, safe='')}"
