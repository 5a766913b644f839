"""Exceptions over HTTP, as Kibana has them; and which alerts one would have hidden."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.body import json_body
from tocsin.api.dependencies import ServiceStore
from tocsin.api.elasticsearch.searching import RequestSearches, answer_json
from tocsin.api.kibana.exceptions.models import (
    ExceptionItemBody,
    ExceptionItemDocument,
    ExceptionItemMembers,
    ExceptionItemPage,
    HiddenAlerts,
)
from tocsin.api.kibana.exceptions.pages import ListQuery
from tocsin.api.kibana.parameters import ItemId, ItemUuid, RuleUuidFilter
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import GoOn, RequestTransactions, TransactionRunner
from tocsin.eql import syntax as s
from tocsin.management.exceptions.documents import item_document
from tocsin.management.exceptions.items import change_item, create_item, find_item, hidden_alerts
from tocsin.search.tasks import IdsTask
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.events import EventStore
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.exceptions import get_list, items_of, remove_item

router = APIRouter(prefix="/api/exception_lists/items", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_Writer = Annotated[Actor, _WRITE]
_Lists = Annotated[
    str,
    Query(description="The `list_id` of a list, or of several, separated by commas.", examples=["allowed-tools"]),
]


@router.post("", response_model=ExceptionItemDocument, responses=NOT_FOUND | CONFLICT)
async def create(
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[ExceptionItemBody, json_body(ExceptionItemBody)],
) -> Response:
    """Make an exception, which hides events from the rules that name its list.

    It goes into the list of `list_id`, which has to be there. An event is hidden that meets all `entries`; their
    types are `match`, `match_any`, `wildcard`, `exists`, `list` (of values) and `nested`.
    """
    return await created(transactions, store, actor, body.document())


@router.get("", response_model=ExceptionItemDocument, responses=NOT_FOUND, dependencies=[_READ])
async def read(transactions: RequestTransactions, id: ItemUuid = None, item_id: ItemId = None) -> Response:
    """Return the exception of an `id` or of an `item_id`."""
    return await transactions.answer_in_turn(lambda session: item_document(find_item(session, id, item_id)))


@router.put("", response_model=ExceptionItemDocument, responses=NOT_FOUND)
async def change(
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[ExceptionItemBody, json_body(ExceptionItemBody)],
) -> Response:
    """Give an exception another body: the one whose `id` or `item_id` it has; its comments and its list stay."""
    return await changed(transactions, store, actor, body.document())


@router.delete("", response_model=ExceptionItemDocument, responses=NOT_FOUND)
async def delete(
    transactions: RequestTransactions, actor: _Writer, id: ItemUuid = None, item_id: ItemId = None
) -> Response:
    """Remove the exception of an `id` or of an `item_id`; the answer is the exception as it was."""
    return await removed(transactions, actor, id, item_id)


async def created(
    transactions: TransactionRunner, store: EventStore, actor: Actor, body: dict[str, Any]
) -> Response:
    """Make the exception of a body, and answer with it."""

    def work(session: Session) -> dict[str, Any]:
        return item_document(create_item(session, actor, body, store.schema()))

    return await transactions.answer_in_turn(work)


async def changed(
    transactions: TransactionRunner,
    store: EventStore,
    actor: Actor,
    body: dict[str, Any],
    *,
    within: str | None = None,
) -> Response:
    """Give an exception, of the list `within` if that is given, another body, and answer with it."""

    def work(session: Session) -> dict[str, Any]:
        item = find_item(session, body.get("id"), body.get("item_id"), within=within)
        change_item(session, actor, item, body, store.schema())
        return item_document(item)

    return await transactions.answer_in_turn(work)


async def removed(
    transactions: TransactionRunner,
    actor: Actor,
    id_: str | None,
    item_id: str | None,
    *,
    within: str | None = None,
) -> Response:
    """Remove an exception, of the list `within` if that is given, and answer with what it was."""

    def work(session: Session) -> dict[str, Any]:
        item = find_item(session, id_, item_id, within=within)
        document = item_document(item)
        remove_item(session, actor, item)
        return document

    return await transactions.answer_in_turn(work)


@router.get("/_find", response_model=ExceptionItemPage, responses=NOT_FOUND, dependencies=[_READ])
async def find(
    transactions: RequestTransactions, list_id: _Lists, wanted: Annotated[ListQuery, Depends()]
) -> Response:
    """Return the exceptions of some lists that a filter in KQL fits, or all of these lists."""

    def work(session: Session) -> dict[str, Any]:
        names = [name for name in list_id.split(",") if name]
        for name in names:
            get_list(session, list_id=name)
        return wanted.of(list(map(item_document, items_of(session, names))))

    return await transactions.answer_in_turn(work)


@router.post("/_preview", response_model=HiddenAlerts, dependencies=[_READ])
async def preview(
    request: Request,
    transactions: RequestTransactions,
    searches: RequestSearches,
    store: ServiceStore,
    body: Annotated[ExceptionItemMembers, json_body(ExceptionItemMembers)],
    rule_uuid: RuleUuidFilter = None,
) -> Response:
    """Return which alerts there are that an exception would have hidden; of one rule, or of all.

    The body is that of an exception, which is not saved; its `entries` are enough.
    """

    def hidden(session: Session, go_on: GoOn) -> s.Expression:
        rules = None if rule_uuid is None else [rule_uuid]
        return hidden_alerts(session, body.document(), store.schema([ALERTS_INDEX]), rules)

    task = IdsTask([ALERTS_INDEX], await transactions.run_in_turn(hidden), most=1000)
    return await answer_json(request, await searches.answer(task))
