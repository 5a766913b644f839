"""What is in the store: tables, and the generations of events that the journal holds beyond them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tocsin.store.events import Scan, SetAside
from tocsin.store.lake.journal.event_buffer import EventBuffer, Generation
from tocsin.store.lake.journal.journal import Entry
from tocsin.store.lake.reasons import sentence
from tocsin.store.lake.tables.checksums import checksums_of
from tocsin.store.lake.tables.folders import UnknownFolderError, folder_of, index_in, named
from tocsin.store.lake.tables.index_mappings import LIST, IndexMappings
from tocsin.store.lake.tables.table import IndexTable, StoredFile
from tocsin.store.patterns import matching
from tocsin.store.resources import is_lack_of_resources, raise_if_lacking

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LakeSettings:
    """How the store keeps events. Sizes are in bytes, times in seconds."""

    flush_size: int = 96 << 20  # documents in the journal that make one commit
    flush_after: float = 10.0  # what waits longer is committed whatever its size
    waiting_size: int = 512 << 20  # documents that may wait for tables; more are refused
    reserve: int = 512 << 20  # disk space that is left free
    max_indices: int = 1_000
    keep_days: int | None = None
    keep_size: int | None = None
    clean_after: int = 1  # hours for which files of older versions are kept for other readers
    maintain_every: float = 5.0
    quiet: float = 300.0  # without new events, after which a slice of a day that is over is ordered


NO_DAMAGE = (KeyboardInterrupt, SystemExit, GeneratorExit)  # what a thread ends by, among BaseExceptions


@dataclass(frozen=True)
class IndexSnapshot:
    """What an index holds at one moment: files, and buffers with how many events of each there were."""

    table: IndexTable
    files: list[StoredFile]
    buffers: list[tuple[EventBuffer, int]]


def _index_of(path: Path) -> str:
    """Return the index that a damaged file describes, by the file's name."""
    return named(path.stem) or path.stem


def _checksums(table: IndexTable, file: StoredFile) -> str:
    return checksums_of(table.path, file.path).relative_to(table.path).as_posix()


