"""Searches in processes of their own, which are ended when a search takes too long, or nobody waits for it.

Nothing inside a process can end one call of a library, or give back the memory that it took (decision 031).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tocsin.search.errors import SearchStoppedError, SearchTooLargeError, ServiceStopsError
from tocsin.search.remote import ASKED, Answers, RemoteFailure
from tocsin.search.selection import Clock
from tocsin.search.tasks import Task
from tocsin.search.worker import END, FORK, NO_MEMORY, NUMBER, PEAK, Job
from tocsin.store.events import EventReader
from tocsin.store.lake.tables.index_scans import EventScans

_LOOK = 0.1  # seconds between looks whether a search has to end
_IDLE = 2  # processes that are kept for the next searches
# By default Arrow's allocator reserves addresses by the gigabyte, which alone is as much as a search may have.
_ARENAS = {"MIMALLOC_ARENA_RESERVE": "65536"}  # KiB at a time
_END_TIMEOUT = 10.0  # seconds until processes that should end are killed

log = logging.getLogger(__name__)


@dataclass
class _Child:
    pid: int
    connection: Connection


class SearchProcesses:
    """Runs searches of a store in processes, each with at most so many bytes of `memory`."""

    def __init__(self, reader: EventReader, scans: EventScans, memory: int) -> None:
        self._reader, self._scans, self._memory = reader, scans, memory
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._closed = False
        self._start()

    def run(self, task: Task, clock: Clock) -> bytes:
        """Return what a search finds.

        Raises what it raises, SearchStoppedError where it has to end, SearchTooLargeError where it needs more
        memory than it may, RuntimeError where its process dies of something else.
        """
        child = self._child()
        try:
            answer, failure, ends = self._follow(child, task, clock)
        except (EOFError, ConnectionError):
            number = self._end(child)
            if self._closed:
                raise ServiceStopsError("the service stops") from None
            raise self._reason(number) from None
        except BaseException:
            self._end(child)
            raise
        if ends or not self._keeps(child):
            self._end(child)
        if failure is not None:
            raise failure.error()
        return answer

    def _reason(self, number: int) -> Exception:
        """Return the error of a search whose process has died, by the number that `_end` returned."""
        ended, ending = number % NO_MEMORY, f"its process was ended by {_named(number % NO_MEMORY)}"
        # orjson does not look whether it got memory.
        is_full = ended == signal.SIGSEGV and (number >> PEAK) << 10 > self._memory // 2
        if ended == signal.SIGKILL or number & NO_MEMORY or is_full:  # the system kills where it has none left
            return SearchTooLargeError.of(self._memory, f": {ending}")
        if ended == signal.SIGALRM:
            return SearchStoppedError("the search took too long", hint="search a shorter span of time")
        return RuntimeError(f"a search failed: {ending}")

    def _follow(self, child: _Child, task: Task, clock: Clock) -> tuple[bytes, RemoteFailure | None, bool]:
        """Answer a search's questions; return its answer, why it failed, and whether its process ends."""
        answers, connection = Answers(self._reader, self._scans), child.connection
        connection.send(Job(task, clock.left, self._memory))
        while True:
            while not connection.poll(_LOOK):
                clock.check()
            clock.check()
            what, *content = connection.recv()
            if what != ASKED:
                answer, failure, ends = content
                return answer, failure, ends
            connection.send(answers.answer(*content))

    def close(self) -> None:
        """End every process."""
        with self._lock:
            self._closed = True
            self._control.close()  # it ends its children, then itself
            try:
                self._forking.wait(_END_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._forking.kill()
                self._forking.wait()

    # ---- processes

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._forking = subprocess.Popen(
                [sys.executable, "-m", "tocsin.search.worker", str(number)],
                pass_fds=[number], start_new_session=True, env={**os.environ, **_ARENAS},
            )  # fmt: skip

    def _child(self) -> _Child:
        """Return a process that waits for a search, a new one where none does."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    pid = self._ask_forking_process(
                        lambda: socket.send_fds(self._control, [FORK], [theirs.fileno()])
                    )
                except OSError:
                    ours.close()
                    raise ServiceStopsError("the service stops") from None
            return _Child(pid, Connection(ours.detach()))

    def _keeps(self, child: _Child) -> bool:
        """Keep a process for another search, unless enough wait."""
        with self._lock:
            if self._closed or len(self._idle) >= _IDLE:
                return False
            self._idle.append(child)
            return True

    def _end(self, child: _Child) -> int:
        """End a process; return the signal that it had ended by, NO_MEMORY where that was why, and its PEAK."""
        child.connection.close()
        with self._lock, contextlib.suppress(OSError):
            return self._ask_forking_process(lambda: self._control.sendall(END + NUMBER.pack(child.pid)))
        return 0

    def _ask_forking_process(self, ask: Callable[[], object]) -> int:
        """Return the number that the forking process answers with; start it again once where it has died."""
        if self._closed:
            raise BrokenPipeError
        for tries in range(2):
            try:
                ask()
                if answer := _received(self._control):
                    return answer[0]
            except OSError:
                if tries:
                    raise
            log.error("the process that searches are forked from has died; a new one is started")
            self._forking.kill()
            self._forking.wait()
            self._control.close()
            self._start()
        raise BrokenPipeError


def _received(control: socket.socket) -> tuple[int, ...]:
    packed = control.recv(NUMBER.size, socket.MSG_WAITALL)
    return NUMBER.unpack(packed) if len(packed) == NUMBER.size else ()


def _named(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "itself"
