"""What all searching routes share: their parameters, and how a search is waited for."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request, media_of
from tocsin.api.dependencies import ServiceConfig, ServiceSearches, ServiceStore, service_of
from tocsin.api.running import Running, Searches
from tocsin.api.working import stops, while_wanted
from tocsin.errors import QueryError
from tocsin.moments import SECOND, TIME_UNITS
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
from tocsin.search.tasks import KnownTask, ShownTask, Task
from tocsin.store.events import EventReader, EventStore
from tocsin.store.records.access import Actor

_SMALL = 1 << 20  # bytes of an answer that the service parses itself
MOST_PATTERNS = 1024  # of indices or fields in one expression
_SPAN = re.compile(rf"(\d+)({'|'.join(TIME_UNITS)})")


def seconds(text: Any, name: str) -> float:
    """Return a span of time such as `5m` in seconds; -1 stands for one without end. Raises ApiError."""
    if text in (-1, "-1"):
        return float("inf")
    span = _SPAN.fullmatch(str(text))
    if span is None or len(span[1]) > 12:
        raise bad_request(f"failed to parse setting [{name}] with value [{text}] as a time value")
    return int(span[1]) * TIME_UNITS[span[2]] / SECOND


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
    """Say whether a parameter is set."""
    return request.query_params.get(name, "false") in ("true", "")


@dataclass(frozen=True)
class SearchRunner:
    """Runs the searches of one request, in the name of whoever sent it."""

    request: Request
    searches: Searches
    store: EventStore
    timeout: float  # seconds, of a search

    async def answer(self, task: Task, timeout: Any = None) -> bytes:
        """Run a search and return its answer, JSON; end it when its client goes away. Raises ApiError."""
        return await self.awaited(self.start(task, timeout))

    def start(self, task: Task, timeout: Any = None) -> Running:
        """Start a search. Raises ApiError."""
        limit = None if timeout is None else seconds(timeout, "timeout")
        actor: Actor = self.request.state.actor
        with _as_api_errors():
            return self.searches.start(actor.id, task, limit)

    async def awaited(self, running: Running) -> bytes:
        """Return the answer of a search, if its client waits that long. Raises ApiError."""
        with _as_api_errors():
            return await while_wanted(self.request, running.future, running.cancelled.set)

    async def look_up(self, work: Callable[[EventReader, Clock], Any]) -> Any:
        """Return what little work finds out about indices, in a thread. Raises ApiError."""
        clock = Clock(time.monotonic() + self.timeout)
        with _as_api_errors():
            return await run_in_threadpool(work, self.store, clock)


async def _runner(
    request: Request, searches: ServiceSearches, store: ServiceStore, config: ServiceConfig
) -> SearchRunner:
    return SearchRunner(request, searches, store, config.search_timeout)


RequestSearches = Annotated[SearchRunner, Depends(_runner)]


async def searched(request: Request, task: Task, timeout: Any = None) -> bytes:
    """Run a search for a request and return its answer, JSON. Raises ApiError."""
    service = service_of(request)
    runner = SearchRunner(request, service.searches, service.store, service.config.search_timeout)
    return await runner.answer(task, timeout)


async def answer_search(request: Request, task: Task, timeout: Any = None) -> Response:
    """Run a search and return its answer; the search's own process takes the parts of it that are wanted."""
    return _of_json(request, await searched(request, _shown(request, task), timeout))


async def answer_json(request: Request, text: bytes) -> Response:
    """Return a document that is JSON already, parsed only where part of it is wanted, or where it is indented.

    A large one is parsed by a process for searches. Raises ApiError.
    """
    if is_cut(request):
        if len(text) <= _SMALL:
            return await run_in_threadpool(lambda: answer(request, orjson.loads(text)))
        text = await searched(request, _shown(request, KnownTask(text)))
    return _of_json(request, text)


def _of_json(request: Request, text: bytes) -> Response:
    return Response(text, media_type=media_of(request))


def _shown(request: Request, task: Task) -> Task:
    """Return a task whose answer is as the request wants it."""
    if not is_cut(request):
        return task
    wanted = request.query_params.get("filter_path")
    indented = request.query_params.get("pretty", "false") != "false"
    return ShownTask(task, wanted.split(",") if wanted else None, indented)


async def outcome(running: Running) -> bytes:
    """Return the answer of a search that goes on when its client does not wait. Raises ApiError."""
    with _as_api_errors():
        return await asyncio.wrap_future(running.future)


@contextmanager
def _as_api_errors() -> Iterator[None]:
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
    """Say whether documents have to be parsed because the answer is shown in part, or indented."""
    return "filter_path" in request.query_params or "pretty" in request.query_params
