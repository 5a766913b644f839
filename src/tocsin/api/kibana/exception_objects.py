"""Exception lists, exceptions and lists of values as Kibana shows and takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.kibana.filters import Filter
from tocsin.api.working import worked
from tocsin.detection.alerts.exceptions import exception_condition
from tocsin.ecs import Schema
from tocsin.errors import QueryError
from tocsin.moments import to_nanoseconds
from tocsin.query_dsl.build import Context
from tocsin.store.records.access import Actor
from tocsin.store.records.exceptions import ExceptionListError, add_item, change_item, remove_item
from tocsin.store.records.models import ExceptionItem, ExceptionList, ValueList

_Remove = Callable[[Session, Actor, Any], None]
KINDS = {
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
FILTER = Filter(
    ("exception-list.attributes.", "exception-list-agnostic.attributes."),
    ("name", "description", "list_id", "item_id", "type", "tags", "os_types", "created_by", "updated_by"),
)
_SORTS = frozenset(
    {"name", "list_id", "item_id", "type", "created_at", "created_by", "updated_at", "updated_by", "id", "_id"}
)


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
        service.scheduler.wake()


async def told(request: Request, work: Callable[[Any], Any]) -> Response:
    """Do something in a transaction, and answer with what it returns. Raises ApiError."""
    return await worked(request, lambda pace: answer(request, changing(request, work)))


def _schema(request: Request) -> Schema:
    found: Schema = request.app.state.service.store.schema()
    return found


async def item_made(
    request: Request, actor: Actor, body: Mapping[str, Any], before: Callable[[Session], object] = lambda _: None
) -> Response:
    """Make an exception, having done something `before`. Raises ApiError."""

    def work(session: Session) -> Any:
        document, expires = kept_item(body, actor, _schema(request))
        before(session)
        return shown_item(add_item(session, actor, document, expires))

    return await told(request, work)


async def item_changed(
    request: Request, actor: Actor, body: Mapping[str, Any], find: Callable[[Session], ExceptionItem]
) -> Response:
    """Give the exception that `find` returns another body. Raises ApiError."""

    def work(session: Session) -> Any:
        found = find(session)
        document, expires = kept_item(body, actor, _schema(request), found.document)
        change_item(session, actor, found, document, expires)
        return shown_item(found)

    return await told(request, work)


async def item_removed(request: Request, actor: Actor, find: Callable[[Session], ExceptionItem]) -> Response:
    """Remove the exception that `find` returns. Raises ApiError."""
    return await told(request, lambda session: removed(session, actor, find(session), shown_item, remove_item))


def removed(session: Session, actor: Actor, found: Any, shown: Callable[[Any], Any], remove: _Remove) -> Any:
    """Remove a thing, and return it as it was shown."""
    gone = shown(found)
    remove(session, actor, found)
    return gone


def page_of(every: Sequence[dict[str, Any]], page: int, per_page: int) -> dict[str, Any]:
    """Return one page of many things, as Kibana shows it."""
    data = every[(page - 1) * per_page : page * per_page]
    return {"data": data, "page": page, "per_page": per_page, "total": len(every)}


class Wanted:
    """Which lists or exceptions a request asks for: those that a filter in KQL fits, in an order, page by page."""

    def __init__(
        self,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        per_page: Annotated[int, Query(ge=1, le=10_000)] = 20,
        filter: str | None = None,
        sort_field: str | None = None,
        sort_order: Literal["asc", "desc"] = "asc",
    ) -> None:
        self.page, self.per_page, self.filter = page, per_page, filter
        self.sort_field, self.sort_order = sort_field, sort_order

    def of(self, every: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the page of some things, as Kibana shows it. Raises ApiError."""
        found = FILTER.matching(every, self.filter)
        if self.sort_field is not None:
            if self.sort_field not in _SORTS:
                raise bad_request(f"[sort_field] is one of {', '.join(sorted(_SORTS))}")
            name = self.sort_field.removeprefix("_")
            backwards = self.sort_order == "desc"
            found = sorted(found, key=lambda one: str(one.get(name, "")).lower(), reverse=backwards)
        return page_of(found, self.page, self.per_page)


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
        exception_condition([body], Context(schema), lambda _: [])
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
