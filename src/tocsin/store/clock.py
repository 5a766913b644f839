"""The clock of arrivals, which stamps events and by which rules are due. It never runs back.

docs/decisions/030-one-clock-that-never-runs-back.md says what goes by it, and what by the system clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from tocsin.moments import SECOND, to_datetime

log = logging.getLogger(__name__)
_SLOWED = 0.9  # of real time, at which it goes on while the wall clock is behind it
_GRAIN = 1_000  # nanoseconds: stamps are whole microseconds, as columns hold them
_NOTICED = 2 * SECOND  # by which the wall clock has to be off what passed for it to be a step
_SLEW = 1_000  # a part in so many, by which a clock that is corrected gradually may be off
_REPORTED = 60 * SECOND  # ahead of the wall clock, which `problem` reports for as long as that lasts
_LEAP = 366 * 86_400 * SECOND  # forward, which is more likely a fault than the truth
_BELIEVED = 600 * SECOND  # a leap that has lasted so long


class ArrivalClock:
    """The time in nanoseconds since 1970, in whole microseconds.

    It follows the wall clock forward. While the wall clock is behind it, after somebody has set that back, it goes
    on a little slower than real time until the two meet. A leap of more than a year is followed when it has lasted
    for ten minutes: some machines start with a date in the far future, until they have asked for the time. `steps`
    counts how often the wall clock was set.
    """

    def __init__(
        self,
        floor: int = 0,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall, self._steady, self._lock = wall, steady, threading.Lock()
        self._last, self._at = floor, steady()
        self._seen: int | None = None  # what the wall clock said when it was last looked at
        self._lead = 0
        self._leapt: int | None = None  # on the steady clock, since when a leap has lasted
        self.steps = 0
        self.stepped = (0, 0)  # the times before and after the last step forward

    def now(self) -> int:
        """Return the time, never before one that it has returned already."""
        with self._lock:
            at, wall = self._steady(), self._wall()
            passed = at - self._at
            self._look(wall, passed)
            moment = max(wall, self._last + int(passed * _SLOWED))
            if self._is_leap(wall, at, passed):
                moment = self._last + passed
            self._last, self._at, self._seen = max(self._last, moment // _GRAIN * _GRAIN), at, wall
            self._lead = max(0, self._last - wall // _GRAIN * _GRAIN)
            return self._last

    def moment(self) -> datetime:
        """Return the time as a datetime in UTC."""
        return to_datetime(self.now())

    def never_before(self, floor: int) -> None:
        """Return no time before `floor` from now on, such as a moment that rules have been run for."""
        with self._lock:
            if floor > self._last:
                self._last, self._at = floor, self._steady()

    @property
    def lead(self) -> int:
        """How many nanoseconds it was ahead of the wall clock when the time was last asked for."""
        return self._lead

    def problem(self) -> str | None:
        """Return what is wrong with the wall clock now, None while the two agree."""
        if self._leapt is not None:
            return (
                f"the system clock is {_span(-self._ahead)} ahead of the last arrival: it is followed when it has "
                "stayed so for ten minutes"
            )
        if self._lead < _REPORTED:
            return None
        return (
            f"the system clock was set back: arrivals are stamped, and rules run, {_span(self._lead)} ahead "
            "of it, until it has caught up"
        )

    @property
    def _ahead(self) -> int:
        return self._last - (self._seen or 0)

    def _look(self, wall: int, passed: int) -> None:
        """Notice that the wall clock was set, since it was last looked at or since the store was last used."""
        before = self._last if self._seen is None else self._seen + passed
        off = wall - before
        if self._seen is None and (off > 0 or not self._last):
            return  # nobody knows for how long the store was not in use
        if abs(off) <= _NOTICED + passed // _SLEW:
            return
        self.steps += 1
        if off < 0:
            log.warning("the system clock was set back by %s; arrivals and rules go on without it", _span(-off))
        else:
            self.stepped = (self._last, wall)
            log.warning("the system clock went forward by %s, or the machine was asleep", _span(off))

    def _is_leap(self, wall: int, at: int, passed: int) -> bool:
        """Return whether the wall clock has leapt forward, and not for long enough to be believed."""
        if not self._last or wall - self._last - passed <= _LEAP:
            self._leapt = None
            return False
        if self._leapt is None:
            self._leapt = at
            log.warning("the system clock is more than a year ahead of the last arrival: it is not followed yet")
        if at - self._leapt < _BELIEVED:
            return True
        self._leapt = None
        log.warning("the system clock has stayed a year ahead, and is followed now")
        return False


def _span(nanoseconds: int) -> str:
    return str(timedelta(seconds=round(nanoseconds / SECOND)))
