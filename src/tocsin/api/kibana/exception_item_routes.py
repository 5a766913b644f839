"""Exceptions over HTTP, as Kibana has them; and which alerts one would have hidden."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tocsin.api.answers import answer_json, bad_request
from tocsin.api.body import body_of, read_typed
from tocsin.api.elasticsearch.searching import searched
from tocsin.api.kibana.exception_objects import (
    KINDS,
    Wanted,
    item_changed,
    item_made,
    item_removed,
    shown_item,
    told,
)
from tocsin.api.security import allow
from tocsin.api.working import Pace, worked
from tocsin.detection.alerts.exceptions import exception_condition
from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.query_dsl.build import Context, all_of, terms
from tocsin.search.tasks import IdsTask
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records import exceptions as kept
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/exception_lists/items", tags=["exceptions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_ITEM = body_of("list_id", "name", list_id="string", name="string", entries="array", type="string")


@router.post("", openapi_extra=_ITEM)
async def create_item(request: Request, actor: Actor = _WRITE) -> Response:
    """Make an exception."""
    return await item_made(request, actor, await read_typed(request, **KINDS))


@router.get("", dependencies=[_READ])
async def read_item(request: Request, id: str | None = None, item_id: str | None = None) -> Response:
    """Return an exception."""
    return await told(request, lambda session: shown_item(kept.get_item(session, id_=id, item_id=item_id)))


@router.put("", openapi_extra=_ITEM)
async def change_item(request: Request, actor: Actor = _WRITE) -> Response:
    """Give an exception another body."""
    body = await read_typed(request, **KINDS)
    named = {"id_": body.get("id"), "item_id": body.get("item_id")}
    return await item_changed(request, actor, body, lambda session: kept.get_item(session, **named))


@router.delete("")
async def delete_item(
    request: Request, id: str | None = None, item_id: str | None = None, actor: Actor = _WRITE
) -> Response:
    """Remove an exception."""
    return await item_removed(request, actor, lambda session: kept.get_item(session, id_=id, item_id=item_id))


@router.get("/_find", dependencies=[_READ])
async def find_items(request: Request, list_id: str, wanted: Annotated[Wanted, Depends()]) -> Response:
    """Return the exceptions of some lists, separated by commas, that a filter in KQL fits, or all."""

    def work(session: Any) -> Any:
        names = [name for name in list_id.split(",") if name]
        for name in names:
            kept.get_list(session, list_id=name)
        every = [shown_item(item) for item in kept.items_of(session, names)]
        return wanted.of(every)

    return await told(request, work)


@router.post("/_preview", openapi_extra=body_of("entries", entries="array"), dependencies=[_READ])
async def preview_item(request: Request, rule_uuid: str | None = None) -> Response:
    """Return which alerts there are that an exception would have hidden; of one rule, or of all."""
    body = await read_typed(request, **KINDS)

    service = request.app.state.service

    def hidden(pace: Pace) -> s.Expression:
        schema = service.store.schema([ALERTS_INDEX])
        context = Context(schema)
        try:
            with service.records.transaction() as session:
                hides = exception_condition([body], context, lambda id_: kept.values_of(session, id_))
            if rule_uuid is None:
                return hides
            return all_of((hides, terms("kibana.alert.rule.uuid", [rule_uuid], context)))
        except QueryError as error:
            raise bad_request(f"[request body]: {error.message}", "invalid_exception") from None

    task = IdsTask([ALERTS_INDEX], await worked(request, hidden), most=1000)
    return await answer_json(request, await searched(request, task))
