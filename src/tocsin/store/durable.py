"""Files that are whole after a power cut: written beside their place, forced to disk, and renamed.

Only regular files are read: a folder or a pipe in the place of one is an error, and never waited for.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)
UNFINISHED = ".new"  # behind the name of a file that is being written
IN_PLACE = ".stray"  # behind the name of what lay in the place of a file
_KINDS = (
    (stat.S_ISREG, "a file"), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
)  # fmt: skip


def kind_of(path: Path) -> str:
    """Return what lies at a path, in words."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link to nothing"
    except OSError as error:
        return f"something unreadable ({error.strerror})"
    return next((kind for holds, kind in _KINDS if holds(mode)), "a device")


def regular(path: Path) -> Path:
    """Return the path of a file. Raises OSError for a folder, a pipe and whatever else is none."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path.name} is {kind_of(path)}, and no file")
    return path


def read_file(path: Path) -> bytes:
    """Return what a file holds. Raises OSError, also for what is no file."""
    return regular(path).read_bytes()


def sync(path: Path) -> None:
    """Wait until a file, or what was created in and removed from a folder, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes) -> None:
    """Give a file a content for good: after a power cut it has this one or the one before."""
    with durable_file(path) as file:
        file.write(content)


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """Give what a file's new content is written to; it takes the file's place, for good, at the end.

    When writing fails, the file stays as it was. What lies in its place and is no file is renamed, never lost.
    """
    new = path.with_name(f"{path.name}{UNFINISHED}")
    if os.path.lexists(new) and not new.is_file():
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    with new.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    if os.path.lexists(path) and not path.is_file():
        stray = path.with_name(f"{path.name}.{secrets.token_hex(4)}{IN_PLACE}")
        log.warning("%s is %s, and no file: it is %s now", path, kind_of(path), stray.name)
        path.rename(stray)
    new.replace(path)
    sync(path.parent)
