"""The event store as its users see it. Whatever keeps these promises can stand in for the lake."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

import pyarrow as pa

from tocsin.ecs import Field, FieldType, Schema
from tocsin.errors import TocsinError
from tocsin.store.mappings.index_mapping import IndexMapping

ID = "_id"
ARRIVED = "_arrived"  # when the store got an event by its own clock, whatever the event says; null in old tables

# Columns of the store's own that are no fields: the document, where it lies, what tables are ordered by, and what
# `@timestamp` has beyond its microseconds.
SOURCE, DAY, SLICE, USER, HOST, NANOSECONDS = "_source", "_day", "_slice", "_user", "_host", "_nanoseconds"
OWN = frozenset((ID, ARRIVED, SOURCE, DAY, SLICE, USER, HOST, NANOSECONDS))

# Names that no document may have: those columns, and Elasticsearch's metadata.
RESERVED = OWN | {
    "_doc_count", "_feature", "_field_names", "_ignored", "_ignored_source", "_index", "_index_mode",
    "_nested_path", "_primary_term", "_routing", "_score", "_seq_no", "_tier", "_type", "_version",
}  # fmt: skip


class StoreError(TocsinError):
    """The store cannot do what it was asked for."""


class StoreFullError(StoreError):
    """Too much waits to be written, or the disk is full: nothing was stored, try again later."""


class Document(NamedTuple):  # made for every event, and so no dataclass, which takes four times as long
    """An event on its way in: an ECS document as JSON text.

    `time` is its `@timestamp` in nanoseconds since 1970 (UTC). Without an `id` the store makes one that no other
    event has.
    """

    index: str  # type: ignore[assignment]  # a tuple has a method of this name
    time: int
    source: bytes
    id: str | None = None


class DocumentResult(StrEnum):
    """What became of a document that was added."""

    CREATED = "created"
    SAME = "noop"  # the store had this very event under this id
    NO_ROOM = "no room"  # it would have begun a new index, and there are as many as may be
    SET_ASIDE = "set aside"  # its index is damaged, and takes nothing until it is repaired
    CONFLICT = "conflict"  # the store has another event under this id, and keeps it


class Outcome(NamedTuple):
    """A document's id and what became of it."""

    id: str
    result: DocumentResult


@dataclass(frozen=True)
class Scan:
    """Which events to read: all that lie in an index that the patterns take and in the span of time.

    `patterns` are names with `*`; one that starts with `-` excludes. `start` and `end` bound `@timestamp` in
    nanoseconds, the end excluded; `arrived_from` and `arrived_to` bound the moment at which the store got them,
    which is the column `ARRIVED`. `fields` are the columns to read. `equal` names values of which an event must
    have one, exactly, and `times` moments, in order, of which its `@timestamp` must be one: the store may leave
    out events by them and need not.
    """

    patterns: Sequence[str]
    fields: Collection[str] = ()
    start: int | None = None
    end: int | None = None
    equal: Mapping[str, frozenset[str]] = field(default_factory=dict)
    arrived_from: int | None = None
    arrived_to: int | None = None
    times: Sequence[int] | None = None

    def wants(self, first: int, last: int) -> bool:
        """Tell whether `@timestamp` may lie between two moments, both included, for what is asked for."""
        if self.times is not None:
            at = bisect_left(self.times, first)
            return at < len(self.times) and self.times[at] <= last
        return _overlap(first, last, self.start, self.end)

    def wants_arrived(self, first: int, last: int) -> bool:
        """Tell the same of the moments between which events arrived."""
        return _overlap(first, last, self.arrived_from, self.arrived_to)


def _overlap(first: int, last: int, start: int | None, end: int | None) -> bool:
    return (start is None or last >= start) and (end is None or first < end)


@dataclass(frozen=True)
class StoredBatch:
    """Some events, as a rule of one index.

    `columns` hold the wanted fields that any of them has, `_id` among them if wanted.

    A column is of strings, whole or floating numbers, booleans or moments, or of lists of these, and may be coded
    by dictionary. `sources` returns the documents in some rows, each as it came, to the byte. Where `indices` are
    given, they are those of the rows, coded by dictionary, and `index` is empty.
    """

    index: str
    rows: int
    columns: Mapping[str, pa.Array | pa.ChunkedArray]
    sources: Callable[[Sequence[int]], list[bytes]]
    ids: Callable[[Sequence[int]], list[str]]
    indices: pa.ChunkedArray | None = None

    def index_of(self, row: int) -> str:
        """Return the index that the event in a row lies in."""
        return self.index if self.indices is None else str(self.indices[row])

    def index_column(self) -> pa.Array | pa.ChunkedArray:
        """Return the index of each row, coded by dictionary."""
        if self.indices is not None:
            return self.indices
        codes = pa.repeat(pa.scalar(0, pa.int32()), self.rows)
        return pa.DictionaryArray.from_arrays(codes, pa.array([self.index], pa.string()))


