"""EQL searches, answered at once or later."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer
from tocsin.api.body import json_body
from tocsin.api.dependencies import CurrentActor, ServiceSearches
from tocsin.api.elasticsearch.query_parameters import EQL_PARAMETERS, described_parameters
from tocsin.api.elasticsearch.search_models import EqlAnswer, EqlBody, EqlStatus
from tocsin.api.elasticsearch.searching import (
    RequestSearches,
    answer_json,
    flag,
    outcome,
    patterns_of,
    seconds,
)
from tocsin.api.models import NOT_FOUND, AcknowledgedChange
from tocsin.api.running import Running, Searches
from tocsin.api.security import allow
from tocsin.search.tasks import OF_SOME_SHARDS, EqlTask
from tocsin.store.records.access import Actor, Scope

router = APIRouter(tags=["search"], dependencies=[Depends(allow(Scope.READ))])
_FIVE_DAYS = 5 * 86_400
_ASKED = described_parameters(*EQL_PARAMETERS)


@router.post("/{index}/_eql/search", response_model=EqlAnswer, openapi_extra=_ASKED)
@router.get("/{index}/_eql/search", response_model=EqlAnswer, openapi_extra=_ASKED)
async def eql_search(
    request: Request,
    index: str,
    searches: RequestSearches,
    all_searches: ServiceSearches,
    sent: Annotated[EqlBody, json_body(EqlBody)],
) -> Response:
    """Search with EQL."""
    body = sent.document()
    for name in ("keep_alive", "keep_on_completion", "wait_for_completion_timeout"):
        if name in request.query_params:
            body.setdefault(name, request.query_params[name])
    wait = body.get("wait_for_completion_timeout")
    limit = None if wait is None else seconds(wait, "wait_for_completion_timeout")
    keep = _keep_alive(body.get("keep_alive", "5d"))
    task = EqlTask(patterns_of(index), body, flag(request, "ignore_unavailable"))
    running = searches.start(task)
    kept = body.get("keep_on_completion") in (True, "true", "")
    if limit is not None and await _still_runs(running, limit):
        return await _eql_answer(request, running, all_searches.keep(running, keep), None)
    text = await (outcome(running) if kept else searches.awaited(running))
    id_ = all_searches.keep(running, keep) if kept else None
    return await _eql_answer(request, running, id_, text)


def _keep_alive(text: Any) -> float:
    return min(seconds(text, "keep_alive"), _FIVE_DAYS)


async def _still_runs(running: Running, limit: float) -> bool:
    waiting = asyncio.wrap_future(running.future)
    done, _ = await asyncio.wait([waiting], timeout=limit)
    waiting.add_done_callback(lambda future: future.cancelled() or future.exception())  # raised later
    return not done


async def _eql_answer(request: Request, running: Running, id_: str | None, text: bytes | None) -> Response:
    """Return an answer: without events where the search goes on, else with those in its answer's `text`, JSON."""
    state: dict[str, Any] = {"is_partial": text is None, "is_running": text is None, "took": running.milliseconds}
    about = {**({"id": id_} if id_ else {}), **state, "timed_out": False}
    if text is None:
        return answer(request, {**about, "hits": {"total": {"value": 0, "relation": "eq"}, "events": []}})
    if text.startswith(OF_SOME_SHARDS):
        about["is_partial"] = True
    return await answer_json(request, orjson.dumps(about)[:-1] + b"," + text[1:])


@router.get("/_eql/search/status/{id}", response_model=EqlStatus, responses=NOT_FOUND)
async def eql_status(request: Request, id: str, searches: ServiceSearches, actor: CurrentActor) -> Response:
    """Return how far an EQL search is that is kept."""
    running = _kept(searches, actor, id)
    done = running.future.done()
    return answer(
        request,
        {
            "id": id, "is_partial": not done, "is_running": not done,
            "start_time_in_millis": int(running.started * 1000),
            "expiration_time_in_millis": int(running.expires * 1000),
            **({"completion_status": 200} if done and running.future.exception() is None else {}),
        },
    )  # fmt: skip


@router.get(
    "/_eql/search/{id}",
    response_model=EqlAnswer,
    responses=NOT_FOUND,
    openapi_extra=described_parameters("keep_alive", "wait_for_completion_timeout"),
)
async def eql_get(request: Request, id: str, searches: ServiceSearches, actor: CurrentActor) -> Response:
    """Return the answer of an EQL search that is kept."""
    running = _kept(searches, actor, id)
    wait = request.query_params.get("wait_for_completion_timeout")
    limit = 0.0 if wait is None else seconds(wait, "wait_for_completion_timeout")
    if "keep_alive" in request.query_params:
        keep = seconds(request.query_params["keep_alive"], "keep_alive")
        searches.keep(running, keep)
    if await _still_runs(running, limit):
        return await _eql_answer(request, running, id, None)
    return await _eql_answer(request, running, id, await outcome(running))


@router.delete("/_eql/search/{id}", response_model=AcknowledgedChange, responses=NOT_FOUND)
async def eql_delete(request: Request, id: str, searches: ServiceSearches, actor: CurrentActor) -> Response:
    """End an EQL search, and forget its answer."""
    _kept(searches, actor, id)
    searches.drop(id, actor.id)
    return answer(request, AcknowledgedChange())


def _kept(searches: Searches, actor: Actor, id_: str) -> Running:
    running = searches.find(id_, actor.id)
    if running is None:
        raise ApiError(404, "resource_not_found_exception", id_)
    return running
