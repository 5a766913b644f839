"""What Parquet files say of themselves: footers, and bounds of columns by row group, which stay longer.

A footer takes up to half a megabyte, the bounds of a few columns next to nothing: scans of all time leave out most
files by them, and open none of these again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.moments import to_nanoseconds
from tocsin.store.columns.fields import MANY, column_name
from tocsin.store.durable import regular
from tocsin.store.events import ARRIVED, Scan
from tocsin.store.lake.tables.checksums import Checksums, open_checksums

_FOOTERS = 256  # of files, kept
_BOUNDS = 16_384  # files of which bounds are kept, a few kilobytes each
_SMALL_DICTIONARY = 8 << 10  # bytes, as they lie in the file

# The least and the greatest value of a column in a row group; empty where it has none, None where nobody knows.
_Bounds = tuple[Any, Any] | tuple[()] | None


@dataclass(frozen=True)
class OpenedFile:
    """What a file says of itself, the types of its columns, and the places of those that are no lists."""

    footer: pq.FileMetaData
    types: dict[str, pa.DataType]
    positions: dict[str, int]
    checksums: Checksums

    def is_coded(self, group: int, name: str) -> bool:
        """Tell whether a column's texts in a row group are a few, which are quicker to read by their codes."""
        place = self.positions.get(name)
        if place is None or self.types[name] != pa.string():
            return False
        chunk = self.footer.row_group(group).column(place)
        return bool(
            chunk.has_dictionary_page and chunk.data_page_offset - chunk.dictionary_page_offset < _SMALL_DICTIONARY
        )

    def compare(self, groups: Sequence[int], names: Collection[str]) -> None:
        """Compare columns with their checksums before they are read."""
        places = {name: place for place, name in enumerate(self.types)}
        whole = len(places) != self.footer.num_columns
        self.checksums.compare(groups, None if whole else [places[name] for name in names if name in places])


@lru_cache(_FOOTERS)
def open_file(path: Path) -> OpenedFile:
    """Return what a file says of itself. Raises one of `checksums.FAULTS` for a damaged file."""
    footer = pq.read_metadata(regular(path))
    types = {column.name: column.type for column in footer.schema.to_arrow_schema()}
    places = {footer.schema.column(place).path: place for place in range(footer.num_columns)}
    positions = {name: place for name, place in places.items() if name in types}
    return OpenedFile(footer, types, positions, open_checksums(path, footer))


@dataclass
class FileBounds:
    """The bounds of columns of a file by row group, each read from its footer when it is first asked for.

    `fault` says why the file has to be read without its checksums, if it has.
    """

    path: Path
    groups: int
    fault: str | None
    _columns: dict[str, Sequence[_Bounds]] = field(default_factory=dict)

    def groups_for(self, scan: Scan) -> list[int]:
        """Return the row groups that may hold some of a scan's events."""
        groups = list(range(self.groups))
        for column, wants, asked in (
            (TIMESTAMP, scan.wants, (scan.start, scan.end, scan.times)),
            (ARRIVED, scan.wants_arrived, (scan.arrived_from, scan.arrived_to)),
        ):
            if any(bound is not None for bound in asked):
                spans = self._of(column, _times_of)
                groups = [group for group in groups if not (span := spans[group]) or wants(*span)]
        for name, values in scan.equal.items():
            if groups and name != INDEX:
                bounds = self._of(column_name(name), _values_of)
                groups = [group for group in groups if _may_have(bounds[group], values)]
        return groups

    def _of(self, name: str, read: Callable[[OpenedFile, str], Sequence[_Bounds]]) -> Sequence[_Bounds]:
        if name not in self._columns:
            self._columns[name] = read(open_file(self.path), name)
        return self._columns[name]


@lru_cache(_BOUNDS)
def bounds_of(path: Path) -> FileBounds:
    """Return the bounds of a file's columns. Raises one of `checksums.FAULTS` for a damaged file."""
    opened = open_file(path)
    return FileBounds(path, opened.footer.num_row_groups, opened.checksums.fault)


def _times_of(opened: OpenedFile, name: str) -> list[_Bounds]:
    """Return the bounds of a column of moments, in nanoseconds."""
    return [(to_nanoseconds(b[0]), to_nanoseconds(b[1]) + 999) if b else None for b in _read(opened, name)]


def _values_of(opened: OpenedFile, name: str) -> list[_Bounds]:
    """Return the bounds of a column of values: no event has one where the file has no such column."""
    if name + MANY in opened.types:
        return [None] * opened.footer.num_row_groups
    return _read(opened, name) if name in opened.types else [()] * opened.footer.num_row_groups


def _read(opened: OpenedFile, name: str) -> list[_Bounds]:
    place, bounds = opened.positions.get(name), list[_Bounds]()
    for number in range(opened.footer.num_row_groups):
        group = opened.footer.row_group(number)
        statistics = None if place is None else group.column(place).statistics
        if statistics is None:
            bounds.append(None)
        elif statistics.has_min_max:
            bounds.append((statistics.min, statistics.max))
        else:
            bounds.append(() if statistics.null_count == group.num_rows else None)
    return bounds


def _may_have(bounds: _Bounds, values: Collection[str]) -> bool:
    if not bounds:
        return bounds is None
    least, greatest = bounds
    if not isinstance(least, str):  # the field is no text in this file
        return True
    return any(least <= value <= greatest for value in values)
