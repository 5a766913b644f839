"""Check and repair of a store that no service uses. Nothing is deleted: what is replaced is moved."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.counted import counted
from tocsin.ecs import TIMESTAMP, FieldType
from tocsin.moments import to_nanoseconds
from tocsin.store.columns.documents import to_table
from tocsin.store.columns.fields import IndexFields, field_of
from tocsin.store.columns.values import physical_of
from tocsin.store.durable import regular
from tocsin.store.events import ARRIVED, HOST, ID, NANOSECONDS, SOURCE, USER, SetAside, StoreError
from tocsin.store.lake.clean_stop import CleanStop, write_stop
from tocsin.store.lake.ids import LIST, content_of, key_of, time_in, write_run
from tocsin.store.lake.journal import journal
from tocsin.store.lake.lake import LakeSettings, LakeStore
from tocsin.store.lake.tables.checksums import FAULTS, Checksums, LostChecksumsError, open_checksums, verify
from tocsin.store.lake.tables.folders import UnknownFolderError, folder_of, index_in, safe_name
from tocsin.store.lake.tables.index_mappings import LIST as LIST_OF_MAPPINGS
from tocsin.store.lake.tables.index_mappings import IndexMappings
from tocsin.store.lake.tables.slim_documents import restore_documents
from tocsin.store.lake.tables.table import IndexTable
from tocsin.store.resources import raise_if_lacking

_QUIET = LakeSettings(flush_after=1e9, maintain_every=1e9)  # nothing happens by itself
_PLACE = re.compile(r"_day=(\d{4}-\d\d-\d\d)/_slice=(\d+)/[^/]+\.parquet")
_BESIDE = re.compile(r"(?:journal|mappings)/[^/]+|events/.+")  # what lies there and is read by nobody
_MOVED = "damaged"  # the folder that what is replaced goes to
_TEXTS = (ID, SOURCE, USER, HOST)
_TRIES, _PAUSE = 60, 0.2  # seconds

Report = Callable[[str], None]


def check(folder: Path) -> list[SetAside]:
    """Return what is damaged, having read every file of every index. Raises StoreError while a service runs."""
    lake = LakeStore(folder, _QUIET)
    try:
        _read_everything(lake)
        return lake.set_aside()
    finally:
        lake.close()


def _read_everything(lake: LakeStore) -> None:
    contents = lake.contents
    _settle(lake)
    for table in list(contents.tables.values()):
        for file in table.files:
            try:
                verify(table.path / file.path)
                read = pq.ParquetFile(table.path / file.path, memory_map=True)
                for group in range(read.metadata.num_row_groups):
                    read.read_row_group(group)
            except LostChecksumsError as error:
                contents.put_checksums_aside(table, file, str(error))
            except FAULTS as error:
                raise_if_lacking(f"{table.name}/{file.path}", error)
                contents.put_file_aside(table, file, error)


def _settle(lake: LakeStore) -> None:
    """Bring what the journal holds into tables; an index that cannot take its events is set aside."""
    for _ in range(_TRIES):
        try:
            lake.flush()
            return
        except StoreError:  # it is tried again, a moment later
            time.sleep(_PAUSE)


def repair(folder: Path, report: Report) -> list[SetAside]:
    """Repair what can be repaired, and `report` each step; return what is still damaged.

    An index is written anew from all of its files that can be read and from the journal, each event once. Raises
    StoreError while a service runs.
    """
    lake = LakeStore(folder, _QUIET)
    try:
        _read_everything(lake)
        damaged, losses, with_records = lake.set_aside(), lake.losses, lake.kept_records()
    finally:
        lake.close()
    moved = folder / _MOVED / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    _move_damaged_mappings(folder, moved, report)
    there = {index for index, _ in _folders(folder)} | {entry.index for entry in _journalled(folder)}
    indices = {aside.index for aside in damaged} | {loss.index for loss in losses if loss.files}
    for index in sorted(name for name in indices if name in there):
        _rebuild(folder, index, moved, report)
    beside = [aside for aside in damaged if aside.index is None]
    if any(aside.name == LIST or aside.name.startswith("ids/") for aside in beside):
        _move(folder / "ids", moved, report)
        _rebuild_ids(folder, report)
    for aside in beside:
        if _BESIDE.fullmatch(aside.name) and os.path.lexists(folder / aside.name):
            _settle_and_move(folder, aside, moved, report)
    for loss in losses:
        report(f"{loss.name}: noted, and not reported again: {loss.reason}")
    write_stop(folder, CleanStop(with_records=with_records))
    return check(folder)


def _folders(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((folder / "events").iterdir()):
        try:
            yield index_in(path), path
        except UnknownFolderError:
            continue


def _move(path: Path, moved: Path, report: Report) -> None:
    target, number = moved / path.name, 1
    target.parent.mkdir(parents=True, exist_ok=True)
    while os.path.lexists(target):
        number += 1
        target = moved / f"{path.name}.{number}"
    shutil.move(path, target)
    report(f"{path.name}: moved to {target}")


def _settle_and_move(folder: Path, aside: SetAside, moved: Path, report: Report) -> None:
    if aside.name.startswith("journal/"):  # what can be read of it goes into tables first
        lake = LakeStore(folder, _QUIET)
        _settle(lake)
        lake.close()
    _move(folder / aside.name, moved, report)


def _move_damaged_mappings(folder: Path, moved: Path, report: Report) -> None:
    """Move mappings away that cannot be read, and forget those that are gone."""
    mappings = IndexMappings(folder / "mappings")
    for path, reason in mappings.damaged.items():
        if os.path.lexists(path):
            _move(path, moved / "mappings", report)
        mappings.forget(path)
        consequence = "the fields of its index have the types of their values until it is given again"
        report(f"mappings/{path.name}: {reason}; {consequence}")
    if mappings.list_fault is not None:
        mappings.write_list()
        report(f"{LIST_OF_MAPPINGS}: written anew")


# ---- an index, from its files and the journal


@dataclass
class _Salvaged:
    """What a file gives: its rows, and how many row groups cannot be read."""

    table: pa.Table | None
    lost: int


def _rebuild(folder: Path, index: str, moved: Path, report: Report) -> None:
    old = next((path for name, path in _folders(folder) if name == index), None)
    waiting = [entry for entry in _journalled(folder) if entry.index == index]
    segment = max(journal.segments(folder / "journal"), default=0)
    mapping = IndexMappings(folder / "mappings").find(index)
    new = IndexTable(index, folder / "rebuilding", lambda: mapping)
    shutil.rmtree(new.path, ignore_errors=True)
    missing = {entry.id: entry for entry in waiting}
    events = lost = 0
    for paths in _slices(old) if old else ():
        parts = [_salvage(path, new.fields) for path in paths]
        lost += sum(part.lost for part in parts)
        tables = [part.table for part in parts if part.table is not None and part.table.num_rows]
        if not tables:
            continue
        rows = _each_once(pa.concat_tables(tables, promote_options="permissive"))
        for id_ in rows.column(ID).to_pylist():
            missing.pop(id_, None)
        new.commit(rows, segment)
        events += rows.num_rows
    unfit: list[journal.Entry] = []
    for table in _tables(list(missing.values()), new.fields, unfit):
        new.commit(table, segment)
        events += table.num_rows
    os.sync()
    if old is not None:
        _move(old, moved, report)
    if events:
        new.path.rename(old or folder_of(folder / "events", index))
    unread = f"; {lost:,} row groups could not be read" if lost else ""
    report(f"{index}: written anew with {counted(events, 'event')}{unread}")
    if unfit:
        kept = moved / f"{safe_name(index)}.ndjson"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(b"".join(entry.source + b"\n" for entry in unfit))
        report(f"{index}: {counted(len(unfit), 'event')} of the journal could not be stored; {kept} has them")


def _tables(entries: list[journal.Entry], fields: IndexFields, unfit: list[journal.Entry]) -> Iterator[pa.Table]:
    """Yield documents as tables; those of which none can be made are added to `unfit`."""
    if not entries:
        return
    try:
        yield to_table(entries, fields)
    except Exception as error:  # whatever a document does to it
        raise_if_lacking("a document of the journal", error)
        if len(entries) == 1:
            unfit.extend(entries)
            return
        half = len(entries) // 2
        yield from _tables(entries[:half], fields, unfit)
        yield from _tables(entries[half:], fields, unfit)


def _slices(old: Path) -> Iterator[list[Path]]:
    """Yield the Parquet files of each slice of each day, those included that the table does not name."""
    slices: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(old.rglob("*.parquet")):
        match = _PLACE.fullmatch(path.relative_to(old).as_posix())
        if match:
            slices.setdefault((match[1], match[2]), []).append(path)
    yield from slices.values()


def _salvage(path: Path, fields: IndexFields) -> _Salvaged:
    """Return the row groups of a file that can be read, or be made anew from their documents."""
    try:
        file = pq.ParquetFile(regular(path))
        checksums = open_checksums(path, file.metadata)
    except FAULTS:
        return _Salvaged(None, 1)
    parts = []
    groups = file.metadata.num_row_groups
    for group in range(groups):
        for read in (_whole_group, _group_of_documents):
            try:
                parts.append(read(file, checksums, group, fields))
                break
            except FAULTS:
                continue
    return _Salvaged(pa.concat_tables(parts, promote_options="default") if parts else None, groups - len(parts))


def _whole_group(file: pq.ParquetFile, checksums: Checksums, group: int, fields: IndexFields) -> pa.Table:
    """Return a row group as it is. Raises ValueError where its columns are not as the index has its fields now."""
    for column in file.schema_arrow:
        kind = column.type.value_type if pa.types.is_list(column.type) else column.type
        expected = _expected(column.name, fields)
        if expected not in (None, kind):
            raise ValueError(f"{column.name} is of {kind}, and has to be of {expected}")
    checksums.compare([group])
    return file.read_row_group(group)


def _expected(column: str, fields: IndexFields) -> pa.DataType | None:
    """Return the type of the values of a column, None where the values themselves decide."""
    if column in _TEXTS:
        return pa.string()
    name = field_of(column)
    known = None if name is None else fields.known(name)
    return None if known is None or known.type is FieldType.OBJECT else physical_of(known)


def _group_of_documents(file: pq.ParquetFile, checksums: Checksums, group: int, fields: IndexFields) -> pa.Table:
    """Return the events of a row group whose documents are sound, where columns beside them are not."""
    names = file.schema_arrow.names

    def columns(wanted: Collection[str]) -> dict[str, list[Any]]:
        selected = [name for name in names if name in wanted]
        checksums.compare([group], [names.index(name) for name in selected])
        table = file.read_row_group(group, columns=selected)
        return {name: table.column(name).to_pylist() for name in selected}

    own = columns({ID, SOURCE})
    times = columns({TIMESTAMP, ARRIVED, NANOSECONDS})
    beyond = times.get(NANOSECONDS) or [None] * len(own[ID])
    entries = [
        journal.Entry("", id_, False, to_nanoseconds(time) + (more or 0), to_nanoseconds(arrived), source)
        for id_, source, time, more, arrived in zip(
            own[ID], restore_documents(own[SOURCE], columns), times[TIMESTAMP], beyond, times[ARRIVED], strict=True
        )
    ]
    return to_table(entries, fields)


def _each_once(table: pa.Table) -> pa.Table:
    """Return a table in which each id stands once: files of before and after ordering hold the same events."""
    ids = table.column(ID).combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(ids, return_index=True)
    return table.take(pa.array(np.sort(first)))


def _journalled(folder: Path) -> Iterator[journal.Entry]:
    for number in journal.segments(folder / "journal"):
        with suppress(OSError):  # a check names it
            yield from journal.read(journal.path_of(folder / "journal", number)).entries


# ---- ids


def _rebuild_ids(folder: Path, report: Report) -> None:
    """Write the ids that senders chose anew, from the events of all indices."""
    rows: list[tuple[int, int, int, int]] = []
    for index, path in _folders(folder):
        table = IndexTable(index, path)
        for file in table.files:
            events = _salvage(path / file.path, table.fields).table
            if events is None:
                continue
            chosen = events.filter(pa.array([time_in(id_) is None for id_ in events.column(ID).to_pylist()]))
            if not chosen.num_rows:
                continue
            sources = restore_documents(chosen.column(SOURCE).to_pylist(), partial(_columns, chosen))
            times = pc.cast(chosen.column("@timestamp"), pa.timestamp("ns", "UTC")).cast(pa.int64()).to_pylist()
            for id_, source, moment in zip(chosen.column(ID).to_pylist(), sources, times, strict=True):
                rows.append((*key_of(index, id_), content_of(source), moment))
    committed = max((IndexTable(index, path).segment for index, path in _folders(folder)), default=0)
    last = min(journal.segments(folder / "journal"), default=committed + 1) - 1
    write_run(folder / "ids", last, rows)
    report(f"ids: written anew, {len(rows):,} that senders chose")


def _columns(table: pa.Table, names: frozenset[str]) -> dict[str, list[object]]:
    return {name: table.column(name).to_pylist() for name in names}