class Contents:
    """Tables and generations. Code that changes both, or reads both as of one moment, holds `lock`."""

    def __init__(self, folder: Path, mappings: IndexMappings) -> None:
        self.folder, self.lock, self.mappings = folder, threading.RLock(), mappings
        self.tables: dict[str, IndexTable] = {}
        self._set_aside: dict[tuple[str | None, str], SetAside] = {}  # by index, if it belongs to one, and name
        self.old: list[Generation] = []  # on their way into tables, the oldest first
        self.current = Generation(0)  # which the journal is written for
        self.problem: str | None = None  # why events do not get into tables
        for path in sorted(folder.iterdir()):
            self._open(path)
        if mappings.list_fault is not None:
            self.put_aside(LIST, mappings.list_fault)
        for path, reason in mappings.damaged.items():
            self.put_index_aside(_index_of(path), f"its mapping mappings/{path.name} cannot be read: {reason}")
        for name in mappings.names():
            if not self.is_set_aside(name):
                self.table(name)

    def _open(self, path: Path) -> None:
        name = f"events/{path.name}"
        try:
            index = index_in(path)
            if index in self.tables:
                raise UnknownFolderError(f"events/{self.tables[index].path.name} holds {index} too")
        except UnknownFolderError as error:
            self.put_aside(name, error)
            return
        try:
            self.tables[index] = self._opened(index, path)
        except NO_DAMAGE:
            raise
        except BaseException as error:  # delta-rs panics, and its panics are no Exceptions
            raise_if_lacking(name, error)
            self.put_index_aside(index, error)

    def _opened(self, index: str, path: Path) -> IndexTable:
        table = IndexTable(index, path, partial(self.mappings.find, index))
        for part in table.broken:
            reason = "this checkpoint is damaged, or gone; the commits beside it are read instead"
            self.put_part_aside(index, part, reason)
        return table

    def set_aside(self) -> list[SetAside]:
        """Return what is left out, by name."""
        with self.lock:
            return sorted(self._set_aside.values(), key=lambda aside: aside.name)

    def is_set_aside(self, index: str) -> bool:
        """Return whether all of an index is left out."""
        return (index, index) in self._set_aside

    def put_aside(self, name: str, error: BaseException | str) -> None:
        """Say once that something which belongs to no index is damaged: its path in the data folder, and why."""
        self._put_aside(None, name, error)

    def put_index_aside(self, index: str, error: BaseException | str) -> None:
        """Leave an index out from now on, and say so once.

        The journal keeps its events that are in no table yet.
        """
        with self.lock:
            self.tables.pop(index, None)
            for generation in (*self.old, self.current):
                if generation.indices.pop(index, None) is not None:
                    generation.held = True
            self._put_aside(index, index, error)

    def put_part_aside(self, index: str, part: str, error: BaseException | str) -> None:
        """Say once that a part of an index is damaged, a path in its folder; the rest of it is read."""
        self._put_aside(index, f"{index}/{part}", error)

    def _put_aside(self, index: str | None, name: str, error: BaseException | str) -> None:
        reason = sentence(error)
        with self.lock:
            if (index, name) in self._set_aside:
                return
            self._set_aside[index, name] = SetAside(name, reason, time.time_ns(), index)
        log.error("%s is set aside, and everything else goes on: %s", name, reason)

    def put_file_aside(self, table: IndexTable, file: StoredFile, error: BaseException | str) -> None:
        """Leave a file of a table out from now on; the table's other files are read."""
        self.put_part_aside(table.name, file.path, error)

    def is_whole(self, table: IndexTable, file: StoredFile) -> bool:
        """Return whether a file was not set aside."""
        return not self._is_part_aside(table.name, file.path)

    def put_checksums_aside(self, table: IndexTable, file: StoredFile, reason: str) -> None:
        """Say that a file's checksums are damaged. It is read, and not written anew."""
        self.put_part_aside(table.name, _checksums(table, file), reason)

    def may_be_written_anew(self, table: IndexTable, file: StoredFile) -> bool:
        """Return whether neither a file nor its checksums were set aside."""
        return self.is_whole(table, file) and not self._is_part_aside(table.name, _checksums(table, file))

    def _is_part_aside(self, index: str, part: str) -> bool:
        return (index, f"{index}/{part}") in self._set_aside

    def is_unharmed(self, table: IndexTable) -> bool:
        """Return whether nothing in a table's folder was set aside.

        Otherwise files that the table does not name may be all that is left of some events, or be somebody else's.
        """
        folder = f"events/{table.path.name}/"
        return not any(
            aside.index == table.name or (aside.index is None and aside.name.startswith(folder))
            for aside in self.set_aside()
        )

    def table(self, name: str) -> IndexTable:
        """Return the table of an index that is not set aside, beginning one if need be."""
        with self.lock:
            if name not in self.tables:
                self.tables[name] = self._opened(name, folder_of(self.folder, name))
            return self.tables[name]

    def remember(self, generation: Generation, entries: Sequence[Entry]) -> None:
        """Add events of the journal to the buffers that searches read, but for indices that are set aside."""
        by_index: dict[str, list[Entry]] = {}
        for entry in entries:
            if self.is_set_aside(entry.index):
                generation.held = True
                continue
            by_index.setdefault(entry.index, []).append(entry)
            generation.size += len(entry.source)
        for name, index_entries in by_index.items():
            with self.apart(name):
                generation.indices.setdefault(name, EventBuffer(self.table(name).fields)).add(index_entries)
            generation.held |= self.is_set_aside(name)

    @contextmanager
    def apart(self, name: str) -> Iterator[None]:
        """Set an index aside whose code fails within, whatever fails, so that other indices go on.

        A lack of memory, or a disk that cannot be written to, is no fault of an index and is raised.
        """
        try:
            yield
        except (*NO_DAMAGE, OSError):
            raise
        except BaseException as error:  # delta-rs panics, and its panics are no Exceptions
            if is_lack_of_resources(error):
                raise
            self.put_index_aside(name, error)

    def newest_arrival(self) -> int:
        """Return the last moment at which an event of the tables arrived; 0 when none is known."""
        stamps = (file.arrived for table in self.tables.values() for file in table.files)
        return max((last for _, last in filter(None, stamps)), default=0)

    @property
    def size(self) -> int:
        """How many bytes of documents are in the journal alone."""
        with self.lock:
            return self.current.size + sum(old.size for old in self.old)

    def memory(self) -> tuple[int, int]:
        """Return how many bytes the events of the journal alone take as documents, and as columns."""
        with self.lock:
            buffers = [buffer for each in (*self.old, self.current) for buffer in each.indices.values()]
        return sum(buffer.documents_size for buffer in buffers), sum(buffer.columns_size for buffer in buffers)

    def snapshot(self, scan: Scan) -> list[IndexSnapshot]:
        """Return what there is to read of each index, as of one moment."""
        with self.lock:
            generations = (*self.old, self.current)
            return [
                IndexSnapshot(
                    self.tables[name],
                    [f for f in self.tables[name].files if f.within(scan) and self.is_whole(self.tables[name], f)],
                    [(g.indices[name], g.indices[name].rows) for g in generations if name in g.indices],
                )
                for name in matching(scan.patterns, self.tables)
            ]
