"""Work of requests that can take long beside searches: in its turn, in a thread, while somebody waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.requests import Request

from tocsin.api.answers import ApiError
from tocsin.api.turns import Turns

Result = TypeVar("Result")


def stops() -> ApiError:
    """Return the error of a request that is not answered because the service stops."""
    return ApiError(503, "service_unavailable_exception", "the service stops", {"Retry-After": "5"})


@dataclass(frozen=True)
class Pace:
    """Whether work may go on: until a moment of the monotonic clock, and while it is not told to end."""

    until: float
    stopping: Callable[[], bool]
    ended: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise ApiError when the work has to end."""
        if self.stopping():
            raise stops()
        if self.ended.is_set():
            raise ApiError(408, "timeout_exception", "the work was cancelled")
        if time.monotonic() > self.until:
            raise ApiError(408, "timeout_exception", "the work took too long: ask for less at once")


@dataclass
class WorkOutcome(Generic[Result]):
    """What work came to, taken once: an error that a future keeps is part of a cycle, with its whole request."""

    result: list[Result]
    error: BaseException | None

    def take(self) -> Result:
        """Return the result, or raise the error."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        return self.result.pop()


class Work:
    """Runs work in threads, a little at once and half of that of one owner, each for so many seconds at most."""

    def __init__(self, seconds: float, at_once: int = 4) -> None:
        self._seconds, self._turns = seconds, Turns(at_once, max(1, at_once // 2), "work")
        self._stopping = False

    def start(
        self, owner: str, work: Callable[[Pace], Result]
    ) -> tuple[Future[WorkOutcome[Result]], threading.Event]:
        """Have work done in its turn; return what it comes to, and what tells it to end. Raises ApiError."""
        if self._stopping:
            raise stops()
        if waiting := self._turns.crowd(owner):
            reason = f"{waiting} requests wait for others to end: try again later"
            raise ApiError(429, "es_rejected_execution_exception", reason, {"Retry-After": "5"})
        ended = threading.Event()

        def run() -> WorkOutcome[Result]:  # the time for which it waits for its turn does not count
            pace = Pace(time.monotonic() + self._seconds, lambda: self._stopping, ended)
            try:
                pace.check()
                return WorkOutcome([work(pace)], None)
            except BaseException as error:
                return WorkOutcome([], error)

        return self._turns.submit(owner, run), ended

    def stop(self) -> None:
        """Let work end that looks at its pace, and take no more. May be called by a handler of signals."""
        self._stopping = True

    def close(self) -> None:
        """End all work, and return when it has ended."""
        self.stop()
        self._turns.close()


async def worked(request: Request, service_work: Work, work: Callable[[Pace], Result]) -> Result:
    """Return what work comes to, done in its turn, and ended when its client goes away. Raises ApiError."""
    future, ended = service_work.start(request.state.actor.id, work)

    def end() -> None:
        future.cancel()
        ended.set()

    return (await while_wanted(request, future, end)).take()


async def while_wanted(request: Request, future: Future[Result], end: Callable[[], None]) -> Result:
    """Return a result; have its work ended when the client that waits for it goes away, or the service stops."""
    gone: asyncio.Future[None] = asyncio.ensure_future(_disconnected(request))
    result = asyncio.wrap_future(future)
    either: list[asyncio.Future[Any]] = [result, gone]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            end()
        return await result
    except asyncio.CancelledError:  # the service stops, or the work has never begun
        end()
        raise stops() from None
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    """Return when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":  # `is_disconnected` sees none behind middleware
        pass
