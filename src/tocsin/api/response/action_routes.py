"""Actions on hosts: asked for, approved, undone, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.body import json_body
from tocsin.api.dependencies import ServiceHostActions
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.response.action_models import (
    ActionDecision,
    ActionDocument,
    ActionPage,
    RequestedAction,
    ResponseConnectorPage,
)
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.response.host_actions import requests
from tocsin.response.host_actions.connector_types import connector_types
from tocsin.response.host_actions.connectors import response_connectors
from tocsin.response.host_actions.policies import policy_of
from tocsin.response.host_actions.preparing import prepared, undo_to_prepare
from tocsin.response.host_actions.requests import NewAction, planned
from tocsin.response.host_actions.states import find_action
from tocsin.response.host_actions.thread import HostActionThread
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.host_actions import HostAction, HostActionStep

router = APIRouter(tags=["response"])
_READ, _RESPOND = Depends(allow(Scope.READ)), Depends(allow(Scope.RESPOND))
_Responder = Annotated[Actor, _RESPOND]
_LONGEST_LIFE = 90 * 86_400  # seconds
_ActionId = Annotated[str, Path(description="The action's id.")]
_Host = Annotated[str, Query(description="Only those on a host of this name.", max_length=255, examples=["ws-7"])]
_Case = Annotated[str, Query(description="Only those of this case.", max_length=64)]
_Alert = Annotated[str, Query(description="Only those about this alert.", max_length=64)]
_State = Annotated[str, Query(description="Only those in this state.", max_length=24, examples=["running"])]
_Size = Annotated[int, Query(ge=1, le=1_000)]
_REFUSED = NOT_FOUND | CONFLICT


@router.get("/api/response/actions", response_model=ActionPage, dependencies=[_READ])
async def list_actions(
    transactions: RequestTransactions,
    host: _Host = "",
    case_id: _Case = "",
    alert_id: _Alert = "",
    state: _State = "",
    size: _Size = 100,
) -> Response:
    """Return the newest actions, and what came of them."""

    def read(session: Session) -> dict[str, Any]:
        listed = requests.actions_list(
            session, host=host, case_id=case_id, alert_id=alert_id, state=state, size=size
        )
        return {"actions": [_document(action) for action in listed]}

    return await transactions.answer(read)


@router.post("/api/response/actions", response_model=ActionDocument, responses=_REFUSED)
async def request_action(
    request: Request,
    transactions: RequestTransactions,
    host_actions: ServiceHostActions,
    actor: _Responder,
    body: Annotated[RequestedAction, json_body(RequestedAction)],
) -> Response:
    """Show what an action would send; with `dry_run` false, ask for it.

    The receiver is asked for the host, and nothing is changed there. An action whose kind needs a second person
    waits for `_approve` of somebody else; any other is sent at once.
    """
    lives = body.expires_after
    new = NewAction(
        body.action, body.connector_id, body.host or "", body.host_id, body.parameters or {}, body.comment or "",
        body.case_id, body.alert_id,
        None if lives is None else timedelta(seconds=max(0, min(lives, _LONGEST_LIFE + 1))),
    )  # fmt: skip
    await transactions.read(lambda session: requests.check_action(session, actor, new))
    action = await run_in_threadpool(prepared, host_actions.sender.connectors, actor, new)
    if body.dry_run:
        four_eyes = await transactions.read(lambda session: policy_of(session, new.kind).four_eyes)
        return answer(request, _dry_run(action, actor, four_eyes=four_eyes))
    document = await transactions.run(lambda session: _document(requests.request_action(session, actor, action)))
    host_actions.wake()
    return answer(request, document)


@router.get("/api/response/actions/{id}", response_model=ActionDocument, responses=NOT_FOUND, dependencies=[_READ])
async def read_action(transactions: RequestTransactions, id: _ActionId) -> Response:
    """Return an action with its steps."""

    def read(session: Session) -> dict[str, Any]:
        return _document(find_action(session, id), list(requests.action_steps(session, id)))

    return await transactions.answer(read)


@router.post("/api/response/actions/{id}/_approve", response_model=ActionDocument, responses=_REFUSED)
async def approve(
    transactions: RequestTransactions, host_actions: ServiceHostActions, id: _ActionId, actor: _Responder
) -> Response:
    """Approve an action that somebody else has asked for, so that it is sent at once."""
    return await _changed(transactions, host_actions, lambda session: requests.approve_action(session, actor, id))


@router.post("/api/response/actions/{id}/_reject", response_model=ActionDocument, responses=_REFUSED)
async def reject(
    transactions: RequestTransactions,
    host_actions: ServiceHostActions,
    id: _ActionId,
    actor: _Responder,
    body: Annotated[ActionDecision, json_body(ActionDecision)],
) -> Response:
    """Refuse to approve an action, which is not sent then."""
    return await _changed(
        transactions,
        host_actions,
        lambda session: requests.reject_action(session, actor, id, body.reason or ""),
    )


@router.post("/api/response/actions/{id}/_withdraw", response_model=ActionDocument, responses=_REFUSED)
async def withdraw(
    transactions: RequestTransactions, host_actions: ServiceHostActions, id: _ActionId, actor: _Responder
) -> Response:
    """Take back an action that has not been sent."""
    return await _changed(transactions, host_actions, lambda session: requests.withdraw_action(session, actor, id))


@router.post("/api/response/actions/{id}/_undo", response_model=ActionDocument, responses=_REFUSED)
async def undo(
    transactions: RequestTransactions, host_actions: ServiceHostActions, id: _ActionId, actor: _Responder
) -> Response:
    """Ask for the action that undoes one; the answer is the new action."""
    new = await transactions.read(lambda session: undo_to_prepare(session, id))
    action = await run_in_threadpool(prepared, host_actions.sender.connectors, actor, new)
    return await _changed(
        transactions, host_actions, lambda session: requests.undo_action(session, actor, id, action.plan)
    )


@router.post("/api/response/actions/{id}/_settle", response_model=ActionDocument, responses=_REFUSED)
async def settle(
    transactions: RequestTransactions,
    host_actions: ServiceHostActions,
    id: _ActionId,
    actor: _Responder,
    body: Annotated[ActionDecision, json_body(ActionDecision)],
) -> Response:
    """Say what became of an action of which nothing is known."""
    return await _changed(
        transactions,
        host_actions,
        lambda session: requests.settle_action(session, actor, id, body.state or "", body.reason or ""),
    )


@router.get("/api/response/connectors", response_model=ResponseConnectorPage, dependencies=[_READ])
async def list_response_connectors(transactions: RequestTransactions) -> Response:
    """Return the connectors that carry actions out, without their settings."""
    types = connector_types()

    def read(session: Session) -> dict[str, Any]:
        connectors = [
            {
                "id": connector.id, "name": connector.name, "type": connector.type, "enabled": connector.enabled,
                "actions": sorted(types[connector.type].kinds) if connector.type in types else [],
            }
            for connector in response_connectors(session)
        ]  # fmt: skip
        return {"connectors": connectors}

    return await transactions.answer(read)


async def _changed(
    transactions: TransactionRunner, host_actions: HostActionThread, change: Callable[[Session], HostAction]
) -> Response:
    reply = await transactions.answer(lambda session: _document(change(session)))
    host_actions.wake()
    return reply


def _document(action: HostAction, steps: list[HostActionStep] | None = None) -> dict[str, Any]:
    return {
        "id": action.id, "action": action.kind, "state": action.state, "connector_id": action.connector_id,
        "host": action.host, "host_id": action.host_id, "parameters": action.parameters,
        "comment": action.comment, "case_id": action.case_id, "alert_id": action.alert_id,
        "requested": action.requested, "requested_by": action.requested_by, "four_eyes": action.four_eyes,
        "decided": action.decided, "decided_by": action.decided_by, "plan": action.plan, "tries": action.tries,
        "sent": action.sent, "finished": action.finished, "expires": action.expires, "detail": action.detail,
        "result": action.result, "undoes": action.undoes, "automatic": action.automatic_id is not None,
        "steps": [
            {"time": step.time, "actor": step.actor, "state": step.state, "detail": step.detail}
            for step in steps or ()
        ],
    }  # fmt: skip


def _dry_run(new: NewAction, actor: Actor, *, four_eyes: bool) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("id", "requested", "decided", "decided_by", "sent", "finished", "expires", "detail", "result", "undoes")
    )
    return nothing | {
        "action": new.kind, "state": "dry run", "connector_id": new.connector_id, "host": new.host,
        "host_id": new.host_id, "parameters": dict(new.parameters), "comment": new.comment,
        "case_id": new.case_id, "alert_id": new.alert_id, "requested_by": actor.name, "four_eyes": four_eyes,
        "plan": planned(new.plan), "tries": 0, "automatic": False, "steps": [],
    }  # fmt: skip
