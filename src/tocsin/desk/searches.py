"""Searches of pages: run as those of clients are, in a process of their own, with an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request

from tocsin.api.elasticsearch.searching import searched
from tocsin.search.tasks import IdsTask, SearchTask


async def search(
    request: Request, patterns: Sequence[str], body: Mapping[str, Any], timeout: str | None = None
) -> dict[str, Any]:
    """Return the answer to a search in Elasticsearch's query language, within `timeout`. Raises ApiError."""
    task = SearchTask(patterns, body, lenient=True)
    answer: dict[str, Any] = orjson.loads(await searched(request, task, timeout))
    return answer


async def matching_ids(request: Request, patterns: Sequence[str], query: Mapping[str, Any]) -> list[str]:
    """Return the ids of all documents that a query finds, however many there are. Raises ApiError."""
    answer = orjson.loads(await searched(request, IdsTask(patterns, query=query)))
    ids: list[str] = answer["ids"]
    return ids
