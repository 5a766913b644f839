"""Exception lists and their items over HTTP, as Kibana has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import body_of, read_typed
from tocsin.api.security import allow
from tocsin.detection.exceptions import exception_condition
from tocsin.ecs import Schema
from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.moments import to_nanoseconds
from tocsin.query_dsl.build import Context, all_of, terms
from tocsin.search.selection import Clock, matching_rows
from tocsin.store.records import exceptions as kept
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.exceptions import ExceptionListError
from tocsin.store.records.models import ExceptionItem, ExceptionList, ValueList
from tocsin.watch.documents import ALERTS_INDEX

router = APIRouter(prefix="/api/exception_lists", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_LIST = body_of("name", name="string", description="string", type="string", list_id="string")
_ITEM = body_of("list_id", "name", list_id="string", name="string", entries="array", type="string")
_KINDS = {
    "id": "string", "list_id": "string", "item_id": "string", "name": "string", "entries": "objects",
    "comments": "array", "expire_time": "string",
}  # fmt: skip
_MANAGED = frozenset(
    {"id", "created_at", "created_by", "updated_at", "updated_by", "_version", "tie_breaker_id", "comments"}
)
_LIST_DEFAULTS = {
    "description": "", "immutable": False, "namespace_type": "single", "os_types": [], "tags": [], "version": 1,
    "type": "detection",
}  # fmt: skip
_ITEM_DEFAULTS = {
    "comments": [], "description": "", "namespace_type": "single", "os_types": [], "tags": [], "type": "simple",
}  # fmt: skip


def shown_list(found: ExceptionList) -> dict[str, Any]:
    """Return a list as Kibana shows it."""
    return {**_LIST_DEFAULTS, **found.document, "list_id": found.list_id, **managed(found)}


def shown_item(found: ExceptionItem) -> dict[str, Any]:
    """Return an exception as Kibana shows it."""
    return {**_ITEM_DEFAULTS, **found.document, "item_id": found.item_id, **managed(found)}


def managed(found: ExceptionList | ExceptionItem | ValueList) -> dict[str, Any]:
    """Return what the service itself says of a thing, as Kibana shows it."""
    return {
        "id": found.id, "tie_breaker_id": found.id, "_version": "",
        "created_at": found.created.isoformat(), "created_by": found.created_by,
        "updated_at": found.updated.isoformat(), "updated_by": found.updated_by,
    }  # fmt: skip


def changing(request: Request, work: Callable[[Any], Any]) -> Any:
    """Do something in a transaction. Raises ApiError."""
    service = request.app.state.service
    try:
        with service.records.transaction() as session:
            return work(session)
    except ExceptionListError as error:
        kind = {404: "resource_not_found_exception", 409: "version_conflict_engine_exception"}
        raise ApiError(error.status, kind.get(error.status, "invalid_exception"), error.message) from None
    finally:
        service.watch.wake()


async def told(request: Request, work: Callable[[Any], Any]) -> Response:
    """Do something in a transaction, and answer with what it returns. Raises ApiError."""
    return answer(request, await run_in_threadpool(changing, request, work))


def page_of(
    shown: Callable[[Any], dict[str, Any]], every: Sequence[Any], page: int, per_page: int
) -> dict[str, Any]:
    """Return one page of many things, as Kibana shows it."""
    data = [shown(one) for one in every[(page - 1) * per_page : page * per_page]]
    return {"data": data, "page": page, "per_page": per_page, "total": len(every)}


def kept_list(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a list is kept. Raises ApiError."""
    if not isinstance(body.get("name"), str):
        raise bad_request("[request body]: name: Required")
    return {name: value for name, value in body.items() if name not in _MANAGED}


def kept_item(
    body: Mapping[str, Any], actor: Actor, schema: Schema, before: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], datetime | None]:
    """Return what of an exception is kept, and when it expires. Raises ApiError, which names the field."""
    try:
        exception_condition([body], Context(schema), lambda _: ["0"])
    except QueryError as error:
        raise bad_request(f"[request body]: {error.message}", "invalid_exception") from None
    document = {name: value for name, value in body.items() if name not in _MANAGED}
    document["comments"] = _comments(body.get("comments"), actor, (before or {}).get("comments") or [])
    expires = body.get("expire_time")
    if expires is None:
        return document, None
    try:
        moment = datetime.fromisoformat(str(expires).replace("Z", "+00:00"))
        to_nanoseconds(moment)
    except ValueError:
        raise bad_request(f"[expire_time] is a moment as in 2027-01-01T00:00:00Z, not `{expires}`") from None
    return document, moment


def _comments(given: Any, actor: Actor, before: list[Any]) -> list[Any]:
    """Return the comments, with who made the new ones and when; those that were there stay as they are."""
    known = {str(one.get("comment")): one for one in before if isinstance(one, dict)}
    found = list(before)
    for one in given if isinstance(given, list) else []:
        text = one.get("comment") if isinstance(one, dict) else one
        if isinstance(text, str) and text not in known:
            made = one if isinstance(one, dict) and "created_at" in one else {}
            stamp = datetime.now().astimezone().isoformat(timespec="milliseconds")
            found.append({"created_by": actor.name, "created_at": stamp, **made, "comment": text})
    return found


# ---- lists


@router.post("", openapi_extra=_LIST)
async def create_list(request: Request, actor: Actor = _WRITE) -> Response:
    """Make an exception list."""
    document = kept_list(await read_typed(request, **_KINDS))
    return await told(request, lambda session: shown_list(kept.add_list(session, actor, document)))


