"""The scheduler as a thread of the service."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import func, select

from tocsin.errors import TocsinError
from tocsin.moments import SECOND
from tocsin.scheduler.scheduler import Scheduler
from tocsin.store.clock import ArrivalClock
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredRule

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
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Start the next turn soon: a rule has changed, or a run was requested."""
        self._wake.set()

    def check(self) -> str | None:
        """Return why no rule has run for a minute; None when rules run, or have failed for a shorter time."""
        if not self._stop.is_set() and not self._thread.is_alive():
            return "the thread that runs rules has ended"
        problem, since = self.problem, self._failing_since
        return problem if since is not None and time.monotonic() - since > _LONGEST_FAILING else None

    def close(self) -> None:
        """End, when the turn under way is done."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = every = self.scheduler.settings.every / SECOND
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.scheduler.turn()
                self.problem, self._failing_since, pause = None, None, every
            except Exception as error:
                problem = str(error) if isinstance(error, TocsinError) else f"{type(error).__name__}: {error}"
                log.warning("the scheduler cannot go on and tries again: %s", problem, exc_info=error)
                self.problem, pause = problem, min(_LONGEST_PAUSE, pause * 2)
                self._failing_since = self._failing_since or time.monotonic()
                self.scheduler.restart()
            self.turned = time.monotonic()
            self._wake.wait(min(pause, self.scheduler.due_in() / SECOND) if self.problem is None else pause)
