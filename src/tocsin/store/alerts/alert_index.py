"""The alerts as an index beside the events: searched like these, and read by rules that look at alerts."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import select

from tocsin.ecs import Field, FieldType, Schema
from tocsin.store.alerts.names import ALERTS_INDEX, ALERTS_NAMES, takes_alerts
from tocsin.store.events import ID, Document, EventStore, IndexInfo, Outcome, Scan, SetAside, StoredBatch
from tocsin.store.lake.fields import IndexFields
from tocsin.store.lake.fresh import FreshIndex
from tocsin.store.lake.index_scans import EventScans, IndexScan
from tocsin.store.lake.journal import Entry
from tocsin.store.lake.reading import read_table
from tocsin.store.lake.table import StoredFile
from tocsin.store.mappings import NO_MAPPING, IndexMapping
from tocsin.store.records.alerts import find_alerts
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

_OVERLAP = 60_000_000_000  # nanoseconds: a change that was stamped earlier may be committed later


class AlertIndex:
    """The alerts of records as a table in memory, brought up to date whenever somebody looks."""

    def __init__(self, records: Records) -> None:
        self._records, self._lock = records, threading.Lock()
        self._known: dict[str, int] = {}  # alert -> when it was changed last
        self._entries: dict[str, Entry] = {}
        self._upto = 0
        self._fields = IndexFields()
        self._index = FreshIndex(self._fields)

    def current(self) -> FreshIndex:
        """Return the alerts as they are now."""
        with self._lock:
            with self._records.transaction() as session:
                asked = select(StoredAlert.id, StoredAlert.changed).where(
                    StoredAlert.changed >= self._upto - _OVERLAP
                )
                new = [row.id for row in session.execute(asked) if self._known.get(row.id) != row.changed]
                found = list(find_alerts(session, new))
            again = any(alert.id in self._known for alert in found)
            added = []
            for alert in found:
                self._known[alert.id] = alert.changed
                self._upto = max(self._upto, alert.changed)
                # An alert's own time is that of its making, as its `@timestamp` has it.
                entry = Entry(ALERTS_INDEX, alert.id, True, alert.created, alert.created, alert.document.encode())
                self._entries[alert.id] = entry
                added.append(entry)
            if again:
                self._index = FreshIndex(self._fields)
                added = list(self._entries.values())
            self._index.add(added)
            return self._index

    @property
    def fields(self) -> IndexFields:
        """The fields that alerts have."""
        index = self.current()
        index.tables(index.rows)
        return self._fields

    @property
    def size(self) -> int:
        """How many bytes the alerts take that were looked at, as documents and as columns."""
        return sum(len(entry.source) for entry in list(self._entries.values())) + self._index.columns_size


class StoreWithAlerts:
    """An event store in which the alerts are one more index, taken by patterns such as `.alerts-*`."""

    def __init__(self, store: EventStore, records: Records) -> None:
        self.events, self.alerts = store, AlertIndex(records)

    def add(self, documents: Sequence[Document]) -> list[Outcome]:
        """Store events; see EventStore."""
        return self.events.add(documents)

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield events and alerts; see EventStore."""
        yield from self.events.scan(scan)
        if takes_alerts(scan.patterns):
            index = self.alerts.current()
            for table in index.tables(index.rows):
                yield read_table(ALERTS_INDEX, table, scan.fields)

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield batches that hold every event with one of the ids; see EventStore."""
        yield from self.events.find(patterns, ids)
        if takes_alerts(patterns):
            index = self.alerts.current()
            for table in index.tables(index.rows):
                yield read_table(ALERTS_INDEX, table, {ID})

    def watermark(self) -> int:
        """Return the moment up to which arrivals are complete; see EventStore."""
        return self.events.watermark()

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the indices that the patterns take; see EventStore."""
        found = self.events.indices(patterns)
        if takes_alerts(patterns):
            index = self.alerts.current()
            first, last = index.span() if index.rows else (None, None)
            found.append(IndexInfo(ALERTS_INDEX, index.rows, 0, first, last))
        return found

    def names(self) -> list[str]:
        """Return the names of all indices, the alerts' too; see EventStore."""
        return [*ALERTS_NAMES, *self.events.names()]

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the fields that are known or that events brought along; see EventStore."""
        schema = self.events.schema(patterns)
        if not takes_alerts(patterns):
            return schema
        return schema.extended(Field(name, kind) for name, kind in self.alerts.fields.dynamic.items())

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that events have; see EventStore."""
        found = {name: dict(kinds) for name, kinds in self.events.fields(patterns).items()}
        if takes_alerts(patterns):
            fields = self.alerts.fields
            for name, known in fields.all().items():
                found.setdefault(name, {}).setdefault(known.type, []).append(ALERTS_INDEX)
        return found

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return the fields of each index; see EventStore."""
        found = dict(self.events.index_fields(patterns))
        if takes_alerts(patterns):
            found[ALERTS_INDEX] = self.alerts.fields.all()
        return found

    def mapping(self, index: str) -> IndexMapping:
        """Return the mapping of an index; see EventStore."""
        return self.events.mapping(index)

    def begin(self, index: str, mapping: IndexMapping) -> None:
        """Let an index have a mapping from now on; see EventStore."""
        self.events.begin(index, mapping)

    def set_aside(self) -> list[SetAside]:
        """Return what is damaged and left out; see EventStore."""
        return self.events.set_aside()

    def check(self, size: int = 0) -> str | None:
        """Return why documents cannot be stored; see EventStore."""
        return self.events.check(size)

    def waiting(self) -> int:
        """Return how many bytes wait to be brought into tables; see EventStore."""
        return self.events.waiting()

    def memory(self) -> dict[str, int]:
        """Return how many bytes the store holds in memory; see EventStore."""
        return {**self.events.memory(), "alerts": self.alerts.size}

    def flush(self) -> None:
        """Bring what waits into tables; see EventStore."""
        self.events.flush()

    def close(self) -> None:
        """Stop; see EventStore."""
        self.events.close()


class ScansWithAlerts:
    """What scans read of events and of the alerts; see EventScans."""

    def __init__(self, events: EventScans, alerts: AlertIndex) -> None:
        self._events, self._alerts = events, alerts

    def index_scans(self, scan: Scan) -> list[IndexScan]:
        """Return what a scan reads of each index, and of the alerts; see EventScans."""
        alerts = self._scans_of_alerts() if takes_alerts(scan.patterns) else []
        return [*self._events.index_scans(scan), *alerts]

    def index_scans_for(self, patterns: Sequence[str], ids: Collection[str]) -> list[tuple[Scan, IndexScan]]:
        """Return what `find` reads, as of this moment; see EventScans."""
        found = self._events.index_scans_for(patterns, ids)
        if takes_alerts(patterns):
            found += [(Scan(patterns, {ID}), one) for one in self._scans_of_alerts()]
        return found

    def _scans_of_alerts(self) -> list[IndexScan]:
        index = self._alerts.current()
        return [IndexScan(ALERTS_INDEX, Path(), NO_MAPPING, (), tuple(index.tables(index.rows)))]

    def put_file_aside(self, index: str, file: StoredFile, reason: str) -> bool:
        """Leave a file out from now on that cannot be read; see EventScans."""
        return self._events.put_file_aside(index, file, reason)

    def put_checksums_aside(self, index: str, file: StoredFile, reason: str) -> None:
        """Say that a file's checksums are damaged; see EventScans."""
        self._events.put_checksums_aside(index, file, reason)
