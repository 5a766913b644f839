"""Lists of values over HTTP, as Kibana has them; exceptions ask whether an event's value is in one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.body import body_of, read_typed
from tocsin.api.kibana.exceptions.pages import page_of, required_text
from tocsin.api.kibana.transactions import answered_in_turn
from tocsin.api.security import allow
from tocsin.management.exceptions.values import check_type, value_list_document
from tocsin.store.records import exceptions as records
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import ValueList

router = APIRouter(prefix="/api/lists", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_LIST = body_of("name", "type", name="string", type="string", description="string", id="string")


@router.post("/index")
async def make_index(request: Request, actor: Actor = _WRITE) -> Response:
    """Tell that lists can be kept: nothing has to be made for that."""
    return answer(request, {"acknowledged": True})


@router.get("/index", dependencies=[_READ])
async def read_index(request: Request) -> Response:
    """Tell that lists can be kept."""
    return answer(request, {"list_index": True, "list_item_index": True})


@router.post("", openapi_extra=_LIST)
async def create(request: Request, actor: Actor = _WRITE) -> Response:
    """Make a list of values."""
    body = await read_typed(request, id="string", list_id="string", name="string", type="string")
    required_text(body, "name")
    check_type(required_text(body, "type"))
    return await answered_in_turn(
        request, lambda session: value_list_document(records.add_values_list(session, actor, body))
    )


@router.get("", dependencies=[_READ])
async def read(request: Request, id: str) -> Response:
    """Return a list of values."""
    return await answered_in_turn(request, lambda session: value_list_document(records.get_values(session, id)))


@router.put("", openapi_extra=body_of("id", "name", id="string", name="string", description="string"))
@router.patch("", openapi_extra=body_of("id", id="string", name="string", description="string"))
async def change(request: Request, actor: Actor = _WRITE) -> Response:
    """Give a list of values another name or description; its type stays."""
    body = await read_typed(request, id="string", name="string", description="string", meta="object")
    about = {name: body[name] for name in ("name", "description", "meta") if body.get(name) is not None}

    def work(session: Session) -> dict[str, Any]:
        value_list = records.get_values(session, required_text(body, "id"))
        records.change_values_list(session, actor, value_list, about)
        return value_list_document(value_list)

    return await answered_in_turn(request, work)


@router.delete("")
async def delete(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Remove a list of values."""

    def work(session: Session) -> dict[str, Any]:
        value_list = records.get_values(session, id)
        document = value_list_document(value_list)
        records.remove_values_list(session, actor, value_list)
        return document

    return await answered_in_turn(request, work)


@router.get("/_find", dependencies=[_READ])
async def find(
    request: Request, page: int = Query(1, ge=1, le=10_000), per_page: int = Query(20, ge=1, le=10_000)
) -> Response:
    """Return the lists of values."""

    def work(session: Session) -> dict[str, Any]:
        every = list(map(value_list_document, session.scalars(select(ValueList).order_by(ValueList.id))))
        return {**page_of(every, page, per_page), "cursor": ""}

    return await answered_in_turn(request, work)


@router.get("/privileges")
async def privileges(request: Request, actor: Actor = _READ) -> Response:
    """Return what the one who asks may do with lists of values."""
    may = {"read": True, "write": actor.may(Scope.WRITE_RULES)}
    about = {"username": actor.name, "has_all_requested": all(may.values()), "cluster": {}, "application": {}}
    one = {**about, "index": {".lists-default": may}}
    return answer(request, {"lists": one, "listItems": one, "is_authenticated": True})