@router.get("", dependencies=[_READ])
async def read_list(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return an exception list."""
    return await told(request, lambda session: shown_list(kept.get_list(session, id_=id, list_id=list_id)))


@router.put("", openapi_extra=_LIST)
async def change_list(request: Request, actor: Actor = _WRITE) -> Response:
    """Give an exception list another body."""
    body = await read_typed(request, **_KINDS)
    document = kept_list(body)

    def work(session: Any) -> Any:
        found = kept.get_list(session, id_=body.get("id"), list_id=body.get("list_id"))
        kept.change_list(session, actor, found, document)
        return shown_list(found)

    return await told(request, work)


@router.delete("")
async def delete_list(
    request: Request, id: str | None = None, list_id: str | None = None, actor: Actor = _WRITE
) -> Response:
    """Remove an exception list with its items."""

    def work(session: Any) -> Any:
        found = kept.get_list(session, id_=id, list_id=list_id)
        gone = shown_list(found)
        kept.remove_list(session, actor, found)
        return gone

    return await told(request, work)


@router.get("/_find", dependencies=[_READ])
async def find_lists(
    request: Request, page: int = Query(1, ge=1), per_page: int = Query(20, ge=1, le=10_000)
) -> Response:
    """Return the exception lists."""

    def work(session: Any) -> Any:
        every = list(session.scalars(select(ExceptionList).order_by(ExceptionList.list_id)))
        return page_of(shown_list, every, page, per_page)

    return await told(request, work)


@router.post("/_export", dependencies=[_READ])
async def export_list(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return an exception list with its items, one a line."""

    def work(session: Any) -> bytes:
        found = kept.get_list(session, id_=id, list_id=list_id)
        items = [shown_item(item) for item in kept.items_of(session, [found.list_id])]
        lines = [shown_list(found), *items]
        summary = {
            "exported_exception_list_count": 1, "exported_exception_list_item_count": len(items),
            "missing_exception_list_items": [], "missing_exception_list_items_count": 0,
            "missing_exception_lists": [], "missing_exception_lists_count": 0,
        }  # fmt: skip
        return b"".join(orjson.dumps(line) + b"\n" for line in (*lines, summary))

    return Response(await run_in_threadpool(changing, request, work), media_type="application/ndjson")


# ---- items


@router.post("/items", openapi_extra=_ITEM)
async def create_item(request: Request, actor: Actor = _WRITE) -> Response:
    """Make an exception."""
    body = await read_typed(request, **_KINDS)
    document, expires = kept_item(body, actor, request.app.state.service.store.schema())
    return await told(request, lambda session: shown_item(kept.add_item(session, actor, document, expires)))


@router.get("/items", dependencies=[_READ])
async def read_item(request: Request, id: str | None = None, item_id: str | None = None) -> Response:
    """Return an exception."""
    return await told(request, lambda session: shown_item(kept.get_item(session, id_=id, item_id=item_id)))


@router.put("/items", openapi_extra=_ITEM)
async def change_item(request: Request, actor: Actor = _WRITE) -> Response:
    """Give an exception another body."""
    body = await read_typed(request, **_KINDS)
    schema = request.app.state.service.store.schema()

    def work(session: Any) -> Any:
        found = kept.get_item(session, id_=body.get("id"), item_id=body.get("item_id"))
        document, expires = kept_item(body, actor, schema, found.document)
        kept.change_item(session, actor, found, document, expires)
        return shown_item(found)

    return await told(request, work)


@router.delete("/items")
async def delete_item(
    request: Request, id: str | None = None, item_id: str | None = None, actor: Actor = _WRITE
) -> Response:
    """Remove an exception."""

    def work(session: Any) -> Any:
        found = kept.get_item(session, id_=id, item_id=item_id)
        gone = shown_item(found)
        kept.remove_item(session, actor, found)
        return gone

    return await told(request, work)


@router.get("/items/_find", dependencies=[_READ])
async def find_items(
    request: Request, list_id: str, page: int = Query(1, ge=1), per_page: int = Query(20, ge=1, le=10_000)
) -> Response:
    """Return the exceptions of some lists, separated by commas."""

    def work(session: Any) -> Any:
        names = [name for name in list_id.split(",") if name]
        for name in names:
            kept.get_list(session, list_id=name)
        every = kept.items_of(session, names)
        return page_of(shown_item, every, page, per_page)

    return await told(request, work)


@router.post("/items/_preview", openapi_extra=body_of("entries", entries="array"), dependencies=[_READ])
async def preview_item(request: Request, rule_uuid: str | None = None) -> Response:
    """Return which alerts there are that an exception would have hidden; of one rule, or of all."""
    body = await read_typed(request, **_KINDS)

    def work() -> dict[str, Any]:
        service = request.app.state.service
        schema = service.store.schema([ALERTS_INDEX])
        context = Context(schema)
        try:
            with service.records.transaction() as session:
                hides = exception_condition([body], context, lambda id_: kept.values_of(session, id_))
            condition: s.Expression = hides
            if rule_uuid is not None:
                condition = all_of((hides, terms("kibana.alert.rule.uuid", [rule_uuid], context)))
        except QueryError as error:
            raise bad_request(f"[request body]: {error.message}", "invalid_exception") from None
        ids: list[str] = []
        for batch, _, rows in matching_rows(service.store, [ALERTS_INDEX], condition, (), schema, Clock()):
            ids += batch.ids(rows.tolist())
        return {"total": len(ids), "ids": sorted(ids)[:1000]}

    return answer(request, await run_in_threadpool(work))
