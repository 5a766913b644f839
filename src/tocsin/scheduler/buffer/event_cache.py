"""A cache of whole events that alerts will most likely need."""

from __future__ import annotations

import threading

from cachetools import FIFOCache

from tocsin.detection.rule_types.findings import Place

_SURE, _LIKELY = 128 << 20, 256 << 20  # bytes


class EventCache:
    """Events that will surely be in an alert, and likely ones, which never displace the former.

    Of each kind the newest are kept, up to a number of bytes. Every method may be called from any thread.
    """

    def __init__(self, sure: int = _SURE, likely: int = _LIKELY) -> None:
        self._sure = FIFOCache[Place, bytes](sure, len)
        self._likely = FIFOCache[Place, bytes](likely, len)
        self._lock = threading.Lock()

    def add(self, place: Place, source: bytes, *, sure: bool = True) -> None:
        """Add an event, unless it alone is larger than all may be."""
        cache = self._sure if sure else self._likely
        with self._lock:
            if place not in cache and len(source) <= cache.maxsize:
                cache[place] = source

    def get(self, place: Place) -> bytes | None:
        """Return an event's document, None where the cache does not hold it: then the store does."""
        with self._lock:
            return self._sure.get(place) or self._likely.get(place)

    @property
    def size(self) -> int:
        """How many bytes the documents have."""
        return int(self._sure.currsize + self._likely.currsize)
