"""Searches under way: a few at once, with an end; those that are asked for later are kept for a while."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from tocsin.api.turns import Turns
from tocsin.search.errors import SearchStoppedError, ServiceStopsError, TooManySearchesError
from tocsin.search.processes import SearchProcesses
from tocsin.search.selection import Clock
from tocsin.search.tasks import Task

_STOPS = "the service stops"


@dataclass
class Running:
    """A search: who asked for it, since when, until when its answer is kept."""

    owner: str
    future: Future[bytes]
    started: float
    cancelled: threading.Event = field(default_factory=threading.Event)
    id: str | None = None  # of one that is kept
    expires: float = 0.0  # seconds since 1970

    @property
    def milliseconds(self) -> int:
        """How long it has been running."""
        return int((time.time() - self.started) * 1000)


class Searches:
    """Runs searches, each in a process that is ended when it has to be. One owner has half of the places."""

    def __init__(self, processes: SearchProcesses, timeout: float, at_once: int = 4) -> None:
        self._processes, self._timeout = processes, timeout
        self._turns = Turns(at_once, max(1, at_once // 2), "search")
        self._kept: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def start(self, owner: str, task: Task, timeout: float | None = None) -> Running:
        """Start a search, whose answer is JSON. Raises TooManySearchesError."""
        cancelled = threading.Event()
        limit = self._timeout if timeout is None else min(timeout, self._timeout)
        if self._stopping:
            raise ServiceStopsError(_STOPS)
        if waiting := self._turns.crowd(owner):
            raise TooManySearchesError(f"{waiting} searches wait for others to end", hint="try again later")

        def run() -> bytes:  # the time of those that wait for their turn does not count
            clock = Clock(time.monotonic() + limit, lambda: cancelled.is_set() or self._stopping)
            try:
                clock.check()
                answer: bytes = self._processes.run(task, clock)
            except SearchStoppedError:
                if self._stopping:
                    raise ServiceStopsError(_STOPS) from None
                raise
            return answer

        return Running(owner, self._turns.submit(owner, run), time.time(), cancelled)

    def keep(self, search: Running, seconds: float) -> str:
        """Keep a search and its answer for some time; return the id by which it is asked for."""
        with self._lock:
            now = time.time()
            for id_, old in list(self._kept.items()):
                if old.expires < now:
                    old.cancelled.set()
                    del self._kept[id_]
            search.id = search.id or secrets.token_urlsafe(24)
            search.expires = now + seconds
            self._kept[search.id] = search
            return search.id

    def find(self, id_: str, owner: str) -> Running | None:
        """Return a search that is kept, if it is the owner's."""
        with self._lock:
            search = self._kept.get(id_)
        return search if search and search.owner == owner and search.expires >= time.time() else None

    def drop(self, id_: str, owner: str) -> bool:
        """End a search and forget it; tell whether there was one."""
        search = self.find(id_, owner)
        if search is None:
            return False
        search.cancelled.set()
        with self._lock:
            self._kept.pop(id_, None)
        return True

    def stop(self) -> None:
        """Let every search end soon, and take no more. May be called by a handler of signals."""
        self._stopping = True

    def close(self) -> None:
        """End every search."""
        self.stop()
        with self._lock:
            for search in self._kept.values():
                search.cancelled.set()
        self._processes.close()
        self._turns.close()
