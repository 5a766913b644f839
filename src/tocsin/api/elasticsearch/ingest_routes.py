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
from tocsin.api.elasticsearch.addresses import on_indices
from tocsin.api.security import allow
from tocsin.ingest.bulk import Action, BulkError, BulkTooLargeError, parse
from tocsin.store.events import StoreFullError
from tocsin.store.records.access import Scope

router = APIRouter(tags=["ingest"], dependencies=[Depends(allow(Scope.INGEST))])
_AT_ONCE = 3  # how many of the largest bulk requests may be under way
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
}
_DOCUMENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


@on_indices(router, "/_bulk", "POST", "PUT", body=_BODY)
async def bulk(request: Request, index: str | None = None) -> Response:
    """Store the documents of a bulk request, in `index` where they name none; each is on disk by the answer."""
    started = time.perf_counter()
    body = await read_body(request)
    problem = request.app.state.service.store.check(len(body))
    if problem:  # before any work goes into it
        raise _busy(problem)
    items = await run_in_threadpool(_store, request, body, index or None)
    errors = any("error" in told for item in items for told in item.values())
    took = int((time.perf_counter() - started) * 1000)
    return await run_in_threadpool(answer, request, {"errors": errors, "took": took, "items": items})


def _store(request: Request, body: bytes, index: str | None) -> list[dict[str, Any]]:
    service = request.app.state.service
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
        answers = _stored(request, actions)
    service.metrics.bytes.inc(len(body))
    return [{action.kind: told} for action, told in zip(actions, answers, strict=True)]


def _stored(request: Request, actions: list[Action]) -> list[dict[str, Any]]:
    service = request.app.state.service
    try:
        answers: list[dict[str, Any]] = service.ingest.store_all(actions)
    except StoreFullError as error:
        raise _busy(error.message) from None
    told = Counter(answer_.get("result", "rejected") for answer_ in answers)
    for result, count in told.items():
        service.metrics.events.labels(result).inc(count)
    return answers


def _busy(problem: str) -> ApiError:
    reason = f"[TOO_MANY_REQUESTS/12/{problem}]"
    return ApiError(429, "es_rejected_execution_exception", reason, {"Retry-After": "5"})


@router.post("/{index}/_doc", openapi_extra=_DOCUMENT)
async def document(request: Request, index: str) -> Response:
    """Store one document."""
    return await _one(request, index, None, "index")


@router.post("/{index}/_doc/{id}", openapi_extra=_DOCUMENT)
@router.put("/{index}/_doc/{id}", openapi_extra=_DOCUMENT)
async def document_with_id(request: Request, index: str, id: str) -> Response:
    """Store one document under an id; one that is there already stays."""
    kind = "create" if request.query_params.get("op_type") == "create" else "index"
    return await _one(request, index, id, kind)


@router.post("/{index}/_create/{id}", openapi_extra=_DOCUMENT)
@router.put("/{index}/_create/{id}", openapi_extra=_DOCUMENT)
async def create(request: Request, index: str, id: str) -> Response:
    """Store one document under an id that no other has."""
    return await _one(request, index, id, "create")


async def _one(request: Request, index: str, id_: str | None, kind: str) -> Response:
    body = await read_body(request)
    [told] = await run_in_threadpool(_stored, request, [Action(kind, index, id_, body)])
    if "error" in told:
        raise ApiError(told["status"], told["error"]["type"], told["error"]["reason"])
    return answer(request, {name: value for name, value in told.items() if name != "status"}, told["status"])
