"""The store of another process, as a search in a process of its own reads it; and what that other one answers.

Files are read where the search is. What only the store's process has, it is asked for over a connection: names,
fields, events that are in no file yet.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa

from tocsin.ecs import Field, FieldType, Schema
from tocsin.errors import TocsinError
from tocsin.store.events import ID, SOURCE, EventReader, IndexInfo, Scan, SetAside, StoredBatch
from tocsin.store.lake.index_scans import EventScans, IndexScan, read_index_scans
from tocsin.store.lake.reading import read_table, stored_columns
from tocsin.store.lake.table import StoredFile
from tocsin.store.lake.views import physical, shown
from tocsin.store.mappings import IndexMapping

ASKED, DONE = "asked", "done"  # what a message of the search's process is


@dataclass(frozen=True)
class Failure:
    """An error on its way to the other process: one of tocsin's as it was raised, another by what it says."""

    kind: type[TocsinError] | type[RecursionError] | None
    arguments: tuple[Any, ...]
    members: Mapping[str, Any]
    told: str  # with where it came from

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return an error so that it can be sent."""
        told = "".join(traceback.format_exception(error))
        if isinstance(error, TocsinError):
            return cls(type(error), error.args, dict(vars(error)), told)
        return cls(RecursionError if isinstance(error, RecursionError) else None, (str(error),), {}, told)

    def error(self) -> BaseException:
        """Return the error, to be raised."""
        if self.kind is None:
            return RuntimeError(self.told)
        made: BaseException = self.kind.__new__(self.kind, *self.arguments)
        made.args = self.arguments
        made.__dict__.update(self.members)
        return made


@dataclass(frozen=True)
class _Fresh:
    """Events that are in no file yet: the columns that are asked for, as an Arrow stream."""

    number: int  # by which their documents are asked for
    stream: bytes


@dataclass(frozen=True)
class _Told:
    """What a scan reads of an index, as it is told to the other process."""

    files: IndexScan
    fresh: tuple[_Fresh, ...]


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
        return self._read(self._ask("index_scans", scan), scan)

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield batches with the events that have one of the ids; see EventReader."""
        for scan, told in self._ask("index_scans_for", patterns, ids):
            yield from self._read([told], scan)

    def _read(self, every: Sequence[_Told], scan: Scan) -> Iterator[StoredBatch]:
        yield from read_index_scans([told.files for told in every], scan, self)
        for told in every:
            index, mapping = told.files.index, told.files.mapping
            asked = physical(scan, mapping)
            for fresh in told.fresh:
                table = pa.ipc.open_stream(fresh.stream).read_all()
                batch = read_table(index, table, asked.fields)
                yield shown(replace(batch, sources=partial(self._documents, fresh.number)), scan, mapping)

    def put_file_aside(self, index: str, file: StoredFile, reason: str) -> bool:
        """Leave a file out from now on that cannot be read; see Faults."""
        return bool(self._ask("put_file_aside", index, file, reason))

    def put_checksums_aside(self, index: str, file: StoredFile, reason: str) -> None:
        """Say that a file's checksums are damaged; see Faults."""
        self._ask("put_checksums_aside", index, file, reason)

    def _documents(self, number: int, rows: Sequence[int]) -> list[bytes]:
        found: list[bytes] = self._ask("documents", number, list(map(int, rows)))
        return found

    def watermark(self) -> int:
        """Return the moment up to which arrivals are complete; see EventReader."""
        return int(self._ask("watermark"))

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the indices that the patterns take; see EventReader."""
        found: list[IndexInfo] = self._ask("indices", patterns)
        return found

    def names(self) -> list[str]:
        """Return the names of all indices; see EventReader."""
        found: list[str] = self._ask("names")
        return found

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the known fields; see EventReader."""
        found: Schema = self._ask("schema", patterns)
        return found

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that events may have; see EventReader."""
        found: Mapping[str, Mapping[FieldType, list[str]]] = self._ask("fields", patterns)
        return found

    def set_aside(self) -> list[SetAside]:
        """Return what is damaged and left out; see EventReader."""
        found: list[SetAside] = self._ask("set_aside")
        return found

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return the fields of each index; see EventReader."""
        found: Mapping[str, Mapping[str, Field]] = self._ask("index_fields", patterns)
        return found

    def mapping(self, index: str) -> IndexMapping:
        """Return the mapping of an index; see EventReader."""
        found: IndexMapping = self._ask("mapping", index)
        return found


_READS = ("watermark", "indices", "names", "schema", "fields", "set_aside", "index_fields", "mapping")


@dataclass
class Answers:
    """Answers what a RemoteReader asks, during one search."""

    reader: EventReader
    scans: EventScans
    _fresh: list[pa.Table] = field(default_factory=list)

    def answer(self, name: str, arguments: Sequence[Any]) -> tuple[Any, Failure | None]:
        """Return the answer to a question, or what kept it from being answered."""
        try:
            return self._answer(name, arguments), None
        except Exception as error:
            return None, Failure.of(error)

    def _answer(self, name: str, arguments: Sequence[Any]) -> Any:
        own: Mapping[str, Callable[..., Any]] = {
            "index_scans": self._index_scans,
            "index_scans_for": self._index_scans_for,
            "put_file_aside": self.scans.put_file_aside,
            "put_checksums_aside": self.scans.put_checksums_aside,
            "documents": self._documents,
        }
        if name in _READS:
            return getattr(self.reader, name)(*arguments)
        return own[name](*arguments)

    def _index_scans(self, scan: Scan) -> list[_Told]:
        return [self._told(one, scan) for one in self.scans.index_scans(scan)]

    def _index_scans_for(self, patterns: Sequence[str], ids: Collection[str]) -> list[tuple[Scan, _Told]]:
        return [(scan, self._told(one, scan)) for scan, one in self.scans.index_scans_for(patterns, ids)]

    def _told(self, one: IndexScan, scan: Scan) -> _Told:
        asked = physical(scan, one.mapping).fields
        fresh = []
        for table in one.fresh:
            columns = stored_columns([*asked, ID], table.column_names)
            fresh.append(_Fresh(len(self._fresh), _stream(table.select(list(dict.fromkeys(columns))))))
            self._fresh.append(table.select([SOURCE]))
        return _Told(replace(one, fresh=()), tuple(fresh))

    def _documents(self, number: int, rows: Sequence[int]) -> list[bytes]:
        return read_table("", self._fresh[number], ()).sources(rows)


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