@dataclass(frozen=True)
class IndexInfo:
    """An index: how many events lie in it, how many bytes they take on disk, and the span of their times."""

    name: str
    events: int
    size: int
    first: int | None
    last: int | None


@dataclass(frozen=True)
class ArrivedEvents:
    """Events of an index that lie together: how many, their bytes on disk, when they happened and arrived.

    `first` and `last` bound their `@timestamp`, `arrived` the moments at which the store got them, the last ones
    included, in nanoseconds since 1970. When they arrived is not known of events that older versions stored.
    """

    events: int
    size: int
    first: int
    last: int
    arrived: tuple[int, int] | None


@dataclass(frozen=True)
class SetAside:
    """Something of the store that cannot be read or written, and that everything else goes on without.

    `name` is an index, a path in the folder of one, or the path in the data folder of what lies beside indices;
    `index` is the index that it belongs to, None for what belongs to none. `since` is when it was noticed, in
    nanoseconds since 1970.
    """

    name: str
    reason: str
    since: int
    index: str | None = None


class EventReader(Protocol):
    """Reads what an event store keeps. Every method may be called from any thread."""

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield the events asked for, as they are at the moment of the call, each once, in no order.

        Events outside the spans of time, and events without one of the values in `equal`, may be among them.
        """

    def watermark(self) -> int:
        """Return the moment up to which arrivals are complete, in nanoseconds since 1970.

        Every event that has arrived before it is seen by scans, and none will be added that has.
        """

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield batches that hold every event with one of the ids, others perhaps among them."""

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the indices that the patterns take, by name."""

    def names(self) -> list[str]:
        """Return the names of all indices."""

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the known fields, with those that mappings of these indices name or their events brought along.

        Where indices disagree about a field, it has the type that `tocsin.store.schemas` finds.
        """

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that events have or may have, with their types and, for each type, the indices."""

    def set_aside(self) -> list[SetAside]:
        """Return what is damaged and left out of every answer, by name."""

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return, for each index, the fields of its mapping and those that its events have, as the index has them.

        This is where everybody takes the types of fields from.
        """

    def mapping(self, index: str) -> IndexMapping:
        """Return the mapping that an index was given, an empty one of an index that has none."""


class EventStore(EventReader, Protocol):
    """Keeps events for good. Every method may be called from any thread."""

    def add(self, documents: Sequence[Document]) -> list[Outcome]:
        """Store documents and return, in their order, what became of each.

        When this returns, what was created is on disk: it survives the end of the process and of the machine, and
        every later scan sees it. An id names one event of an index for ever; of several documents under one id
        the first is stored. Raises StoreFullError when nothing was stored and trying later makes sense.
        """

    def arrived_events(self) -> Mapping[str, Sequence[ArrivedEvents]]:
        """Return what each index holds, by when it happened and arrived. No event is read for it."""

    def begin(self, index: str, mapping: IndexMapping) -> None:
        """Let an index have a mapping from now on; it is there from then on, if without an event.

        The mapping only adds to what the index has: who gives it has seen to that.
        """

    def check(self, size: int = 0) -> str | None:
        """Return why documents of so many bytes cannot be stored now, None when they can."""

    def upkeep_problem(self) -> str | None:
        """Return why old events are not removed and files not brought into order, None when they are.

        Events are stored and found nevertheless.
        """

    def waiting(self) -> int:
        """Return how many bytes of documents are safe, and wait to be brought to where they stay."""

    def memory(self) -> dict[str, int]:
        """Return how many bytes the store holds in memory, by what for."""

    def flush(self) -> None:
        """Bring what the journal holds into the tables. Nothing but speed depends on it."""

    def close(self) -> None:
        """Stop. What was acknowledged is there when the store is opened again, even without this."""
