"""Connectors, through which the actions of rules report alerts, and what has become of the messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.actions.delivery import SENDERS, DeliveryError
from tocsin.actions.masking import without_addresses
from tocsin.api.answers import answer
from tocsin.api.body import json_body
from tocsin.api.dependencies import ServiceDeliveries
from tocsin.api.kibana.connector_models import (
    ConnectorBody,
    ConnectorChange,
    ConnectorDocument,
    ConnectorTrial,
    ConnectorType,
    DeliveredMessage,
    DeliveryPage,
    RuleSnooze,
    UndeliveredMessage,
)
from tocsin.api.kibana.parameters import ConnectorIdInPath, RowCount, RuleUuidFilter, RuleUuidInPath
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions, TransactionRunner
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
_Writer = Annotated[Actor, _WRITE]


@router.post("/api/actions/connector", response_model=ConnectorDocument)
async def create(
    transactions: RequestTransactions,
    actor: _Writer,
    body: Annotated[ConnectorBody, json_body(ConnectorBody)],
) -> Response:
    """Make a connector, which gets an id.

    The answer has its `id`, which actions of rules name. `_execute` tries whether a message arrives.
    """
    return await _created(transactions, actor, body)


@router.post("/api/actions/connector/{id}", response_model=ConnectorDocument, responses=CONFLICT)
async def create_with_id(
    transactions: RequestTransactions,
    id: ConnectorIdInPath,
    actor: _Writer,
    body: Annotated[ConnectorBody, json_body(ConnectorBody)],
) -> Response:
    """Make a connector of an id."""
    return await _created(transactions, actor, body, id)


async def _created(
    transactions: TransactionRunner, actor: Actor, body: ConnectorBody, id_: str | None = None
) -> Response:
    document = body.document()
    return await transactions.answer(
        lambda session: connector_document(create_connector(session, actor, document, id_))
    )


@router.get("/api/actions/connectors", response_model=list[ConnectorDocument], dependencies=[_READ])
async def list_connectors(transactions: RequestTransactions) -> Response:
    """Return all connectors, without their secrets."""
    query = select(Connector).order_by(Connector.name)
    return await transactions.answer(lambda session: list(map(connector_document, session.scalars(query))))


@router.get(
    "/api/actions/connector/{id}", response_model=ConnectorDocument, responses=NOT_FOUND, dependencies=[_READ]
)
async def read(transactions: RequestTransactions, id: ConnectorIdInPath) -> Response:
    """Return a connector, without its secrets."""
    return await transactions.answer(lambda session: connector_document(find_connector(session, id)))


@router.put("/api/actions/connector/{id}", response_model=ConnectorDocument, responses=NOT_FOUND)
async def change(
    transactions: RequestTransactions,
    id: ConnectorIdInPath,
    actor: _Writer,
    body: Annotated[ConnectorChange, json_body(ConnectorChange)],
) -> Response:
    """Give a connector other settings. Secrets that are not given it keeps, unless its address changes."""

    def work(session: Session) -> dict[str, Any]:
        connector = find_connector(session, id)
        change_connector(session, actor, connector, body.document())
        return connector_document(connector)

    return await transactions.answer(work)


@router.delete("/api/actions/connector/{id}", status_code=204, responses=NOT_FOUND)
async def delete(transactions: RequestTransactions, id: ConnectorIdInPath, actor: _Writer) -> Response:
    """Remove a connector; messages that wait for it are given up."""
    await transactions.run(lambda session: remove_connector(session, actor, id))
    return Response(status_code=204)


@router.get("/api/actions/connector_types", response_model=list[ConnectorType], dependencies=[_READ])
async def types(request: Request) -> Response:
    """Return the types of connectors that deliver."""
    return answer(request, [ConnectorType(id=id_, name=id_.removeprefix(".").capitalize()) for id_ in SENDERS])


@router.post(
    "/api/actions/connector/{id}/_execute",
    response_model=DeliveredMessage | UndeliveredMessage,
    responses=NOT_FOUND,
)
async def execute(
    request: Request,
    transactions: RequestTransactions,
    deliveries: ServiceDeliveries,
    id: ConnectorIdInPath,
    actor: _Writer,
    body: Annotated[ConnectorTrial, json_body(ConnectorTrial)],
) -> Response:
    """Send a message through a connector now, to see whether it arrives.

    `params` are those that an action of a rule would have: of a webhook its `body`. A message that does not arrive
    is answered with 200, too: `status` is `error` then, and `service_message` says why.
    """

    def find(session: Session) -> Connector:
        connector = find_connector(session, id)
        record(session, actor, "connector.tried", id)
        return connector

    connector = await transactions.run(find)
    try:
        await run_in_threadpool(try_connector, connector, body.params or {}, deliveries.deliverer.egress)
    except DeliveryError as error:
        undelivered = UndeliveredMessage(connector_id=id, service_message=str(error), retry=not error.lasting)
        return answer(request, undelivered)
    return answer(request, DeliveredMessage(connector_id=id))


@router.get("/api/actions/deliveries", response_model=DeliveryPage, dependencies=[_READ])
async def deliveries(
    transactions: RequestTransactions, rule_uuid: RuleUuidFilter = None, size: RowCount = 50
) -> Response:
    """Return the newest messages of rules' actions, and what has become of them.

    Each names its rule, its connector and its alerts, and has a `state`.
    """
    query = select(Delivery).order_by(Delivery.id.desc()).limit(size)
    if rule_uuid is not None:
        query = query.where(Delivery.rule_uuid == rule_uuid)
    return await transactions.answer(lambda session: {"deliveries": list(map(_shown, session.scalars(query)))})


def _shown(message: Delivery) -> dict[str, Any]:
    return {
        "id": message.id, "rule_uuid": message.rule_uuid, "connector_id": message.connector_id,
        "state": message.state, "tries": message.tries, "made": message.made, "next_try": message.next_try,
        "done": message.done, "error": without_addresses(message.error or "") or None, "alerts": message.alerts,
        "summary": message.summary,
    }  # fmt: skip


# ---- snoozing


@router.post("/api/alerting/rule/{id}/_mute_all", status_code=204, responses=NOT_FOUND)
async def mute(transactions: RequestTransactions, id: RuleUuidInPath, actor: _Writer) -> Response:
    """Hold a rule's actions back until `_unmute_all` ends that; alerts are made as before."""
    return await _snoozed(transactions, actor, id, FOREVER)


@router.post("/api/alerting/rule/{id}/_unmute_all", status_code=204, responses=NOT_FOUND)
async def unmute(transactions: RequestTransactions, id: RuleUuidInPath, actor: _Writer) -> Response:
    """Let a rule's actions report alerts again, after `_mute_all` or `_snooze`."""
    return await _snoozed(transactions, actor, id, None)


@router.post("/api/alerting/rule/{id}/_snooze", status_code=204, responses=NOT_FOUND)
async def snooze(
    transactions: RequestTransactions,
    id: RuleUuidInPath,
    actor: _Writer,
    body: Annotated[RuleSnooze, json_body(RuleSnooze)],
) -> Response:
    """Hold a rule's actions back until a moment; alerts are made as before."""
    return await _snoozed(transactions, actor, id, read_until(body.until))


async def _snoozed(transactions: TransactionRunner, actor: Actor, id_: str, until: datetime | None) -> Response:
    await transactions.run(lambda session: snooze_rule(session, actor, find_rule(session, id_), until))
    return Response(status_code=204)
