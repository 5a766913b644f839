"""A cache of whole events that alerts will most likely need."""

from __future__ import annotations

from collections import OrderedDict

from tocsin.detection.rule_types.findings import Place

_SURE, _LIKELY = 128 << 20, 256 << 20  # bytes


class _Shelf:
    """The newest documents up to a number of bytes, by their place."""

    def __init__(self, size: int) -> None:
        self._size, self.used = size, 0
        self.sources: OrderedDict[Place, bytes] = OrderedDict()

    def add(self, place: Place, source: bytes) -> None:
        if place in self.sources:
            return
        self.sources[place] = source
        self.used += len(source)
        while self.used > self._size:
            _, oldest = self.sources.popitem(last=False)
            self.used -= len(oldest)


class EventCache:
    """Events that will surely be in an alert, and likely ones, which never displace the former."""

    def __init__(self, sure: int = _SURE, likely: int = _LIKELY) -> None:
        self._sure, self._likely = _Shelf(sure), _Shelf(likely)

    def add(self, place: Place, source: bytes, *, sure: bool = True) -> None:
        """Add an event."""
        (self._sure if sure else self._likely).add(place, source)

    def get(self, place: Place) -> bytes | None:
        """Return an event's document, None where the cache does not hold it: then the store does."""
        return self._sure.sources.get(place) or self._likely.sources.get(place)

    @property
    def size(self) -> int:
        """How many bytes the documents have."""
        return self._sure.used + self._likely.used
