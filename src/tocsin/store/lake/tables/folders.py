"""Which folder an index lies in, and which index a folder holds.

delta-rs takes a folder's name for part of an address: it decodes `%2f` and refuses `[`. So a folder is named with
letters, digits, dots, hyphens and underscores alone, and says in a file of its own which index it holds.
"""

from __future__ import annotations

import hashlib
import logging
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import orjson

from tocsin.store.durable import read_file, sync, write_durably
from tocsin.store.patterns import name_error

log = logging.getLogger(__name__)
LABEL = "_index.json"  # Delta takes what begins with `_` for none of its files
_LONGEST = 200  # bytes of a folder's name; file systems allow 255
_UNSAFE = re.compile(r"[^a-z0-9._-]")
_UNREADABLE = set("%[")  # what delta-rs decodes or refuses


class UnknownFolderError(ValueError):
    """Something in the store's folder that holds no index."""


def safe_name(index: str) -> str:
    """Return a folder's name for an index: `=` and two digits for each byte that is unsafe in an address.

    Two indices never get the same name. What would be too long ends in a digest of the index's name.
    """
    name = _UNSAFE.sub(lambda match: "".join(f"={byte:02x}" for byte in match[0].encode()), index)
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(index.encode()).hexdigest()
    return f"{name[: _LONGEST - 67]}=..{digest}"


def folder_of(root: Path, index: str) -> Path:
    """Return the folder that a new index gets below `root`; none that another index has."""
    name = safe_name(index)
    folder = root / name
    number = 1
    while folder.exists() and not _is_of(folder, index):  # a store of before had names as they were
        number += 1
        folder = root / f"{name}=.{number}"
    return folder


def _is_of(folder: Path, index: str) -> bool:
    try:
        return index_in(folder) == index
    except UnknownFolderError:
        return False


def label(folder: Path, index: str) -> None:
    """Write down which index a folder holds, for good, before its first event lies in it."""
    if (folder / LABEL).exists():
        return
    folder.mkdir(exist_ok=True)
    _write_label(folder, index)
    sync(folder.parent)


def _write_label(folder: Path, index: str) -> None:
    write_durably(folder / LABEL, orjson.dumps({"index": index, "sum": _sum(index)}))


def _sum(index: str) -> int:
    return zlib.crc32(index.encode())


def index_in(folder: Path) -> str:
    """Return the index that a folder holds. Raises UnknownFolderError for what holds none.

    A label that is damaged is written anew where the folder's name says as much. A folder of an earlier version,
    which has no label, has the index's name as it is; where delta-rs decoded that name, its events went to another
    folder.
    """
    if not folder.is_dir():
        raise UnknownFolderError("no folder of an index")
    if (folder / LABEL).exists():
        index = _labelled(folder)
    elif not (folder / "_delta_log").is_dir():
        raise UnknownFolderError("no folder of an index: it holds no table")
    elif _UNREADABLE & set(folder.name):
        raise UnknownFolderError(
            "an earlier version let an index have this name, and wrote its events to another folder"
        )
    else:
        index = folder.name
    wrong = name_error(index)
    if wrong:
        raise UnknownFolderError(f"no index can be called {index!r}: it {wrong}")
    return index


class _Label(NamedTuple):
    """The index that a label says, and whether its checksum says so: labels of earlier versions have none."""

    named: str
    has_sum: bool


def _labelled(folder: Path) -> str:
    """Return the index of a folder that has a label. Raises UnknownFolderError where nothing says which."""
    label = _read_label(folder / LABEL)
    if label is not None:
        name = safe_name(label.named)
        if folder.name in (label.named, name) or folder.name.startswith(f"{name}=."):  # the name was taken
            return label.named
        if (folder.parent / name).is_dir():
            raise UnknownFolderError(f"its {LABEL} says {label.named}: it is a copy of that index's folder")
        if label.has_sum:  # the folder was renamed
            return label.named
    index = _named(folder.name)
    log.warning("events/%s: its %s was damaged, and is written anew from the folder's name", folder.name, LABEL)
    _write_label(folder, index)
    return index


def _read_label(path: Path) -> _Label | None:
    """Return what a label says, None when it cannot be read."""
    try:
        content = orjson.loads(read_file(path))
        index, expected = content["index"], content.get("sum")
        if not isinstance(index, str) or expected not in (None, _sum(index)):
            return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return _Label(index, expected is not None)


def named(name: str) -> str | None:
    """Return the index that a safe name stands for, None for a name that is not safe."""
    try:
        return _named(name)
    except UnknownFolderError:
        return None


def _named(folder: str) -> str:
    """Return the index that a safe name stands for. Raises UnknownFolderError for others."""
    try:
        raw = re.sub(rb"=([0-9a-f]{2})", lambda escape: bytes.fromhex(escape[1].decode()), folder.encode())
        index = raw.decode()
    except UnicodeDecodeError:
        index = ""
    if safe_name(index) != folder:
        raise UnknownFolderError(f"its {LABEL} does not name an index")
    return index
