"""Hunts for indicators as work of the service: asked for, run one after another in a thread, cancelled, kept.

A hunt that was under way when the service ended is run again from its beginning: it only reads. What it came
to, and what others make of it (`done`), is written in one transaction.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError, TocsinError
from tocsin.response.reputation.indicator_hunt import HuntProgress, compared, hunt_indicators, hunt_rule
from tocsin.sources.batch import Event
from tocsin.store.events import EventReader
from tocsin.store.records.access import Actor, record
from tocsin.store.records.database import Records
from tocsin.store.records.reputation import IndicatorHunt
from tocsin.worker_thread import WorkerThread

log = logging.getLogger(__name__)
WAITING, RUNNING, DONE, CANCELLED, FAILED = "waiting", "running", "done", "cancelled", "failed"
_MOST_WAITING, _MOST_KEPT, _LONGEST_NAME = 20, 500, 200
_NOTED_EVERY = 1.0  # seconds between looks at whether a hunt is cancelled
_LOOKS_EVERY = 30.0  # seconds between looks for hunts that another process has asked for
Done = Callable[[Session, IndicatorHunt], None]


class _CancelledError(Exception):
    """The hunt is to end."""


class _ServiceEndsError(Exception):
    """The service ends; the hunt is run again when it starts."""


def ask_hunt(
    session: Session, actor: Actor, name: str, documents: Sequence[Event], case_id: str | None = None
) -> IndicatorHunt:
    """Ask for a hunt for indicators, flat documents as `sources/indicators.py` reads them. Raises InvalidError."""
    name = name.strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidError(f"[name] has 1 to {_LONGEST_NAME} printable characters")
    documents = compared(documents)
    hunt_rule(documents)
    if len(session.scalars(_in_state(WAITING)).all()) >= _MOST_WAITING:
        raise InvalidError(f"{_MOST_WAITING} hunts wait already: try again when some are done")
    hunt = IndicatorHunt(
        id=str(uuid.uuid4()), name=name, case_id=case_id, asked=datetime.now(UTC), asked_by=actor.name[:160],
        state=WAITING, cancelled=False, progress={}, ended=None, error=None, indicators=documents, result=None,
    )  # fmt: skip
    session.add(hunt)
    record(session, actor, "indicators.hunt", name, id=hunt.id, indicators=len(documents), case=case_id)
    _let_go(session)
    session.flush()
    return hunt


def find_hunt(session: Session, id_: str) -> IndicatorHunt:
    """Return a hunt. Raises NotFoundError."""
    hunt = session.get(IndicatorHunt, id_)
    if hunt is None:
        raise NotFoundError(f"there is no indicator hunt {id_}")
    return hunt


def indicator_hunts(session: Session, case_id: str | None = None) -> Sequence[IndicatorHunt]:
    """Return the hunts that are kept, those of a case alone if it is given, the newest first."""
    query = select(IndicatorHunt).order_by(IndicatorHunt.asked.desc(), IndicatorHunt.id)
    return session.scalars(query if case_id is None else query.where(IndicatorHunt.case_id == case_id)).all()


def cancel_hunt(session: Session, actor: Actor, id_: str) -> IndicatorHunt:
    """Have a hunt end that waits or runs; one that has ended stays as it is. Raises NotFoundError."""
    hunt = find_hunt(session, id_)
    if hunt.state in (WAITING, RUNNING) and not hunt.cancelled:
        hunt.cancelled = True
        record(session, actor, "indicators.cancel_hunt", hunt.name, id=hunt.id)
    return hunt


def _in_state(state: str) -> Any:
    return select(IndicatorHunt.id).where(IndicatorHunt.state == state).order_by(IndicatorHunt.asked)


def _let_go(session: Session) -> None:
    """Let go of the oldest hunts, of which there are too many."""
    old = select(IndicatorHunt.id).where(IndicatorHunt.state.notin_((WAITING, RUNNING)))
    ids = session.scalars(old.order_by(IndicatorHunt.asked.desc()).offset(_MOST_KEPT)).all()
    session.execute(delete(IndicatorHunt).where(IndicatorHunt.id.in_(ids)))


class HuntThread:
    """Runs hunts, one at a time, in the order in which they were asked for."""

    def __init__(self, store: EventReader, records: Records, done: Done = lambda session, hunt: None) -> None:
        self._store, self._records, self._done = store, records, done
        self._wanted = threading.Event()
        self._thread = WorkerThread("indicator-hunts", self._work, wake=self.wake)

    def start(self) -> None:
        """Begin; a hunt that was under way when the service ended waits again."""
        self._thread.start()

    def wake(self) -> None:
        """Look for a hunt now."""
        self._wanted.set()

    def close(self) -> None:
        """End; a hunt under way is run again after the next start."""
        self._thread.close()

    def _work(self, closing: threading.Event) -> None:
        try:
            with self._records.transaction() as session:
                again = update(IndicatorHunt).where(IndicatorHunt.state == RUNNING).values(state=WAITING)
                session.execute(again)
        except TocsinError as error:
            log.warning("hunts that were under way are not begun again: %s", error)
        while not closing.is_set():
            self._wanted.clear()
            try:
                while not closing.is_set() and self._run_next(closing):
                    pass
            except _ServiceEndsError:
                return
            except TocsinError as error:  # the records do not answer
                log.warning("hunts for indicators wait: %s", error)
            self._wanted.wait(_LOOKS_EVERY)

    def _run_next(self, closing: threading.Event) -> bool:
        with self._records.transaction() as session:
            id_ = session.scalar(_in_state(WAITING).limit(1))
            if id_ is None:
                return False
            hunt = find_hunt(session, id_)
            documents, hunt.state = hunt.indicators, RUNNING
        watch = _Watch(self._records, id_, closing)
        try:
            watch.go_on()
            result = hunt_indicators(self._store, documents, report=watch.report, go_on=watch.go_on)
        except _CancelledError:
            self._end(id_, CANCELLED)
        except _ServiceEndsError:
            raise
        except TocsinError as error:
            self._end(id_, FAILED, error.message)
        except Exception as error:
            log.exception("the hunt %s failed", id_)
            self._end(id_, FAILED, f"{type(error).__name__}: {error}")
        else:
            self._end(id_, DONE, result=result.document())
        return True

    def _end(self, id_: str, state: str, error: str | None = None, result: dict[str, Any] | None = None) -> None:
        with self._records.transaction() as session:
            hunt = find_hunt(session, id_)
            hunt.state, hunt.error, hunt.result, hunt.ended = state, error, result, datetime.now(UTC)
            if state == DONE:
                self._done(session, hunt)


class _Watch:
    """Notes the progress of a hunt now and then, and tells it to end."""

    def __init__(self, records: Records, id_: str, closing: threading.Event) -> None:
        self._records, self._id, self._closing = records, id_, closing
        self._noted, self._progress = 0.0, HuntProgress(0, 0)

    def report(self, progress: HuntProgress) -> None:
        self._progress = progress

    def go_on(self) -> None:
        """Raise _CancelledError or _ServiceEndsError where the hunt has to end."""
        if self._closing.is_set():
            raise _ServiceEndsError
        if time.monotonic() - self._noted < _NOTED_EVERY:
            return
        self._noted = time.monotonic()
        progress = self._progress
        with self._records.transaction() as session:
            hunt = find_hunt(session, self._id)
            if hunt.cancelled:
                raise _CancelledError
            hunt.progress = {
                "done": progress.done, "spans": progress.spans, "upto": progress.upto,
                "sightings": progress.sightings,
            }  # fmt: skip
