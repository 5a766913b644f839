"""Events set aside, in memory and above a size on disk, until it is known whether a rule needs them."""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable

from tocsin.sources.batch import Event, RawEvent

IN_MEMORY = 64 << 20  # bytes; more goes to a temporary file


class Spool:
    """Raw events by the number of their arrival; they must be added in ascending order."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._file = tempfile.SpooledTemporaryFile(in_memory)  # noqa: SIM115 (it lives as long as this)
        self._arrivals, self._ends, self._kinds = array("q"), array("q"), array("l")
        self._size = 0
        self._known: dict[tuple[str, Callable[[bytes], Event]], int] = {}

    def add(self, arrivals: Iterable[int], raws: Iterable[RawEvent]) -> None:
        """Add events."""
        contents: list[bytes] = []
        for arrival, raw in zip(arrivals, raws, strict=True):
            contents.append(raw.content)
            self._size += len(raw.content)
            self._arrivals.append(arrival)
            self._ends.append(self._size)
            self._kinds.append(self._known.setdefault((raw.origin, raw.decode), len(self._known)))
        self._file.write(b"".join(contents))

    def get(self, arrival: int) -> RawEvent:
        """Return an event. Raises KeyError for one that was not added."""
        at = bisect_left(self._arrivals, arrival)
        if at == len(self._arrivals) or self._arrivals[at] != arrival:
            raise KeyError(arrival)
        start = self._ends[at - 1] if at else 0
        self._file.seek(start)
        content = self._file.read(self._ends[at] - start)
        self._file.seek(0, 2)
        origin, decode = list(self._known)[self._kinds[at]]
        return RawEvent(content, origin, decode)

    def __len__(self) -> int:
        return len(self._arrivals)

    def close(self) -> None:
        """Remove all events."""
        self._file.close()
