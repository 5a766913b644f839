"""The exception list of Elastic Endpoint over HTTP, as Kibana has it: there is one, and rules name it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tocsin.api.body import body_of, read_typed
from tocsin.api.kibana.exception_objects import (
    KINDS,
    Wanted,
    item_changed,
    item_made,
    item_removed,
    shown_item,
    shown_list,
    told,
)
from tocsin.api.security import allow
from tocsin.store.records import exceptions as kept
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.exceptions import ENDPOINT_LIST, ExceptionListError
from tocsin.store.records.models import ExceptionItem

router = APIRouter(prefix="/api/endpoint_list", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_ITEM = body_of("name", "entries", name="string", description="string", entries="array", type="string")
_OF_LIST = {"list_id": ENDPOINT_LIST, "namespace_type": "agnostic"}


@router.post("")
async def create(request: Request, actor: Actor = _WRITE) -> Response:
    """Make the list; the answer is empty when it is there."""

    def work(session: Any) -> Any:
        found, new = kept.endpoint_list(session, actor)
        return shown_list(found) if new else {}

    return await told(request, work)


def _item(session: Any, id_: str | None, item_id: str | None) -> ExceptionItem:
    """Return an exception of the list. Raises ExceptionListError."""
    found = kept.get_item(session, id_=id_, item_id=item_id)
    if found.list_id != ENDPOINT_LIST:
        raise ExceptionListError(f"the exception `{found.item_id}` is none of {ENDPOINT_LIST}", 404)
    return found


@router.post("/items", openapi_extra=_ITEM)
async def create_item(request: Request, actor: Actor = _WRITE) -> Response:
    """Make an exception of the list, which is made with the first."""
    body = {**await read_typed(request, **KINDS), **_OF_LIST}
    return await item_made(request, actor, body, lambda session: kept.endpoint_list(session, actor))


@router.get("/items", dependencies=[_READ])
async def read_item(request: Request, id: str | None = None, item_id: str | None = None) -> Response:
    """Return an exception of the list."""
    return await told(request, lambda session: shown_item(_item(session, id, item_id)))


@router.put("/items", openapi_extra=_ITEM)
async def change_item(request: Request, actor: Actor = _WRITE) -> Response:
    """Give an exception of the list another body."""
    body = {**await read_typed(request, **KINDS), **_OF_LIST}
    named = body.get("id"), body.get("item_id")
    return await item_changed(request, actor, body, lambda session: _item(session, *named))


@router.delete("/items")
async def delete_item(
    request: Request, id: str | None = None, item_id: str | None = None, actor: Actor = _WRITE
) -> Response:
    """Remove an exception of the list."""
    return await item_removed(request, actor, lambda session: _item(session, id, item_id))


@router.get("/items/_find", dependencies=[_READ])
async def find_items(request: Request, wanted: Annotated[Wanted, Depends()]) -> Response:
    """Return the exceptions of the list that a filter in KQL fits, or all."""

    def work(session: Any) -> Any:
        return wanted.of([shown_item(item) for item in kept.items_of(session, [ENDPOINT_LIST])])

    return await told(request, work)
