"""What the store holds when it stops is written down, so that the next start can tell what has gone since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tocsin.store.durable import read_file, write_durably
from tocsin.store.lake import journal
from tocsin.store.lake.table import IndexTable, rows_of
from tocsin.store.resources import raise_if_lacking

STOPPED = "stopped.json"


class Loss(BaseModel):
    """Something that was there at a stop and was gone at the next start: its name, and what went with it.

    `files` are those of `index` that its table does not name any more, and that may lie there still.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str
    index: str | None = None
    files: tuple[str, ...] = ()


class IndexAtStop(BaseModel):
    """An index at a stop: the version of its table, its events and files."""

    version: int
    events: int
    files: tuple[str, ...] = ()


class CleanStop(BaseModel):
    """The store at a stop, and the losses that nobody has mended.

    `segments` are those of the journal, None once the store has run again. `with_records` says that a service has
    kept records beside it, `records_noted` that it noted how far they are (`tocsin.store.records.high_water`).
    """

    with_records: bool = False
    records_noted: bool = False
    indices: dict[str, IndexAtStop] = {}
    segments: list[int] | None = None
    losses: list[Loss] = []


def read_stop(folder: Path) -> CleanStop:
    """Return what was written at the last stop; that it cannot be read is a loss itself."""
    try:
        return CleanStop.model_validate_json(read_file(folder / STOPPED))
    except FileNotFoundError:
        return CleanStop()
    except (OSError, ValidationError) as error:
        raise_if_lacking(STOPPED, error)
        first = str(error).splitlines()[0]
        told = f"it cannot be read, so that nothing could be compared with the last stop: {first}"
        return CleanStop(losses=[Loss(name=STOPPED, reason=told)])


def write_stop(folder: Path, stop: CleanStop) -> None:
    """Write down what the store holds, for good."""
    write_durably(folder / STOPPED, stop.model_dump_json().encode())


def losses_since(
    stop: CleanStop, tables: Mapping[str, IndexTable], set_aside: Iterable[str], folder: Path
) -> Iterator[Loss]:
    """Yield what a start misses of what the last stop wrote down; `folder` is that of the journal.

    Versions of tables only grow.
    """
    known = set(set_aside)
    for name, before in stop.indices.items():
        table = tables.get(name)
        if name in known:
            continue
        if table is None:
            told = f"the folder of this index is gone, and its {before.events:,} events with it"
            yield Loss(name=name, reason=told, index=name)
        elif table.version < before.version:
            lost = before.events - rows_of(table.files)
            yield Loss(
                name=f"{name}/_delta_log",
                reason=f"the entries after {table.version}, up to {before.version}, are gone; "
                f"{max(lost, 0):,} of {before.events:,} events are not found any more",
                index=name,
                files=tuple(sorted({*before.files} - {file.path for file in table.files})),
            )
    for number in stop.segments or ():
        path = journal.path_of(folder, number)
        if not path.exists():
            yield Loss(name=f"journal/{path.name}", reason="this segment is gone, and events that only it held")
        elif path.is_file() and (cut_off := journal.read(path).cut_off):  # as only a crash leaves it
            told = f"{cut_off:,} bytes are damaged, and their events lost"
            yield Loss(name=f"journal/{path.name}", reason=told)


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
    return before.model_copy(update={"indices": indices, "segments": journal.segments(folder)})
