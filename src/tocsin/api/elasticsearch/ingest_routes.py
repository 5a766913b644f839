"""Where events come in: bulk requests and single documents."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import read_body
from tocsin.api.dependencies import RunningService, ServiceIngest, ServiceMetrics
from tocsin.api.elasticsearch.addresses import on_indices
from tocsin.api.elasticsearch.ingest_models import BulkAnswer, StoredDocument
from tocsin.api.elasticsearch.query_parameters import described_parameters
from tocsin.api.metrics import Metrics
from tocsin.api.security import allow
from tocsin.api.service import Service
from tocsin.ingest.bulk import Action, BulkError, BulkTooLargeError, Ingest, parse
from tocsin.store.events import StoreFullError
from tocsin.store.records.access import Actor, Scope

router = APIRouter(tags=["ingest"], dependencies=[Depends(allow(Scope.INGEST))])
_AT_ONCE = 3  # how many of the largest bulk requests may be under way
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
}
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"model": StoredDocument, "description": "It is new."},
    409: {"description": "There is another of this id already."},
}
_DOCUMENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}
_DOCUMENT_WITH_ID = _DOCUMENT | described_parameters("op_type")


@on_indices(router, "/_bulk", "POST", "PUT", body=_BODY, answer=BulkAnswer)
async def bulk(request: Request, service: RunningService, index: str | None = None) -> Response:
    """Store the documents of a bulk request, in `index` where they name none; each is on disk by the answer."""
    started = time.perf_counter()
    body = await read_body(request)
    problem = service.store.check(len(body))
    if problem:  # before any work goes into it
        raise _busy(problem)
    items = await run_in_threadpool(_store, service, body, index or None, _owner(request))
    errors = any("error" in outcome for item in items for outcome in item.values())
    took = int((time.perf_counter() - started) * 1000)
    return await run_in_threadpool(answer, request, {"errors": errors, "took": took, "items": items})


def _owner(request: Request) -> str:
    """Return the key or the user that indices are begun for."""
    actor: Actor = request.state.actor
    return actor.id


def _store(service: Service, body: bytes, index: str | None, owner: str) -> list[dict[str, Any]]:
    try:
        actions = parse(body, index, service.config.bulk_actions)
    except BulkTooLargeError as error:
        raise ApiError(413, "content_too_long_exception", error.message) from None
    except BulkError as error:
        raise bad_request(error.message) from None
    service.metrics.actions.observe(len(actions))
    with service.ingest.under_way(len(actions), _AT_ONCE * service.config.bulk_actions) as begun:
        if not begun:
            raise _busy("too many actions of bulk requests are under way")
        outcomes = _stored(service.ingest, service.metrics, actions, owner)
    service.metrics.bytes.inc(len(body))
    return [{action.kind: outcome} for action, outcome in zip(actions, outcomes, strict=True)]


def _stored(ingest: Ingest, metrics: Metrics, actions: list[Action], owner: str) -> list[dict[str, Any]]:
    try:
        outcomes: list[dict[str, Any]] = ingest.store_all(actions, owner)
    except StoreFullError as error:
        raise _busy(error.message) from None
    results = Counter(outcome.get("result", "rejected") for outcome in outcomes)
    for result, count in results.items():
        metrics.events.labels(result).inc(count)
    return outcomes


def _busy(problem: str) -> ApiError:
    reason = f"[TOO_MANY_REQUESTS/12/{problem}]"
    return ApiError(429, "es_rejected_execution_exception", reason, {"Retry-After": "5"})


@router.post("/{index}/_doc", openapi_extra=_DOCUMENT, response_model=StoredDocument, responses=_CREATED)
async def document(request: Request, index: str, ingest: ServiceIngest, metrics: ServiceMetrics) -> Response:
    """Store one document."""
    action = Action("index", index, None, await read_body(request))
    return await _answer(request, ingest, metrics, action)


@router.post(
    "/{index}/_doc/{id}",
    openapi_extra=_DOCUMENT_WITH_ID,
    response_model=StoredDocument,
    responses=_CREATED,
)
@router.put(
    "/{index}/_doc/{id}",
    openapi_extra=_DOCUMENT_WITH_ID,
    response_model=StoredDocument,
    responses=_CREATED,
)
async def document_with_id(
    request: Request, index: str, id: str, ingest: ServiceIngest, metrics: ServiceMetrics
) -> Response:
    """Store one document under an id; one that is there already stays."""
    kind = "create" if request.query_params.get("op_type") == "create" else "index"
    action = Action(kind, index, id, await read_body(request))
    return await _answer(request, ingest, metrics, action)


@router.post("/{index}/_create/{id}", openapi_extra=_DOCUMENT, response_model=StoredDocument, responses=_CREATED)
@router.put("/{index}/_create/{id}", openapi_extra=_DOCUMENT, response_model=StoredDocument, responses=_CREATED)
async def create(
    request: Request, index: str, id: str, ingest: ServiceIngest, metrics: ServiceMetrics
) -> Response:
    """Store one document under an id that no other has."""
    action = Action("create", index, id, await read_body(request))
    return await _answer(request, ingest, metrics, action)


async def _answer(request: Request, ingest: Ingest, metrics: Metrics, action: Action) -> Response:
    [outcome] = await run_in_threadpool(_stored, ingest, metrics, [action], _owner(request))
    if "error" in outcome:
        raise ApiError(outcome["status"], outcome["error"]["type"], outcome["error"]["reason"])
    return answer(request, {name: value for name, value in outcome.items() if name != "status"}, outcome["status"])
