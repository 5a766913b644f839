"""Whole events that alerts will most likely need, kept from when they came in until then."""

from __future__ import annotations

from collections import OrderedDict

from tocsin.watch.findings import Place

_SIZE = 128 << 20  # bytes


class KeptEvents:
    """Documents by their place: as many as a number of bytes holds, the newest."""

    def __init__(self, size: int = _SIZE) -> None:
        self._size, self._used = size, 0
        self._sources: OrderedDict[Place, bytes] = OrderedDict()

    def __contains__(self, place: Place) -> bool:
        return place in self._sources

    def add(self, place: Place, source: bytes) -> None:
        """Keep an event."""
        if place in self._sources:
            return
        self._sources[place] = source
        self._used += len(source)
        while self._used > self._size:
            _, gone = self._sources.popitem(last=False)
            self._used -= len(gone)

    def get(self, place: Place) -> bytes | None:
        """Return an event's document, None where it is not kept: then the store has it."""
        return self._sources.get(place)
