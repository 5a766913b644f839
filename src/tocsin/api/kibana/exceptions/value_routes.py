"""The values of lists over HTTP, as Kibana has them: one by one, and by the file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import NdjsonResponse, answer, bad_request
from tocsin.api.body import VALUES_SIZE, Upload, file_body, json_body
from tocsin.api.kibana.exceptions.models import ValueBody, ValueChange, ValueDocument, ValueListDocument, ValuePage
from tocsin.api.kibana.parameters import (
    PageNumber,
    PageSize,
    ValueListId,
    ValueListOfValue,
    ValueOfList,
    ValueUuid,
)
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.management.exceptions.values import (
    TYPES,
    add_value,
    change_value,
    import_values,
    remove_value,
    value_document,
    value_list_document,
)
from tocsin.store.records import exceptions as records
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/lists/items", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_Writer = Annotated[Actor, _WRITE]
_Values = Annotated[Upload, file_body("a file with one value a line", VALUES_SIZE)]
_NewList = Annotated[
    str | None, Query(description="The list's name; without it, the file's name is that of a new list.")
]
_TypeOfNew = Annotated[str, Query(description=f"The type of a new list: one of {', '.join(TYPES)}.")]
_MOST_SHOWN = 10_000  # values in one answer


@router.post("", response_model=ValueDocument, responses=NOT_FOUND | CONFLICT)
async def add(
    transactions: RequestTransactions, actor: _Writer, body: Annotated[ValueBody, json_body(ValueBody)]
) -> Response:
    """Add a value to the list `list_id`; it has to be of the list's type."""

    def work(session: Session) -> dict[str, Any]:
        value_list = records.get_values(session, body.list_id)
        return value_document(add_value(session, actor, value_list, body.value), value_list.type)

    return await transactions.answer_in_turn(work)


@router.get("", response_model=ValueDocument | list[ValueDocument], responses=NOT_FOUND, dependencies=[_READ])
async def read(
    transactions: RequestTransactions,
    id: ValueUuid = None,
    list_id: ValueListOfValue = None,
    value: ValueOfList = None,
) -> Response:
    """Return the value of an `id`, or a list's one `value`, or all values of a list (at most 10,000)."""

    def work(session: Session) -> Any:
        if id is not None:
            listed = records.get_value(session, id)
            return value_document(listed, records.get_values(session, listed.list_id).type)
        value_list = records.get_values(session, list_id or "")
        if value is not None:
            known = records.find_value(session, value_list.id, value)
            return [] if known is None else [value_document(known, value_list.type)]
        values, total = records.page_of_values(session, value_list.id, 0, _MOST_SHOWN)
        if total > _MOST_SHOWN:
            raise bad_request(
                f"the list has {total:,} values: ask for one, for pages (_find), or for a file (_export)"
            )
        return [value_document(listed, value_list.type) for listed in values]

    return await transactions.answer_in_turn(work)


@router.put("", response_model=ValueDocument, responses=NOT_FOUND | CONFLICT)
@router.patch("", response_model=ValueDocument, responses=NOT_FOUND | CONFLICT)
async def change(
    transactions: RequestTransactions, actor: _Writer, body: Annotated[ValueChange, json_body(ValueChange)]
) -> Response:
    """Put another value in the place of one."""

    def work(session: Session) -> dict[str, Any]:
        listed = records.get_value(session, body.id)
        value_list = records.get_values(session, listed.list_id)
        change_value(session, actor, value_list, listed, body.value)
        return value_document(listed, value_list.type)

    return await transactions.answer_in_turn(work)


@router.get("/_find", response_model=ValuePage, responses=NOT_FOUND, dependencies=[_READ])
async def find(
    transactions: RequestTransactions,
    list_id: ValueListId,
    page: PageNumber = 1,
    per_page: PageSize = 20,
) -> Response:
    """Return the values of a list, page by page."""

    def work(session: Session) -> dict[str, Any]:
        value_list = records.get_values(session, list_id)
        values, total = records.page_of_values(session, value_list.id, (page - 1) * per_page, per_page)
        data = [value_document(listed, value_list.type) for listed in values]
        return {"data": data, "page": page, "per_page": per_page, "total": total, "cursor": ""}

    return await transactions.answer_in_turn(work)


@router.delete("", response_model=ValueDocument | list[ValueDocument], responses=NOT_FOUND)
async def delete(
    transactions: RequestTransactions,
    actor: _Writer,
    id: ValueUuid = None,
    list_id: ValueListOfValue = None,
    value: ValueOfList = None,
) -> Response:
    """Remove a value from a list: that of an `id`, or the `value` of the list `list_id`.

    The answer is the value as it was, or an empty list where it was named by itself.
    """

    def work(session: Session) -> Any:
        if id is None:
            remove_value(session, actor, records.get_values(session, list_id or ""), value or "")
            return []
        listed = records.get_value(session, id)
        value_list = records.get_values(session, listed.list_id)
        document = value_document(listed, value_list.type)
        remove_value(session, actor, value_list, listed.value)
        return document

    return await transactions.answer_in_turn(work)


@router.post("/_import", response_model=ValueListDocument, responses=NOT_FOUND | CONFLICT)
async def import_file(
    request: Request,
    transactions: RequestTransactions,
    actor: _Writer,
    file: _Values,
    list_id: _NewList = None,
    type: _TypeOfNew = "keyword",
) -> Response:
    """Import a file of values, one a line, into a list.

    The form's part `file` has the lines. Without `list_id` they go into a new list of a `type`, named like the
    file.
    A line that is no value of the list's type refuses the whole file.
    """

    def work(session: Session, go_on: GoOn) -> Response:
        known = None if list_id is None else records.get_values(session, list_id)
        value_list = import_values(session, actor, file.data, known, name=file.name, kind=type, go_on=go_on)
        return answer(request, value_list_document(value_list))

    return await transactions.run_in_turn(work)


@router.post("/_export", response_class=NdjsonResponse, responses=NOT_FOUND, dependencies=[_READ])
async def export(transactions: RequestTransactions, list_id: ValueListId) -> Response:
    """Export the values of a list, one a line."""

    def work(session: Session, go_on: GoOn) -> bytes:
        records.get_values(session, list_id)
        return "".join(f"{value}\n" for value in records.values_of(session, list_id)).encode()

    return NdjsonResponse(await transactions.run_in_turn(work))
