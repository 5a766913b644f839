"""A cache of whole events that alerts will most likely need, from their arrival on."""

from __future__ import annotations

from collections import OrderedDict

from tocsin.detection.rule_types.findings import Place

_SURE, _LIKELY = 128 << 20, 256 << 20  # bytes


class _Shelf:
    """Documents by their place: as many as a number of bytes holds, the newest."""

    def __init__(self, size: int) -> None:
        self._size, self.used = size, 0
        self.sources: OrderedDict[Place, bytes] = OrderedDict()

    def add(self, place: Place, source: bytes) -> None:
        if place in self.sources:
            return
        self.sources[place] = source
        self.used += len(source)
        while self.used > self._size:
            _, gone = self.sources.popitem(last=False)
            self.used -= len(gone)


class EventCache:
    """Events that are alerts by themselves, and others likely to be part of one, which never oust the former."""

    def __init__(self, sure: int = _SURE, likely: int = _LIKELY) -> None:
        self._sure, self._likely = _Shelf(sure), _Shelf(likely)

    def add(self, place: Place, source: bytes, *, sure: bool = True) -> None:
        """Keep an event."""
        (self._sure if sure else self._likely).add(place, source)

    def get(self, place: Place) -> bytes | None:
        """Return an event's document, None where it is not kept: then the store has it."""
        return self._sure.sources.get(place) or self._likely.sources.get(place)

    @property
    def size(self) -> int:
        """How many bytes the documents have."""
        return self._sure.used + self._likely.used
