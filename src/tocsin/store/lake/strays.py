"""What lies in a data folder where something else belongs. It is reported, and never opened.

Opening a pipe waits for a writer, and a link to nothing looks like a file that is not there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tocsin.store.durable import UNFINISHED, kind_of

_FOLDERS = ("damaged", "events", "ids", "journal", "mappings", "rebuilding", "rejected")
_FILES = (
    "encryption.key", "ids.json", "journal.mark", "lock", "mappings.json", "ordering.lock", "records.db",
    "records.db-journal", "records.db-shm", "records.db-wal", "records.json", "records.lock",
    "stopped.json", "uuid", "watched.json",
)  # fmt: skip
# What lies in the folder of an index, by its path there: what delta-rs writes, half written (`#1`) too, and
# `.broken` what the store itself put aside.
_OF_INDEX = re.compile(
    r"_index\.json(\.new)?|_checksums/[^/]+\.crc(\.new)?"
    r"|_delta_log/(\d{20}\.(json|broken)|\d{20}\.checkpoint[^/]*|_last_checkpoint|_commit_[^/]*)(\.broken)?(#\d+)?"
    r"|_day=[^/]+/_slice=\d+/part-[^/]+\.parquet(#\d+)?"
)
_FOLDERS_OF_INDEX = re.compile(r"_checksums|_delta_log|_day=[^/]+(/_slice=\d+)?")
_LEFT = ("lost+found", "damaged", "encryption.key.")  # what names in a data folder may begin with besides


class Stray(NamedTuple):
    """Something that is set aside: its name there, and why."""

    name: str
    reason: str


def make_room(folder: Path, names: tuple[str, ...] = (*_FOLDERS, *_FILES)) -> list[Stray]:
    """Move what lies where a file or a folder of the store belongs, and is something else, to `damaged`."""
    moved = []
    target = folder / "damaged" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    for name in names:
        path = folder / name
        is_right = path.is_dir() if name in _FOLDERS else path.is_file()
        if is_right or not os.path.lexists(path):
            continue
        kind = kind_of(path)
        if name == "damaged":
            to = folder / f"{name}.{target.name}"
        else:
            target.mkdir(parents=True, exist_ok=True)
            to = target / name
        path.rename(to)
        moved.append(Stray(f"./{name}", f"{kind} lay in its place, and is {to.relative_to(folder)} now"))
    return moved


def unknown(folder: Path) -> list[str]:
    """Return the names in a data folder that are none of the store's."""
    known = {*_FOLDERS, *_FILES}
    names = sorted(os.listdir(folder))
    return [n for n in names if n not in known and not n.startswith(_LEFT) and not n.endswith(UNFINISHED)]


def strays_of(folder: Path, known: frozenset[str]) -> Iterator[Stray]:
    """Yield what lies in a folder of files: all but files with `known` names, and what a crash left unfinished."""
    for path in sorted(folder.iterdir()):
        if path.name in known and path.is_file():
            continue
        if path.name.endswith(UNFINISHED) and path.is_file():
            continue
        kind = kind_of(path)
        reason = "no file of the store's" if kind == "a file" else f"{kind}, where files of the store's lie"
        yield Stray(f"{folder.name}/{path.name}", f"this is {reason}; it is left alone")


def strays_in_index(folder: Path) -> Iterator[Stray]:
    """Yield what lies in the folder of an index and is nothing of the store's."""
    for root, folders, names in os.walk(folder):
        within = Path(root).relative_to(folder)
        for name in sorted([*folders, *names]):
            path = (within / name).as_posix()
            is_folder = name in folders and not (folder / path).is_symlink()
            if is_folder and _FOLDERS_OF_INDEX.fullmatch(path):
                continue
            if is_folder:
                folders.remove(name)  # what lies below it is not named on its own
            if _OF_INDEX.fullmatch(path):  # what reads it says where it is no file
                continue
            kind = kind_of(folder / path)
            yield Stray(
                f"events/{folder.name}/{path}", f"this is {kind}, and nothing of the index's; it is left alone"
            )
