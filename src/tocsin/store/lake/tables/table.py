"""One index as a Delta table, partitioned by the day of events and by slices of a day.

A slice is filled by small commits, one file each. When it is full, or its day is over, its files are written anew
as one, ordered by user and host in z-order. Before, they are put together when they have become too many.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from tocsin.ecs import TIMESTAMP
from tocsin.store.columns.fields import IndexFields, day_of
from tocsin.store.durable import kind_of, regular, sync
from tocsin.store.events import ARRIVED, DAY, HOST, ID, SLICE, SOURCE, USER, Scan
from tocsin.store.lake.reasons import sentence
from tocsin.store.lake.tables.checksums import FAULTS, remove_unused, without_checksums, write_checksums
from tocsin.store.lake.tables.folders import label
from tocsin.store.lake.tables.slices import QUICK, Slice
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.resources import is_lack_of_resources

log = logging.getLogger(__name__)
SLICE_ROWS = 1 << 18  # events in a full slice
FULL_OF_FILES = 48  # files of a slice that is not full yet, at which they become one all the same
_JOURNAL = "journal"  # the application whose transactions say up to which segment a table has its events
_TRIES = 4
_BROKEN = ".broken"  # behind the name of a file of the log that nobody reads any more
_FIRST = (ID, TIMESTAMP, ARRIVED, USER, HOST)
_CONFIGURATION = {
    "delta.dataSkippingStatsColumns": f"`{TIMESTAMP}`,`{ARRIVED}`",
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 1 days",
}


Order = Callable[[Path, "Slice"], None]


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
        """Return whether some of its events may lie in a scan's spans of time."""
        return scan.wants(self.first, self.last) and (self.arrived is None or scan.wants_arrived(*self.arrived))


@dataclass(frozen=True)
class TableVersion:
    """A version of a table: its number, and its files."""

    number: int
    files: tuple[StoredFile, ...]


