"""Work that is waited for up to a timeout."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


def run_with_timeout(work: Callable[[], T], seconds: float) -> Future[T]:
    """Start work in a thread of its own, and return when it is done, or after some seconds.

    Work that takes longer goes on; the end of the process does not wait for its thread.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # raised to whoever reads the result
            future.set_exception(error)

    threading.Thread(target=run, name="watch-rule", daemon=True).start()
    wait([future], seconds)
    return future
