"""How routes read and change records: in one transaction, in a thread, and in turns where it may take long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.working import Pace, worked

_T = TypeVar("_T")
GoOn = Callable[[], None]  # raises ApiError where work has to end


def _run(request: Request, work: Callable[[Session], _T]) -> _T:
    with request.app.state.service.records.transaction() as session:
        return work(session)


async def in_records(request: Request, work: Callable[[Session], _T]) -> _T:
    """Return what `work` returns, which is given a transaction of records. Raises what it raises."""
    return await run_in_threadpool(_run, request, work)


async def answered(request: Request, work: Callable[[Session], Any]) -> Response:
    """Answer with what `work` returns, which is given a transaction of records. Raises what it raises."""
    return await run_in_threadpool(lambda: answer(request, _run(request, work)))


async def in_turn(request: Request, work: Callable[[Session, GoOn], _T]) -> _T:
    """Do as `in_records` in the request's turn; have the service look at its rules anew after it.

    `work` is also given what to call before each of many steps.
    """

    def run(pace: Pace) -> _T:
        try:
            return _run(request, lambda session: work(session, pace.check))
        finally:
            if request.method != "GET":
                request.app.state.service.scheduler.wake()

    return await worked(request, run)


async def answered_in_turn(request: Request, work: Callable[[Session], Any]) -> Response:
    """Answer in the request's turn with what `work` returns, as `in_turn`."""
    return await in_turn(request, lambda session, _: answer(request, work(session)))
