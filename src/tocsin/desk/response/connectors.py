"""Connectors for actions, who may ask for which kind, and which kinds need a second person: for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.dependencies import ServiceHostActions
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.response.shown_action import KIND_LABELS
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Administrator, Visitor
from tocsin.errors import TocsinError
from tocsin.response.host_actions import connectors
from tocsin.response.host_actions.connector_types import connector_types
from tocsin.response.host_actions.interface import ConnectorError
from tocsin.response.host_actions.policies import POLICY_SCOPES, policies, set_policy
from tocsin.store.records.access import Scope

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_WHO: Mapping[Scope, str] = {
    Scope.RESPOND: N_("analysts and above"),
    Scope.WRITE_RULES: N_("engineers and above"),
    Scope.ADMIN: N_("administrators"),
}
_DONE: Mapping[str, str] = {
    "added": N_("The connector is added."),
    "changed": N_("The connector is changed."),
    "removed": N_("The connector is removed."),
    "policies": N_("Who may what is changed. It holds from the next action on."),
}


@router.get("/response/connectors")
async def show_connectors(
    request: Request, visitor: Administrator, records: RequestTransactions, done: str = "", type: str = ""
) -> Response:
    """Show the connectors, a form for another one, and who may ask for what."""
    return await _page(request, visitor, records, chosen=type, done=done)


@router.post("/response/connectors")
async def add_connector(
    request: Request, form: Form, visitor: Administrator, records: RequestTransactions
) -> Response:
    """Add a connector."""
    type_name, given = field(form, "type"), _given(form)

    def add(session: Session) -> None:
        connectors.add_response_connector(session, visitor.actor, field(form, "name"), type_name, given)

    try:
        await records.run(add)
    except TocsinError as error:
        return await _page(request, visitor, records, chosen=type_name, problem=error.message, given=given)
    return RedirectResponse("/response/connectors?done=added", 303)


@router.get("/response/connectors/{id}")
async def show_connector(
    request: Request, visitor: Administrator, records: RequestTransactions, id: str
) -> Response:
    """Show a connector, without its secrets."""
    return await _connector_page(request, visitor, records, id)


@router.post("/response/connectors/{id}")
async def change_connector(
    request: Request,
    form: Form,
    visitor: Administrator,
    records: RequestTransactions,
    host_actions: ServiceHostActions,
    id: str,
) -> Response:
    """Change, try or remove a connector."""
    what = field(form, "do")
    if what == "try":
        try:
            connector = await run_in_threadpool(host_actions.sender.connectors.get, id)
            said = await run_in_threadpool(connector.check)
        except ConnectorError as error:
            return await _connector_page(request, visitor, records, id, problem=str(error))
        return await _connector_page(request, visitor, records, id, said=said)

    def change(session: Session) -> None:
        if what == "remove":
            connectors.remove_response_connector(session, visitor.actor, id)
            return
        connectors.change_response_connector(
            session, visitor.actor, id, field(form, "name"), _given(form), enabled=field(form, "enabled") == "yes"
        )

    try:
        await records.run(change)
    except TocsinError as error:
        return await _connector_page(request, visitor, records, id, problem=error.message)
    return RedirectResponse(f"/response/connectors?done={'removed' if what == 'remove' else 'changed'}", 303)


@router.post("/response/policies")
async def change_policies(form: Form, visitor: Administrator, records: RequestTransactions) -> Response:
    """Say who may ask for which kind of action, and which need a second person."""

    def change(session: Session) -> None:
        for kind in KIND_LABELS:
            scope = field(form, f"scope.{kind}")
            if scope:
                four_eyes = field(form, f"four_eyes.{kind}") == "yes"
                set_policy(session, visitor.actor, kind, scope, four_eyes=four_eyes)

    await records.run(change)
    return RedirectResponse("/response/connectors?done=policies", 303)


def _given(form: Form) -> dict[str, str]:
    return {name.removeprefix("setting."): field(form, name) for name in form if name.startswith("setting.")}


async def _page(
    request: Request,
    visitor: Visitor,
    records: RequestTransactions,
    *,
    chosen: str = "",
    problem: str = "",
    done: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    types = connector_types()

    def read(session: Session) -> dict[str, Any]:
        return {
            "connectors": connectors.response_connectors(session),
            "policies": policies(session),
        }

    context = await records.read(read)
    return page(
        request, "response/connectors.html", visitor, status=400 if problem else 200, problem=problem,
        done=_DONE.get(done, ""), types=types, type=types.get(chosen), given=given or {}, kinds=KIND_LABELS,
        scopes={scope: _WHO[scope] for scope in POLICY_SCOPES}, **context,
    )  # fmt: skip


async def _connector_page(
    request: Request,
    visitor: Visitor,
    records: RequestTransactions,
    id_: str,
    *,
    problem: str = "",
    said: str = "",
) -> Response:
    stored = await records.read(lambda session: connectors.find_response_connector(session, id_))
    return page(
        request, "response/connector.html", visitor, status=400 if problem else 200, problem=problem, said=said,
        connector=stored, type=connector_types().get(stored.type), given=stored.settings,
    )  # fmt: skip
