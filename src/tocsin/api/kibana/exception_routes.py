"""Exception lists over HTTP, as Kibana has them."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import answer, bad_request
from tocsin.api.body import IMPORT_SIZE, body_of, read_typed, read_upload
from tocsin.api.kibana.exception_objects import (
    KINDS,
    Wanted,
    changing,
    kept_item,
    kept_list,
    removed,
    shown_item,
    shown_list,
    told,
)
from tocsin.api.kibana.rule_objects import named_rule
from tocsin.api.kibana.rule_transfer import Import, exported_lists, lines_of
from tocsin.api.security import allow
from tocsin.api.working import Pace, worked
from tocsin.store.records import exceptions as kept
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import ExceptionList, StoredRule
from tocsin.store.records.rules import change_rule

router = APIRouter(prefix="/api", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_LIST = body_of("name", name="string", description="string", type="string", list_id="string")


@router.post("/exception_lists", openapi_extra=_LIST)
async def create_list(request: Request, actor: Actor = _WRITE) -> Response:
    """Make an exception list."""
    document = kept_list(await read_typed(request, **KINDS))
    return await told(request, lambda session: shown_list(kept.add_list(session, actor, document)))


@router.get("/exception_lists", dependencies=[_READ])
async def read_list(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return an exception list."""
    return await told(request, lambda session: shown_list(kept.get_list(session, id_=id, list_id=list_id)))


@router.put("/exception_lists", openapi_extra=_LIST)
async def change_list(request: Request, actor: Actor = _WRITE) -> Response:
    """Give an exception list another body."""
    body = await read_typed(request, **KINDS)
    document = kept_list(body)

    def work(session: Any) -> Any:
        found = kept.get_list(session, id_=body.get("id"), list_id=body.get("list_id"))
        kept.change_list(session, actor, found, document)
        return shown_list(found)

    return await told(request, work)


@router.delete("/exception_lists")
async def delete_list(
    request: Request, id: str | None = None, list_id: str | None = None, actor: Actor = _WRITE
) -> Response:
    """Remove an exception list with its items."""

    def work(session: Any) -> Any:
        found = kept.get_list(session, id_=id, list_id=list_id)
        return removed(session, actor, found, shown_list, kept.remove_list)

    return await told(request, work)


@router.get("/exception_lists/_find", dependencies=[_READ])
async def find_lists(request: Request, wanted: Annotated[Wanted, Depends()]) -> Response:
    """Return the exception lists that a filter in KQL over `exception-list.attributes.*` fits, or all."""

    def work(session: Any) -> Any:
        every = [shown_list(one) for one in session.scalars(select(ExceptionList).order_by(ExceptionList.list_id))]
        return wanted.of(every)

    return await told(request, work)


@router.post("/exception_lists/_export", dependencies=[_READ])
async def export_list(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return an exception list with its items, one a line."""

    def work(session: Any) -> bytes:
        return exported_lists(session, [kept.get_list(session, id_=id, list_id=list_id)])

    return Response(await run_in_threadpool(changing, request, work), media_type="application/ndjson")


@router.post("/exception_lists/_import")
async def import_lists(request: Request, overwrite: bool = False, actor: Actor = _WRITE) -> Response:
    """Take in an export of exception lists. An item that is refused stops no other."""
    data = (await read_upload(request, "an export, one object a line", IMPORT_SIZE)).data
    service = request.app.state.service

    def work(pace: Pace) -> Response:
        def take(session: Any) -> Any:
            schema = service.store.schema()
            taken = Import(session, actor, schema, overwrite_exceptions=overwrite, overwrite=overwrite)
            taken.take(lines_of(data), pace.check)
            return taken.told_of_lists()

        return answer(request, changing(request, take))

    return await worked(request, work)


@router.post("/exception_lists/_duplicate")
async def duplicate_list(
    request: Request, list_id: str, include_expired_exceptions: bool = True, actor: Actor = _WRITE
) -> Response:
    """Copy an exception list with its items."""

    def work(session: Any) -> Any:
        found = kept.get_list(session, list_id=list_id)
        copy = kept.copy_list(session, actor, found, expired=include_expired_exceptions)
        return shown_list(copy)

    return await told(request, work)


@router.get("/exception_lists/summary", dependencies=[_READ])
async def summary(request: Request, id: str | None = None, list_id: str | None = None) -> Response:
    """Return how many items of a list are for which systems."""

    def work(session: Any) -> Any:
        found = kept.get_list(session, id_=id, list_id=list_id)
        items = kept.items_of(session, [found.list_id])
        systems = Counter(str(name) for item in items for name in item.document.get("os_types") or ())
        return {**{name: systems[name] for name in ("windows", "linux", "macos")}, "total": len(items)}

    return await told(request, work)


@router.post("/exceptions/shared", openapi_extra=_LIST)
async def create_shared_list(request: Request, actor: Actor = _WRITE) -> Response:
    """Make an exception list that rules are to share."""
    document = {"type": "detection", **kept_list(await read_typed(request, **KINDS))}
    return await told(request, lambda session: shown_list(kept.add_list(session, actor, document)))


@router.post("/detection_engine/rules/{id}/exceptions", openapi_extra=body_of("items", items="array"))
async def add_to_rule(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Make exceptions of one rule, in a list of its own, which it gets with the first of them."""
    body = await read_typed(request, items="objects")
    items = body.get("items") or ()
    if not items:
        raise bad_request("[request body]: items: Required")

    def work(session: Any) -> Any:
        rule = named_rule(session, id, None)
        schema = request.app.state.service.store.schema()
        ready = [kept_item({"name": "", **item}, actor, schema) for item in items]
        list_id = _own_list(session, actor, rule)
        return [
            shown_item(kept.add_item(session, actor, {**document, "list_id": list_id}, expires))
            for document, expires in ready
        ]

    return await told(request, work)


def _own_list(session: Any, actor: Actor, rule: StoredRule) -> str:
    """Return the name of the list that is a rule's own."""
    named = rule.document.get("exceptions_list") or []
    for one in named:
        if one.get("type") == "rule_default":
            return str(one.get("list_id"))
    about = {"name": f"Exceptions of {rule.name}", "description": "", "type": "rule_default"}
    made = kept.add_list(session, actor, about)
    entry = {"id": made.id, "list_id": made.list_id, "type": "rule_default", "namespace_type": "single"}
    change_rule(session, actor, rule, {**rule.document, "exceptions_list": [*named, entry]})
    return made.list_id
