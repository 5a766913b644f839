"""Connectors, to which the actions of rules tell of alerts, and what became of the messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.actions.delivery import SENDERS, DeliveryError
from tocsin.actions.masking import without_addresses
from tocsin.api.answers import answer
from tocsin.api.body import body_of, read_typed
from tocsin.api.kibana.transactions import answered, in_records
from tocsin.api.security import allow
from tocsin.management.connectors.documents import connector_document
from tocsin.management.connectors.saving import (
    change_connector,
    create_connector,
    find_connector,
    remove_connector,
    try_connector,
)
from tocsin.management.rules.saving import find_rule
from tocsin.management.rules.snoozing import FOREVER, read_until, snooze_rule
from tocsin.store.records.access import Actor, Scope, record
from tocsin.store.records.models import Connector, Delivery

router = APIRouter(tags=["actions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_BODY = body_of(
    "name", "connector_type_id", name="string", connector_type_id="string", config="object", secrets="object"
)


@router.post("/api/actions/connector", openapi_extra=_BODY)
@router.post("/api/actions/connector/{id}", openapi_extra=_BODY)
async def create(request: Request, id: str | None = None, actor: Actor = _WRITE) -> Response:
    """Make a connector."""
    body = await read_typed(request, name="string", connector_type_id="string")
    return await answered(request, lambda session: connector_document(create_connector(session, actor, body, id)))


@router.get("/api/actions/connectors", dependencies=[_READ])
async def every(request: Request) -> Response:
    """Return the connectors, without their secrets."""
    query = select(Connector).order_by(Connector.name)
    return await answered(request, lambda session: list(map(connector_document, session.scalars(query))))


@router.get("/api/actions/connector/{id}", dependencies=[_READ])
async def read(request: Request, id: str) -> Response:
    """Return a connector, without its secrets."""
    return await answered(request, lambda session: connector_document(find_connector(session, id)))


@router.put("/api/actions/connector/{id}", openapi_extra=_BODY)
async def change(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Give a connector other settings. Secrets that are not given it keeps, unless its address changes."""
    body = await read_typed(request, name="string", connector_type_id="string")

    def work(session: Session) -> dict[str, Any]:
        connector = find_connector(session, id)
        change_connector(session, actor, connector, body)
        return connector_document(connector)

    return await answered(request, work)


@router.delete("/api/actions/connector/{id}")
async def delete(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Remove a connector; messages that wait for it are given up."""
    await in_records(request, lambda session: remove_connector(session, actor, id))
    return Response(status_code=204)


@router.get("/api/actions/connector_types", dependencies=[_READ])
async def types(request: Request) -> Response:
    """Return the types of connectors that deliver."""
    about = {"enabled": True, "enabled_in_config": True, "enabled_in_license": True}
    known = [{"id": id_, "name": id_.removeprefix(".").capitalize(), **about} for id_ in SENDERS]
    return answer(request, [{**one, "minimum_license_required": "basic"} for one in known])


@router.post("/api/actions/connector/{id}/_execute", openapi_extra=body_of("params", params="object"))
async def execute(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Send a message through a connector now, to see whether it arrives; `params` are those of an action."""
    params = (await read_typed(request, params="object")).get("params") or {}
    egress = request.app.state.service.deliveries.deliverer.egress

    def find(session: Session) -> Connector:
        connector = find_connector(session, id)
        record(session, actor, "connector.tried", id)
        return connector

    connector = await in_records(request, find)
    try:
        await run_in_threadpool(try_connector, connector, params, egress)
    except DeliveryError as error:
        told = {"status": "error", "message": "the message was not delivered", "retry": not error.lasting}
        return answer(request, {"connector_id": id, **told, "service_message": str(error)})
    return answer(request, {"connector_id": id, "status": "ok"})


@router.get("/api/actions/deliveries", dependencies=[_READ])
async def deliveries(
    request: Request, rule_uuid: str | None = None, size: int = Query(50, ge=1, le=1000)
) -> Response:
    """Return the newest messages: of which rule, to whom, about what, and what became of them."""
    query = select(Delivery).order_by(Delivery.id.desc()).limit(size)
    if rule_uuid is not None:
        query = query.where(Delivery.rule_uuid == rule_uuid)
    return await answered(request, lambda session: {"deliveries": list(map(_shown, session.scalars(query)))})


def _shown(message: Delivery) -> dict[str, Any]:
    return {
        "id": message.id, "rule_uuid": message.rule_uuid, "connector_id": message.connector_id,
        "state": message.state, "tries": message.tries, "made": message.made, "next_try": message.next_try,
        "done": message.done, "error": without_addresses(message.error or "") or None, "alerts": message.alerts,
        "summary": message.summary,
    }  # fmt: skip


# ---- snoozing


@router.post("/api/alerting/rule/{id}/_mute_all")
async def mute(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Hold a rule's actions back until they are let go again."""
    return await _snoozed(request, actor, id, FOREVER)


@router.post("/api/alerting/rule/{id}/_unmute_all")
async def unmute(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Let a rule's actions tell of alerts again."""
    return await _snoozed(request, actor, id, None)


@router.post("/api/alerting/rule/{id}/_snooze", openapi_extra=body_of("until", until="string"))
async def snooze(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Hold a rule's actions back until a moment."""
    body = await read_typed(request, until="string")
    return await _snoozed(request, actor, id, read_until(body.get("until")))


async def _snoozed(request: Request, actor: Actor, id_: str, until: datetime | None) -> Response:
    await in_records(request, lambda session: snooze_rule(session, actor, find_rule(session, id_), until))
    return Response(status_code=204)
