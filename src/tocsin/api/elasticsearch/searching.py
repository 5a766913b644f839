"""What all searching routes share: their parameters, and how a search is waited for."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.running import Running
from tocsin.api.working import stops, while_wanted
from tocsin.errors import QueryError
from tocsin.search.errors import (
    IndexSetAsideError,
    NoSuchIndexError,
    SearchError,
    SearchStoppedError,
    SearchTooLargeError,
    ServiceStopsError,
    TooManySearchesError,
)
from tocsin.search.selection import Clock
from tocsin.search.tasks import Task
from tocsin.store.events import EventReader

MOST_PATTERNS = 1024  # of indices or fields in one expression
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


def patterns_of(index: str) -> list[str]:
    """Return the patterns that an address names. Raises ApiError for too many, or another cluster's."""
    return checked_patterns([part for part in index.split(",") if part]) or ["*"]


def checked_patterns(patterns: list[str]) -> list[str]:
    """Return patterns of indices or fields. Raises ApiError for too many, or another cluster's."""
    if len(patterns) > MOST_PATTERNS:
        raise bad_request(f"an expression has at most {MOST_PATTERNS:,} names or patterns, not {len(patterns):,}")
    if any(":" in part for part in patterns):
        reason = f"no such remote cluster in [{','.join(patterns)}]"
        raise ApiError(404, "no_such_remote_cluster_exception", reason)
    return patterns


def flag(request: Request, name: str) -> bool:
    """Tell whether a parameter is set."""
    return request.query_params.get(name, "false") in ("true", "")


async def searched(request: Request, task: Task, timeout: Any = None) -> bytes:
    """Run a search and return its answer, JSON; end it when its client goes away. Raises ApiError."""
    return await awaited(request, started(request, task, timeout))


def started(request: Request, task: Task, timeout: Any = None) -> Running:
    """Start a search. Raises ApiError."""
    service = request.app.state.service
    limit = None if timeout is None else seconds(timeout, "timeout")
    with _errors_told():
        running: Running = service.searches.start(request.state.actor.id, task, limit)
        return running


async def awaited(request: Request, running: Running) -> bytes:
    """Return what a search finds, if its client waits that long. Raises ApiError."""
    with _errors_told():
        return await while_wanted(request, running.future, running.cancelled.set)


async def looked_up(request: Request, work: Callable[[EventReader, Clock], Any]) -> Any:
    """Return what little work finds out about indices, in a thread. Raises ApiError."""
    service = request.app.state.service
    clock = Clock(time.monotonic() + service.config.search_timeout)
    with _errors_told():
        return await run_in_threadpool(work, service.store, clock)


async def told_of(running: Running) -> bytes:
    """Return what a search found. Raises ApiError."""
    with _errors_told():
        return await asyncio.wrap_future(running.future)


@contextmanager
def _errors_told() -> Iterator[None]:
    """Raise ApiError for what a search raises."""
    try:
        yield
    except IndexSetAsideError as error:
        raise ApiError(503, "unavailable_shards_exception", error.message) from None
    except NoSuchIndexError as error:
        raise ApiError(404, "index_not_found_exception", error.message) from None
    except ServiceStopsError:
        raise stops() from None
    except SearchStoppedError as error:
        raise ApiError(408, "timeout_exception", str(error)) from None
    except TooManySearchesError as error:
        raise ApiError(429, "es_rejected_execution_exception", str(error), {"Retry-After": "5"}) from None
    except SearchTooLargeError as error:
        raise ApiError(429, "circuit_breaking_exception", str(error)) from None
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
