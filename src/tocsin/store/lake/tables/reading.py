"""Parquet files and buffered tables as batches: only the row groups and columns that a scan needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.store.columns.tables import logical_columns, stored_columns
from tocsin.store.events import ID, SOURCE, Scan, StoredBatch
from tocsin.store.lake.tables.footers import OpenedFile, bounds_of, open_file
from tocsin.store.lake.tables.narrowing import Narrowing
from tocsin.store.lake.tables.slim_documents import restore_documents

_GROUPS = 8  # row groups that are read together
_FEW = 4  # a part of a row group's rows, up to which these alone are taken
_AT_ONCE = 256  # rows that are decoded together where few are wanted


def read_file(
    index: str, path: Path, scan: Scan, report: Callable[[str], None] = lambda _: None
) -> Iterator[StoredBatch]:
    """Yield the events of a Parquet file, without the row groups that can hold none of a scan's.

    `report` gets the reason where a file has to be read without its checksums. Raises one of `checksums.FAULTS`
    for a damaged file; the batches' documents and ids, which are read when they are asked for, do so too.
    """
    bounds = bounds_of(path)
    if bounds.fault:
        report(bounds.fault)
    groups = bounds.groups_for(scan)
    if not groups:
        return
    opened = open_file(path)
    footer, narrowed = opened.footer, Narrowing.of(scan, opened.types)
    reader = _Reader(index, path, opened, scan)
    if narrowed is None:
        for start in range(0, len(groups), _GROUPS):
            yield reader.whole(groups[start : start + _GROUPS])
    else:
        for group in groups:
            rows, known = reader.narrowed(group, narrowed)
            if len(rows) > footer.row_group(group).num_rows // _FEW:
                yield reader.whole([group])
            elif len(rows):
                yield reader.few(group, rows, known)


_Columns = dict[str, pa.ChunkedArray]


class _Reader:
    """Reads row groups of a file for a scan."""

    def __init__(self, index: str, path: Path, opened: OpenedFile, scan: Scan) -> None:
        self._index, self._path, self._opened, self._scan = index, path, opened, scan
        self._wanted = stored_columns(scan.fields, opened.types)

    def narrowed(self, group: int, narrowing: Narrowing) -> tuple[npt.NDArray[np.intp], _Columns]:
        """Return the rows of a row group that may be among the scan's events, and the columns that tell so."""
        rows, known = np.arange(self._opened.footer.row_group(group).num_rows), _Columns()
        for name in narrowing.columns:
            known[name] = self._read(self._by_code, [group], [name]).column(0)
            rows = rows[narrowing.holds(name, known[name])[rows]]
            if not len(rows):
                break
        return rows, known

    def whole(self, groups: Sequence[int]) -> StoredBatch:
        """Return all events of some row groups."""
        table = self._read(self._by_code, groups, self._wanted)
        count = sum(self._opened.footer.row_group(group).num_rows for group in groups)
        lazy_rows = _Rows(self._path, self._opened, groups)
        columns = {name: table.column(name) for name in table.column_names}
        logical = logical_columns(self._scan.fields, columns)
        return StoredBatch(self._index, count, logical, lazy_rows.sources, lazy_rows.ids)

    def few(self, group: int, rows: npt.NDArray[np.intp], known: Mapping[str, pa.ChunkedArray]) -> StoredBatch:
        """Return the events of some rows of a row group, of which columns are known."""
        names = [name for name in self._wanted if name not in known]
        coded = [name for name in names if self._opened.is_coded(group, name)]
        values = [name for name in names if name not in coded]
        columns = {name: known[name] for name in self._wanted if name in known}
        if coded:
            columns |= self._columns(self._by_code, group, coded)
        if values:
            columns |= self._columns(self._by_value, group, values)
        kept = pa.array(rows)
        taken = {name: column.take(kept) for name, column in columns.items()}
        lazy_rows = _Rows(self._path, self._opened, [group])
        return StoredBatch(
            self._index,
            len(rows),
            logical_columns(self._scan.fields, taken),
            lambda asked: lazy_rows.sources(rows[np.asarray(asked, np.intp)].tolist()),
            lambda asked: lazy_rows.ids(rows[np.asarray(asked, np.intp)].tolist()),
        )

    def _columns(self, file: pq.ParquetFile, group: int, names: Sequence[str]) -> _Columns:
        table = self._read(file, [group], names)
        return {name: table.column(name) for name in names}

    @cached_property
    def _by_code(self) -> pq.ParquetFile:
        """The file, its texts read as codes."""
        texts = [name for name, type_ in self._opened.types.items() if type_ == pa.string()]
        return self._file(texts)

    @cached_property
    def _by_value(self) -> pq.ParquetFile:
        """The file, its texts read as they are: quicker where nearly all are different."""
        return self._file([])

    def _file(self, texts: Sequence[str]) -> pq.ParquetFile:
        footer = self._opened.footer
        return pq.ParquetFile(self._path, metadata=footer, read_dictionary=list(texts), memory_map=True)

    def _read(self, file: pq.ParquetFile, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
        self._opened.compare(groups, names)
        return file.read_row_groups(groups, columns=list(names))


class _Rows:
    """Some rows of row groups, read when they are asked for."""

    def __init__(self, path: Path, opened: OpenedFile, groups: Sequence[int]) -> None:
        self._path, self._opened, self._groups = path, opened, groups
        counts = [opened.footer.row_group(group).num_rows for group in groups]
        self._starts = np.concatenate(([0], np.cumsum(counts)))

    def _read(self, rows: Sequence[int], names: Collection[str]) -> dict[str, list[Any]]:
        """Return columns of some rows, in their order."""
        wanted = np.asarray(rows, np.int64)
        order = np.argsort(wanted, kind="stable")
        in_order = wanted[order]
        bounds = np.searchsorted(in_order, self._starts)
        needed = np.flatnonzero(np.diff(bounds)).tolist()
        self._opened.compare([self._groups[g] for g in needed], names)
        file = pq.ParquetFile(self._path, metadata=self._opened.footer, memory_map=True)
        parts = [
            part
            for g in needed
            for part in _rows_of_group(
                file, self._groups[g], sorted(names), in_order[bounds[g] : bounds[g + 1]] - self._starts[g]
            )
        ]
        places = np.argsort(order, kind="stable").tolist()
        taken = pa.Table.from_batches(parts)
        columns = {name: taken.column(name).to_pylist() for name in taken.column_names}
        return {name: [values[place] for place in places] for name, values in columns.items()}

    def sources(self, rows: Sequence[int]) -> list[bytes]:
        if not len(rows):
            return []
        return restore_documents(self._read(rows, {SOURCE})[SOURCE], lambda names: self._read(rows, names))

    def ids(self, rows: Sequence[int]) -> list[str]:
        return self._read(rows, {ID})[ID] if len(rows) else []


def _rows_of_group(
    file: pq.ParquetFile, group: int, names: Sequence[str], rows: npt.NDArray[np.int64]
) -> Iterator[pa.RecordBatch]:
    """Yield columns of some rows of a row group, which are in order.

    Some rows are decoded at a time, up to the last that is wanted: documents of a whole row group are 20 MB.
    """
    start = 0
    for batch in file.iter_batches(_AT_ONCE, row_groups=[group], columns=list(names), use_threads=False):
        end = start + batch.num_rows
        first, last = np.searchsorted(rows, (start, end))
        if last > first:
            yield batch.take(pa.array(rows[first:last] - start))
        if last == len(rows):
            return
        start = end
