"""A second event store, in memory, written from the docstrings of `tocsin.store.events` alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from tocsin.ecs import Field, FieldType, Schema, default_schema
from tocsin.engine.table import to_array
from tocsin.sources.batch import flatten
from tocsin.store.clock import ArrivalClock
from tocsin.store.events import (
    ARRIVED,
    ArrivedEvents,
    Document,
    DocumentResult,
    IndexInfo,
    Outcome,
    Scan,
    SetAside,
    StoredBatch,
)
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.patterns import matching

_TYPES = {str: FieldType.KEYWORD, bool: FieldType.BOOLEAN, int: FieldType.LONG, float: FieldType.DOUBLE}


class MemoryStore:
    """Keeps events in dictionaries, and so not for good."""

    def __init__(self, clock: ArrivalClock | None = None) -> None:
        self.clock = clock or ArrivalClock()
        self._indices: dict[str, dict[str, tuple[Document, int]]] = {}
        self._made = 0
        self._schema: tuple[Any, Schema] | None = None

    def add(self, documents: Sequence[Document]) -> list[Outcome]:
        outcomes = []
        now = self.clock.now()
        for document in documents:
            known = self._indices.setdefault(document.index, {})
            self._made += 1
            id_ = document.id if document.id is not None else f"made-{self._made}"
            if id_ not in known:
                known[id_] = document, now
                outcomes.append(Outcome(id_, DocumentResult.CREATED))
            else:
                same = known[id_][0].source == document.source
                outcomes.append(Outcome(id_, DocumentResult.SAME if same else DocumentResult.CONFLICT))
        return outcomes

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        for index in matching(scan.patterns, self._indices):
            chosen = [
                (id_, document, arrived)
                for id_, (document, arrived) in self._indices[index].items()
                if (scan.arrived_from is None or arrived >= scan.arrived_from)
                and (scan.arrived_to is None or arrived < scan.arrived_to)
                and (scan.start is None or document.time >= scan.start)
                and (scan.end is None or document.time < scan.end)
            ]
            if chosen:
                yield _batch(index, chosen, scan.fields)

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        for index in matching(patterns, self._indices):
            chosen = [(id_, *found) for id_, found in self._indices[index].items() if id_ in ids]
            if chosen:
                yield _batch(index, chosen, ["_id"])

    def put(self, document: Document, arrived: int) -> None:
        """Store an event that has arrived at a moment."""
        assert document.id is not None
        self._indices.setdefault(document.index, {})[document.id] = document, arrived

    def arrivals(self) -> list[tuple[Document, int]]:
        """Return every event with the moment of its arrival."""
        return [found for known in self._indices.values() for found in known.values()]

    def watermark(self) -> int:
        return self.clock.now()

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        infos = []
        for index in matching(patterns, self._indices):
            times = [document.time for document, _ in self._indices[index].values()]
            infos.append(IndexInfo(index, len(times), 0, min(times), max(times)))
        return infos

    def names(self) -> list[str]:
        return sorted(self._indices)

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        found: dict[str, dict[FieldType, list[str]]] = {}
        for index in matching(patterns, self._indices):
            for document, _ in self._indices[index].values():
                for name, value in flatten(orjson.loads(document.source)).items():
                    first = value[0] if isinstance(value, list) and value else value
                    known = default_schema().find(name)
                    kind = known.type if known else _TYPES.get(type(first), FieldType.KEYWORD)
                    indices = found.setdefault(name, {}).setdefault(kind, [])
                    if index not in indices:
                        indices.append(index)
        return found

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        found: dict[str, dict[str, Field]] = {}
        for name, kinds in self.fields(patterns).items():
            for kind, indices in kinds.items():
                for index in indices:
                    found.setdefault(index, {})[name] = Field(name, kind)
        return found

    def mapping(self, index: str) -> IndexMapping:
        return NO_MAPPING

    def begin(self, index: str, mapping: IndexMapping) -> None:
        raise NotImplementedError  # it has no mappings

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        key = (self._count(), tuple(patterns))
        if self._schema is None or self._schema[0] != key:
            self._schema = key, self._make_schema(patterns)
        return self._schema[1]

    def _make_schema(self, patterns: Sequence[str]) -> Schema:
        fields = self.fields(patterns)
        return default_schema().extended(
            Field(name, next(iter(kinds))) for name, kinds in fields.items() if default_schema().find(name) is None
        )

    def _count(self) -> int:
        return sum(map(len, self._indices.values()))

    def set_aside(self) -> list[SetAside]:
        return []

    def arrived_events(self) -> Mapping[str, Sequence[ArrivedEvents]]:
        arrivals = {}
        for name, documents in self._indices.items():
            times = [document.time for document, _ in documents.values()]
            arrived = [moment for _, moment in documents.values()]
            span = min(arrived), max(arrived)
            arrivals[name] = [ArrivedEvents(len(documents), 0, min(times), max(times), span)]
        return arrivals

    def upkeep_problem(self) -> str | None:
        return None

    def check(self, size: int = 0) -> str | None:
        return None

    def waiting(self) -> int:
        return 0

    def memory(self) -> dict[str, int]:
        return {}

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _batch(index: str, chosen: Sequence[tuple[str, Document, int]], fields: Collection[str]) -> StoredBatch:
    events: list[dict[str, Any]] = [
        {**flatten(orjson.loads(document.source)), "_id": id_} for id_, document, _ in chosen
    ]
    columns: dict[str, pa.Array] = {}
    for name in fields:
        if name == ARRIVED:
            columns[name] = pa.array([arrived // 1000 for _, _, arrived in chosen], pa.timestamp("us", "UTC"))
            continue
        array = to_array([event.get(name) for event in events])
        if array is not None:
            columns[name] = array
    return StoredBatch(
        index,
        len(chosen),
        columns,
        lambda rows: [chosen[row][1].source for row in rows],
        lambda rows: [chosen[row][0] for row in rows],
    )
