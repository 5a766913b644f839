"""One index as a Delta table, partitioned by the day of events and by slices of a day.

A slice is filled by small commits, one file each. When it is full, or its day is over, its files are written anew
as one, ordered by user and host in z-order: each event is rewritten once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)

from tocsin.ecs import TIMESTAMP
from tocsin.store.events import ARRIVED, ID, Scan
from tocsin.store.lake.fields import DAY, HOST, SLICE, SOURCE, USER, IndexFields, day_of
from tocsin.store.lake.journal import sync
from tocsin.store.lake.lifted import lift

SLICE_ROWS = 1 << 18  # events in a full slice
FULL_OF_FILES = 48  # files of a slice that is not full yet, at which they become one all the same
_GROUP_ROWS = 1 << 14  # events in a row group: what is read at once
_JOURNAL = "journal"  # the application whose transactions say up to which segment a table has its events
_FIRST = (ID, TIMESTAMP, ARRIVED, USER, HOST)
_CONFIGURATION = {
    "delta.dataSkippingStatsColumns": f"`{TIMESTAMP}`,`{ARRIVED}`",
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 1 days",
}


def _writing(compression: Literal["LZ4_RAW", "ZSTD"], level: int | None) -> WriterProperties:
    plain = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
    return WriterProperties(
        compression=compression,
        compression_level=level,
        max_row_group_size=_GROUP_ROWS,
        statistics_truncate_length=64,
        column_properties={SOURCE: plain, ID: plain},
    )


_QUICK, _SMALL = (
    _writing("LZ4_RAW", None),
    _writing("ZSTD", 3),
)  # for files that are soon written anew, and for those that stay


@dataclass(frozen=True)
class StoredFile:
    """A Parquet file of a table; times are in nanoseconds, the last one included.

    When its events arrived is not known of files that older versions wrote.
    """

    path: str
    rows: int
    size: int
    day: date
    slice: int
    first: int
    last: int
    made: datetime
    arrived: tuple[int, int] | None = None

    def within(self, scan: Scan) -> bool:
        """Tell whether some of its events may lie in a scan's spans of time."""
        return _overlaps((self.first, self.last), scan.start, scan.end) and (
            self.arrived is None or _overlaps(self.arrived, scan.arrived_from, scan.arrived_to)
        )


@dataclass(frozen=True)
class Version:
    """A version of a table: its number, and its files."""

    number: int
    files: tuple[StoredFile, ...]


