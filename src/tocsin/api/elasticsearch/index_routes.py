"""What clients ask about indices, fields and single events."""

from __future__ import annotations

import math
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from tocsin.api.answers import ApiError, answer
from tocsin.api.dependencies import ServiceStore
from tocsin.api.elasticsearch.addresses import EVERY_INDEX, on_indices
from tocsin.api.elasticsearch.index_models import CatIndices, EventSource, FoundDocument
from tocsin.api.elasticsearch.searching import is_cut, patterns_of
from tocsin.api.models import NOT_FOUND, ElasticsearchError
from tocsin.api.security import allow
from tocsin.moments import iso
from tocsin.search.errors import NoSuchIndexError
from tocsin.search.selection import known_patterns
from tocsin.store.events import EventStore
from tocsin.store.records.access import Scope

router = APIRouter(tags=["indices"], dependencies=[Depends(allow(Scope.READ))])

_NO_DOCUMENT: dict[int | str, dict[str, Any]] = {
    404: {"model": FoundDocument | ElasticsearchError, "description": "There is no such document, or index."}
}


# ---- one document


@router.get("/{index}/_doc/{id}", response_model=FoundDocument, responses=_NO_DOCUMENT)
async def document(request: Request, index: str, id: str, store: ServiceStore) -> Response:
    """Return one event."""
    event = await _event(request, store, index, id)
    return answer(request, event, 200 if event["found"] else 404)


@router.head("/{index}/_doc/{id}")
async def has_document(request: Request, index: str, id: str, store: ServiceStore) -> Response:
    """Say whether there is an event."""
    return Response(status_code=200 if (await _event(request, store, index, id))["found"] else 404)


@router.get("/{index}/_source/{id}", response_model=EventSource, responses=NOT_FOUND)
async def source(request: Request, index: str, id: str, store: ServiceStore) -> Response:
    """Return one event as it came."""
    event = await _event(request, store, index, id)
    if not event["found"]:
        raise ApiError(404, "resource_not_found_exception", f"Document not found [{index}]/[{id}]")
    return answer(request, event["_source"])


async def _event(request: Request, store: EventStore, index: str, id_: str) -> dict[str, Any]:
    parsed = is_cut(request) or "/_source/" in request.url.path

    def find() -> dict[str, Any]:
        for batch in store.find(known_patterns(store, patterns_of(index)), [id_]):
            ids = batch.columns["_id"].to_pylist() if "_id" in batch.columns else []
            if id_ in ids:
                [text] = batch.sources([ids.index(id_)])
                shown = orjson.loads(text) if parsed else orjson.Fragment(text)
                about = {"_index": batch.index, "_id": id_, "_version": 1, "_seq_no": 0, "_primary_term": 1}
                return {**about, "found": True, "_source": shown}
        return {"_index": index, "_id": id_, "found": False}

    try:
        return await run_in_threadpool(find)
    except NoSuchIndexError as error:
        raise ApiError(404, "index_not_found_exception", error.message) from None


# ---- fields and indices

_UNITS = ("b", "kb", "mb", "gb", "tb")


@on_indices(
    router,
    "/_cat/indices",
    "GET",
    named="/_cat/indices/{index}",
    parameters=("h", "v", "format"),
    answer=CatIndices,
)
async def cat_indices(request: Request, store: ServiceStore, index: str = EVERY_INDEX) -> Response:
    """List indices."""
    infos = await run_in_threadpool(store.indices, patterns_of(index))
    rows = [
        {
            "health": "green", "status": "open", "index": info.name, "uuid": info.name, "pri": "1", "rep": "0",
            "docs.count": str(info.events), "docs.deleted": "0", "store.size": _size(info.size),
            "pri.store.size": _size(info.size), "first": _moment(info.first), "last": _moment(info.last),
        }
        for info in infos
    ]  # fmt: skip
    shown = [name for name in request.query_params.get("h", "").split(",") if name]
    if shown:
        rows = [{name: row[name] for name in shown if name in row} for row in rows]
    if request.query_params.get("format") == "json" or "json" in request.headers.get("accept", ""):
        return answer(request, rows)
    table = [list(row.values()) for row in rows]
    if "v" in request.query_params and rows:
        table.insert(0, list(rows[0]))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )
    return PlainTextResponse("".join(f"{line}\n" for line in lines))


def _size(count: int) -> str:
    if count < 1024:
        return f"{count}b"
    power = min(4, int(math.log(count, 1024)))
    return f"{count / 1024**power:.1f}{_UNITS[power]}"


def _moment(nanoseconds: int | None) -> str:
    return "-" if nanoseconds is None else iso(nanoseconds, 0)
