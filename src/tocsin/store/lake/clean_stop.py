"""A note of what the store holds, so that the next start can report what has gone since.

It is written when the store stops, and while it runs whenever the journal has a new segment or has settled some.
A segment is removed only after a note without it, and only versions of tables that are on disk for good are noted.
So whatever a start misses of a note was lost, whichever way the store ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tocsin.store.durable import read_file, write_durably
from tocsin.store.lake.journal import journal
from tocsin.store.lake.journal.acknowledged import Acknowledged
from tocsin.store.lake.tables.table import IndexTable, rows_of
from tocsin.store.resources import raise_if_lacking

STOPPED = "stopped.json"


class Loss(BaseModel):
    """Something that was noted and was gone at the next start: its name, and what went with it.

    `files` are those of `index` that its table does not name any more, and that may lie there still.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str
    index: str | None = None
    files: tuple[str, ...] = ()


class IndexAtStop(BaseModel):
    """An index when the store was noted: the version of its table, its events, and at a stop its files."""

    version: int
    events: int
    files: tuple[str, ...] = ()


class CleanStop(BaseModel):
    """The store at a stop, or as it was last noted while it `runs`, and the losses that nobody has mended.

    `segments` are those of the journal, `sizes` the bytes of those that nothing is written to any more.
    `with_records` says that a service has kept records beside the store, `records_noted` that it noted how far
    they are (`tocsin.store.records.high_water`).
    """

    with_records: bool = False
    records_noted: bool = False
    indices: dict[str, IndexAtStop] = {}
    segments: list[int] | None = None
    sizes: dict[int, int] = {}
    runs: bool = False
    losses: list[Loss] = []


def read_stop(folder: Path) -> CleanStop:
    """Return the last note; one that cannot be read is a loss itself."""
    try:
        return CleanStop.model_validate_json(read_file(folder / STOPPED))
    except FileNotFoundError:
        return CleanStop()
    except (OSError, ValidationError) as error:
        raise_if_lacking(STOPPED, error)
        first = str(error).splitlines()[0]
        reason = f"it cannot be read, so that nothing could be compared with the last stop: {first}"
        return CleanStop(losses=[Loss(name=STOPPED, reason=reason)])


def write_stop(folder: Path, stop: CleanStop) -> None:
    """Write down what the store holds, for good."""
    write_durably(folder / STOPPED, stop.model_dump_json().encode())


def losses_since(
    stop: CleanStop,
    tables: Mapping[str, IndexTable],
    set_aside: Collection[str],
    folder: Path,
    acknowledged: Acknowledged,
) -> Iterator[Loss]:
    """Yield what a start misses of the last note, but for indices that are `set_aside` as a whole.

    `folder` is that of the journal. Versions of tables only grow.
    """
    for name, before in stop.indices.items():
        table = tables.get(name)
        if name in set_aside:
            continue
        if table is None:
            reason = f"the folder of this index is gone, and its {before.events:,} events with it"
            yield Loss(name=name, reason=reason, index=name)
        elif table.version < before.version:
            lost = before.events - rows_of(table.files)
            yield Loss(
                name=f"{name}/_delta_log",
                reason=f"the entries after {table.version}, up to {before.version}, are gone; "
                f"{max(lost, 0):,} of {before.events:,} events are not found any more",
                index=name,
                files=tuple(sorted({*(before.files or _lying_in(table))} - {file.path for file in table.files})),
            )
    yield from _losses_of_journal(stop, folder, acknowledged)


def _losses_of_journal(stop: CleanStop, folder: Path, acknowledged: Acknowledged) -> Iterator[Loss]:
    for number in stop.segments or ():
        path = journal.path_of(folder, number)
        expected = max(stop.sizes.get(number, 0), acknowledged.size_of(number))
        if not path.exists():
            yield Loss(name=f"journal/{path.name}", reason="this segment is gone, and events that only it held")
            continue
        if not path.is_file():
            continue  # it is named as what it is
        size = path.stat().st_size
        if size < expected:
            reason = f"{expected - size:,} of its {expected:,} bytes are gone, and events that only it held"
            yield Loss(name=f"journal/{path.name}", reason=reason)
        elif (unreadable := expected - size + journal.cut_off(path)) > 0:  # more than an unfinished write leaves
            reason = f"{unreadable:,} bytes are damaged, and their events lost"
            yield Loss(name=f"journal/{path.name}", reason=reason)


def _lying_in(table: IndexTable) -> Iterator[str]:
    for path in table.path.glob("_day=*/**/*.parquet"):
        yield path.relative_to(table.path).as_posix()


def stop_of(tables: Mapping[str, IndexTable], before: CleanStop, folder: Path) -> CleanStop:
    """Return what to write down at a stop; `folder` is the journal's, `before` what was written at the start."""
    indices = {
        name: IndexAtStop(
            version=table.version,
            events=rows_of(table.files),
            files=tuple(file.path for file in table.files),
        )
        for name, table in tables.items()
        if table.version >= 0
    }
    segments = journal.segments(folder)
    sizes = _sizes(folder, segments)
    return before.model_copy(update={"indices": indices, "segments": segments, "sizes": sizes, "runs": False})


def _sizes(folder: Path, segments: Iterable[int]) -> dict[int, int]:
    return {number: journal.path_of(folder, number).stat().st_size for number in segments}


def note_of(
    tables: Mapping[str, IndexTable], before: CleanStop, folder: Path, going: Collection[int]
) -> CleanStop:
    """Return what to write down while the store runs; segments that are `going` are not expected any more.

    Without the files: this is written every few seconds.
    """
    indices = {
        name: IndexAtStop(version=table.version, events=rows_of(table.files))
        for name, table in list(tables.items())
        if table.version >= 0
    }
    segments = [number for number in journal.segments(folder) if number not in going]
    sizes = _sizes(folder, segments[:-1])  # the last one grows
    return before.model_copy(update={"indices": indices, "segments": segments, "sizes": sizes, "runs": True})