class IndexTable:
    """The table of one index. One thread appends, one maintains, any may read `files`."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path, self.fields = name, path, IndexFields()
        self.files: tuple[StoredFile, ...] = ()
        self.segment = -1  # of the journal, up to which its events are here
        self._synced: set[str] = set()
        self._published = -1
        self._delta: DeltaTable | None = None  # as the thread that appends last saw it
        if DeltaTable.is_deltatable(str(path)):
            _mend(path)
            table = self._open()
            self.fields.learn(pa.schema(table.schema().to_arrow()))
            self.publish(Version(table.version(), _files(table)))
            self.segment = _segment(table)

    def _open(self) -> DeltaTable:
        return DeltaTable(str(self.path))

    def append(self, table: pa.Table, segment: int) -> Version:
        """Commit events, as those that the journal has up to a segment; return the version that this makes."""
        ready = lift(self._placed(table))
        if self._delta is None and DeltaTable.is_deltatable(str(self.path)):
            self._delta = self._open()
        write_deltalake(
            str(self.path) if self._delta is None else self._delta,
            ready,
            mode="append",
            schema_mode="merge",
            partition_by=[DAY, SLICE],
            configuration=_CONFIGURATION,
            writer_properties=_QUICK,
            commit_properties=CommitProperties(app_transactions=[Transaction(_JOURNAL, segment)]),
        )
        self.segment = segment
        return self._current()

    def _placed(self, table: pa.Table) -> pa.Table:
        """Return events with the partitions that they go to."""
        days = day_of(table.column(TIMESTAMP))
        table = table.append_column(DAY, days)
        slices = np.zeros(table.num_rows, np.int32)
        filled = self._filled()
        codes = days.combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False)
        for code in np.unique(codes).tolist():
            day = date.fromordinal(_EPOCH + code)
            number, rows = filled.get(day, (0, 0))
            slices[codes == code] = number + (rows >= SLICE_ROWS)
        table = table.append_column(SLICE, pa.array(slices))
        return table.select([*_FIRST, *(n for n in table.column_names if n not in (*_FIRST, SOURCE)), SOURCE])

    def _filled(self) -> dict[date, tuple[int, int]]:
        """Return, for each day, its last slice and how many rows this has."""
        filled: dict[date, tuple[int, int]] = {}
        for file in self.files:
            number, rows = filled.get(file.day, (0, 0))
            if file.slice >= number:
                filled[file.day] = (file.slice, file.rows + (rows if file.slice == number else 0))
        return filled

    def _current(self) -> Version:
        """Return the files of the newest version, when all of it is on disk for good."""
        table = self._open()
        files = _files(table)
        new = [file.path for file in files if file.path not in self._synced]
        for path in (*new, f"_delta_log/{table.version():020}.json"):
            sync(self.path / path)
        for folder in {(self.path / path).parent for path in new} | {self.path, self.path / "_delta_log"}:
            sync(folder)
        self._synced = {file.path for file in files}
        return Version(table.version(), files)

    def publish(self, version: Version) -> None:
        """Let those who read see a version, unless they see a newer one."""
        if version.number > self._published:
            self._published, self.files = version.number, version.files

    def to_order(self, now: datetime, quiet: timedelta) -> list[tuple[date, int]]:
        """Return the slices whose files should become one: the full ones, and those of days that are over.

        A slice of a day that is over has to be quiet for some time, for old events may come in by the million.
        """
        filled = self._filled()
        found: dict[tuple[date, int], list[StoredFile]] = {}
        for file in self.files:
            found.setdefault((file.day, file.slice), []).append(file)
        yesterday = (now - timedelta(days=1)).date()
        return [
            (day, number)
            for (day, number), files in sorted(found.items())
            if len(files) > 1
            and (
                len(files) >= FULL_OF_FILES
                or (day < yesterday and max(file.made for file in files) + quiet <= now)
                or number < filled[day][0]
                or filled[day][1] >= SLICE_ROWS
            )
        ]

    def order(self, day: date, number: int) -> Version:
        """Write the files of a slice anew as one; return the version that this makes."""
        self._open().optimize.z_order(
            [USER, HOST],
            partition_filters=[(DAY, "=", str(day)), (SLICE, "=", str(number))],
            target_size=1 << 40,
            max_concurrent_tasks=1,
            writer_properties=_SMALL,
        )
        return self._current()

    def expire(self, before: date) -> Version:
        """Remove the days before a day."""
        self._open().delete(f"{DAY} < '{before}'")
        return self._current()

    def clean(self, hours: int) -> None:
        """Delete files that the table no longer needs, those that it needed within the last hours excepted.

        Files that a crash left uncommitted go too, unless files are deleted at once: they could be about to be.
        """
        table = self._open()
        table.vacuum(retention_hours=hours, enforce_retention_duration=False, dry_run=False, full=hours > 0)
        table.cleanup_metadata()


_EPOCH = date(1970, 1, 1).toordinal()


def _overlaps(span: tuple[int, int], start: int | None, end: int | None) -> bool:
    return (start is None or span[1] >= start) and (end is None or span[0] < end)


def _segment(table: DeltaTable) -> int:
    version = table.transaction_version(_JOURNAL)
    return -1 if version is None else version


def _files(table: DeltaTable) -> tuple[StoredFile, ...]:
    actions: list[Mapping[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()

    def span(action: Mapping[str, Any], column: str) -> tuple[int, int] | None:
        first, last = action.get(f"min.{column}"), action.get(f"max.{column}")
        if first is None or last is None:
            return None
        return _nanoseconds(first), _nanoseconds(last) + 999_999  # Delta's statistics may be cut to ms

    def stored(action: Mapping[str, Any]) -> StoredFile:
        times = span(action, TIMESTAMP)
        assert times is not None
        return StoredFile(
            path=action["path"],
            rows=action["num_records"],
            size=action["size_bytes"],
            day=action[f"partition.{DAY}"],
            slice=action[f"partition.{SLICE}"],
            first=times[0],
            last=times[1],
            made=datetime.fromtimestamp(action["modification_time"] / 1000, UTC),
            arrived=span(action, ARRIVED),
        )

    return tuple(map(stored, actions))


def _nanoseconds(moment: datetime) -> int:
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000


def _mend(path: Path) -> None:
    """Put aside a last commit that a power cut left incomplete; the journal has what it held."""
    log = path / "_delta_log"
    commits = sorted(log.glob("[0-9]*.json"))
    if len(commits) > 1 and not commits[-1].read_bytes().strip().endswith(b"}"):
        commits[-1].rename(commits[-1].with_suffix(".broken"))


def rows_of(files: Iterable[StoredFile]) -> int:
    """Return how many events files hold."""
    return sum(file.rows for file in files)
