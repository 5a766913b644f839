"""Events that are in the journal and in no table yet: searched from memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tocsin.store.columns.documents import to_table
from tocsin.store.columns.fields import IndexFields
from tocsin.store.lake.journal.journal import Entry

_NEVER = 1 << 63  # later than any time


class EventBuffer:
    """The events of one index in one segment of the journal.

    A search makes columns of them, and they are held as columns alone from then on.
    """

    def __init__(self, fields: IndexFields) -> None:
        self._fields, self._entries = fields, list[Entry]()  # those that are in no table yet
        self._tables: list[pa.Table] = []
        self._done = 0  # events that are in tables
        self._rows, self._first, self._last = 0, _NEVER, -_NEVER
        self._arrived = _NEVER, -_NEVER
        self._converting = threading.Lock()
        self._lock = threading.Lock()  # of what is above; held for a moment only

    def add(self, entries: Sequence[Entry]) -> None:
        """Add events. Only one thread may."""
        if not entries:
            return
        times = [entry.time for entry in entries]
        arrivals = [entry.ingested for entry in entries]
        with self._lock:
            self._entries.extend(entries)
            self._rows += len(entries)
            self._first, self._last = min(self._first, *times), max(self._last, *times)
            first, last = self._arrived
            self._arrived = min(first, *arrivals), max(last, *arrivals)

    def tables(self, upto: int) -> list[pa.Table]:
        """Return tables with the first `rows` events, and perhaps with some that came since."""
        with self._converting:
            if self._done < upto:
                with self._lock:
                    entries = list(self._entries)
                table = to_table(entries, self._fields)
                with self._lock:
                    self._tables.append(table)
                    self._done += len(entries)
                    del self._entries[: len(entries)]
            return list(self._tables)

    def whole(self) -> pa.Table:
        """Return all events as one table."""
        return pa.concat_tables(self.tables(self._rows), promote_options="default")

    @property
    def rows(self) -> int:
        """How many events there are."""
        return self._rows

    @property
    def documents_size(self) -> int:
        """How many bytes the documents have that are no columns yet."""
        with self._lock:
            return sum(len(entry.source) for entry in self._entries)

    @property
    def columns_size(self) -> int:
        """How many bytes the columns take."""
        with self._lock:
            return sum(table.nbytes for table in self._tables)

    def span(self) -> tuple[int, int]:
        """Return the first and the last time of the events."""
        with self._lock:
            return self._first, self._last

    def arrived(self) -> tuple[int, int]:
        """Return the first and the last moment at which one of the events arrived."""
        with self._lock:
            return self._arrived


@dataclass
class Generation:
    """What one segment of the journal holds, by index."""

    segment: int
    indices: dict[str, EventBuffer] = field(default_factory=dict)
    size: int = 0  # bytes of documents
    born: float = 0.0  # when the first event came, on the monotonic clock
    held: bool = False  # the segment has events of an index that is set aside, and stays
