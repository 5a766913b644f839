"""The clock of arrivals: what the store stamps events with, and what rules are due by. It never runs back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SLOWED = 0.9  # of real time, at which it goes on while the wall clock is behind it
_STEP = 1_000  # nanoseconds: stamps are whole microseconds, as columns hold them


class ArrivalClock:
    """Tells the time in nanoseconds since 1970, in whole microseconds.

    It follows the wall clock forward, however far. While the wall clock is behind what was told before, after
    somebody has set it back, it goes on a little slower than real time until the two meet.
    """

    def __init__(
        self,
        floor: int = 0,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall, self._steady, self._lock = wall, steady, threading.Lock()
        self._last, self._at = floor, steady()

    def now(self) -> int:
        """Return the time, never before what was told earlier."""
        with self._lock:
            at = self._steady()
            slowed = self._last + int((at - self._at) * _SLOWED)
            told = max(self._wall(), slowed)
            self._last, self._at = max(self._last, told // _STEP * _STEP), at
            return self._last

    def never_before(self, floor: int) -> None:
        """Let it tell no time before a moment, as one that rules have been run for."""
        with self._lock:
            if floor > self._last:
                self._last, self._at = floor, self._steady()
