"""The exception list of Elastic Endpoint over HTTP, as Kibana has it: there is one, and rules name it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.body import json_body
from tocsin.api.dependencies import ServiceStore
from tocsin.api.kibana.exceptions import item_routes
from tocsin.api.kibana.exceptions.models import (
    ExceptionItemDocument,
    ExceptionItemMembers,
    ExceptionItemPage,
    ExceptionListDocument,
    NoDocument,
)
from tocsin.api.kibana.exceptions.pages import ListQuery
from tocsin.api.kibana.parameters import ItemId, ItemUuid
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions
from tocsin.management.exceptions.documents import item_document, list_document
from tocsin.management.exceptions.items import find_item
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.exceptions import ENDPOINT_LIST, endpoint_list, items_of

router = APIRouter(prefix="/api/endpoint_list", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_Writer = Annotated[Actor, _WRITE]
_OF_LIST = {"list_id": ENDPOINT_LIST, "namespace_type": "agnostic"}


@router.post("", response_model=ExceptionListDocument | NoDocument)
async def create(transactions: RequestTransactions, actor: _Writer) -> Response:
    """Make the list of Elastic Endpoint; the answer is empty when it is there."""

    def work(session: Session) -> dict[str, Any]:
        exceptions, new = endpoint_list(session, actor)
        return list_document(exceptions) if new else {}

    return await transactions.answer_in_turn(work)


@router.post("/items", response_model=ExceptionItemDocument, responses=CONFLICT)
async def create_item(
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[ExceptionItemMembers, json_body(ExceptionItemMembers)],
) -> Response:
    """Make an exception of the list, which is made with the first."""
    return await item_routes.created(transactions, store, actor, {**body.document(), **_OF_LIST})


@router.get("/items", response_model=ExceptionItemDocument, responses=NOT_FOUND, dependencies=[_READ])
async def read_item(transactions: RequestTransactions, id: ItemUuid = None, item_id: ItemId = None) -> Response:
    """Return an exception of the list."""
    return await transactions.answer_in_turn(
        lambda session: item_document(find_item(session, id, item_id, within=ENDPOINT_LIST))
    )


@router.put("/items", response_model=ExceptionItemDocument, responses=NOT_FOUND)
async def change_item(
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[ExceptionItemMembers, json_body(ExceptionItemMembers)],
) -> Response:
    """Give an exception of the list another body."""
    document = {**body.document(), **_OF_LIST}
    return await item_routes.changed(transactions, store, actor, document, within=ENDPOINT_LIST)


@router.delete("/items", response_model=ExceptionItemDocument, responses=NOT_FOUND)
async def delete_item(
    transactions: RequestTransactions, actor: _Writer, id: ItemUuid = None, item_id: ItemId = None
) -> Response:
    """Remove an exception of the list."""
    return await item_routes.removed(transactions, actor, id, item_id, within=ENDPOINT_LIST)


@router.get("/items/_find", response_model=ExceptionItemPage, dependencies=[_READ])
async def find_items(transactions: RequestTransactions, wanted: Annotated[ListQuery, Depends()]) -> Response:
    """Return the exceptions of the list that a filter in KQL fits, or all."""
    return await transactions.answer_in_turn(
        lambda session: wanted.of(list(map(item_document, items_of(session, [ENDPOINT_LIST]))))
    )
