"""Records in a damaged SQLite file: detected at a start, and saved row by row into a new file."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import JSON, LargeBinary, String, Table, TypeDecorator
from sqlalchemy.types import TypeEngine

from tocsin.counted import counted
from tocsin.moments import DAY
from tocsin.store.records.database import Records, file_of
from tocsin.store.records.models import Base, StoredAlert
from tocsin.store.resources import is_lack_of_resources

_CHECK_SECONDS = 10.0  # for looking through the file; the rest of a large one is believed to be sound
_STEPS = 100_000  # of SQLite's machine, between looks at the time
_FILES = ("", "-wal", "-shm")
_AT_ONCE = 1000  # rows
_HEAD = struct.Struct(">16sH10sI")  # of an SQLite file: a mark, the size of pages, others, how many there are
_LARGEST = 1 << 40  # bytes, that a head which is damaged may ask for
_RUN_AGAIN = DAY  # how far back rules run their windows again


def damage_of(path: Path, *, thorough: bool = False) -> str | None:
    """Return what is wrong within an SQLite file, None when nothing is found or there is none.

    A `thorough` look takes as long as it takes, and compares indices with their tables too.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    until = time.monotonic() + _CHECK_SECONDS
    try:
        with closing(sqlite3.connect(path, timeout=15)) as connection:
            if not thorough:
                connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
            check = "integrity_check" if thorough else "quick_check"
            fault = connection.execute(f"PRAGMA {check}(1)").fetchone()[0]
            if fault == "ok":
                return _unreadable(connection)
    except sqlite3.OperationalError as error:  # it is locked, or large; or it could not even be opened
        sound = "interrupted" in str(error) or "locked" in str(error) or is_lack_of_resources(error)
        return None if sound else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return " ".join(str(fault).split())


def _unreadable(connection: sqlite3.Connection) -> str | None:
    """Return which table holds a row with a text that cannot be read: to SQLite a changed byte in it is no fault.

    A rule whose JSON is none would stop all of them.
    """
    connection.create_function("is_json", 1, _is_json, deterministic=True)
    connection.create_function("is_text", 1, _is_utf8, deterministic=True)
    for table in Base.metadata.sorted_tables:
        there = {column[1] for column in connection.execute(f'PRAGMA table_info("{table.name}")')}
        tests = {"is_json": _columns_of_json(table)}
        tests["is_text"] = {column.name for column in table.columns if isinstance(column.type, String)}
        sound = [
            f'{test}(CAST("{name}" AS BLOB))' for test, names in tests.items() for name in sorted(names & there)
        ]
        if not sound:
            continue
        asked = f'SELECT count(*) FROM "{table.name}" WHERE NOT ({" AND ".join(sound)})'
        if count := connection.execute(asked).fetchone()[0]:
            return f"{counted(count, 'row')} of {table.name.replace('_', ' ')} cannot be read"
    return None


def _columns_of_json(table: Table) -> set[str]:
    """Return the names of a table's columns that hold JSON, as such or as a text."""
    names = {column.name for column in table.columns if isinstance(_kept_as(column.type), JSON)}
    return names | ({StoredAlert.document.key} if table is StoredAlert.__table__ else set())


def _kept_as(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def salvage(url: str, damaged: Path) -> str | None:
    """Save what can be read of damaged records; return what happened, in words, and None for sound records.

    The damaged files go into a folder beneath `damaged`. No service may use them.
    """
    path = file_of(url)
    reason = None if path is None else damage_of(path)
    if path is None or reason is None:
        return None
    moved = damaged / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    moved.mkdir(parents=True)
    for suffix in _FILES:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            shutil.move(beside, moved / beside.name)
    records = Records(url)
    try:
        records.upgrade()
    finally:
        records.close()
    with _made_whole(moved) as whole:
        saved = _copy(whole / path.name, path)
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in saved.items() if count)
    return (
        f"{path.name} was damaged ({reason}): {counts or 'nothing'} could be read; the damaged file is in {moved}"
    )


@contextmanager
def _made_whole(moved: Path) -> Iterator[Path]:
    """Give a folder with a copy of the files, at the length in their head: SQLite reads no file that was cut."""
    with tempfile.TemporaryDirectory(dir=moved) as made:
        for path in moved.iterdir():
            if path.is_file():
                shutil.copy(path, made)
                if "-" not in path.name:
                    with path.open("rb") as file:
                        head = file.read(_HEAD.size)
                    _, size, _, pages = _HEAD.unpack(head.ljust(_HEAD.size, b"\0"))
                    size = 65_536 if size == 1 else size
                    os.truncate(Path(made) / path.name, max(path.stat().st_size, min(size * pages, _LARGEST)))
        yield Path(made)


# A rule's place may be sound while alerts of before it are lost. Those that are there are raised no second time.
_GO_BACK = """
    UPDATE rules SET done_to = max(done_to - :span, min(done_to, coalesce(watched_from, done_to)))
    WHERE done_to IS NOT NULL
"""


def _copy(source: Path, target: Path) -> dict[str, int]:
    """Copy the rows that can be read, and let rules go back a day; return how many of each table are there."""
    saved: dict[str, int] = {}
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.text_factory = bytes
        for table in Base.metadata.sorted_tables:
            known = {column.name for column in table.columns}
            binary = {column.name for column in table.columns if isinstance(column.type, LargeBinary)}
            for order in ("ASC", "DESC"):  # from both ends up to what cannot be read
                for names, rows in _rows(old, table.name, order):
                    chosen = [n for n, name in enumerate(names) if name in known]
                    columns = ", ".join(f'"{names[n]}"' for n in chosen)
                    marks = ", ".join("?" for _ in chosen)
                    of_json = [place for place, n in enumerate(chosen) if names[n] in _columns_of_json(table)]
                    read = ([row[n] if names[n] in binary else _text(row[n]) for n in chosen] for row in rows)
                    sound = (row for row in read if all(_is_json(row[place]) for place in of_json))
                    with new:
                        kept = f'INSERT OR IGNORE INTO "{table.name}" ({columns}) VALUES ({marks})'
                        new.executemany(kept, sound)
            saved[table.name] = new.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0]
        with new:
            new.execute(_GO_BACK, {"span": _RUN_AGAIN})
    return saved


_Rows = list[tuple[object, ...]]


def _rows(connection: sqlite3.Connection, table: str, order: str) -> Iterator[tuple[list[str], _Rows]]:
    """Yield the names of columns with some rows, until there are no more or the next cannot be read."""
    try:
        cursor = connection.execute(f'SELECT * FROM "{table}" NOT INDEXED ORDER BY rowid {order}')
        names = [column[0] for column in cursor.description]
    except sqlite3.DatabaseError:
        return
    going_on = True
    while going_on:
        rows: _Rows = []
        try:
            while len(rows) < _AT_ONCE and (row := cursor.fetchone()) is not None:
                rows.append(row)
            going_on = len(rows) == _AT_ONCE
        except sqlite3.DatabaseError:
            going_on = False
        yield names, rows


def _is_json(value: Any) -> bool:
    """Return whether the value of a column of JSON is JSON, or null."""
    text = value if isinstance(value, str | bytes) else str(value)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:  # it takes neither NaN nor halves of characters, which may be there
        try:
            json.loads(text)
        except ValueError:
            return value is None
    return True


def _is_utf8(value: bytes | None) -> bool:
    try:
        return value is None or value.decode() is not None
    except UnicodeDecodeError:
        return False


def _text(value: object) -> object:
    """Return a text that was read as bytes; what is no UTF-8 has its bytes replaced."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