class IndexTable:
    """The table of one index. One thread appends, one maintains, any may read `files`."""

    def __init__(self, name: str, path: Path, mapping_of: Callable[[], IndexMapping] = lambda: NO_MAPPING) -> None:
        self.name, self.path, self.fields = name, path, IndexFields(mapping_of=mapping_of)
        self.files: tuple[StoredFile, ...] = ()
        self.segment = -1  # of the journal, up to which its events are here
        self._synced: set[str] = set()
        self._at_open: frozenset[str] = frozenset()  # files that were there when it was opened
        self._unsummed: list[str] = []  # files that have no checksums yet
        self._published = -1
        self._delta: DeltaTable | None = None  # as the thread that appends last saw it
        self.broken: list[str] = []  # checkpoints in its folder, damaged or gone, that it does without
        _check_log(path / "_delta_log")
        if DeltaTable.is_deltatable(str(path)):
            _mend(path)
            table = self._open_without_damaged_checkpoints()
            self.broken = sorted(
                f"_delta_log/{checkpoint.name.removesuffix(_BROKEN)}"
                for checkpoint in (path / "_delta_log").glob(f"*checkpoint*{_BROKEN}")
            )
            self.fields.learn(pa.schema(table.schema().to_arrow()))
            self.publish(TableVersion(table.version(), _files(table)))
            self.segment = _segment(table)
            self._at_open = frozenset(file.path for file in _files(table))
            self._unsummed = without_checksums(path, self._at_open)

    def _open(self) -> DeltaTable:
        return DeltaTable(str(self.path))

    def _open_without_damaged_checkpoints(self) -> DeltaTable:
        """Open the table, without checkpoints that are damaged or gone where the commits beside them suffice.

        Raises what opening it raised when they do not; then everything lies where it lay.
        """
        try:
            return self._open()
        except Exception as error:
            if is_lack_of_resources(error):
                raise
            folder = self.path / "_delta_log"
            moved: list[tuple[Path, Path]] = []
            for path in (folder / "_last_checkpoint", *sorted(folder.glob("*.checkpoint*.parquet"), reverse=True)):
                if not path.exists():
                    continue
                aside = path.with_name(f"{path.name}{_BROKEN}")
                path.rename(aside)
                moved.append((path, aside))
                try:
                    table = self._open()
                except Exception:
                    continue
                log.error("%s: its checkpoint is not read any more: %s", self.name, sentence(error))
                return table
            for path, aside in moved:
                aside.rename(path)
            raise

    @property
    def version(self) -> int:
        """The newest version that readers see, -1 when there is none."""
        return self._published

    def commit(self, table: pa.Table, segment: int) -> None:
        """Commit events, as those that the journal has up to a segment; `current` makes sure that they stay."""
        ready = self._placed(table)
        label(self.path, self.name)
        if self._delta is None and DeltaTable.is_deltatable(str(self.path)):
            self._delta = self._open()
        for tries in range(_TRIES):
            try:
                self._write(ready, segment)
                break
            except CommitFailedError:  # a slice was ordered meanwhile, as the table stood before
                if tries == _TRIES - 1:
                    raise
                self._delta = self._open()
            except BaseException:  # delta-rs panics; what it had in memory is no good then
                self._delta = None
                raise
        self.segment = segment

    def _write(self, ready: pa.Table, segment: int) -> None:
        write_deltalake(
            str(self.path) if self._delta is None else self._delta,
            ready,
            mode="append",
            schema_mode="merge",
            partition_by=[DAY, SLICE],
            configuration=_CONFIGURATION,
            writer_properties=QUICK,
            commit_properties=CommitProperties(app_transactions=[Transaction(_JOURNAL, segment)]),
        )

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

    def current(self) -> TableVersion:
        """Return the files of the newest version, when all of it is on disk for good, new ones with checksums."""
        table = self._open()
        files = _files(table)
        new = [file.path for file in files if file.path not in self._synced]
        for path in (*new, f"_delta_log/{table.version():020}.json"):
            if (self.path / path).is_file():  # an older one that is gone, or no file: reading says so
                sync(self.path / path)
        for folder in {(self.path / path).parent for path in new} | {self.path, self.path / "_delta_log"}:
            sync(folder)
        for path in new:
            if path not in self._at_open:
                self._sum_up(path)
        self._synced = {file.path for file in files}
        return TableVersion(table.version(), files)

    def _sum_up(self, path: str) -> None:
        try:
            write_checksums(self.path, path)
        except FAULTS as error:  # it is gone already, or the disk is full
            self._unsummed.append(path)
            log.info("%s/%s has no checksums yet: %s", self.name, path, error)

    def sum_up(self, most: int) -> int:
        """Give files that have no checksums theirs, until they have so many bytes; return how many they have."""
        sizes = {file.path: file.size for file in self.files}
        done = 0
        for _ in range(len(self._unsummed)):
            if done >= most:
                break
            path = self._unsummed.pop(0)
            if path in sizes:
                self._sum_up(path)
                done += sizes[path]
        return done

    def publish(self, version: TableVersion) -> None:
        """Let those who read see a version, unless they see a newer one."""
        if version.number > self._published:
            self._published, self.files = version.number, version.files

    def to_order(self, now: datetime, quiet: timedelta) -> list[Slice]:
        """Return the slices whose files should become one: complete ones, and others that are many files.

        A slice of a day that is over has to be quiet for some time, for old events may come in by the million.
        """
        filled = self._filled()
        files_by_slice: dict[tuple[date, int], list[StoredFile]] = {}
        for file in self.files:
            files_by_slice.setdefault((file.day, file.slice), []).append(file)
        yesterday = (now - timedelta(days=1)).date()
        slices = []
        for (day, number), files in sorted(files_by_slice.items()):
            complete = (
                (day < yesterday and max(file.made for file in files) + quiet <= now)
                or number < filled[day][0]
                or filled[day][1] >= SLICE_ROWS
            )
            if len(files) > 1 and (complete or len(files) >= FULL_OF_FILES):
                slices.append(Slice(day, number, complete))
        return slices

    def order(self, slice_: Slice, by: Order) -> TableVersion:
        """Have the files of a slice written anew as one; return the version that this makes."""
        by(self.path, slice_)
        return self.current()

    def expire(self, before: date) -> TableVersion:
        """Remove the days before a day."""
        self._open().delete(f"{DAY} < '{before}'")
        return self.current()

    def clean(self, hours: int) -> None:
        """Delete files that the table no longer needs, those that it needed within the last hours excepted.

        Files that a crash left uncommitted go too, unless files are deleted at once: they could be about to be.
        """
        table = self._open()
        table.vacuum(retention_hours=hours, enforce_retention_duration=False, dry_run=False, full=hours > 0)
        table.cleanup_metadata()
        remove_unused(self.path, [file.path for file in self.files])


_EPOCH = date(1970, 1, 1).toordinal()


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


_LOGGED = re.compile(r"\d{20}\.json|\d{20}\.checkpoint.*\.parquet|_last_checkpoint")


def _check_log(log: Path) -> None:
    """Raise OSError for a log that is no folder, or has something else in the place of a file.

    Something in the place of a checkpoint is put aside: it is there to save time.
    """
    if os.path.lexists(log) and not log.is_dir():
        raise OSError(f"{log.name} is {kind_of(log)}, and no folder")
    for path in log.iterdir() if log.is_dir() else ():
        if _LOGGED.fullmatch(path.name) and not path.is_file():
            if "checkpoint" not in path.name:
                regular(path)
            path.rename(path.with_name(f"{path.name}{_BROKEN}"))


def _mend(path: Path) -> None:
    """Put aside a last commit that a power cut left incomplete; the journal has what it held."""
    log = path / "_delta_log"
    commits = sorted(path for path in log.glob("[0-9]*.json") if _LOGGED.fullmatch(path.name))
    if len(commits) > 1 and not commits[-1].read_bytes().strip().endswith(b"}"):
        commits[-1].rename(commits[-1].with_suffix(_BROKEN))


def rows_of(files: Iterable[StoredFile]) -> int:
    """Return how many events files hold."""
    return sum(file.rows for file in files)
