"""Many small changes at once: those that wait are made in one transaction, which the disk confirms once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from tocsin.errors import TocsinError
from tocsin.store.records.database import Records, begin_to_write
from tocsin.worker_thread import WorkerThread

_AT_ONCE = 200
_T = TypeVar("_T")
_Change = tuple[Callable[[Session], Any], "Future[Any]"]


class GroupedTransactions:
    """Makes changes of records in a thread of its own. A change that fails undoes itself alone.

    Changes are small: others who write records wait for a whole group.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._waiting: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._thread = WorkerThread("host records", self._work, wake=lambda: self._waiting.put(None))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Make the changes that wait, and end."""
        self._thread.close()

    def submit(self, change: Callable[[Session], _T]) -> Future[_T]:
        """Have a change made. The future has what it returned, once it is on disk, or what it raised."""
        future: Future[_T] = Future()
        self._waiting.put((change, future))
        return future

    def _work(self, closing: threading.Event) -> None:
        while True:
            first = self._waiting.get()
            group = [] if first is None else [first]
            while len(group) < _AT_ONCE and not self._waiting.empty():
                if (more := self._waiting.get()) is not None:
                    group.append(more)
            if group:
                self._make(group)
            # What woke it may have been taken with the group.
            if closing.is_set() and self._waiting.empty():
                return

    def _make(self, group: list[_Change]) -> None:
        results: list[tuple[Future[Any], Any]] = []
        try:
            with self._records.transaction() as session:
                begin_to_write(session)
                for change, future in group:
                    try:
                        with session.begin_nested():
                            results.append((future, change(session)))
                    except TocsinError as error:  # said to whoever asked; the others' changes are made
                        future.set_exception(error)
        except BaseException as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for future, result in results:
            future.set_result(result)
