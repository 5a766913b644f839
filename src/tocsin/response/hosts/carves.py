"""Files that hosts send: osquery's carver posts what it is about to send, then block by block of an archive.

As osquery/carver/carver.cpp of osquery/osquery has it: the first request has the node key and is answered with a
session; a block has the session alone. Blocks lie at their place in one file, with a byte for each that is there:
they may come twice, in any order, and after the service was killed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.response.hosts.enrollment import key_hash
from tocsin.store.records.access import local_actor, record
from tocsin.store.records.hosts import Carve

MOST_BLOCK = 4 << 20  # bytes of a block
MOST_CARVE = 1 << 30  # bytes of an archive
MOST_OPEN = 20  # archives of a host that are not whole
GIVEN_UP_AFTER = timedelta(days=1)
_MOST_BLOCKS = 200_000
_LEFT_FREE = 1 << 30  # bytes of the disk that archives leave


class CarveFolder:
    """The archives of a service, in a folder of its data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()  # one block at a time is noted as there

    def begin(self, session: Session, host_id: str, request: Mapping[str, Any]) -> str:
        """Begin an archive; return its session. Raises InvalidError for one that is too large."""
        count, block, size = (_whole(request, name) for name in ("block_count", "block_size", "carve_size"))
        if not 0 < block <= MOST_BLOCK or not 0 <= size <= MOST_CARVE or not 0 <= count <= _MOST_BLOCKS:
            raise InvalidError(f"a carve has at most {MOST_CARVE:,} bytes in blocks of {MOST_BLOCK:,} at most")
        if count != -(-size // block):
            raise InvalidError("[block_count] does not fit [carve_size] and [block_size]")
        unfinished = select(func.count()).where(Carve.host_id == host_id, Carve.finished.is_(None))
        if (session.scalar(unfinished) or 0) >= MOST_OPEN:
            raise InvalidError(f"{MOST_OPEN} carves of this host are not whole yet")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self.folder).free - size < _LEFT_FREE:
            raise InvalidError("the disk has no room for this carve")
        session_id, id_ = secrets.token_urlsafe(32), str(uuid.uuid4())
        session.add(
            Carve(
                id=id_, session_hash=key_hash(session_id), host_id=host_id, block_count=count, block_size=block,
                carve_size=size, request_id=str(request.get("request_id") or "")[:128],
                carve_guid=str(request.get("carve_id") or "")[:64], started=datetime.now(UTC), finished=None,
                sha256=None,
            )
        )  # fmt: skip
        record(session, local_actor("osquery"), "carve.begin", id_, host=host_id, size=size)
        return session_id

    def add_block(self, session: Session, request: Mapping[str, Any]) -> bool:
        """Keep a block; return whether the archive is whole by it. Raises InvalidError."""
        session_id = request.get("session_id")
        query = select(Carve).where(
            Carve.session_hash == key_hash(session_id if isinstance(session_id, str) else "")
        )
        carve = session.scalar(query)
        if carve is None:
            raise InvalidError("[session_id] is of no carve")
        if carve.finished is not None:
            return True
        block_id, data = _whole(request, "block_id"), _block(request.get("data"))
        expected = min(carve.block_size, carve.carve_size - block_id * carve.block_size)
        if not 0 <= block_id < carve.block_count or len(data) != expected:
            raise InvalidError(f"block {block_id} of {carve.block_count} does not fit: {len(data):,} bytes")
        with self._lock:
            with _opened(self._path(carve.id, ".part")) as file:
                os.pwrite(file, data, block_id * carve.block_size)
                os.fsync(file)
            with _opened(self._path(carve.id, ".blocks")) as marks:
                os.pwrite(marks, b"1", block_id)
                is_whole = os.pread(marks, carve.block_count, 0).count(b"1") == carve.block_count
        if is_whole:
            self._finish(session, carve)
        return is_whole

    def _finish(self, session: Session, carve: Carve) -> None:
        part = self._path(carve.id, ".part")
        with part.open("rb") as file:
            carve.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        part.rename(self.path_of(carve))
        self._path(carve.id, ".blocks").unlink(missing_ok=True)
        carve.finished = datetime.now(UTC)
        record(session, local_actor("osquery"), "carve.end", carve.id, host=carve.host_id, sha256=carve.sha256)

    def path_of(self, carve: Carve) -> Path:
        """Return where an archive lies: a tar file, compressed by zstd where the host's flags say so."""
        return self._path(carve.id, ".tar")

    def received(self, carve: Carve) -> int:
        """Return how many blocks of an archive are there."""
        if carve.finished is not None:
            return carve.block_count
        try:
            return self._path(carve.id, ".blocks").read_bytes().count(b"1")
        except OSError:
            return 0

    def remove_stale(self, session: Session, now: datetime) -> int:
        """Give up archives that have not become whole within a day; return how many."""
        stale = select(Carve.id).where(Carve.finished.is_(None), Carve.started < now - GIVEN_UP_AFTER)
        ids = list(session.scalars(stale.limit(100)))
        for id_ in ids:
            for end in (".part", ".blocks"):
                self._path(id_, end).unlink(missing_ok=True)
        session.execute(delete(Carve).where(Carve.id.in_(ids)))
        return len(ids)

    def _path(self, id_: str, end: str) -> Path:
        return self.folder / f"{id_}{end}"


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Yield a file that is written at places, made where it is not there."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def carves_of(session: Session, host_id: str, most: int = 100) -> list[Carve]:
    """Return the archives of a host, the newest first."""
    query = select(Carve).where(Carve.host_id == host_id).order_by(Carve.started.desc()).limit(most)
    return list(session.scalars(query))


def _whole(request: Mapping[str, Any], name: str) -> int:
    """Return a number, which older versions of osquery write as a text."""
    try:
        return int(request[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvalidError(f"[{name}] is no whole number") from None


def _block(data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        raise InvalidError("[data] is no base64") from None
