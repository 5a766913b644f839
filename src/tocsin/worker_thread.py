"""Threads of the service that work until they are closed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)
_WARN_EVERY = 30.0  # seconds of waiting for a thread to end


class WorkerThread:
    """Runs `work` in a thread from `start` to `close`. `work` is given the event that says that it has to end.

    `wake` wakes it where it waits for something else than that event. Several threads may share one `closing`.
    An exception that leaves `work` ends the thread, a panic of a library in Rust too, which is no Exception: it is
    logged, and `failure` says it.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[threading.Event], None],
        *,
        wake: Callable[[], None] | None = None,
        closing: threading.Event | None = None,
    ) -> None:
        self.closing = closing or threading.Event()
        self.failure: str | None = None
        self._work, self._wake = work, wake
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End when the work under way is done; as long as it is not, that is logged twice a minute.

        What the thread works with may be closed after that, so that it is never given up.
        """
        self.closing.set()
        if self._wake is not None:
            self._wake()
        while self._thread.is_alive():
            self._thread.join(_WARN_EVERY)
            if self._thread.is_alive():
                log.warning("still waiting for the thread %s to end", self._thread.name)

    def _run(self) -> None:
        try:
            self._work(self.closing)
        except BaseException as error:
            self.failure = f"{type(error).__name__}: {error}"
            log.exception("the thread %s has ended", self._thread.name)
