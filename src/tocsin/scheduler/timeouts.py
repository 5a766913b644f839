"""Work that others wait for, but not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


def run_with_timeout(work: Callable[[], T], seconds: float) -> Future[T]:
    """Begin work in a thread of its own, and return when it is done, or after some seconds.

    What takes longer goes on; nobody waits for its thread when the process ends.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # whoever asks for the result gets it
            future.set_exception(error)

    threading.Thread(target=run, name="watch-rule", daemon=True).start()
    wait([future], seconds)
    return future
