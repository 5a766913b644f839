"""The process that searches run in, apart from the service: `python -m tocsin.search.worker`.

It loads everything once and then forks children that run a search, or a few, and can be ended at any moment.
Requests come over a socket, one byte each: fork a child that serves the socket sent along, or end a child.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from typing import IO, Any, NamedTuple

from tocsin.errors import TocsinError
from tocsin.search.errors import SearchTooLargeError
from tocsin.search.remote import DONE, RemoteFailure, RemoteReader
from tocsin.search.selection import Clock
from tocsin.search.tasks import Task
from tocsin.store.events import EventReader, StoreError
from tocsin.store.resources import is_lack_of_memory, is_lack_of_resources

FORK, END = b"f", b"e"
NUMBER = struct.Struct("!q")
NO_MEMORY = 1 << 8  # beside the signal that a child has ended by: libraries had no memory, and ended it
PEAK = 16  # the bits below the kibibytes of memory that it had at most
# What C++, Rust and threads say when they end a process that gets no more memory.
_OUT_OF_MEMORY = (b"std::bad_alloc", b"memory allocation of", b"Resource temporarily unavailable")
_MOST_WRITTEN = 64 << 10  # bytes of a child's standard error that are looked at, the last
_LATE = 5  # seconds after its deadline at which the system ends a search that nobody has ended
_NICE = 5  # what comes in, and rules, go first
_REUSABLE = (
    512 << 10
)  # kibibytes that a child may have needed and be used again: it does not give back what it took


class Job(NamedTuple):
    """A search for a child: what to do, and the seconds and the bytes that it may take."""

    task: Task
    seconds: float
    memory: int


# ---- the process that forks


def main() -> None:
    """Fork children and end them as the service asks, until it is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.collect()
    gc.freeze()  # what is there is shared with children as long as nobody writes to it
    children: dict[int, IO[bytes]] = {}  # with what each writes to standard error
    while True:
        request, sockets, *_ = socket.recv_fds(control, 1, 1)
        if request == FORK:
            written: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it is there until the child has ended)
            pid = os.fork()
            if pid == 0:
                control.close()
                os.dup2(written.fileno(), sys.stderr.fileno())
                _serve(Connection(sockets[0]))
                os._exit(0)
            children[pid] = written
            os.close(sockets[0])
            control.sendall(NUMBER.pack(pid))
        elif request == END:
            (pid,) = NUMBER.unpack(_exactly(control, NUMBER.size))
            control.sendall(NUMBER.pack(_end(pid) | _passed_on(children.pop(pid)) if pid in children else 0))
        else:  # the service is gone
            for pid in children:
                _end(pid)
            return


def _exactly(control: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = control.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return received


def _end(pid: int) -> int:
    """End a child, and return the signal that it has ended by, and its PEAK."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    return (os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0) | used.ru_maxrss << PEAK


def _passed_on(written: IO[bytes]) -> int:
    """Pass on what a child has written to standard error; return NO_MEMORY where it says that it had no memory."""
    with written:
        written.seek(max(0, written.seek(0, os.SEEK_END) - _MOST_WRITTEN))
        written_text = written.read()
    sys.stderr.buffer.write(written_text)
    sys.stderr.flush()
    return NO_MEMORY if any(words in written_text for words in _OUT_OF_MEMORY) else 0


# ---- its children


def _serve(connection: Connection) -> None:
    """Run one search after the other, until nobody has another."""
    os.nice(_NICE)
    with contextlib.suppress(EOFError, OSError):
        while True:
            job: Job = connection.recv()
            ends = _run(connection, job)
            if ends:
                return


def _run(connection: Connection, job: Job) -> bool:
    """Run a search, send its answer, and return whether the process ends now."""
    _limit_memory(job.memory)
    if job.seconds < 1e6:  # should the service be gone, the system ends it
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(job.seconds) + _LATE)
    answer, failure = _answer_of(job, RemoteReader(connection))
    _limit_memory(None)
    signal.alarm(0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _REUSABLE
    ends = grown or (failure is not None and failure.kind is SearchTooLargeError)
    connection.send((DONE, answer, failure, ends))
    return ends


def _answer_of(job: Job, reader: EventReader) -> tuple[Any, RemoteFailure | None]:
    try:
        return job.task(reader, Clock(time.monotonic() + job.seconds)), None
    except BaseException as error:
        if is_lack_of_memory(error):
            error = SearchTooLargeError.of(job.memory)
        elif not isinstance(error, TocsinError) and is_lack_of_resources(error):
            error = StoreError(f"the search cannot run now: {error}", hint="ask again later")
        return None, RemoteFailure.of(error)


def _limit_memory(more: int | None) -> None:
    """Let the process take so many bytes more than it has, or as many as it likes."""
    if not hasattr(resource, "RLIMIT_DATA") or not os.path.exists("/proc/self/statm"):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if more is None:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        has = int(file.read().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (has + more, hard))


if __name__ == "__main__":
    main()
