"""What clients ask about indices, fields and single events."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import body_of, read_json
from tocsin.api.elasticsearch.searching import flag, is_cut, patterns_of, searched
from tocsin.api.security import allow
from tocsin.ecs import FieldType
from tocsin.search.errors import NoSuchIndexError
from tocsin.search.selection import Clock, known_patterns
from tocsin.store.events import EventStore
from tocsin.store.patterns import matching
from tocsin.store.records.access import Scope

router = APIRouter(tags=["search"], dependencies=[Depends(allow(Scope.READ))])


# ---- one document


@router.get("/{index}/_doc/{id}")
async def document(request: Request, index: str, id: str) -> Response:
    """Return one event."""
    found = await _one(request, index, id)
    return answer(request, found, 200 if found["found"] else 404)


@router.head("/{index}/_doc/{id}")
async def has_document(request: Request, index: str, id: str) -> Response:
    """Tell whether there is an event."""
    return Response(status_code=200 if (await _one(request, index, id))["found"] else 404)


@router.get("/{index}/_source/{id}")
async def source(request: Request, index: str, id: str) -> Response:
    """Return one event as it came."""
    found = await _one(request, index, id)
    if not found["found"]:
        raise ApiError(404, "resource_not_found_exception", f"Document not found [{index}]/[{id}]")
    return answer(request, found["_source"])


async def _one(request: Request, index: str, id_: str) -> dict[str, Any]:
    parsed = is_cut(request) or "/_source/" in request.url.path

    def find() -> dict[str, Any]:
        store: EventStore = request.app.state.service.store
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
_TYPES = {
    FieldType.KEYWORD: "keyword",
    FieldType.LONG: "long",
    FieldType.DOUBLE: "double",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.IP: "ip",
}


@router.post("/_field_caps", openapi_extra=body_of(fields="array"))
@router.get("/_field_caps")
async def all_field_caps(request: Request) -> Response:
    """Tell the fields of every index."""
    return await _field_caps(request, "*")


@router.post("/{index}/_field_caps", openapi_extra=body_of(fields="array"))
@router.get("/{index}/_field_caps")
async def field_caps(request: Request, index: str) -> Response:
    """Tell the fields of indices, and what can be done with them."""
    return await _field_caps(request, index)


async def _field_caps(request: Request, index: str) -> Response:
    body = await read_json(request)
    wanted = body.get("fields") or request.query_params.get("fields", "*").split(",")
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise bad_request("[fields] is a list of names")

    def work(store: EventStore, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, patterns_of(index), lenient=flag(request, "ignore_unavailable"))
        present = store.fields(known)
        names = matching(wanted, present)
        fields: dict[str, Any] = {}
        for name in names:
            kinds = present[name]
            for kind, indices in kinds.items():
                about: dict[str, Any] = {
                    "type": _TYPES.get(kind, "keyword"), "metadata_field": False, "searchable": True,
                    "aggregatable": True,
                }  # fmt: skip
                if len(kinds) > 1:
                    about["indices"] = indices
                fields.setdefault(name, {})[about["type"]] = about
            for parent in _parents(name):
                about = {"type": "object", "metadata_field": False, "searchable": False, "aggregatable": False}
                fields.setdefault(parent, {"object": about})
        return {"indices": [info.name for info in store.indices(known)], "fields": fields}

    return answer(request, await searched(request, work))


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


@router.get("/{index}/_mapping")
async def mapping(request: Request, index: str) -> Response:
    """Tell the types of the fields of each index."""

    def work(store: EventStore, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, patterns_of(index), lenient=flag(request, "ignore_unavailable"))
        mappings: dict[str, Any] = {info.name: {} for info in store.indices(known)}
        for name, kinds in store.fields(known).items():
            for kind, indices in kinds.items():
                for one in indices:
                    _plant(mappings[one], name.split("."), _TYPES.get(kind, "keyword"))
        return {name: {"mappings": {"properties": tree}} for name, tree in mappings.items()}

    return answer(request, await searched(request, work))


def _plant(tree: dict[str, Any], path: list[str], kind: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {}).setdefault("properties", {})
    tree.setdefault(path[-1], {})["type"] = kind


@router.get("/_cat/indices")
async def cat_indices(request: Request) -> Response:
    """List the indices."""
    return await _cat(request, "*")


@router.get("/_cat/indices/{index}")
async def cat_some_indices(request: Request, index: str) -> Response:
    """List indices."""
    return await _cat(request, index)


async def _cat(request: Request, index: str) -> Response:
    infos = await run_in_threadpool(request.app.state.service.store.indices, patterns_of(index))
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
    if nanoseconds is None:
        return "-"
    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
