"""The scheduler as a thread of the service."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import func, select

from tocsin.backoff import pause_after
from tocsin.errors import TocsinError
from tocsin.moments import SECOND
from tocsin.scheduler.scheduler import Scheduler
from tocsin.store.clock import ArrivalClock
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredRule
from tocsin.worker_thread import WorkerThread

log = logging.getLogger(__name__)
_LONGEST_PAUSE = 30.0  # seconds between tries while it fails
_LONGEST_FAILING = 60.0  # seconds of failing, after which the service is not ready


def set_forward(clock: ArrivalClock, records: Records) -> None:
    """Make a clock go on after the last tick that was run: the system clock may have been set back."""
    with records.transaction() as session:
        latest = session.scalar(select(func.max(StoredRule.done_to)))
    clock.never_before(latest or 0)


class SchedulerThread:
    """Runs a turn of the scheduler every few seconds until it is stopped. `problem` says why turns fail."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.problem: str | None = None
        self._failing_since: float | None = None  # on the monotonic clock
        self.turned = 0.0  # when the last turn ended, on the monotonic clock
        self._wake = threading.Event()
        self._worker = WorkerThread("watch", self._run, wake=self._wake.set)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def wake(self) -> None:
        """Start the next turn soon: a rule has changed, or a run was requested."""
        self._wake.set()

    def check(self) -> str | None:
        """Return why no rule has run for a minute; None when rules run, or have failed for a shorter time."""
        if self._worker.failure is not None:
            return f"the thread that runs rules has ended: {self._worker.failure}"
        problem, since = self.problem, self._failing_since
        return problem if since is not None and time.monotonic() - since > _LONGEST_FAILING else None

    def close(self) -> None:
        """End, when the turn under way is done."""
        self._worker.close()

    def _run(self, closing: threading.Event) -> None:
        pause = every = self.scheduler.settings.every / SECOND
        failures = 0
        while not closing.is_set():
            self._wake.clear()
            try:
                self.scheduler.turn()
                self.problem, self._failing_since, pause, failures = None, None, every, 0
            except Exception as error:
                problem = str(error) if isinstance(error, TocsinError) else f"{type(error).__name__}: {error}"
                log.warning("the scheduler cannot go on and tries again: %s", problem, exc_info=error)
                failures += 1
                self.problem, pause = problem, pause_after(failures, 2 * every, _LONGEST_PAUSE)
                self._failing_since = self._failing_since or time.monotonic()
                self.scheduler.restart()
            self.turned = time.monotonic()
            self._wake.wait(min(pause, self.scheduler.due_in() / SECOND) if self.problem is None else pause)
