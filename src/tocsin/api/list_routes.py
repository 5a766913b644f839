"""Lists of values over HTTP, as Kibana has them; exceptions ask whether an event's value is in one."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from tocsin.api.answers import answer, bad_request
from tocsin.api.body import body_of, read_typed
from tocsin.api.exception_routes import changing, managed, page_of, told
from tocsin.api.security import allow
from tocsin.store.records import exceptions as kept
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import ListedValue, ValueList

router = APIRouter(prefix="/api/lists", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_LIST = body_of("name", "type", name="string", type="string", description="string", id="string")
_ITEM = body_of("list_id", "value", list_id="string", value="string")
_MOST = 1_000_000  # values that are imported at once


def _number(text: str) -> str:
    float(text)
    return text


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


_TYPES: dict[str, Callable[[str], str]] = {
    "keyword": str, "text": str, "date": str, "boolean": str, "ip": _address, "ip_range": _network,
    **dict.fromkeys(("long", "integer", "short", "byte", "double", "float"), _number),
}  # fmt: skip


def shown(found: ValueList) -> dict[str, Any]:
    """Return a list as Kibana shows it."""
    return {
        "description": "", "immutable": False, "version": 1, **found.document, "id": found.id, "type": found.type,
        **managed(found),
    }  # fmt: skip


def _shown_value(found: ListedValue, kind: str) -> dict[str, Any]:
    return {
        "id": found.id, "list_id": found.list_id, "value": found.value, "type": kind, "_version": "",
        "tie_breaker_id": found.id, "created_at": found.created.isoformat(), "created_by": found.created_by,
        "updated_at": found.created.isoformat(), "updated_by": found.created_by,
    }  # fmt: skip


def _checked(kind: str, value: Any) -> str:
    try:
        return _TYPES[kind](str(value).strip())
    except ValueError:
        raise bad_request(f"`{value}` is no value of a list of the type {kind}", "invalid_value") from None


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise bad_request(f"[request body]: {name}: Required")
    return value


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
    _text(body, "name")
    if _text(body, "type") not in _TYPES:
        raise bad_request(f"[type] is one of {', '.join(_TYPES)}")
    return await told(request, lambda session: shown(kept.add_values_list(session, actor, body)))


@router.get("", dependencies=[_READ])
async def read(request: Request, id: str) -> Response:
    """Return a list of values."""
    return await told(request, lambda session: shown(kept.get_values(session, id)))


@router.delete("")
async def delete(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Remove a list of values."""

    def work(session: Any) -> Any:
        found = kept.get_values(session, id)
        gone = shown(found)
        kept.remove_values_list(session, actor, found)
        return gone

    return await told(request, work)


@router.get("/_find", dependencies=[_READ])
async def find(
    request: Request, page: int = Query(1, ge=1), per_page: int = Query(20, ge=1, le=10_000)
) -> Response:
    """Return the lists of values."""

    def work(session: Any) -> Any:
        every = list(session.scalars(select(ValueList).order_by(ValueList.id)))
        return {**page_of(shown, every, page, per_page), "cursor": ""}

    return await told(request, work)


# ---- values


@router.post("/items", openapi_extra=_ITEM)
async def add_value(request: Request, actor: Actor = _WRITE) -> Response:
    """Add a value to a list."""
    body = await read_typed(request, id="string", list_id="string", name="string", type="string")

    def work(session: Any) -> Any:
        found = kept.get_values(session, _text(body, "list_id"))
        value = _checked(found.type, body.get("value"))
        added = kept.add_values(session, actor, found, [value])
        if not added:
            raise kept.ExceptionListError(f'list item value: "{value}" already exists', 409)
        return _shown_value(added[0], found.type)

    return await told(request, work)


@router.get("/items", dependencies=[_READ])
async def read_values(request: Request, list_id: str, value: str | None = None) -> Response:
    """Return the values of a list, or one of them."""

    def work(session: Any) -> Any:
        found = kept.get_values(session, list_id)
        asked = select(ListedValue).where(ListedValue.list_id == list_id)
        if value is not None:
            asked = asked.where(ListedValue.value == value)
        return [_shown_value(one, found.type) for one in session.scalars(asked.order_by(ListedValue.value))]

    return await told(request, work)


@router.get("/items/_find", dependencies=[_READ])
async def find_values(
    request: Request, list_id: str, page: int = Query(1, ge=1), per_page: int = Query(20, ge=1, le=10_000)
) -> Response:
    """Return the values of a list, page by page."""

    def work(session: Any) -> Any:
        found = kept.get_values(session, list_id)
        asked = select(ListedValue).where(ListedValue.list_id == list_id).order_by(ListedValue.value)
        every = list(session.scalars(asked))
        return {**page_of(lambda one: _shown_value(one, found.type), every, page, per_page), "cursor": ""}

    return await told(request, work)


@router.delete("/items")
async def delete_value(request: Request, list_id: str, value: str, actor: Actor = _WRITE) -> Response:
    """Take a value from a list."""

    def work(session: Any) -> Any:
        found = kept.get_values(session, list_id)
        if not kept.remove_values(session, actor, found, [value]):
            raise kept.ExceptionListError(f'list item value: "{value}" does not exist', 404)
        return []

    return await told(request, work)


@router.post("/items/_import")
async def import_values(
    request: Request, list_id: str | None = None, type: str = "keyword", actor: Actor = _WRITE
) -> Response:
    """Add the lines of a file to a list; without its name to a new one, named like the file."""
    async with request.form(max_files=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_request("[file] is missing: a file with one value a line")
        name = file.filename or "values"
        lines = [line.strip() for line in (await file.read()).decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line]
    if len(lines) > _MOST:
        raise bad_request(f"the file has more than {_MOST:,} lines")

    def work(session: Any) -> Any:
        if list_id is not None:
            found = kept.get_values(session, list_id)
        else:
            if type not in _TYPES:
                raise bad_request(f"[type] is one of {', '.join(_TYPES)}")
            found = kept.add_values_list(session, actor, {"id": name, "name": name, "type": type})
        kept.add_values(session, actor, found, (_checked(found.type, line) for line in lines))
        return shown(found)

    return await told(request, work)


@router.post("/items/_export", dependencies=[_READ])
async def export_values(request: Request, list_id: str) -> Response:
    """Return the values of a list, one a line."""

    def work(session: Any) -> bytes:
        kept.get_values(session, list_id)
        return "".join(f"{value}\n" for value in sorted(kept.values_of(session, list_id))).encode()

    return Response(await run_in_threadpool(changing, request, work), media_type="text/plain; charset=utf-8")
