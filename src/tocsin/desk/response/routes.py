"""The list of actions, one action with its steps, and what people do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import ServiceHostActions
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.response.shown_action import STATE_LABELS, ShownAction, shown_actions
from tocsin.desk.visitor import Reader, Responder, Visitor
from tocsin.errors import TocsinError
from tocsin.moments import iso, read_moment, to_datetime
from tocsin.response.host_actions import requests
from tocsin.response.host_actions.preparing import prepared, undo_to_prepare
from tocsin.response.host_actions.states import find_action
from tocsin.store.records.host_actions import HostAction, HostActionStep

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PAGE_SIZE = 50


@router.get("/response")
async def show_actions(
    request: Request,
    visitor: Reader,
    records: RequestTransactions,
    host: str = "",
    case: str = "",
    alert: str = "",
    state: str = "",
    before: str = "",
) -> Response:
    """Show the actions, the newest first; those that wait for the visitor's approval stand above them."""
    until = _moment(before)

    def read(session: Session) -> tuple[list[ShownAction], list[ShownAction], dict[str, int]]:
        listed = requests.actions_list(
            session, host=host[:255], case_id=case[:64], alert_id=alert[:64], state=state[:24],
            size=_PAGE_SIZE + 1, before=until,
        )  # fmt: skip
        waiting = requests.actions_list(session, state="awaiting approval")
        mine = [shown for shown in shown_actions(session, visitor.actor, waiting) if shown.may_decide]
        return shown_actions(session, visitor.actor, listed), mine, requests.action_counts(session)

    actions, waiting, counts = await records.run(read)
    return page(
        request, "response/list.html", visitor, actions=actions[:_PAGE_SIZE], waiting=waiting, counts=counts,
        states=STATE_LABELS, given={"host": host, "case": case, "alert": alert, "state": state},
        older=actions[_PAGE_SIZE - 1].requested if len(actions) > _PAGE_SIZE else "",
    )  # fmt: skip


@router.get("/response/actions/{id}")
async def show_action(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show an action: what is sent, who asked and approved, each step, and what came of it."""
    return await _page(request, visitor, records, id)


@router.post("/response/actions/{id}/{change}")
async def change_action(
    request: Request,
    form: Form,
    visitor: Responder,
    records: RequestTransactions,
    host_actions: ServiceHostActions,
    id: str,
    change: str,
) -> Response:
    """Approve, reject, withdraw, undo, ask after, or settle an action."""
    actor, reason = visitor.actor, field(form, "reason")
    changes: dict[str, Callable[[Session], HostAction]] = {
        "approve": lambda session: requests.approve_action(session, actor, id),
        "reject": lambda session: requests.reject_action(session, actor, id, reason),
        "withdraw": lambda session: requests.withdraw_action(session, actor, id),
        "ask": lambda session: requests.ask_again(session, actor, id),
        "settle": lambda session: requests.settle_action(session, actor, id, field(form, "state"), reason),
    }
    try:
        if change == "approve":
            await _check_typed(records, form, id)
        if change == "undo":
            new = await records.read(lambda session: undo_to_prepare(session, id))
            run = await run_in_threadpool(prepared, host_actions.sender.connectors, actor, new)
            action = await records.run(lambda session: requests.undo_action(session, actor, id, run.plan))
        elif change in changes:
            action = await records.run(changes[change])
        else:
            raise ApiError(404, "resource_not_found_exception", "there is no such page")
    except TocsinError as error:
        return await _page(request, visitor, records, id, problem=error.message)
    host_actions.wake()
    return RedirectResponse(f"/response/actions/{quote(action.id, safe='')}", 303)


async def _check_typed(records: RequestTransactions, form: Form, id_: str) -> None:
    """Refuse an approval without the name of the host, which the second person types too. Raises InvalidError."""
    action = await records.read(lambda session: find_action(session, id_))
    requests.check_confirmation(action.kind, action.host, action.parameters, field(form, "confirmation"))


async def _page(
    request: Request, visitor: Visitor, records: RequestTransactions, id_: str, problem: str = ""
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        action = find_action(session, id_)
        others = [action.undoes] if action.undoes else requests.undo_ids(session, id_)
        return {
            "shown": shown_actions(session, visitor.actor, [action])[0],
            "steps": [_step(step) for step in requests.action_steps(session, id_)],
            "others": [other for other in others if other],
            "confirmation": requests.confirmation_of(action.kind, action.host, action.parameters),
        }

    context = await records.read(read)
    return page(
        request, "response/action.html", visitor, status=400 if problem else 200, problem=problem,
        **context,
    )  # fmt: skip


def _step(step: HostActionStep) -> dict[str, str]:
    state = STATE_LABELS.get(step.state, step.state)
    return {"time": iso(step.time), "actor": step.actor, "state": state, "detail": step.detail}


def _moment(text: str) -> Any:
    try:
        return to_datetime(read_moment(text)) if text else None
    except (ValueError, OverflowError):
        return None
