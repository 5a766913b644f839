"""Work of several owners, some of it at once: each has a share, and the owners take turns."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
_Run = Callable[[], None]
_MOST_WAITING, _MOST_OF_ONE = 200, 100  # of all owners and of one; whoever asks for more is told to come later


class Turns:
    """Runs so much `at_once` in threads, and of one owner's no more than its `share`.

    What waits is begun owner by owner, of each the oldest first.
    """

    def __init__(self, at_once: int, share: int, name: str) -> None:
        self._at_once, self._share = at_once, share
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, deque[tuple[Future[object], _Run]]] = OrderedDict()
        self._running = Counter[str]()
        self._closed = False

    def crowd(self, owner: str) -> int:
        """Return how much waits where that is too much for more of an owner, of their own or of all; else 0."""
        for waiting, most in ((self.waiting(owner), _MOST_OF_ONE), (self.waiting(), _MOST_WAITING)):
            if waiting >= most:
                return waiting
        return 0

    def waiting(self, owner: str | None = None) -> int:
        """Return how much waits, of one owner or of all."""
        with self._lock:
            queues = self._waiting.values() if owner is None else [self._waiting.get(owner, deque())]
            return sum(map(len, queues))

    def submit(self, owner: str, work: Callable[[], Result]) -> Future[Result]:
        """Have work done when its turn comes."""
        future: Future[Result] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._closed:
                raise RuntimeError("no work is taken after the end")
            self._waiting.setdefault(owner, deque()).append((future, run))  # type: ignore[arg-type]
            self._begin()
        return future

    def _begin(self) -> None:
        """Begin what may run now."""
        while self._running.total() < self._at_once:
            owner = next((name for name in self._waiting if self._running[name] < self._share), None)
            if owner is None:
                return
            theirs = self._waiting.pop(owner)
            _, run = theirs.popleft()
            if theirs:
                self._waiting[owner] = theirs  # behind the other owners
            self._running[owner] += 1
            self._pool.submit(self._run, owner, run)

    def _run(self, owner: str, run: _Run) -> None:
        run()
        with self._lock:
            self._running[owner] -= 1
            if not self._running[owner]:
                del self._running[owner]
            if not self._closed:
                self._begin()

    def close(self) -> None:
        """Cancel what waits, and return when what runs has ended."""
        with self._lock:
            self._closed = True
            left = [future for theirs in self._waiting.values() for future, _ in theirs]
            self._waiting.clear()
        for future in left:
            future.cancel()
        self._pool.shutdown(wait=True)
