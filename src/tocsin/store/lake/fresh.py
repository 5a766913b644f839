"""Events that are in the journal and in no table yet: searched from memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tocsin.store.lake.documents import to_table
from tocsin.store.lake.fields import IndexFields
from tocsin.store.lake.journal import Entry


class FreshIndex:
    """The events of one index in one segment of the journal; they become columns when someone looks for them."""

    def __init__(self, fields: IndexFields) -> None:
        self._fields, self._entries = fields, list[Entry]()
        self._tables: list[pa.Table] = []
        self._done = 0  # entries that are in tables
        self._lock = threading.Lock()

    def add(self, entries: Sequence[Entry]) -> None:
        """Add events. Only one thread may."""
        self._entries.extend(entries)

    def tables(self, upto: int) -> list[pa.Table]:
        """Return the first events, so many, as tables, and perhaps some more that came since."""
        with self._lock:
            if self._done < upto:
                entries = self._entries[self._done :]
                self._tables.append(to_table(entries, self._fields))
                self._done += len(entries)
            return list(self._tables)

    def whole(self) -> pa.Table:
        """Return all events as one table."""
        return pa.concat_tables(self.tables(len(self._entries)), promote_options="default")

    @property
    def rows(self) -> int:
        """How many events there are."""
        return len(self._entries)

    def span(self) -> tuple[int, int]:
        """Return the first and the last time of the events."""
        times = [entry.time for entry in list(self._entries)]
        return min(times), max(times)


@dataclass
class Generation:
    """What one segment of the journal holds, by index."""

    segment: int
    indices: dict[str, FreshIndex] = field(default_factory=dict)
    size: int = 0  # bytes of documents
    born: float = 0.0  # when the first event came, on the monotonic clock
    held: bool = False  # the segment has events of an index that is set aside, and stays
