"""Searches of pages: run as those of clients are, in a process of their own, with an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request

from tocsin.api.elasticsearch.searching import searched
from tocsin.search.tasks import SearchTask


async def search(
    request: Request, patterns: Sequence[str], body: Mapping[str, Any], timeout: str | None = None
) -> dict[str, Any]:
    """Return the answer to a search in Elasticsearch's query language, within `timeout`. Raises ApiError."""
    task = SearchTask(patterns, body, lenient=True)
    answer: dict[str, Any] = orjson.loads(await searched(request, task, timeout))
    return answer
