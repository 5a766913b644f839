"""Alerts over HTTP, as Kibana has them: searched, opened, closed, tagged, assigned, noted; their history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.body import json_body
from tocsin.api.elasticsearch.search_routes import search_task
from tocsin.api.elasticsearch.searching import RequestSearches, SearchRunner, answer_search
from tocsin.api.kibana.alert_models import (
    AlertAssignees,
    AlertHistoryAnswer,
    AlertNote,
    AlertSearch,
    AlertSearchAnswer,
    AlertStatus,
    AlertTags,
    AlertUpdate,
    NotedAlert,
)
from tocsin.api.kibana.parameters import AlertIdInPath
from tocsin.api.models import NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.management import alerts
from tocsin.search.tasks import IdsTask
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/detection_engine/signals", tags=["alerts"])
_READ, _RESPOND = Depends(allow(Scope.READ)), Depends(allow(Scope.RESPOND))
_Responder = Annotated[Actor, _RESPOND]


# What alerts were called before Kibana 8: its index of alerts has aliases of these names.
_OLD = "signal."
_NEW = {
    "signal.status": "kibana.alert.workflow_status", "signal.rule.id": "kibana.alert.rule.uuid",
    "signal.rule.severity": "kibana.alert.severity", "signal.rule.risk_score": "kibana.alert.risk_score",
    "signal.rule.building_block_type": "kibana.alert.building_block_type",
}  # fmt: skip
_NAMING = frozenset({"field", "fields", "sort", "_source", "docvalue_fields"})  # members whose texts are names


def renamed(body: Any, naming: bool = False) -> Any:
    """Return a search with the fields of alerts under their names of today."""
    match body:
        case dict():
            return {_name(key): renamed(value, key in _NAMING) for key, value in body.items()}
        case list():
            return [renamed(value, naming) for value in body]
        case str() if naming:
            return _name(body)
    return body


def _name(name: str) -> str:
    return _NEW.get(name) or (f"kibana.alert.{name.removeprefix(_OLD)}" if name.startswith(_OLD) else name)


@router.post("/search", response_model=AlertSearchAnswer, dependencies=[_READ])
async def search(request: Request, body: Annotated[AlertSearch, json_body(AlertSearch)]) -> Response:
    """Search alerts in Elasticsearch's query language, with sorting and aggregations.

    Fields of alerts are `kibana.alert.*`, beside those of the event that the alert is about; `signal.*`, as they
    were called before Kibana 8, are understood too. The `_id` of a hit is the alert's id in other operations.
    """
    task = search_task(request, [ALERTS_INDEX], renamed(body.document()))
    return await answer_search(request, task)


@router.post("/status", response_model=AlertUpdate)
async def set_status(
    transactions: RequestTransactions,
    searches: RequestSearches,
    actor: _Responder,
    body: Annotated[AlertStatus, json_body(AlertStatus)],
) -> Response:
    """Open, acknowledge or close alerts: those of `signal_ids`, or those that a `query` finds.

    With `closed` a `reason` may be given. `updated` in the answer is how many alerts there were.
    """

    def change(session: Session, ids: Sequence[str]) -> int:
        return alerts.set_status(session, actor, ids, body.status, body.reason)

    return await _changed(transactions, searches, body.signal_ids, body.query, change)


@router.post("/tags", response_model=AlertUpdate)
async def set_tags(
    transactions: RequestTransactions,
    searches: RequestSearches,
    actor: _Responder,
    body: Annotated[AlertTags, json_body(AlertTags)],
) -> Response:
    """Give alerts tags, and take others from them.

    The alerts are those of `ids`, or those that a `query` in Elasticsearch's language finds. Other tags stay.
    """

    def change(session: Session, ids: Sequence[str]) -> int:
        return alerts.set_tags(session, actor, ids, body.tags.tags_to_add, body.tags.tags_to_remove)

    return await _changed(transactions, searches, body.ids, body.query, change)


@router.post("/assignees", response_model=AlertUpdate)
async def set_assignees(
    transactions: RequestTransactions,
    searches: RequestSearches,
    actor: _Responder,
    body: Annotated[AlertAssignees, json_body(AlertAssignees)],
) -> Response:
    """Assign alerts to users, and to others no more.

    The alerts are those of `ids`, or those that a `query` in Elasticsearch's language finds. Users are named as
    they log in; others to whom an alert is assigned stay.
    """

    def change(session: Session, ids: Sequence[str]) -> int:
        return alerts.set_assignees(session, actor, ids, body.assignees.add, body.assignees.remove)

    return await _changed(transactions, searches, body.ids, body.query, change)


@router.post("/notes", response_model=NotedAlert, responses=NOT_FOUND)
async def add_note(
    transactions: RequestTransactions, actor: _Responder, body: Annotated[AlertNote, json_body(AlertNote)]
) -> Response:
    """Add a note to an alert."""

    def work(session: Session) -> NotedAlert:
        alerts.add_note(session, actor, body.id, body.note)
        return NotedAlert(id=body.id)

    return await transactions.answer(work)


@router.get("/{id}/history", response_model=AlertHistoryAnswer, dependencies=[_READ])
async def history(transactions: RequestTransactions, id: AlertIdInPath) -> Response:
    """Return who changed what of an alert, and when."""
    return await transactions.answer(
        lambda session: {"history": [asdict(entry) for entry in alerts.history(session, id)]}
    )


async def _changed(
    transactions: TransactionRunner,
    searches: SearchRunner,
    ids: Sequence[str] | None,
    query: dict[str, Any] | None,
    change: Callable[[Session, Sequence[str]], int],
) -> Response:
    """Change the alerts of ids, or those that fit a query where there are no ids, and answer how many."""
    if ids is None:
        task = IdsTask([ALERTS_INDEX], query=renamed(query))
        ids = orjson.loads(await searches.answer(task))["ids"]
    changed: Sequence[str] = ids

    def work(session: Session) -> AlertUpdate:
        updated = change(session, changed)
        return AlertUpdate(total=updated, updated=updated)

    return await transactions.answer(work)
