"""How far records have come, written outside the database: a start reports when they have gone back since.

SQLite recovers silently from a lost log (`records.db-wal`), and an older copy of a database looks as sound as the
newest: what was changed in between is gone, and nothing in the database says so.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from datetime import datetime
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.moments import to_datetime
from tocsin.store.durable import read_file, write_durably
from tocsin.store.records.models import AuditEntry, StoredRule
from tocsin.store.resources import raise_if_lacking

log = logging.getLogger(__name__)
HIGH_WATER = "records.json"
_NOTED_EVERY = 2.0  # seconds between two notes of ticks; changes that the audit log has are noted at once
_BLOCK = 1 << 20


class FileSum(BaseModel):
    """A file as it was left: its size and the CRC-32 of its bytes."""

    model_config = ConfigDict(frozen=True)

    size: int
    crc: int


class HighWater(BaseModel):
    """How far records had come: the last entry of the audit log, with its time, and the last tick of any rule.

    `file` is the SQLite file as it was left; None while records are in use, after a crash, and for PostgreSQL.
    """

    model_config = ConfigDict(frozen=True)

    audit: int = 0
    audited: datetime | None = None
    tick: int = 0
    file: FileSum | None = None


class HighWaterMark:
    """The mark of records, in a file in the data folder. Several processes may have the records open.

    The mark is written after a commit, so that it is never ahead of a database that is whole. Only `reset` lowers
    it: the next start of the service reports records that have gone back, whoever has changed them since.
    """

    def __init__(self, path: Path, database: Path | None) -> None:
        self._path, self._database = path, database
        self._lock = FileLock(path.with_suffix(".lock"))
        self._noting = threading.Lock()
        self._noted = 0.0
        self.fault: str | None = None  # what was found when the records were opened

    def open(self) -> None:
        """Compare the database's file with how it was left, before anybody changes it."""
        with self._lock:
            known = self._read()
            if known is None or known.file is None or self._database is None:
                return
            left = _sum_of(self._database)
            if left is not None and left != known.file:
                self.fault = (
                    f"{self._database.name} is not what it was at the last stop ({known.file.size:,} bytes then, "
                    f"{left.size:,} now): it is damaged, an older copy, or was changed by something else"
                )
                return  # the next start of the service reports it too
            self._write(known.model_copy(update={"file": None}))

    def behind(self, session: Session, *, expected: bool) -> str | None:
        """Return what records lack, None when nothing; a missing mark is a fault where one is `expected`."""
        if expected and not self._path.exists():
            return f"{self._path.name} is gone, so that nobody knows whether records have gone back"
        known = self._read()
        return self.fault or (None if known is None else _missing(known, session))

    def is_due(self) -> bool:
        """Return whether ticks are to be noted again."""
        return time.monotonic() - self._noted >= _NOTED_EVERY

    def note(self, session: Session) -> None:
        """Note how far records are, for good, unless they are behind what was noted, or the disk is full."""
        try:
            with self._noting, self._lock:
                self._noted = time.monotonic()
                known = self._read()
                if known is None or _missing(known, session) is not None:
                    return
                now = _state(session).model_copy(update={"file": known.file})
                if now != known:
                    self._write(now)
        except OSError as error:  # what it was about is committed
            log.warning("how far records are cannot be noted: %s", error)

    def reset(self, session: Session) -> None:
        """Note how far records are, whatever was noted before."""
        with self._noting, self._lock:
            self.fault = None
            self._write(_state(session))

    def closing(self) -> FileLock:
        """Return the lock that is held while connections are closed and `closed` is called."""
        return self._lock

    def closed(self) -> None:
        """Note the database's file as it is left, when nobody else has it open."""
        known = self._read()
        if known is None or known.file is not None or self._database is None or self.fault is not None:
            return
        waiting = self._database.with_name(f"{self._database.name}-wal")
        if self._path.exists() and not (waiting.exists() and waiting.stat().st_size):
            self._write(known.model_copy(update={"file": _sum_of(self._database)}))

    def _read(self) -> HighWater | None:
        """Return what was noted, the least where nothing was; None, and a fault, for what cannot be read."""
        try:
            return HighWater.model_validate_json(read_file(self._path))
        except FileNotFoundError:
            return HighWater()
        except (OSError, ValidationError) as error:
            raise_if_lacking(self._path.name, error)
            self.fault = f"{self._path.name} cannot be read, so that nobody knows whether records have gone back"
            return None

    def _write(self, mark: HighWater) -> None:
        write_durably(self._path, mark.model_dump_json().encode())


def _state(session: Session) -> HighWater:
    last = session.execute(select(AuditEntry.id, AuditEntry.time).order_by(AuditEntry.id.desc()).limit(1)).first()
    tick = session.scalar(select(func.max(StoredRule.done_to))) or 0
    return HighWater(audit=last[0] if last else 0, audited=last[1] if last else None, tick=tick)


def _missing(known: HighWater, session: Session) -> str | None:
    """Return what a database lacks by its mark, None when it has all."""
    now = _state(session)
    there = session.scalar(select(AuditEntry.time).where(AuditEntry.id == known.audit))
    if there != known.audited:
        since = f"of {now.audited:%Y-%m-%d %H:%M:%S} UTC" if now.audited else "of none"
        return (
            f"they have gone back: the last change that they know is number {now.audit} {since}, and number "
            f"{known.audit} of {known.audited:%Y-%m-%d %H:%M:%S} UTC had been made; users, keys, rules and alerts "
            "that were changed in between are lost"
        )
    if now.audit == known.audit and now.tick < known.tick:  # deleting a rule takes its tick along, and is audited
        return (
            f"they have gone back: rules had been run up to {_shown(known.tick)}, and are known to up to "
            f"{_shown(now.tick)}; they are run again for what is between, and what was noted of alerts is lost"
        )
    return None


def _shown(moment: int) -> str:
    return f"{to_datetime(moment):%Y-%m-%d %H:%M:%S} UTC" if moment else "no moment"


def _sum_of(path: Path) -> FileSum | None:
    """Return the sum of a file, None where there is none."""
    size = crc = 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                size, crc = size + len(block), zlib.crc32(block, crc)
    except OSError:
        return None
    return FileSum(size=size, crc=crc)
