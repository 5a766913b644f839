"""The page that prepares an action: what is needed, the dry run with what would be sent, and the confirmation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

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
from tocsin.desk.visitor import Responder, Visitor
from tocsin.errors import InvalidError, TocsinError
from tocsin.response.host_actions import requests
from tocsin.response.host_actions.catalogue import ACTION_KINDS, ActionKind
from tocsin.response.host_actions.connectors import connectors_for
from tocsin.response.host_actions.policies import policies
from tocsin.response.host_actions.preparing import DryRun, dry_run
from tocsin.response.host_actions.requests import NewAction

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# How long an action holds that can be undone, by the seconds in a form.
LIVES: Mapping[str, str] = {
    "": N_("until somebody undoes it"), "3600": N_("1 hour"), "14400": N_("4 hours"), "86400": N_("1 day"),
    "604800": N_("7 days"), "2592000": N_("30 days"),
}  # fmt: skip
_FIELDS = ("action", "host", "host_id", "connector", "comment", "case", "alert", "lives")


@router.get("/response/new")
async def prepare(
    request: Request, visitor: Responder, records: RequestTransactions, host_actions: ServiceHostActions
) -> Response:
    """Show what an action needs; where its address names enough, what it would send."""
    given = {name: value.strip() for name, value in request.query_params.items()}
    return await _page(request, visitor, records, host_actions, given)


@router.post("/response/new")
async def confirm(
    request: Request,
    form: Form,
    visitor: Responder,
    records: RequestTransactions,
    host_actions: ServiceHostActions,
) -> Response:
    """Ask for an action whose dry run was shown, by whoever has typed the host's name."""
    given = {name: field(form, name).strip() for name in form}
    try:
        kind = _kind(given)
        if kind is None:
            raise InvalidError("[action] is needed")
        new = _new_action(given, kind)
        requests.check_confirmation(kind.name, new.host, new.parameters, given.get("confirmation", ""))
        run = await run_in_threadpool(dry_run, host_actions.sender.connectors, visitor.actor, new)
        if run.problem:
            raise InvalidError(run.problem)
        action = await records.run(lambda session: requests.request_action(session, visitor.actor, run.action))
    except TocsinError as error:
        return await _page(request, visitor, records, host_actions, given, problem=error.message)
    host_actions.wake()
    return RedirectResponse(f"/response/actions/{quote(action.id, safe='')}", 303)


async def _page(
    request: Request,
    visitor: Visitor,
    records: RequestTransactions,
    host_actions: ServiceHostActions,
    given: Mapping[str, str],
    problem: str = "",
) -> Response:
    kind = _kind(given)

    def read(session: Session) -> dict[str, Any]:
        allowed = {name for name, policy in policies(session).items() if visitor.actor.may(policy.scope)}
        return {
            "connectors": [] if kind is None else connectors_for(session, kind.name),
            "kinds": {name: label for name, label in KIND_LABELS.items() if name in allowed},
            "four_eyes": kind is not None and policies(session)[kind.name].four_eyes,
            "allowed": kind is None or kind.name in allowed,
            "any_connector": any(connectors_for(session, name) for name in ACTION_KINDS),
        }

    context = await records.read(read)
    run: DryRun | None = None
    confirmation = ""
    if kind is not None and context["allowed"] and given.get("connector"):
        try:
            new = _new_action(given, kind)
            await records.read(lambda session: requests.check_action(session, visitor.actor, new))
            run = await run_in_threadpool(dry_run, host_actions.sender.connectors, visitor.actor, new)
            confirmation = requests.confirmation_of(kind.name, new.host, new.parameters)
        except TocsinError as error:
            problem = problem or error.message
    return page(
        request, "response/new.html", visitor, status=400 if problem and request.method == "POST" else 200,
        problem=problem, kind=kind, run=run, confirmation=confirmation, lives=LIVES,
        given={name: given.get(name, "") for name in _FIELDS} | _parameters(given, kind), **context,
    )  # fmt: skip


def _kind(given: Mapping[str, str]) -> ActionKind | None:
    return ACTION_KINDS.get(given.get("action", ""))


def _parameters(given: Mapping[str, str], kind: ActionKind | None) -> dict[str, str]:
    return {} if kind is None else {each.name: given.get(each.name, "") for each in kind.parameters}


def _new_action(given: Mapping[str, str], kind: ActionKind) -> NewAction:
    """Return the action that a form asks for. Raises InvalidError."""
    lives = given.get("lives", "") if kind.undone_by else ""
    if lives not in LIVES:
        raise InvalidError("[lives] is one of those that are offered")
    return NewAction(
        kind.name, given.get("connector", ""), given.get("host", "") if kind.on_host else "",
        given.get("host_id") or None, _parameters(given, kind), given.get("comment", ""),
        given.get("case") or None, given.get("alert") or None, timedelta(seconds=int(lives)) if lives else None,
    )  # fmt: skip
