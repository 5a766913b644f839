"""Exception lists over HTTP, as Kibana has them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import NdjsonResponse, answer
from tocsin.api.body import IMPORT_SIZE, Upload, file_body, json_body
from tocsin.api.dependencies import ServiceStore
from tocsin.api.kibana.exceptions.models import (
    ExceptionItemDocument,
    ExceptionListBody,
    ExceptionListDocument,
    ExceptionListPage,
    ExceptionSummary,
    RuleExceptions,
)
from tocsin.api.kibana.exceptions.pages import ListQuery
from tocsin.api.kibana.import_answers import imported_lists
from tocsin.api.kibana.import_models import ImportedLists
from tocsin.api.kibana.parameters import ListId, ListUuid, Overwrites, RuleUuidInPath
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import GoOn, RequestTransactions, TransactionRunner
from tocsin.management.exceptions.documents import item_document, list_document, read_list
from tocsin.management.exceptions.items import add_to_rule, count_systems
from tocsin.management.exports import exported_lists
from tocsin.management.imports import Overwrite, import_objects, lines_of
from tocsin.management.rules.saving import find_rule, schema_of
from tocsin.store.records import exceptions as records
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import ExceptionList

router = APIRouter(prefix="/api", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_Writer = Annotated[Actor, _WRITE]
_CopiedList = Annotated[str, Query(description="The list's `list_id`.", examples=["allowed-tools"])]
_WithExpired = Annotated[bool, Query(description="Whether exceptions that have expired are copied, too.")]
_Export = Annotated[Upload, file_body("an export, one object a line", IMPORT_SIZE)]


@router.post("/exception_lists", response_model=ExceptionListDocument, responses=CONFLICT)
async def create(
    transactions: RequestTransactions,
    actor: _Writer,
    body: Annotated[ExceptionListBody, json_body(ExceptionListBody)],
) -> Response:
    """Make an exception list.

    It has an effect on the rules that name it in their `exceptions_list`, by its `list_id`; exceptions are added
    with `POST /api/exception_lists/items`. A list without `list_id` gets one.
    """
    return await _created(transactions, actor, body.document())


@router.post("/exceptions/shared", response_model=ExceptionListDocument, responses=CONFLICT)
async def create_shared(
    transactions: RequestTransactions,
    actor: _Writer,
    body: Annotated[ExceptionListBody, json_body(ExceptionListBody)],
) -> Response:
    """Make an exception list that rules are to share."""
    return await _created(transactions, actor, {"type": "detection", **body.document()})


async def _created(transactions: TransactionRunner, actor: Actor, body: dict[str, Any]) -> Response:
    document = read_list(body)
    return await transactions.answer_in_turn(
        lambda session: list_document(records.add_list(session, actor, document))
    )


@router.get("/exception_lists", response_model=ExceptionListDocument, responses=NOT_FOUND, dependencies=[_READ])
async def read(transactions: RequestTransactions, id: ListUuid = None, list_id: ListId = None) -> Response:
    """Return the exception list of an `id` or of a `list_id`, without its exceptions."""
    return await transactions.answer_in_turn(
        lambda session: list_document(records.get_list(session, id_=id, list_id=list_id))
    )


@router.put("/exception_lists", response_model=ExceptionListDocument, responses=NOT_FOUND)
async def change(
    transactions: RequestTransactions,
    actor: _Writer,
    body: Annotated[ExceptionListBody, json_body(ExceptionListBody)],
) -> Response:
    """Give an exception list another body: the list whose `id` or `list_id` it has; its exceptions stay."""
    document = read_list(body.document())

    def work(session: Session) -> dict[str, Any]:
        exceptions = records.get_list(session, id_=body.id, list_id=body.list_id)
        records.change_list(session, actor, exceptions, document)
        return list_document(exceptions)

    return await transactions.answer_in_turn(work)


@router.delete("/exception_lists", response_model=ExceptionListDocument, responses=NOT_FOUND)
async def delete(
    transactions: RequestTransactions, actor: _Writer, id: ListUuid = None, list_id: ListId = None
) -> Response:
    """Remove the exception list of an `id` or of a `list_id`, with its exceptions."""

    def work(session: Session) -> dict[str, Any]:
        exceptions = records.get_list(session, id_=id, list_id=list_id)
        document = list_document(exceptions)
        records.remove_list(session, actor, exceptions)
        return document

    return await transactions.answer_in_turn(work)


@router.get("/exception_lists/_find", response_model=ExceptionListPage, dependencies=[_READ])
async def find(transactions: RequestTransactions, wanted: Annotated[ListQuery, Depends()]) -> Response:
    """Return the exception lists that a filter in KQL fits, or all."""
    every = select(ExceptionList).order_by(ExceptionList.list_id)
    return await transactions.answer_in_turn(
        lambda session: wanted.of(list(map(list_document, session.scalars(every))))
    )


@router.post("/exception_lists/_export", response_class=NdjsonResponse, responses=NOT_FOUND, dependencies=[_READ])
async def export(transactions: RequestTransactions, id: ListUuid = None, list_id: ListId = None) -> Response:
    """Export an exception list with its exceptions, one JSON object a line."""

    def work(session: Session, go_on: GoOn) -> bytes:
        return exported_lists(session, [records.get_list(session, id_=id, list_id=list_id)])

    return NdjsonResponse(await transactions.run_in_turn(work))


@router.post("/exception_lists/_import", response_model=ImportedLists)
async def import_lists(
    request: Request,
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    file: _Export,
    overwrite: Overwrites = False,
) -> Response:
    """Import a file of exception lists with their exceptions.

    The form's part `file` is what an export answers: JSON objects, one a line. What is refused is named under
    `errors`, and stops no other; the status is 200.
    """
    schemas = schema_of(store)
    replaced = Overwrite(rules=overwrite, exceptions=overwrite)

    def work(session: Session, go_on: GoOn) -> Response:
        result = import_objects(session, actor, lines_of(file.data), schemas, replaced, go_on)
        return answer(request, imported_lists(result))

    return await transactions.run_in_turn(work)


@router.post("/exception_lists/_duplicate", response_model=ExceptionListDocument, responses=NOT_FOUND)
async def duplicate(
    transactions: RequestTransactions,
    list_id: _CopiedList,
    actor: _Writer,
    include_expired_exceptions: _WithExpired = True,
) -> Response:
    """Copy an exception list with its exceptions; the copy has another `list_id` and a name with `[Duplicate]`."""

    def work(session: Session) -> dict[str, Any]:
        exceptions = records.get_list(session, list_id=list_id)
        return list_document(records.copy_list(session, actor, exceptions, expired=include_expired_exceptions))

    return await transactions.answer_in_turn(work)


@router.get("/exception_lists/summary", response_model=ExceptionSummary, responses=NOT_FOUND, dependencies=[_READ])
async def summary(transactions: RequestTransactions, id: ListUuid = None, list_id: ListId = None) -> Response:
    """Return how many exceptions of a list are for which operating systems."""
    return await transactions.answer_in_turn(
        lambda session: count_systems(session, records.get_list(session, id_=id, list_id=list_id))
    )


@router.post(
    "/detection_engine/rules/{id}/exceptions",
    response_model=list[ExceptionItemDocument],
    responses=NOT_FOUND | CONFLICT,
)
async def add_exceptions_to_rule(
    transactions: RequestTransactions,
    store: ServiceStore,
    id: RuleUuidInPath,
    actor: _Writer,
    body: Annotated[RuleExceptions, json_body(RuleExceptions)],
) -> Response:
    """Make exceptions of one rule, in a list of its own, which it gets with the first of them."""

    def work(session: Session) -> list[dict[str, Any]]:
        items = add_to_rule(session, actor, find_rule(session, id), body.items or (), store.schema())
        return list(map(item_document, items))

    return await transactions.answer_in_turn(work)
