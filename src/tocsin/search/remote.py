"""The store as a search in a process of its own reads it, and what the store's process answers.

The search reads files itself. Over a connection it asks for what only the store's process has: names, fields, and
events that are in no file yet.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa

from tocsin.ecs import Field, FieldType, Schema
from tocsin.errors import TocsinError
from tocsin.store.events import EventReader, IndexInfo, Scan, SetAside, StoredBatch
from tocsin.store.lake.tables.index_scans import DividedScan, EventScans, IndexScan, read_files
from tocsin.store.lake.tables.table import StoredFile
from tocsin.store.mappings.index_mapping import IndexMapping

_OfRows = Callable[[Sequence[int]], Sequence[Any]]
ASKED, DONE = "asked", "done"  # what a message of the search's process is


@dataclass(frozen=True)
class RemoteFailure:
    """An error on its way to the other process: one of tocsin's as it was raised, of any other its text."""

    kind: type[TocsinError] | type[RecursionError] | None
    arguments: tuple[Any, ...]
    members: Mapping[str, Any]
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> RemoteFailure:
        """Return an error so that it can be sent."""
        trace = "".join(traceback.format_exception(error))
        if isinstance(error, TocsinError):
            return cls(type(error), error.args, dict(vars(error)), trace)
        return cls(RecursionError if isinstance(error, RecursionError) else None, (str(error),), {}, trace)

    def error(self) -> BaseException:
        """Return the error, to be raised."""
        if self.kind is None:
            return RuntimeError(self.traceback)
        made: BaseException = self.kind.__new__(self.kind, *self.arguments)
        made.args = self.arguments
        made.__dict__.update(self.members)
        return made


@dataclass(frozen=True)
class _Divided:
    """A scan as the search's process gets it: the files to read, and the number to ask for the rest by."""

    scan: Scan
    files: tuple[IndexScan, ...]
    number: int


@dataclass(frozen=True)
class _Batch:
    """A batch that only the store's process has: its columns as an Arrow stream, and its number."""

    index: str
    rows: int
    stream: bytes
    number: int


class RemoteReader:
    """An EventReader that asks at the other end of a connection. Every method may be called from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def _ask(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            self._connection.send((ASKED, name, arguments))
            answer, failure = self._connection.recv()
        if failure is not None:
            raise failure.error()
        return answer

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield the events asked for; see EventReader."""
        return self._read(self._ask("divided_scan", scan))

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield batches with the events that have one of the ids; see EventReader."""
        for divided in self._ask("divided_find", patterns, ids):
            yield from self._read(divided)

    def _read(self, divided: _Divided) -> Iterator[StoredBatch]:
        yield from read_files(divided.files, divided.scan, self)
        while True:
            sent: _Batch | None = self._ask("next_batch", divided.number)
            if sent is None:
                return
            table = pa.ipc.open_stream(sent.stream).read_all()
            columns = {name: table.column(name) for name in table.column_names}
            sources, ids = (partial(self._ask_rows, name, sent.number) for name in ("sources", "ids"))
            yield StoredBatch(sent.index, sent.rows, columns, sources, ids)

    def put_file_aside(self, index: str, file: StoredFile, reason: str) -> bool:
        """Leave a file out from now on that cannot be read; see Faults."""
        return bool(self._ask("put_file_aside", index, file, reason))

    def put_checksums_aside(self, index: str, file: StoredFile, reason: str) -> None:
        """Say that a file's checksums are damaged; see Faults."""
        self._ask("put_checksums_aside", index, file, reason)

    def _ask_rows(self, name: str, number: int, rows: Sequence[int]) -> list[Any]:
        values: list[Any] = self._ask(name, number, list(map(int, rows)))
        return values

    def watermark(self) -> int:
        """Return the moment up to which arrivals are complete; see EventReader."""
        return int(self._ask("watermark"))

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the indices that the patterns take; see EventReader."""
        indices: list[IndexInfo] = self._ask("indices", patterns)
        return indices

    def names(self) -> list[str]:
        """Return the names of all indices; see EventReader."""
        names: list[str] = self._ask("names")
        return names

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the known fields; see EventReader."""
        schema: Schema = self._ask("schema", patterns)
        return schema

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that events may have; see EventReader."""
        fields: Mapping[str, Mapping[FieldType, list[str]]] = self._ask("fields", patterns)
        return fields

    def set_aside(self) -> list[SetAside]:
        """Return what is damaged and left out; see EventReader."""
        damaged: list[SetAside] = self._ask("set_aside")
        return damaged

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return the fields of each index; see EventReader."""
        fields: Mapping[str, Mapping[str, Field]] = self._ask("index_fields", patterns)
        return fields

    def mapping(self, index: str) -> IndexMapping:
        """Return the mapping of an index; see EventReader."""
        mapping: IndexMapping = self._ask("mapping", index)
        return mapping


_READS = ("watermark", "indices", "names", "schema", "fields", "set_aside", "index_fields", "mapping")


@dataclass
class Answers:
    """Answers what a RemoteReader asks, during one search."""

    reader: EventReader
    scans: EventScans
    _scans: list[Iterator[StoredBatch]] = field(default_factory=list)
    _batches: list[tuple[_OfRows, _OfRows]] = field(default_factory=list)  # what gives their documents and ids

    def answer(self, name: str, arguments: Sequence[Any]) -> tuple[Any, RemoteFailure | None]:
        """Return the answer to a question, or what kept it from being answered."""
        try:
            return self._answer(name, arguments), None
        except Exception as error:
            return None, RemoteFailure.of(error)

    def _answer(self, name: str, arguments: Sequence[Any]) -> Any:
        own: Mapping[str, Callable[..., Any]] = {
            "divided_scan": self._divided_scan,
            "divided_find": self._divided_find,
            "next_batch": self._next_batch,
            "put_file_aside": self.scans.put_file_aside,
            "put_checksums_aside": self.scans.put_checksums_aside,
            "sources": lambda number, rows: self._batches[number][0](rows),
            "ids": lambda number, rows: self._batches[number][1](rows),
        }
        if name in _READS:
            return getattr(self.reader, name)(*arguments)
        return own[name](*arguments)

    def _divided_scan(self, scan: Scan) -> _Divided:
        return self._opened(self.scans.divided_scan(scan))

    def _divided_find(self, patterns: Sequence[str], ids: Collection[str]) -> list[_Divided]:
        return [self._opened(divided) for divided in self.scans.divided_find(patterns, ids)]

    def _opened(self, divided: DividedScan) -> _Divided:
        """Hold the batches of a scan until they are asked for, and return what the search's process gets."""
        self._scans.append(divided.batches)
        return _Divided(divided.scan, divided.files, len(self._scans) - 1)

    def _next_batch(self, number: int) -> _Batch | None:
        batch = next(self._scans[number], None)
        if batch is None:
            return None
        self._batches.append((batch.sources, batch.ids))
        return _Batch(batch.index, batch.rows, _stream(pa.table(dict(batch.columns))), len(self._batches) - 1)


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
