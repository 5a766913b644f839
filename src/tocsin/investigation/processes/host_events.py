"""Events of one host, read from a store by spans of time, each span once: what a process tree is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP, Schema
from tocsin.engine.column import Rows
from tocsin.engine.graph import compile_conditions
from tocsin.eql import syntax as s
from tocsin.investigation.processes.processes import PROCESS_FIELDS, Row
from tocsin.moments import iso
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query
from tocsin.search.hits import context_of
from tocsin.search.selection import Clock, select
from tocsin.store.events import EventReader, StoredBatch

Span = tuple[int, int]  # nanoseconds since 1970, the end included
Query = Mapping[str, Any]
Place = tuple[int, int, int]  # its time, its part, its row there
_PROCESSES = "starts and ends"
_STARTS_AND_ENDS: tuple[Query, ...] = (
    {"term": {"event.category": "process"}},
    {"terms": {"event.type": ["start", "end"]}},
    {"bool": {"must_not": [{"exists": {"field": "kibana.alert.uuid"}}]}},
)
_HAPPENED = "kibana.alert.original_time"  # of alerts: when their event was
ENTITY, PID = "process.entity_id", "process.pid"
PARENT_ENTITY, PARENT_PID = "process.parent.entity_id", "process.parent.pid"
_EXACT = pa.timestamp("ns", "UTC")
_READ = (*PROCESS_FIELDS, _HAPPENED)


@dataclass(frozen=True)
class KindEvents:
    """Events of one kind in a batch, an element each: the entity id and the pid of their process, their time."""

    kind: str
    entities: Sequence[Any]
    pids: Sequence[Any]
    times: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _StoredProcesses:
    """Starts and ends of processes in a batch, as columns; a row is put together when it is asked for."""

    columns: Mapping[str, pa.Array | pa.ChunkedArray]
    times: npt.NDArray[np.int64]

    def row(self, number: int) -> Row:
        values = {name: _value(column[number]) for name, column in self.columns.items()}
        return {
            **{name: value for name, value in values.items() if value is not None},
            TIMESTAMP: iso(int(self.times[number]), 9),
        }


@dataclass
class HostEvents:
    """Events of a host. `kinds` are counted by, each with what its events must meet."""

    reader: EventReader
    clock: Clock
    host: str
    patterns: Sequence[str]
    kinds: Mapping[str, Query]
    counted: list[KindEvents] = field(default_factory=list)
    _loaded: list[Span] = field(default_factory=list)
    _parts: list[_StoredProcesses] = field(default_factory=list)
    _places: dict[str, dict[Any, list[Place]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def __post_init__(self) -> None:
        self._context: Context = context_of(self.reader, self.patterns)

    def load(self, span: Span, *, counting: bool = True) -> None:
        """Read what lies in a span and is not there yet."""
        for missing in _without(span, self._loaded):
            self._read(missing, self.kinds if counting else {})
        self._loaded.append(span)

    def load_entities(self, entity_ids: Collection[str], span: Span) -> None:
        """Read starts and ends of some entity ids in a span, whatever their host is called."""
        named = {"terms": {ENTITY: sorted(entity_ids)}}
        self._read(span, {}, [named])

    def places(self, name: str, values: Collection[Any], span: Span | None = None) -> set[Place]:
        """Return where starts and ends are that have one of some values in a field, of those within a span.

        The field is the entity id or the pid of the process or of its parent.
        """
        known = self._places[name]
        return {
            place
            for value in values
            for place in known.get(value, ())
            if span is None or span[0] <= place[0] <= span[1]
        }

    def with_field(self, name: str) -> set[Place]:
        """Return where starts and ends are that have a field; see `places`."""
        return {place for places in self._places[name].values() for place in places}

    def rows(self, places: Collection[Place]) -> list[Row]:
        """Return starts and ends of the spans read, the earliest first."""
        return [self._parts[part].row(row) for _, part, row in sorted(places)]

    def _read(self, span: Span, kinds: Mapping[str, Query], of: Sequence[Query] | None = None) -> None:
        within = {"range": {TIMESTAMP: {"gte": iso(max(0, span[0]), 9), "lte": iso(span[1], 9)}}}
        common = [within, *(self._of_host() if of is None else of)]

        def read(tests: Sequence[Query]) -> s.Expression:
            return read_query({"bool": {"filter": [*common, *tests]}}, self._context)

        conditions = [((_PROCESSES, 0), read(_STARTS_AND_ENDS)), *(((k, 0), read([q])) for k, q in kinds.items())]
        schema: Schema = self._context.schema
        selected = select(
            self.reader, self.patterns, compile_conditions(conditions), read([]), _READ, schema, self.clock
        )
        for batch in selected:
            for (kind, _), rows in batch.rows.items():
                if kind == _PROCESSES:
                    self._keep(batch.batch, rows)
                else:
                    self.counted.append(_counted(kind, batch.batch, rows))

    def _of_host(self) -> list[Query]:
        if not self.host:
            return [{"bool": {"must_not": [{"exists": {"field": "host.name"}}]}}]
        return [{"terms": {"host.name": spellings(self.host)}}]

    def _keep(self, batch: StoredBatch, rows: Rows) -> None:
        taken = pa.array(rows)
        columns = {name: batch.columns[name].take(taken) for name in PROCESS_FIELDS if name in batch.columns}
        part = _StoredProcesses(columns, _times(columns[TIMESTAMP]))
        number = len(self._parts)
        self._parts.append(part)
        for name in (ENTITY, PID, PARENT_ENTITY, PARENT_PID):
            known = self._places[name]
            for row, value in enumerate(_firsts(columns.get(name), len(rows))):
                if value is not None:
                    known[value].append((int(part.times[row]), number, row))


def spellings(host: str) -> list[str]:
    """Return how sources may spell a host's name."""
    return sorted({host, host.lower(), host.upper()})


def _counted(kind: str, batch: StoredBatch, rows: Rows) -> KindEvents:
    taken = pa.array(rows)
    names = [name for name in (ENTITY, PID, TIMESTAMP, _HAPPENED) if name in batch.columns]
    columns = {name: batch.columns[name].take(taken) for name in names}
    entities, pids = (_firsts(columns.get(name), len(rows)) for name in (ENTITY, PID))
    times, happened = columns[TIMESTAMP].cast(_EXACT), columns.get(_HAPPENED)
    if happened is not None:
        times = pc.coalesce(happened.cast(_EXACT), times)
    return KindEvents(kind, entities, pids, _times(times))


def _firsts(column: Any, rows: int) -> list[Any]:
    """Return a column's values, the first of several."""
    if column is None:
        return [None] * rows
    values = column.to_pylist()
    return [(value[0] if value else None) if isinstance(value, list) else value for value in values]


def _times(column: Any) -> npt.NDArray[np.int64]:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    times: npt.NDArray[np.int64] = whole.cast(_EXACT).cast(pa.int64()).to_numpy()
    return times


def _value(scalar: Any) -> Any:
    if pa.types.is_timestamp(scalar.type):
        return None if not scalar.is_valid else iso(scalar.cast(_EXACT).value, 9)
    return scalar.as_py()


def _without(span: Span, known: Sequence[Span]) -> Iterator[Span]:
    """Yield the parts of a span that no known one has."""
    start, end = span
    for first, last in sorted(known):
        if last < start or first > end:
            continue
        if start < first:
            yield start, first - 1
        start = max(start, last + 1)
    if start <= end:
        yield start, end
