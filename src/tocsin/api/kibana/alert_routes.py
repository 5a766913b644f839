"""Alerts over HTTP, as Kibana has them: searched, opened, closed, tagged, assigned, noted; their history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import answer, answer_json, bad_request
from tocsin.api.body import body_of, read_json
from tocsin.api.elasticsearch.search_routes import search_task
from tocsin.api.elasticsearch.searching import searched
from tocsin.api.kibana.transactions import answered, in_records
from tocsin.api.security import allow
from tocsin.management import alerts
from tocsin.search.tasks import IdsTask
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/detection_engine/signals", tags=["alerts"])
_READ, _RESPOND = Depends(allow(Scope.READ)), Depends(allow(Scope.RESPOND))
_SEARCH = body_of(query="object", size="integer", sort="array", aggs="object")


# What alerts were called before Kibana 8: its index of alerts has aliases of these names.
_OLD = "signal."
_NEW = {
    "signal.status": "kibana.alert.workflow_status", "signal.rule.id": "kibana.alert.rule.uuid",
    "signal.rule.severity": "kibana.alert.severity", "signal.rule.risk_score": "kibana.alert.risk_score",
    "signal.rule.building_block_type": "kibana.alert.building_block_type",
}  # fmt: skip
_NAMING = frozenset({"field", "fields", "sort", "_source", "docvalue_fields"})  # members whose texts are names


def renamed(body: Any, naming: bool = False) -> Any:
    """Return a search with the fields of alerts under their names of today."""
    match body:
        case dict():
            return {_name(key): renamed(value, key in _NAMING) for key, value in body.items()}
        case list():
            return [renamed(one, naming) for one in body]
        case str() if naming:
            return _name(body)
    return body


def _name(name: str) -> str:
    return _NEW.get(name) or (f"kibana.alert.{name.removeprefix(_OLD)}" if name.startswith(_OLD) else name)


@router.post("/search", openapi_extra=_SEARCH, dependencies=[_READ])
async def search(request: Request) -> Response:
    """Search alerts in Elasticsearch's query language."""
    body = renamed(await read_json(request))
    return await answer_json(request, await searched(request, search_task(request, [ALERTS_INDEX], body)))


@router.post("/status", openapi_extra=body_of("status", status="string", signal_ids="texts", query="object"))
async def set_status(request: Request, actor: Actor = _RESPOND) -> Response:
    """Open, acknowledge or close alerts: those of `signal_ids`, or those that a `query` finds."""
    body = await read_json(request)
    status, reason = body.get("status"), body.get("reason")
    if not isinstance(status, str) or not (reason is None or isinstance(reason, str)):
        raise bad_request("[status] is open, acknowledged or closed; [reason] is a text")

    def change(session: Session, ids: Sequence[str]) -> int:
        return alerts.set_status(session, actor, ids, status, reason)

    return await _changed(request, body, change, "signal_ids")


@router.post("/tags", openapi_extra=body_of("ids", "tags", ids="texts", tags="object"))
async def set_tags(request: Request, actor: Actor = _RESPOND) -> Response:
    """Give alerts tags, and take others from them."""
    body = await read_json(request)
    add, remove = _names(body, "tags", "tags_to_add", "tags_to_remove")
    return await _changed(request, body, lambda s, ids: alerts.set_tags(s, actor, ids, add, remove), "ids")


@router.post("/assignees", openapi_extra=body_of("ids", "assignees", ids="texts", assignees="object"))
async def set_assignees(request: Request, actor: Actor = _RESPOND) -> Response:
    """Assign alerts to users, and to others no more."""
    body = await read_json(request)
    add, remove = _names(body, "assignees", "add", "remove")
    return await _changed(request, body, lambda s, ids: alerts.set_assignees(s, actor, ids, add, remove), "ids")


@router.post("/notes", openapi_extra=body_of("id", "note", id="string", note="string"))
async def add_note(request: Request, actor: Actor = _RESPOND) -> Response:
    """Add a note to an alert."""
    body = await read_json(request)
    id_, note = body.get("id"), body.get("note")
    if not isinstance(id_, str) or not isinstance(note, str):
        raise bad_request("[id] and [note] are texts")

    await in_records(request, lambda session: alerts.add_note(session, actor, id_, note))
    return answer(request, {"id": id_})


@router.get("/{id}/history", dependencies=[_READ])
async def history(request: Request, id: str) -> Response:
    """Return who changed what of an alert, and when."""
    return await answered(request, lambda session: {"history": alerts.history(session, id)})


def _names(body: dict[str, Any], member: str, *names: str) -> list[list[str]]:
    about = body.get(member)
    found = [about.get(name, []) if isinstance(about, dict) else None for name in names]
    if not all(isinstance(one, list) and all(isinstance(x, str) for x in one) for one in found):
        raise bad_request(f"[{member}] has lists of texts: {', '.join(names)}")
    return [one for one in found if one is not None]


async def _changed(
    request: Request, body: dict[str, Any], change: Callable[[Session, Sequence[str]], int], member: str
) -> Response:
    ids = body.get(member)
    if ids is None and "query" not in body:
        raise bad_request(f"either [{member}] or [query] says which alerts")
    if ids is not None and not (isinstance(ids, list) and all(isinstance(one, str) for one in ids)):
        raise bad_request(f"[{member}] is a list of the alerts' ids")

    wanted = ids
    if wanted is None:
        task = IdsTask([ALERTS_INDEX], query=renamed(body["query"]))
        wanted = orjson.loads(await searched(request, task))["ids"]

    updated = await in_records(request, lambda session: change(session, wanted))
    told = {
        "took": 0, "timed_out": False, "total": updated, "updated": updated, "deleted": 0, "batches": 1,
        "version_conflicts": 0, "noops": 0, "failures": [],
    }  # fmt: skip
    return answer(request, told)
