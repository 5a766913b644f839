"""Reading ahead: a thread reads the next batches while the one before is looked at, so that both cores work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from tocsin.sources.batch import EventBatch

_LONGEST_WAIT = 1.0  # seconds
AHEAD = 1  # batches that wait at most; each costs memory


@dataclass
class _Read:
    """A batch, and the event that its reader waits for where it must not read on before the batch is used up."""

    batch: EventBatch
    done: threading.Event = field(default_factory=threading.Event)


def read_ahead(batches: Iterable[EventBatch], ahead: int = AHEAD) -> Generator[EventBatch]:
    """Yield batches in order, read by a thread that is at most `ahead` of them; what it raises is raised here.

    A consumer that stops early closes this generator, which stops the thread.
    """
    waiting: queue.Queue[_Read | BaseException | None] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item: _Read | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            for batch in batches:
                item = _Read(batch)
                put(item)
                while batch.borrowed and not stopped.is_set() and not item.done.wait(0.1):
                    pass
                if stopped.is_set():
                    return
        except BaseException as error:
            put(error)
        else:
            put(None)

    thread = threading.Thread(target=read, name="reader", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item.batch
            item.done.set()
    finally:
        stopped.set()
        thread.join(_LONGEST_WAIT)  # it may be waiting for a pipe that sends nothing more
