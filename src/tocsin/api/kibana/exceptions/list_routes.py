"""Exception lists over HTTP, as Kibana has them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import NdjsonResponse, answer
from tocsin.api.body import IMPORT_SIZE, Upload, file_body, json_body
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
from tocsin.api.kibana.transactions import GoOn, answered_in_turn, in_turn
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
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
_Export = Annotated[Upload, file_body("an export, one object a line", IMPORT_SIZE)]


@router.post("/exception_lists", response_model=ExceptionListDocument, responses=CONFLICT)
async def create(
    request: Request, actor: _Writer, body: Annotated[ExceptionListBody, json_body(ExceptionListBody)]
) -> Response:
    """Make an exception list."""
    return await _created(request, actor, body.document())


@router.post("/exceptions/shared", response_model=ExceptionListDocument, responses=CONFLICT)
async def create_shared(
    request: Request, actor: _Writer, body: Annotated[ExceptionListBody, json_body(ExceptionListBody)]
) -> Response:
    """Make an exception list that rules are to share."""
    return await _created(request, actor, {"type": "detection", **body.document()})


async def _created(request: Request, actor: Actor, body: dict[str, Any]) -> Response:
    document = read_list(body)
    return await answered_in_turn(
        request, lambda session: list_document(records.add_list(session, actor, document))
    )


@router.get("/exception_lists", response_model=ExceptionListDocument, responses=NOT_FOUND, dependencies=[_READ])
async def read(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return an exception list."""
    return await answered_in_turn(
        request, lambda session: list_document(records.get_list(session, id_=id, list_id=list_id))
    )


@router.put("/exception_lists", response_model=ExceptionListDocument, responses=NOT_FOUND)
async def change(
    request: Request, actor: _Writer, body: Annotated[ExceptionListBody, json_body(ExceptionListBody)]
) -> Response:
    """Give an exception list another body."""
    document = read_list(body.document())

    def work(session: Session) -> dict[str, Any]:
        exceptions = records.get_list(session, id_=body.id, list_id=body.list_id)
        records.change_list(session, actor, exceptions, document)
        return list_document(exceptions)

    return await answered_in_turn(request, work)


@router.delete("/exception_lists", response_model=ExceptionListDocument, responses=NOT_FOUND)
async def delete(
    request: Request, id: str | None = None, list_id: str | None = None, actor: Actor = _WRITE
) -> Response:
    """Remove an exception list with its items."""

    def work(session: Session) -> dict[str, Any]:
        exceptions = records.get_list(session, id_=id, list_id=list_id)
        document = list_document(exceptions)
        records.remove_list(session, actor, exceptions)
        return document

    return await answered_in_turn(request, work)


@router.get("/exception_lists/_find", response_model=ExceptionListPage, dependencies=[_READ])
async def find(request: Request, wanted: Annotated[ListQuery, Depends()]) -> Response:
    """Return the exception lists that a filter in KQL over `exception-list.attributes.*` fits, or all."""
    every = select(ExceptionList).order_by(ExceptionList.list_id)
    return await answered_in_turn(
        request, lambda session: wanted.of(list(map(list_document, session.scalars(every))))
    )


@router.post("/exception_lists/_export", response_class=NdjsonResponse, responses=NOT_FOUND, dependencies=[_READ])
async def export(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return an exception list with its items, one a line."""

    def work(session: Session, go_on: GoOn) -> bytes:
        return exported_lists(session, [records.get_list(session, id_=id, list_id=list_id)])

    return NdjsonResponse(await in_turn(request, work))


@router.post("/exception_lists/_import", response_model=ImportedLists)
async def import_lists(request: Request, actor: _Writer, file: _Export, overwrite: bool = False) -> Response:
    """Take in an export of exception lists. An item that is refused stops no other."""
    schemas = schema_of(request.app.state.service.store)
    replaced = Overwrite(rules=overwrite, exceptions=overwrite)

    def work(session: Session, go_on: GoOn) -> Response:
        result = import_objects(session, actor, lines_of(file.data), schemas, replaced, go_on)
        return answer(request, imported_lists(result))

    return await in_turn(request, work)


@router.post("/exception_lists/_duplicate", response_model=ExceptionListDocument, responses=NOT_FOUND)
async def duplicate(
    request: Request, list_id: str, include_expired_exceptions: bool = True, actor: Actor = _WRITE
) -> Response:
    """Copy an exception list with its items."""

    def work(session: Session) -> dict[str, Any]:
        exceptions = records.get_list(session, list_id=list_id)
        return list_document(records.copy_list(session, actor, exceptions, expired=include_expired_exceptions))

    return await answered_in_turn(request, work)


@router.get("/exception_lists/summary", response_model=ExceptionSummary, responses=NOT_FOUND, dependencies=[_READ])
async def summary(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return how many items of a list are for which systems."""
    return await answered_in_turn(
        request, lambda session: count_systems(session, records.get_list(session, id_=id, list_id=list_id))
    )


@router.post(
    "/detection_engine/rules/{id}/exceptions",
    response_model=list[ExceptionItemDocument],
    responses=NOT_FOUND | CONFLICT,
)
async def add_exceptions_to_rule(
    request: Request, id: str, actor: _Writer, body: Annotated[RuleExceptions, json_body(RuleExceptions)]
) -> Response:
    """Make exceptions of one rule, in a list of its own, which it gets with the first of them."""

    def work(session: Session) -> list[dict[str, Any]]:
        rule, schema = find_rule(session, id), request.app.state.service.store.schema()
        return list(map(item_document, add_to_rule(session, actor, rule, body.items or (), schema)))

    return await answered_in_turn(request, work)
