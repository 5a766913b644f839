"""How routes read and change records: in one transaction, in a thread, and in turns where it may take long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer
from tocsin.api.dependencies import ServiceRecords, ServiceScheduler, ServiceWork
from tocsin.api.working import Pace, Work, worked
from tocsin.scheduler.thread import SchedulerThread
from tocsin.store.records.database import Records, begin_to_write

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_T = TypeVar("_T")
_Batch = TypeVar("_Batch")
GoOn = Callable[[], None]  # raises ApiError where work has to end


@dataclass(frozen=True)
class BatchResults(Generic[_T]):
    """What came of the batches that were done, and why others were not; empty where all were."""

    results: Sequence[_T]
    stopped: str = ""


@dataclass(frozen=True)
class TransactionRunner:
    """Runs the work of one request that reads or changes records. Each method raises what the work raises."""

    request: Request
    records: Records
    work: Work
    scheduler: SchedulerThread

    async def run(self, work: Callable[[Session], _T]) -> _T:
        """Return what `work` returns, which is given a transaction of records."""
        return await run_in_threadpool(self._run, work)

    async def read(self, work: Callable[[Session], _T]) -> _T:
        """Return what `work` returns, which changes nothing: nobody who writes waits for it, also in a POST."""
        return await run_in_threadpool(self._read, work)

    async def answer(self, work: Callable[[Session], Any]) -> Response:
        """Answer with what `work` returns, which is given a transaction of records."""
        return await run_in_threadpool(lambda: answer(self.request, self._run(work)))

    async def run_in_turn(self, work: Callable[[Session, GoOn], _T]) -> _T:
        """Do as `run` in the request's turn; have the service look at its rules anew after it.

        `work` is also given what to call before each of many steps.
        """

        def run(pace: Pace) -> _T:
            try:
                return self._run(lambda session: work(session, pace.check))
            finally:
                if self.request.method != "GET":
                    self.scheduler.wake()

        return await worked(self.request, self.work, run)

    async def run_batches_in_turn(
        self, batches: Sequence[_Batch], work: Callable[[Session, _Batch], _T]
    ) -> BatchResults[_T]:
        """Do `work` with each batch in a transaction of its own, so that others can write in between.

        It is done in the request's turn. Where it has to end, what is done stays, and the result says why it
        ended; an error of the work itself is raised.
        """

        def run(pace: Pace) -> BatchResults[_T]:
            results: list[_T] = []
            for batch in batches:
                try:
                    pace.check()
                except ApiError as error:
                    return BatchResults(results, error.reason)
                results.append(self._run(lambda session, batch=batch: work(session, batch)))  # type: ignore[misc]
            return BatchResults(results)

        return await worked(self.request, self.work, run)

    async def answer_in_turn(self, work: Callable[[Session], Any]) -> Response:
        """Answer in the request's turn with what `work` returns, as `run_in_turn`."""
        return await self.run_in_turn(lambda session, _: answer(self.request, work(session)))

    def _read(self, work: Callable[[Session], _T]) -> _T:
        with self.records.transaction() as session:
            return work(session)

    def _run(self, work: Callable[[Session], _T]) -> _T:
        with self.records.transaction() as session:
            # What a change reads first, a rule or a list, nobody else may change before it is written.
            if self.request.method not in _READS:
                begin_to_write(session)
            return work(session)


async def _runner(
    request: Request, records: ServiceRecords, work: ServiceWork, scheduler: ServiceScheduler
) -> TransactionRunner:
    return TransactionRunner(request, records, work, scheduler)


RequestTransactions = Annotated[TransactionRunner, Depends(_runner)]
