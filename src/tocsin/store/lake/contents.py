"""What is in the store: tables, and the generations of events that the journal holds beyond them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.store.events import Scan
from tocsin.store.lake.fresh import FreshIndex, Generation
from tocsin.store.lake.journal import Entry
from tocsin.store.lake.table import IndexTable, StoredFile
from tocsin.store.patterns import matching


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


@dataclass(frozen=True)
class IndexSnapshot:
    """What an index holds at one moment: files, and fresh events with how many of each there were."""

    table: IndexTable
    files: list[StoredFile]
    fresh: list[tuple[FreshIndex, int]]


class Contents:
    """Tables and generations. Whoever changes both, or needs both as of one moment, holds `lock`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, threading.RLock()
        self.tables = {path.name: IndexTable(path.name, path) for path in sorted(folder.iterdir())}
        self.old: list[Generation] = []  # on their way into tables, the oldest first
        self.current = Generation(0)  # which the journal is written for
        self.problem: str | None = None  # why events do not get into tables

    def table(self, name: str) -> IndexTable:
        """Return the table of an index, beginning one if need be."""
        with self.lock:
            if name not in self.tables:
                self.tables[name] = IndexTable(name, self.folder / name)
            return self.tables[name]

    def remember(self, generation: Generation, entries: Sequence[Entry]) -> None:
        """Let events be found that the journal has."""
        by_index: dict[str, list[Entry]] = {}
        for entry in entries:
            by_index.setdefault(entry.index, []).append(entry)
            generation.size += len(entry.source)
        for name, some in by_index.items():
            generation.indices.setdefault(name, FreshIndex(self.table(name).fields)).add(some)

    @property
    def size(self) -> int:
        """How many bytes of documents are in the journal alone."""
        with self.lock:
            return self.current.size + sum(old.size for old in self.old)

    def snapshot(self, scan: Scan) -> list[IndexSnapshot]:
        """Return what there is to read of each index, as of one moment."""
        with self.lock:
            generations = (*self.old, self.current)
            return [
                IndexSnapshot(
                    self.tables[name],
                    [file for file in self.tables[name].files if file.within(scan)],
                    [(g.indices[name], g.indices[name].rows) for g in generations if name in g.indices],
                )
                for name in matching(scan.patterns, self.tables)
            ]
