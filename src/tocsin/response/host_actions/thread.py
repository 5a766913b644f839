"""The thread that has actions sent, asked after and undone, as long as the service runs."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import select

from tocsin.response.host_actions.automatic import AutomaticActions
from tocsin.response.host_actions.sending import ActionSender
from tocsin.response.host_actions.states import ActionState
from tocsin.store.records.host_actions import HostAction
from tocsin.worker_thread import WorkerThread

log = logging.getLogger(__name__)
_EVERY = 1.0  # seconds
_RECOVERY_EVERY = 5.0


class HostActionThread:
    """Does what is due every second, and at once when it is woken.

    Before each turn `automatic` asks for the actions of rules.
    """

    def __init__(self, sender: ActionSender, automatic: AutomaticActions) -> None:
        self.sender = sender
        self._automatic = automatic
        self._awake = threading.Event()
        self._waiting: tuple[str, ...] = ()
        self._problem: str | None = None
        self._worker = WorkerThread("host-actions", self._run, wake=self._awake.set)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def wake(self) -> None:
        """Do what is due at once."""
        self._awake.set()

    def close(self) -> None:
        """End, when the requests under way are answered."""
        self._worker.close()
        self._automatic.close()
        self.sender.close()

    def problem(self) -> str | None:
        """Return why actions are not sent now, None when they are."""
        failure = self._worker.failure
        return self._problem if failure is None else f"the thread that sends actions has ended: {failure}"

    def requesters(self) -> tuple[str, ...]:
        """Return what those are known by who asked for the actions that wait for approval, as of the last turn."""
        return self._waiting

    def _run(self, closing: threading.Event) -> None:
        recovered = False
        while not closing.is_set():
            try:
                if not recovered:
                    self.sender.recover()
                    recovered = True
                self._automatic.begin()
                self.sender.begin()
                self._see_waiting()
                self._problem = None
            except Exception as error:
                self._problem = f"actions cannot be sent now: {error}"
                log.warning("actions cannot be sent now: %s", error)
            self._awake.wait(_EVERY if recovered else _RECOVERY_EVERY)
            self._awake.clear()

    def _see_waiting(self) -> None:
        with self.sender.records.transaction() as session:
            waiting = select(HostAction.requester).where(HostAction.state == ActionState.AWAITING_APPROVAL)
            self._waiting = tuple(session.scalars(waiting))
