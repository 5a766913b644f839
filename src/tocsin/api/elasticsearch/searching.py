"""What all searching routes share: their parameters, and searches run in threads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.running import Running
from tocsin.errors import QueryError
from tocsin.search.errors import IndexSetAsideError, NoSuchIndexError, SearchError, SearchStoppedError
from tocsin.search.selection import Clock
from tocsin.store.events import EventStore
from tocsin.store.patterns import takes

_SPAN = re.compile(r"(\d+)(nanos|micros|ms|s|m|h|d)")
_SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: Any, name: str) -> float:
    """Return a span of time such as `5m` in seconds; -1 stands for one without end. Raises ApiError."""
    if text in (-1, "-1"):
        return float("inf")
    found = _SPAN.fullmatch(str(text))
    if found is None or len(found[1]) > 12:
        raise bad_request(f"failed to parse setting [{name}] with value [{text}] as a time value")
    return int(found[1]) * _SECONDS[found[2]]


def shards_of(store: EventStore, patterns: Sequence[str]) -> dict[str, Any]:
    """Return what a search says of shards: one that was read, one that failed for each damage of its indices."""
    damaged = [one for one in store.set_aside() if one.index and takes(patterns, one.index)]
    told: dict[str, Any] = {"total": 1 + len(damaged), "successful": 1, "skipped": 0, "failed": len(damaged)}
    if damaged:
        told["failures"] = [
            {
                "shard": 0,
                "index": one.index,
                "reason": {"type": "set_aside", "reason": f"{one.name}: {one.reason}"},
            }
            for one in damaged
        ]
    return told


def patterns_of(index: str) -> list[str]:
    """Return the patterns that an address names. Raises ApiError for another cluster's."""
    patterns = [part for part in index.split(",") if part]
    if any(":" in part for part in patterns):
        raise ApiError(404, "no_such_remote_cluster_exception", f"no such remote cluster in [{index}]")
    return patterns or ["*"]


def flag(request: Request, name: str) -> bool:
    """Tell whether a parameter is set."""
    return request.query_params.get(name, "false") in ("true", "")


async def searched(request: Request, work: Callable[[EventStore, Clock], Any], timeout: Any = None) -> Any:
    """Run a search and return its answer. Raises ApiError."""
    service = request.app.state.service
    limit = None if timeout is None else min(seconds(timeout, "timeout"), service.config.search_timeout)
    running = service.searches.start(request.state.actor.id, lambda clock: work(service.store, clock), limit)
    try:
        return await told_of(running)
    except asyncio.CancelledError:  # the client went away
        running.cancelled.set()
        raise


async def told_of(running: Running) -> Any:
    """Return what a search found. Raises ApiError."""
    try:
        return await asyncio.wrap_future(running.future)
    except IndexSetAsideError as error:
        raise ApiError(503, "unavailable_shards_exception", error.message) from None
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


def is_cut(request: Request) -> bool:
    """Tell whether documents have to be parsed because the answer is shown in part, or indented."""
    return "filter_path" in request.query_params or "pretty" in request.query_params
