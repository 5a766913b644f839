"""Searches in Elasticsearch's query language."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.body import json_body, read_document
from tocsin.api.dependencies import ServiceConfig
from tocsin.api.elasticsearch.addresses import EVERY_INDEX, on_indices
from tocsin.api.elasticsearch.query_parameters import COUNT_PARAMETERS, SEARCH_PARAMETERS
from tocsin.api.elasticsearch.search_models import (
    CountAnswer,
    CountBody,
    SearchBody,
    SearchesAnswer,
    SearchResponse,
)
from tocsin.api.elasticsearch.searching import (
    RequestSearches,
    answer_json,
    answer_search,
    flag,
    patterns_of,
    seconds,
)
from tocsin.api.security import allow
from tocsin.nesting import TOO_DEEP, is_too_deep
from tocsin.search.tasks import MOST_ANSWER, CountTask, SearchTask
from tocsin.store.records.access import Scope

router = APIRouter(tags=["search"], dependencies=[Depends(allow(Scope.READ))])
_MOST_SEARCHES = 1_000  # in one request
_LINES = {"requestBody": {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}


@on_indices(router, "/_search", "POST", "GET", parameters=SEARCH_PARAMETERS, answer=SearchResponse)
async def search(
    request: Request, sent: Annotated[SearchBody, json_body(SearchBody)], index: str = EVERY_INDEX
) -> Response:
    """Search indices."""
    if "scroll" in request.query_params:
        raise bad_request("no scrolling: go on with search_after")
    body = {**_from_parameters(request.query_params), **sent.document()}
    task = search_task(request, patterns_of(index), body)
    return await answer_search(request, task, body.get("timeout"))


def search_task(request: Request, patterns: Sequence[str], body: Mapping[str, Any]) -> SearchTask:
    """Return the search that a body describes."""
    lenient, as_number = flag(request, "ignore_unavailable"), flag(request, "rest_total_hits_as_int")
    return SearchTask(patterns, body, lenient, as_number)


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


@on_indices(router, "/_msearch", "POST", body=_LINES, answer=SearchesAnswer)
async def many_searches(
    request: Request, searches: RequestSearches, config: ServiceConfig, index: str = EVERY_INDEX
) -> Response:
    """Run several searches, one behind the other."""
    lines = await _lines(request)
    if not lines or len(lines) % 2:
        raise bad_request("a header and a body for each search are needed", "parse_exception")
    answers: list[bytes] = []
    size = 0
    until = time.monotonic() + config.search_timeout  # of all together
    for head, body in zip(lines[::2], lines[1::2], strict=True):
        try:
            about, asked = orjson.loads(head), orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise bad_request(f"a line is no JSON: {error}", "parse_exception") from None
        if is_too_deep(asked, body):
            raise bad_request(f"a body is {TOO_DEEP}", "x_content_parse_exception")
        if not isinstance(about, dict) or not isinstance(asked, dict):
            raise bad_request("a header and a body are objects", "parse_exception")
        named = about.get("index", index)
        try:
            patterns = patterns_of(",".join(map(str, named)) if isinstance(named, list) else str(named))
            task = search_task(request, patterns, asked)
            if size > MOST_ANSWER:
                reason = f"Data too large: the answers so far have {size:,} bytes, and all at most {MOST_ANSWER:,}"
                raise ApiError(429, "circuit_breaking_exception", reason)
            text = await searches.answer(task, _sooner(asked.get("timeout"), until))
            size += len(text)
            answers.append(text[:-1] + b',"status":200}')
        except ApiError as error:
            answers.append(orjson.dumps(error.document()))
    return await answer_json(request, b'{"took":0,"responses":[' + b",".join(answers) + b"]}")


async def _lines(request: Request) -> list[bytes]:
    """Return the lines of a request of many searches that hold something. Raises ApiError."""
    body = await read_document(request)
    if body.count(b"\n") > 3 * _MOST_SEARCHES:
        raise bad_request(f"at most {_MOST_SEARCHES:,} searches are asked for at once")
    return [line for line in body.split(b"\n") if line.strip()]


def _sooner(timeout: Any, until: float) -> str:
    """Return a search's timeout, no later than a moment by which all of a request have to end."""
    left = max(0.0, until - time.monotonic())
    return f"{int(1000 * (left if timeout is None else min(left, seconds(timeout, 'timeout'))))}ms"


@on_indices(router, "/_count", "POST", "GET", parameters=COUNT_PARAMETERS, answer=CountAnswer)
async def count(
    request: Request,
    searches: RequestSearches,
    sent: Annotated[CountBody, json_body(CountBody)],
    index: str = EVERY_INDEX,
) -> Response:
    """Count the events that a query finds."""
    body = {**_from_parameters(request.query_params), **sent.document()}
    unknown = sorted(set(body) - {"query"} - set(request.query_params))
    if unknown:
        raise bad_request(f"request does not support [{unknown[0]}]", "parsing_exception")
    task = CountTask(patterns_of(index), body.get("query"), flag(request, "ignore_unavailable"))
    return await answer_json(request, await searches.answer(task))
