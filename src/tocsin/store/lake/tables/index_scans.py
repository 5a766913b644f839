"""What a scan reads, as of one moment: files, which another process can read as well, and batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.columns.tables import read_table
from tocsin.store.events import ARRIVED, Scan, StoredBatch, StoreError
from tocsin.store.lake.tables.checksums import FAULTS
from tocsin.store.lake.tables.reading import read_file
from tocsin.store.lake.tables.table import StoredFile
from tocsin.store.lake.tables.views import physical, shown
from tocsin.store.mappings.index_mapping import IndexMapping
from tocsin.store.resources import is_lack_of_resources

_Value = TypeVar("_Value")
_READERS = 3  # files of a scan that are read ahead


@dataclass(frozen=True)
class IndexScan:
    """What a scan reads of the files of one index, which lie below `path`."""

    index: str
    path: Path
    mapping: IndexMapping
    files: tuple[StoredFile, ...]


@dataclass(frozen=True)
class DividedScan:
    """A scan in two parts: files, which any process can read, and batches of what only the store's process has.

    Both are as of one moment. A batch may be made when it is asked for, and each is asked for once.
    """

    scan: Scan
    files: tuple[IndexScan, ...]
    batches: Iterator[StoredBatch]


class Faults(Protocol):
    """Takes reports of files that cannot be read as they were written."""

    def put_file_aside(self, index: str, file: StoredFile, reason: str) -> bool:
        """Leave a file out from now on that cannot be read; return whether the index still has it."""

    def put_checksums_aside(self, index: str, file: StoredFile, reason: str) -> None:
        """Say that a file's checksums are damaged; it is read without them."""


class EventScans(Faults, Protocol):
    """Says what scans of an event store read, so that another process can read it."""

    def divided_scan(self, scan: Scan) -> DividedScan:
        """Return what `scan` reads, as of this moment."""

    def divided_find(self, patterns: Sequence[str], ids: Collection[str]) -> list[DividedScan]:
        """Return what `find` reads, as of this moment."""


def read_divided(divided: DividedScan, faults: Faults) -> Iterator[StoredBatch]:
    """Yield the events that a scan reads; see `read_files`."""
    yield from read_files(divided.files, divided.scan, faults)
    yield from divided.batches


def read_files(indices: Sequence[IndexScan], scan: Scan, faults: Faults) -> Iterator[StoredBatch]:
    """Yield the events that a scan reads in files; `faults` gets those that cannot be read.

    A fault is raised where the index does not have the file any more: it was removed meanwhile.
    """
    files = [(index, file) for index in indices for file in sorted(index.files, key=lambda f: f.first)]
    if len(files) > 1:
        yield from _read_ahead(files, scan, faults)
    else:
        for index, file in files:
            yield from _read_file(index, file, scan, faults)


def read_tables(index: str, mapping: IndexMapping, tables: Sequence[pa.Table], scan: Scan) -> list[StoredBatch]:
    """Return events of an index that are in memory as batches."""
    asked = physical(scan, mapping)
    return [shown(read_table(index, table, asked.fields), scan, mapping) for table in tables]


def _read_file(index: IndexScan, file: StoredFile, scan: Scan, faults: Faults) -> Iterator[StoredBatch]:
    """Yield the events of a file; one that is damaged is set aside."""
    report = partial(faults.put_checksums_aside, index.index, file)
    try:
        for batch in read_file(index.index, index.path / file.path, physical(scan, index.mapping), report):
            yield shown(_guarded(batch, file, faults), scan, index.mapping)
    except FAULTS as error:
        if is_lack_of_resources(error) or not faults.put_file_aside(index.index, file, _reason(error)):
            raise


def _guarded(batch: StoredBatch, file: StoredFile, faults: Faults) -> StoredBatch:
    """Return a batch whose documents and ids, where they turn out to be damaged, have their file set aside."""

    def guarded(read: Callable[[Sequence[int]], list[_Value]]) -> Callable[[Sequence[int]], list[_Value]]:
        def asked(rows: Sequence[int]) -> list[_Value]:
            try:
                return read(rows)
            except FAULTS as error:
                if is_lack_of_resources(error):
                    raise
                faults.put_file_aside(batch.index, file, _reason(error))
                message = f"{batch.index}/{file.path} cannot be read while it is asked for: {error}"
                raise StoreError(message, hint="ask again: the answer does without it") from error

        return asked

    return replace(batch, sources=guarded(batch.sources), ids=guarded(batch.ids))


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _read_ahead(
    files: Sequence[tuple[IndexScan, StoredFile]], scan: Scan, faults: Faults
) -> Iterator[StoredBatch]:
    """Yield the events of files in their order, while the next ones are read in threads."""

    def read(index: IndexScan, file: StoredFile) -> list[StoredBatch]:
        return list(_read_file(index, file, scan, faults))

    with ThreadPoolExecutor(_READERS, thread_name_prefix="store-read") as pool:
        waiting: deque[Future[list[StoredBatch]]] = deque()
        for index, file in files:
            waiting.append(pool.submit(read, index, file))
            if len(waiting) > _READERS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def arrived_within(table: pa.Table, scan: Scan) -> pa.Table:
    """Return the events in memory that arrived in a scan's span: frequent scans skip the others."""
    start, end = scan.arrived_from, scan.arrived_to
    if start is None and end is None:
        return table
    arrived = table.column(ARRIVED).cast(pa.int64())  # microseconds
    inside = pa.scalar(True)
    if start is not None:
        inside = pc.and_(inside, pc.greater_equal(arrived, -(-start // 1000)))
    if end is not None:
        inside = pc.and_(inside, pc.less(arrived, -(-end // 1000)))
    if isinstance(inside, pa.Scalar) or pc.all(inside).as_py():
        return table
    return table.filter(inside)
