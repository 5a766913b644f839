"""Several stores as one: one that takes events, and others beside it that are only read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Protocol

from tocsin.ecs import Field, FieldType, Schema
from tocsin.store.events import (
    ID,
    ArrivedEvents,
    Document,
    EventReader,
    EventStore,
    IndexInfo,
    Outcome,
    Scan,
    SetAside,
    StoredBatch,
)
from tocsin.store.lake.tables.index_scans import DividedScan, EventScans
from tocsin.store.lake.tables.table import StoredFile
from tocsin.store.mappings.index_mapping import IndexMapping
from tocsin.store.schemas import fields_by_type, joined_schemas

_SCHEMAS = 64  # that are kept, by the patterns asked for


class StoreBeside(EventReader, Protocol):
    """A store that others write, with indices of its own."""

    def memory(self) -> dict[str, int]:
        """Return how many bytes the store holds in memory, by what for."""


class CompositeStore:
    """An EventStore of several. `store` takes events, and the watermark is its."""

    def __init__(self, store: EventStore, beside: Sequence[StoreBeside]) -> None:
        self._store, self._beside = store, tuple(beside)
        self._readers: tuple[EventReader, ...] = (store, *beside)
        self._schemas: dict[tuple[str, ...], tuple[tuple[Schema, ...], Schema]] = {}

    def add(self, documents: Sequence[Document]) -> list[Outcome]:
        """Store events; see EventStore."""
        return self._store.add(documents)

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield the events of all stores; see EventReader."""
        return chain.from_iterable([reader.scan(scan) for reader in self._readers])

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield batches that hold every event with one of the ids; see EventReader."""
        return chain.from_iterable([reader.find(patterns, ids) for reader in self._readers])

    def watermark(self) -> int:
        """Return the moment up to which arrivals are complete; see EventReader."""
        return self._store.watermark()

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the indices that the patterns take; see EventReader."""
        return sorted((i for reader in self._readers for i in reader.indices(patterns)), key=lambda i: i.name)

    def names(self) -> list[str]:
        """Return the names of all indices; see EventReader."""
        return sorted(name for reader in self._readers for name in reader.names())

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the fields that are known or that events brought along; see EventReader.

        It is the same object as long as nothing has changed.
        """
        of = [(reader, fields) for reader in self._readers if (fields := reader.index_fields(patterns))]
        schemas = tuple(reader.schema(patterns) for reader, _ in of)
        if len(schemas) < 2:
            return schemas[0] if schemas else self._store.schema(patterns)
        kept = self._schemas.get(tuple(patterns))
        if kept is None or list(map(id, kept[0])) != list(map(id, schemas)):
            kept = schemas, joined_schemas([(schema, f) for schema, (_, f) in zip(schemas, of, strict=True)])
            if len(self._schemas) > _SCHEMAS:
                self._schemas.clear()
            self._schemas[tuple(patterns)] = kept
        return kept[1]

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that events have; see EventReader."""
        return fields_by_type(self.index_fields(patterns))

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return the fields of each index; see EventReader."""
        return {name: of for reader in self._readers for name, of in reader.index_fields(patterns).items()}

    def set_aside(self) -> list[SetAside]:
        """Return what is damaged and left out; see EventReader."""
        return sorted(
            (damage for reader in self._readers for damage in reader.set_aside()), key=lambda damage: damage.name
        )

    def mapping(self, index: str) -> IndexMapping:
        """Return the mapping of an index; see EventReader."""
        of = next((reader for reader in self._beside if index in reader.names()), self._store)
        return of.mapping(index)

    def arrived_events(self) -> Mapping[str, Sequence[ArrivedEvents]]:
        """Return what each index of events holds; see EventStore."""
        return self._store.arrived_events()

    def begin(self, index: str, mapping: IndexMapping) -> None:
        """Let an index have a mapping from now on; see EventStore."""
        self._store.begin(index, mapping)

    def check(self, size: int = 0) -> str | None:
        """Return why documents cannot be stored; see EventStore."""
        return self._store.check(size)

    def upkeep_problem(self) -> str | None:
        """Return why tables are not maintained; see EventStore."""
        return self._store.upkeep_problem()

    def waiting(self) -> int:
        """Return how many bytes wait to be brought into tables; see EventStore."""
        return self._store.waiting()

    def memory(self) -> dict[str, int]:
        """Return how many bytes all stores hold in memory; see EventStore."""
        return {name: size for of in (self._store, *self._beside) for name, size in of.memory().items()}

    def flush(self) -> None:
        """Bring what waits into tables; see EventStore."""
        self._store.flush()

    def close(self) -> None:
        """Stop; see EventStore."""
        self._store.close()


class CompositeScans:
    """What scans of several stores read: the files of one, and what the others have in memory; see EventScans."""

    def __init__(self, scans: EventScans, beside: Sequence[EventReader]) -> None:
        self._scans, self._beside = scans, tuple(beside)

    def divided_scan(self, scan: Scan) -> DividedScan:
        """Return what a scan reads, as of this moment; see EventScans."""
        divided = self._scans.divided_scan(scan)
        batches = [divided.batches, *(reader.scan(scan) for reader in self._beside)]
        return DividedScan(scan, divided.files, chain.from_iterable(batches))

    def divided_find(self, patterns: Sequence[str], ids: Collection[str]) -> list[DividedScan]:
        """Return what `find` reads, as of this moment; see EventScans."""
        scan = Scan(patterns, {ID})
        beside = [DividedScan(scan, (), reader.find(patterns, ids)) for reader in self._beside]
        return [*self._scans.divided_find(patterns, ids), *beside]

    def put_file_aside(self, index: str, file: StoredFile, reason: str) -> bool:
        """Leave a file out from now on that cannot be read; see Faults."""
        return self._scans.put_file_aside(index, file, reason)

    def put_checksums_aside(self, index: str, file: StoredFile, reason: str) -> None:
        """Say that a file's checksums are damaged; see Faults."""
        self._scans.put_checksums_aside(index, file, reason)
