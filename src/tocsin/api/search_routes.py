"""Searches: EQL, Elasticsearch's query language, and what clients ask about indices and fields."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import read_body, read_json
from tocsin.api.running import Running
from tocsin.api.security import allow
from tocsin.ecs import FieldType
from tocsin.errors import QueryError
from tocsin.query_dsl.parse import read_query
from tocsin.search.eql import read_eql, run_eql
from tocsin.search.errors import NoSuchIndexError, SearchError, SearchStoppedError
from tocsin.search.hits import context_of, count, read_search, run_search
from tocsin.search.selection import Clock, known_patterns
from tocsin.store.events import EventStore
from tocsin.store.patterns import matching
from tocsin.store.records.access import Scope

router = APIRouter(tags=["search"], dependencies=[Depends(allow(Scope.READ))])
_SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
_SPAN = re.compile(r"(\d+)(nanos|micros|ms|s|m|h|d)")
_SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_FIVE_DAYS = 5 * 86_400


def _body(**members: str) -> dict[str, Any]:
    properties = {name: {"type": kind} for name, kind in members.items()}
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


_SEARCH = _body(query="object", size="integer", sort="array", aggs="object", _source="boolean")
_LINES = {"requestBody": {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}
_EQL = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["query"],
                    "properties": {
                        "query": {"type": "string"},
                        "size": {"type": "integer", "minimum": 0, "maximum": 10_000},
                        "filter": {"type": "object"},
                        "result_position": {"enum": ["head", "tail"]},
                    },
                }
            }
        },
    }
}


def seconds(text: Any, name: str) -> float:
    """Return a span of time such as `5m` in seconds; -1 stands for one without end. Raises ApiError."""
    if text in (-1, "-1"):
        return float("inf")
    found = _SPAN.fullmatch(str(text))
    if found is None or len(found[1]) > 12:
        raise bad_request(f"failed to parse setting [{name}] with value [{text}] as a time value")
    return int(found[1]) * _SECONDS[found[2]]


def _patterns(index: str) -> list[str]:
    patterns = [part for part in index.split(",") if part]
    if any(":" in part for part in patterns):
        raise ApiError(404, "no_such_remote_cluster_exception", f"no such remote cluster in [{index}]")
    return patterns or ["*"]


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "false") in ("true", "")


async def _searched(request: Request, work: Callable[[EventStore, Clock], Any], timeout: Any = None) -> Any:
    """Run a search and return its answer. Raises ApiError."""
    service = request.app.state.service
    limit = None if timeout is None else min(seconds(timeout, "timeout"), service.config.search_timeout)
    running = service.searches.start(request.state.actor.name, lambda clock: work(service.store, clock), limit)
    try:
        return await _told(running)
    except asyncio.CancelledError:  # the client went away
        running.cancelled.set()
        raise


async def _told(running: Running) -> Any:
    try:
        return await asyncio.wrap_future(running.future)
    except NoSuchIndexError as error:
        raise ApiError(404, "index_not_found_exception", error.message) from None
    except SearchStoppedError as error:
        raise ApiError(408, "timeout_exception", f"{error.message}; {error.hint}".rstrip("; ")) from None
    except QueryError as error:
        kind = "parsing_exception" if error.place is None else "verification_exception"
        raise bad_request(_explained(error), kind) from None
    except SearchError as error:
        raise bad_request(str(error)) from None
    except RecursionError:
        raise bad_request("the query is nested too deeply") from None


def _explained(error: QueryError) -> str:
    if error.place is None:
        return str(error)
    return f"Found 1 problem\nline {error.place.line}:{error.place.column}: {error.message}" + (
        f" ({error.hint})" if error.hint else ""
    )


# ---- EQL


@router.post("/{index}/_eql/search", openapi_extra=_EQL)
@router.get("/{index}/_eql/search")
async def eql_search(request: Request, index: str) -> Response:
    """Search with EQL."""
    body = await read_json(request)
    for name in ("keep_alive", "keep_on_completion", "wait_for_completion_timeout"):
        if name in request.query_params:
            body.setdefault(name, request.query_params[name])
    patterns, parsed = _patterns(index), _is_cut(request)
    lenient = _flag(request, "ignore_unavailable")

    def work(clock: Clock) -> dict[str, Any]:
        store: EventStore = service.store
        known = known_patterns(store, patterns, lenient=lenient)
        context = context_of(store, known)
        eql = read_eql(body, context)
        return run_eql(store, known, eql, context.schema, clock, parsed=parsed)

    service = request.app.state.service
    wait = body.get("wait_for_completion_timeout")
    limit = None if wait is None else seconds(wait, "wait_for_completion_timeout")
    keep = seconds(body.get("keep_alive", "5d"), "keep_alive")
    running = service.searches.start(request.state.actor.name, work)
    kept = body.get("keep_on_completion") in (True, "true", "")
    if limit is not None and await _still_runs(running, limit):
        return answer(request, _eql_answer(running, service.searches.keep(running, min(keep, _FIVE_DAYS)), None))
    hits = await _told(running)
    id_ = service.searches.keep(running, min(keep, _FIVE_DAYS)) if kept else None
    return answer(request, _eql_answer(running, id_, hits))


def _is_cut(request: Request) -> bool:
    """Tell whether documents have to be parsed because the answer is shown in part, or indented."""
    return "filter_path" in request.query_params or "pretty" in request.query_params


async def _still_runs(running: Running, limit: float) -> bool:
    waiting = asyncio.wrap_future(running.future)
    done, _ = await asyncio.wait([waiting], timeout=limit)
    if done:
        waiting.exception()  # told later
    return not done


def _eql_answer(running: Running, id_: str | None, hits: Any) -> dict[str, Any]:
    state = {"is_partial": hits is None, "is_running": hits is None, "took": running.milliseconds}
    empty = {"total": {"value": 0, "relation": "eq"}, "events": []}
    found = {**state, "timed_out": False, "hits": empty if hits is None else hits}
    return {"id": id_, **found} if id_ else found


@router.get("/_eql/search/status/{id}")
async def eql_status(request: Request, id: str) -> Response:
    """Tell how far an EQL search is that is kept."""
    running = _kept(request, id)
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


@router.get("/_eql/search/{id}")
async def eql_get(request: Request, id: str) -> Response:
    """Return the answer of an EQL search that is kept."""
    running = _kept(request, id)
    wait = request.query_params.get("wait_for_completion_timeout")
    limit = 0.0 if wait is None else seconds(wait, "wait_for_completion_timeout")
    if "keep_alive" in request.query_params:
        keep = seconds(request.query_params["keep_alive"], "keep_alive")
        request.app.state.service.searches.keep(running, min(keep, _FIVE_DAYS))
    if await _still_runs(running, limit):
        return answer(request, _eql_answer(running, id, None))
    return answer(request, _eql_answer(running, id, await _told(running)))


@router.delete("/_eql/search/{id}")
async def eql_delete(request: Request, id: str) -> Response:
    """End an EQL search, and forget its answer."""
    _kept(request, id)
    request.app.state.service.searches.drop(id, request.state.actor.name)
    return answer(request, {"acknowledged": True})


def _kept(request: Request, id_: str) -> Running:
    found: Running | None = request.app.state.service.searches.find(id_, request.state.actor.name)
    if found is None:
        raise ApiError(404, "resource_not_found_exception", id_)
    return found


# ---- _search, _count, _msearch


@router.post("/_search", openapi_extra=_SEARCH)
@router.get("/_search")
async def search_all(request: Request) -> Response:
    """Search every index."""
    return await _search(request, "*")


@router.post("/{index}/_search", openapi_extra=_SEARCH)
@router.get("/{index}/_search")
async def search(request: Request, index: str) -> Response:
    """Search indices."""
    return await _search(request, index)


async def _search(request: Request, index: str) -> Response:
    if "scroll" in request.query_params:
        raise bad_request("no scrolling: go on with search_after")
    body = {**_from_parameters(request.query_params), **await read_json(request)}
    found = await _searched(request, _search_work(request, _patterns(index), body), body.get("timeout"))
    return answer(request, found)


def _search_work(
    request: Request, patterns: Sequence[str], body: Mapping[str, Any]
) -> Callable[[EventStore, Clock], dict[str, Any]]:
    lenient, parsed = _flag(request, "ignore_unavailable"), _is_cut(request)
    as_number = _flag(request, "rest_total_hits_as_int")

    def work(store: EventStore, clock: Clock) -> dict[str, Any]:
        started = time.perf_counter()
        known = known_patterns(store, patterns, lenient=lenient)
        context = context_of(store, known)
        asked = read_search(body, context)
        found = run_search(store, known, asked, context.schema, clock, parsed=parsed)
        hits: dict[str, Any] = {
            "max_score": 1.0 if found.hits and asked.form.scored else None,
            "hits": found.hits,
        }
        if asked.total:
            hits = {"total": found.total if as_number else {"value": found.total, "relation": "eq"}, **hits}
        took = int((time.perf_counter() - started) * 1000)
        told: dict[str, Any] = {"took": took, "timed_out": False, "_shards": _SHARDS, "hits": hits}
        if found.aggregations:
            told["aggregations"] = found.aggregations
        return told

    return work


def _from_parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """Return what the address says of a search, as its body would."""
    body: dict[str, Any] = {}
    if "q" in given:
        asked = {"query": given["q"], "default_operator": given.get("default_operator", "OR")}
        if "df" in given:
            asked["default_field"] = given["df"]
        body["query"] = {"query_string": asked}
    for name in ("size", "from", "timeout"):
        if name in given:
            body[name] = given[name]
    if "sort" in given:
        body["sort"] = given["sort"].split(",")
    if "_source" in given:
        truth = {"true": True, "false": False}
        body["_source"] = truth.get(given["_source"], given["_source"].split(","))
    cut = {
        key: given[f"_source_{key}"].split(",") for key in ("includes", "excludes") if f"_source_{key}" in given
    }
    if cut:
        body["_source"] = cut
    if "track_total_hits" in given:
        body["track_total_hits"] = given["track_total_hits"] != "false"
    return body


@router.post("/_msearch", openapi_extra=_LINES)
@router.post("/{index}/_msearch", openapi_extra=_LINES)
async def many_searches(request: Request, index: str = "*") -> Response:
    """Run several searches, one behind the other."""
    lines = [line for line in (await read_body(request)).split(b"\n") if line.strip()]
    if not lines or len(lines) % 2:
        raise bad_request("a header and a body for each search are needed", "parse_exception")
    answers = []
    for head, body in zip(lines[::2], lines[1::2], strict=True):
        try:
            about, asked = orjson.loads(head), orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise bad_request(f"a line is no JSON: {error}", "parse_exception") from None
        if not isinstance(about, dict) or not isinstance(asked, dict):
            raise bad_request("a header and a body are objects", "parse_exception")
        named = about.get("index", index)
        patterns = named if isinstance(named, list) else _patterns(str(named))
        try:
            work = _search_work(request, list(map(str, patterns)), asked)
            answers.append({**await _searched(request, work, asked.get("timeout")), "status": 200})
        except ApiError as error:
            answers.append(error.document())
    return answer(request, {"took": 0, "responses": answers})


@router.post("/_count", openapi_extra=_body(query="object"))
@router.get("/_count")
async def count_all(request: Request) -> Response:
    """Count the events of every index that a query finds."""
    return await _count(request, "*")


@router.post("/{index}/_count", openapi_extra=_body(query="object"))
@router.get("/{index}/_count")
async def count_in(request: Request, index: str) -> Response:
    """Count the events that a query finds."""
    return await _count(request, index)


async def _count(request: Request, index: str) -> Response:
    body = {**_from_parameters(request.query_params), **await read_json(request)}
    unknown = sorted(set(body) - {"query"} - set(request.query_params))
    if unknown:
        raise bad_request(f"request does not support [{unknown[0]}]", "parsing_exception")
    patterns, lenient = _patterns(index), _flag(request, "ignore_unavailable")

    def work(store: EventStore, clock: Clock) -> int:
        known = known_patterns(store, patterns, lenient=lenient)
        context = context_of(store, known)
        return count(store, known, read_query(body.get("query"), context), context.schema, clock)

    return answer(request, {"count": await _searched(request, work), "_shards": _SHARDS})


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
    parsed = _is_cut(request) or "/_source/" in request.url.path

    def find() -> dict[str, Any]:
        store: EventStore = request.app.state.service.store
        for batch in store.find(known_patterns(store, _patterns(index)), [id_]):
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

_TYPES = {
    FieldType.KEYWORD: "keyword",
    FieldType.LONG: "long",
    FieldType.DOUBLE: "double",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.IP: "ip",
}


@router.post("/_field_caps", openapi_extra=_body(fields="array"))
@router.get("/_field_caps")
async def all_field_caps(request: Request) -> Response:
    """Tell the fields of every index."""
    return await _field_caps(request, "*")


@router.post("/{index}/_field_caps", openapi_extra=_body(fields="array"))
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
        known = known_patterns(store, _patterns(index), lenient=_flag(request, "ignore_unavailable"))
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

    return answer(request, await _searched(request, work))


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


@router.get("/{index}/_mapping")
async def mapping(request: Request, index: str) -> Response:
    """Tell the types of the fields of each index."""

    def work(store: EventStore, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, _patterns(index), lenient=_flag(request, "ignore_unavailable"))
        mappings: dict[str, Any] = {info.name: {} for info in store.indices(known)}
        for name, kinds in store.fields(known).items():
            for kind, indices in kinds.items():
                for one in indices:
                    _plant(mappings[one], name.split("."), _TYPES.get(kind, "keyword"))
        return {name: {"mappings": {"properties": tree}} for name, tree in mappings.items()}

    return answer(request, await _searched(request, work))


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
    infos = await run_in_threadpool(request.app.state.service.store.indices, _patterns(index))
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
    for unit in ("b", "kb", "mb", "gb"):
        if count < 1024:
            return f"{count:.0f}{unit}" if unit == "b" else f"{count:.1f}{unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:.1f}tb"


def _moment(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return "-"
    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
