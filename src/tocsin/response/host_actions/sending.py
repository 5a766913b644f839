"""Actions are sent to their receivers here, asked after, and undone when their end has come.

That an action is being sent is written before the request leaves, what came of it after. So a service that was
killed in between knows which requests may have arrived: those are sent again where the receiver tells repetitions,
else asked after, else shown to people. Nothing is done twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tocsin.backoff import pause_after
from tocsin.errors import ConflictError, TocsinError
from tocsin.response.host_actions.connectors import OpenConnectors
from tocsin.response.host_actions.interface import (
    ActionProgress,
    ActionRequest,
    ConnectorError,
    NotReceivedError,
    ProgressState,
    Receipt,
    RefusedError,
    ResponseConnector,
)
from tocsin.response.host_actions.requests import (
    expire_action,
    receipt_of,
    request_of,
    undo_under_way,
)
from tocsin.response.host_actions.states import UNDOABLE, ActionState, find_action, move, note_step
from tocsin.store.records.access import Actor
from tocsin.store.records.database import Records
from tocsin.store.records.host_actions import HostAction

log = logging.getLogger(__name__)
SERVICE = Actor("tocsin", frozenset(), "local")
_TRIES = 10  # of sending what has not arrived: about an hour
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
_FIRST_LOOK, _LONGEST_LOOK = timedelta(seconds=2), timedelta(minutes=1)  # between questions how far an action is
TIMEOUT = timedelta(hours=1)  # from sending to a result
_UNDO_PAUSE, _LONGEST_UNDO_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_LISTED_AFTER = timedelta(minutes=2)  # until a receiver lists what it has taken
_LOOK_PAUSE = timedelta(seconds=10)
_AT_ONCE = 200  # actions of a turn
_CONNECTORS = 16  # that are spoken with at the same time
_FINAL = {ProgressState.SUCCEEDED: ActionState.SUCCEEDED, ProgressState.FAILED: ActionState.FAILED}


class ActionSender:
    """Sends what is approved, asks after what runs, and undoes what has come to its end.

    The actions of one connector are sent one after the other; connectors do not wait for each other. `clock` gives
    the time, `timeout` how long an action may take.
    """

    def __init__(
        self,
        records: Records,
        connectors: OpenConnectors,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout: timedelta = TIMEOUT,
    ) -> None:
        self.records, self.connectors = records, connectors
        self._clock, self._timeout = clock, timeout
        self._pool = ThreadPoolExecutor(_CONNECTORS, thread_name_prefix="host-actions")
        self._busy: set[str] = set()  # connectors
        self._closing = threading.Event()

    def recover(self) -> int:
        """Take up what was being sent when an earlier service ended; return how many actions that were.

        Called once, before the first turn: what is `sending` then belongs to nobody any more.
        """
        with self.records.transaction() as session:
            cut_off = select(HostAction).where(HostAction.state == ActionState.SENDING)
            actions = list(session.scalars(cut_off))
            for action in actions:
                action.next_try = self._clock()
                note_step(session, action, SERVICE.name, "the service ended between sending this and its answer")
        return len(actions)

    def turn(self) -> int:
        """Do what is due; return how many actions were worked on."""
        return sum(working.result() for working in self.begin())

    def begin(self) -> list[Future[int]]:
        """Begin to do what is due through connectors that are not busy. One thread calls this."""
        now = self._clock()
        self._expire(now)
        with self.records.transaction() as session:
            due = select(HostAction.connector_id).where(*self._due(now)).distinct()
            connector_ids = set(session.scalars(due))
        begun = []
        for connector_id in sorted(connector_ids - self._busy):
            self._busy.add(connector_id)
            begun.append(self._pool.submit(self._work_through, connector_id, now))
        return begun

    def close(self) -> None:
        """End, when the requests under way are answered."""
        self._closing.set()
        self._pool.shutdown()

    @staticmethod
    def _due(now: datetime) -> tuple[Any, ...]:
        waiting = (ActionState.APPROVED, ActionState.SENDING, ActionState.RUNNING)
        return HostAction.state.in_([str(state) for state in waiting]), HostAction.next_try <= now

    def _work_through(self, connector_id: str, now: datetime) -> int:
        worked = 0
        try:
            with self.records.transaction() as session:
                due = select(HostAction.id).where(*self._due(now), HostAction.connector_id == connector_id)
                ids = list(session.scalars(due.order_by(HostAction.next_try, HostAction.id).limit(_AT_ONCE)))
            for id_ in ids:
                if self._closing.is_set():
                    break
                self._work(id_)
                worked += 1
        except Exception as error:
            log.warning("actions cannot be sent now: %s", error)
        finally:
            self._busy.discard(connector_id)
        return worked

    def _work(self, id_: str) -> None:
        with self.records.transaction() as session:
            action = find_action(session, id_)
            undone = None if action.undoes is None else session.get(HostAction, action.undoes)
            request, receipt = request_of(action, undone), receipt_of(action)
            state, deadline = action.state, action.deadline
        try:
            if state == ActionState.RUNNING and receipt is not None:
                self._ask(id_, request, receipt, deadline)
            elif state == ActionState.SENDING:
                self._take_up(id_, request)
            else:
                self._send(id_, request)
        except ConflictError:  # somebody has withdrawn or settled it meanwhile
            return

    # ---- sending

    def _send(self, id_: str, request: ActionRequest) -> None:
        connector = self._opened(id_)
        if connector is None:
            return
        now = self._clock()
        with self.records.transaction() as session:
            action = find_action(session, id_)
            move(
                session, action, {ActionState.APPROVED}, ActionState.SENDING, SERVICE.name,
                tries=action.tries + 1, sent=now, deadline=now + self._timeout, next_try=None,
            )  # fmt: skip
        self._start(id_, request, connector)

    def _opened(self, id_: str) -> ResponseConnector | None:
        """Return the connector of an action; None, having noted why, where nothing can be sent through it."""
        with self.records.transaction() as session:
            action = find_action(session, id_)
            connector_id, state = action.connector_id, ActionState(action.state)
        try:
            return self.connectors.get(connector_id)
        except ConnectorError as error:
            # One that may have been taken stays in doubt.
            final = ActionState.FAILED if state is ActionState.APPROVED else ActionState.UNKNOWN
            self._finish(id_, final, str(error))
            return None

    def _start(self, id_: str, request: ActionRequest, connector: ResponseConnector) -> None:
        """Send an action that is noted as being sent, and note what comes of it."""
        try:
            receipt, progress = connector.start(request)
        except NotReceivedError as error:
            self._try_later(id_, str(error), error.pause)
        except RefusedError as error:
            self._finish(id_, ActionState.FAILED, str(error))
        except Exception as error:
            if not isinstance(error, ConnectorError):
                log.exception("a connector failed while it sent an action")
                error = ConnectorError(f"the connector failed: {type(error).__name__}")
            self._doubt(id_, request, connector, str(error))
        else:
            self._note(id_, receipt, progress)

    def _try_later(self, id_: str, reason: str, pause: float | None) -> None:
        with self.records.transaction() as session:
            action = find_action(session, id_)
            if action.tries >= _TRIES:
                state, changes = ActionState.FAILED, {"finished": self._clock(), "next_try": None}
                reason = f"given up after {action.tries} tries: {reason}"
            else:
                wait = pause_after(action.tries, _FIRST_PAUSE, _LONGEST_PAUSE)
                if pause is not None:
                    wait = max(wait, timedelta(seconds=min(pause, _LONGEST_PAUSE.total_seconds())))
                state, changes = ActionState.APPROVED, {"next_try": self._clock() + wait}
            move(session, action, {ActionState.SENDING}, state, SERVICE.name, reason, **changes)

    def _doubt(self, id_: str, request: ActionRequest, connector: ResponseConnector, reason: str) -> None:
        """Note that nothing is known of an action that may have been taken, and find out what can be."""
        with self.records.transaction() as session:
            action = find_action(session, id_)
            tries = action.tries
            if connector.is_repeatable(request) and tries < _TRIES:
                wait = pause_after(tries, _FIRST_PAUSE, _LONGEST_PAUSE)
                action.next_try, action.detail = self._clock() + wait, reason
                note_step(session, action, SERVICE.name, f"{reason}; the receiver tells repetitions: sent again")
                return
        self._look_up(id_, request, connector, reason)

    def _take_up(self, id_: str, request: ActionRequest) -> None:
        """Go on with an action that may have been taken, of a service that was killed or got no answer."""
        connector = self._opened(id_)
        if connector is None:
            return
        if not connector.is_repeatable(request):
            self._look_up(id_, request, connector, "the service ended between sending this and its answer")
            return
        with self.records.transaction() as session:
            action = find_action(session, id_)
            move(
                session, action, {ActionState.SENDING}, ActionState.SENDING, SERVICE.name, "sent again",
                tries=action.tries + 1, next_try=None,
            )  # fmt: skip
        self._start(id_, request, connector)

    def _look_up(self, id_: str, request: ActionRequest, connector: ResponseConnector, reason: str) -> None:
        """Ask the receiver whether it has taken an action; where it cannot say, people have to look."""
        try:
            receipt = connector.look_up(request)
        except RefusedError as error:
            self._finish(id_, ActionState.UNKNOWN, f"{reason}; it cannot be found out: {error}")
            return
        except Exception as error:
            if not isinstance(error, ConnectorError):
                log.exception("a connector failed while it looked for an action")
                error = ConnectorError(f"the connector failed: {type(error).__name__}")
            if not self._looks_again(id_, self._timeout, f"{reason}; {error}"):
                self._finish(id_, ActionState.UNKNOWN, f"{reason}; it cannot be found out: {error}")
            return
        if receipt is not None:
            self._note(id_, receipt, ActionProgress(ProgressState.RUNNING, "the receiver has taken it"))
        elif not self._looks_again(id_, _LISTED_AFTER, f"{reason}; the receiver does not list it yet"):
            self._finish(id_, ActionState.UNKNOWN, f"{reason}; the receiver lists none that is known to be this")

    def _looks_again(self, id_: str, most: timedelta, reason: str) -> bool:
        """Have an action looked for again, unless it was sent longer ago than `most`; return whether it is."""
        with self.records.transaction() as session:
            action = find_action(session, id_)
            now = self._clock()
            if action.sent is None or now - action.sent >= most:
                return False
            action.next_try, action.detail = now + _LOOK_PAUSE, reason
        return True

    # ---- asking

    def _ask(self, id_: str, request: ActionRequest, receipt: Receipt, deadline: datetime | None) -> None:
        connector = self._opened(id_)
        if connector is None:
            return
        try:
            progress = connector.progress(request, receipt)
        except Exception as error:
            if not isinstance(error, ConnectorError):
                log.exception("a connector failed while it asked after an action")
                error = ConnectorError(f"the connector failed: {type(error).__name__}")
            progress = ActionProgress(ProgressState.RUNNING, str(error))
        now = self._clock()
        if progress.state is ProgressState.RUNNING and deadline is not None and now >= deadline:
            waited = "no result in time; it may still be done"
            self._finish(id_, ActionState.TIMED_OUT, "; ".join(filter(None, (waited, progress.detail))))
            return
        self._note(id_, receipt, progress)

    def _note(self, id_: str, receipt: Receipt, progress: ActionProgress) -> None:
        kept = {"reference": receipt.reference, "detail": dict(receipt.detail)}
        final = _FINAL.get(progress.state)
        if final is not None:
            self._finish(id_, final, progress.detail, receipt=kept, result=dict(progress.result))
            return
        with self.records.transaction() as session:
            action = find_action(session, id_)
            now = self._clock()
            since = now - (action.sent or now)
            look = min(_LONGEST_LOOK, max(_FIRST_LOOK, since / 4))
            if action.state == ActionState.RUNNING:
                action.next_try, action.detail = now + look, progress.detail or None
                return
            move(
                session, action, {ActionState.SENDING}, ActionState.RUNNING, SERVICE.name, progress.detail,
                receipt=kept, next_try=now + look,
            )  # fmt: skip

    def _finish(self, id_: str, state: ActionState, detail: str, **changes: Any) -> None:
        with self.records.transaction() as session:
            action = find_action(session, id_)
            under_way = {ActionState.APPROVED, ActionState.SENDING, ActionState.RUNNING}
            changes |= {"finished": self._clock(), "next_try": None}
            move(session, action, under_way, state, SERVICE.name, detail, **changes)
            if action.undoes is not None and state is ActionState.SUCCEEDED:
                self._mark_undone(session, action)
        log.log(
            logging.INFO if state is ActionState.SUCCEEDED else logging.WARNING,
            "%s of %s: %s%s", action.kind, action.host or action.parameters, state,
            f": {detail}" if detail else "",
            extra={"event.action": f"response.{action.kind}", "event.outcome": str(state)},
        )  # fmt: skip

    @staticmethod
    def _mark_undone(session: Session, undo: HostAction) -> None:
        undone = session.get(HostAction, undo.undoes)
        if undone is not None and undone.state in UNDOABLE:
            move(session, undone, UNDOABLE, ActionState.UNDONE, undo.requested_by, f"by {undo.kind} {undo.id}")

    # ---- ends

    def _expire(self, now: datetime) -> None:
        """Have those actions undone whose end has come; one whose undoing failed again, with growing pauses."""
        with self.records.transaction() as session:
            ended = select(HostAction.id).where(
                HostAction.expires <= now, HostAction.state.in_([str(state) for state in UNDOABLE]),
                or_(HostAction.next_try.is_(None), HostAction.next_try <= now),
            )  # fmt: skip
            ids = list(session.scalars(ended.limit(_AT_ONCE)))
        for id_ in ids:
            try:
                with self.records.transaction() as session:
                    self._expire_action(session, find_action(session, id_), now)
            except TocsinError as error:
                log.warning("an action whose end has come cannot be undone: %s", error)

    def _expire_action(self, session: Session, action: HostAction, now: datetime) -> None:
        if undo_under_way(session, action.id) is not None:
            return
        failed = len(list(session.scalars(select(HostAction.id).where(HostAction.undoes == action.id))))
        # `next_try` of an action that is over is when it is undone again.
        action.next_try = now + pause_after(failed + 1, _UNDO_PAUSE, _LONGEST_UNDO_PAUSE)
        note_step(session, action, SERVICE.name, "its end has come")
        expire_action(session, action, SERVICE)
