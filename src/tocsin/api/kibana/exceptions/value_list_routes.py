"""Lists of values over HTTP, as Kibana has them; exceptions ask whether an event's value is in one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.body import json_body
from tocsin.api.kibana.exceptions.models import (
    ListIndexCreation,
    ListIndices,
    ListPrivileges,
    ListRights,
    ValueListBody,
    ValueListChange,
    ValueListDocument,
    ValueListPage,
)
from tocsin.api.kibana.exceptions.pages import page_of
from tocsin.api.kibana.parameters import PageNumber, PageSize, ValueListId
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions
from tocsin.management.exceptions.values import check_type, value_list_document
from tocsin.store.records import exceptions as records
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import ValueList

router = APIRouter(prefix="/api/lists", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_Writer = Annotated[Actor, _WRITE]


@router.post("/index", response_model=ListIndexCreation)
async def make_index(request: Request, actor: _Writer) -> Response:
    """Say that lists of values can be kept; nothing has to be made for that."""
    return answer(request, ListIndexCreation())


@router.get("/index", response_model=ListIndices, dependencies=[_READ])
async def read_index(request: Request) -> Response:
    """Say that lists of values can be kept."""
    return answer(request, ListIndices())


@router.post("", response_model=ValueListDocument, responses=CONFLICT)
async def create(
    transactions: RequestTransactions, actor: _Writer, body: Annotated[ValueListBody, json_body(ValueListBody)]
) -> Response:
    """Make a list of values, which entries of exceptions name.

    Such an entry has the type `list`, and `list` with the `id` and the `type` of this list. Values are added one
    by one, or by the file, under `/api/lists/items`. A list without `id` gets one.
    """
    check_type(body.type)
    document = {name: value for name, value in body.document().items() if value is not None}
    return await transactions.answer_in_turn(
        lambda session: value_list_document(records.add_values_list(session, actor, document))
    )


@router.get("", response_model=ValueListDocument, responses=NOT_FOUND, dependencies=[_READ])
async def read(transactions: RequestTransactions, id: ValueListId) -> Response:
    """Return a list of values, without these."""
    return await transactions.answer_in_turn(lambda session: value_list_document(records.get_values(session, id)))


@router.put("", response_model=ValueListDocument, responses=NOT_FOUND)
@router.patch("", response_model=ValueListDocument, responses=NOT_FOUND)
async def change(
    transactions: RequestTransactions, actor: _Writer, body: Annotated[ValueListChange, json_body(ValueListChange)]
) -> Response:
    """Give a list of values another name or description; its type stays."""
    changes = body.model_dump(include={"name", "description", "meta"}, exclude_none=True)

    def work(session: Session) -> dict[str, Any]:
        value_list = records.get_values(session, body.id)
        records.change_values_list(session, actor, value_list, changes)
        return value_list_document(value_list)

    return await transactions.answer_in_turn(work)


@router.delete("", response_model=ValueListDocument, responses=NOT_FOUND)
async def delete(transactions: RequestTransactions, id: ValueListId, actor: _Writer) -> Response:
    """Remove a list with its values."""

    def work(session: Session) -> dict[str, Any]:
        value_list = records.get_values(session, id)
        document = value_list_document(value_list)
        records.remove_values_list(session, actor, value_list)
        return document

    return await transactions.answer_in_turn(work)


@router.get("/_find", response_model=ValueListPage, dependencies=[_READ])
async def find(
    transactions: RequestTransactions,
    page: PageNumber = 1,
    per_page: PageSize = 20,
) -> Response:
    """Return the lists of values."""

    def work(session: Session) -> dict[str, Any]:
        lists = list(map(value_list_document, session.scalars(select(ValueList).order_by(ValueList.id))))
        return {**page_of(lists, page, per_page), "cursor": ""}

    return await transactions.answer_in_turn(work)


@router.get("/privileges", response_model=ListPrivileges)
async def privileges(request: Request, actor: Actor = _READ) -> Response:
    """Return what the one who asks may do with lists of values."""
    may = {"read": True, "write": actor.may(Scope.WRITE_RULES)}
    rights = ListRights(username=actor.name, has_all_requested=all(may.values()), index={".lists-default": may})
    return answer(request, ListPrivileges(lists=rights, listItems=rights))
