"""How many events arrived, by index and second: from these, an execution says how many its window held."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tocsin.detection.schedule import Window
from tocsin.moments import SECOND
from tocsin.store.patterns import takes

_COUNTED = 3 * 86_400  # seconds that are counted one by one; windows that reach further back are not counted


@lru_cache(1 << 12)
def fitting_none(patterns: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the index patterns that fit none of the indices; patterns that exclude indices are left out."""
    wanted = (pattern for pattern in patterns if not pattern.startswith("-"))
    return tuple(pattern for pattern in wanted if not any(takes([pattern], name) for name in names))


class EventCounts:
    """Counts events by their own time and by their arrival, from `since` on (nanoseconds).

    `total` is how many were added.
    """

    def __init__(self, since: int) -> None:
        self.since, self.total = since, 0
        self._base = since // SECOND
        self._counts: dict[tuple[str, bool], npt.NDArray[np.int64]] = {}
        self._sums: dict[tuple[str, bool], npt.NDArray[np.int64]] = {}

    def beside(self) -> EventCounts:
        """Return empty counts that can be merged into these."""
        counts = EventCounts(self.since)
        counts._base = self._base
        return counts

    def merge(self, other: EventCounts) -> None:
        """Add other counts, which were made from the same moment on."""
        if other._base != self._base:  # these have dropped the days before
            return
        self.total += other.total
        for key, added in other._counts.items():
            self._grow(key, added)

    def add(self, index: str, times: npt.NDArray[np.int64], arrivals: npt.NDArray[np.int64]) -> None:
        """Count events of an index. Events before `since` are not counted by their own time."""
        self.total += len(times)
        for by_arrival, moments in ((False, times), (True, arrivals)):
            seconds = moments // SECOND - self._base
            seconds = seconds[(seconds >= 0) & (seconds < 2 * _COUNTED)]
            key = (index, by_arrival)
            self._grow(key, np.bincount(seconds) if len(seconds) else np.zeros(0, np.int64))

    def _grow(self, key: tuple[str, bool], added: npt.NDArray[np.int64]) -> None:
        known = self._counts.get(key, np.zeros(0, np.int64))
        if len(added) > len(known):
            known = np.concatenate((known, np.zeros(len(added) - len(known), np.int64)))
        known[: len(added)] += added
        self._counts[key] = known
        self._sums.pop(key, None)

    def count(self, patterns: Sequence[str], window: Window, *, by_arrival: bool) -> int:
        """Return how many events a window holds in the indices that patterns fit."""
        return sum(
            self._between(key, window)
            for key in self._counts
            if key[1] is by_arrival and (not patterns or takes(patterns, key[0]))
        )

    def forget(self, now: int) -> None:
        """Drop the counts of what lies days back."""
        oldest = now // SECOND - _COUNTED
        if oldest - self._base < _COUNTED // 2:
            return
        dropped = oldest - self._base
        self._base, self.since = oldest, oldest * SECOND
        self._counts = {key: counts[dropped:].copy() for key, counts in self._counts.items()}
        self._sums = {}

    def _between(self, key: tuple[str, bool], window: Window) -> int:
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = np.concatenate(([0], np.cumsum(self._counts[key])))
        start = 0 if window.start is None else window.start // SECOND - self._base
        end = len(sums) - 1 if window.end is None else -(-window.end // SECOND) - self._base
        low, high = (min(max(at, 0), len(sums) - 1) for at in (start, end))
        return int(sums[max(low, high)] - sums[low])
