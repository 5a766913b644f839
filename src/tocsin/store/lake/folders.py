"""Which folder an index lies in, and which index a folder holds.

delta-rs takes a folder's name for part of an address: it decodes `%2f` and refuses `[`. So a folder is named with
letters, digits, dots, hyphens and underscores alone, and says in a file of its own which index it holds.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import orjson

from tocsin.store.durable import read_file, sync, write_durably
from tocsin.store.patterns import name_error

LABEL = "_index.json"  # Delta takes what begins with `_` for none of its files
_LONGEST = 200  # bytes of a folder's name; file systems allow 255
_UNSAFE = re.compile(r"[^a-z0-9._-]")
_UNREADABLE = set("%[")  # what delta-rs decodes or refuses
_NUMBER = re.compile(r"=\.\d+\Z")  # behind a name that another index's folder has


class UnknownFolderError(ValueError):
    """Something in the store's folder that holds no index."""


def safe_name(index: str) -> str:
    """Return a folder's name for an index: `=` and two digits for each byte that is unsafe in an address.

    Two indices never get the same name. What would be too long ends in a digest of the index's name.
    """
    name = _UNSAFE.sub(lambda found: "".join(f"={byte:02x}" for byte in found[0].encode()), index)
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
    path = folder / LABEL
    if path.exists():
        return
    folder.mkdir(exist_ok=True)
    write_durably(path, orjson.dumps({"index": index}))
    sync(folder.parent)


def index_in(folder: Path) -> str:
    """Return the index that a folder holds. Raises UnknownFolderError for what holds none.

    A folder of an earlier version, which says nothing, has the index's name as it is; where delta-rs decoded that
    name, its events went to another folder. A label that does not fit the folder's name is damaged, and the name
    counts.
    """
    if not folder.is_dir():
        raise UnknownFolderError("no folder of an index")
    path = folder / LABEL
    if path.exists():
        index = _labelled(path) or ""
        if not _fits(folder.name, index):
            index = _named(folder.name)
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


def _fits(folder: str, index: str) -> bool:
    """Tell whether a folder of this name may be the index's, in this version or an earlier one."""
    return index != "" and (index == folder or safe_name(index) == _NUMBER.sub("", folder))


def _labelled(path: Path) -> str | None:
    """Return the index that a label names, None when it cannot be read."""
    try:
        index = orjson.loads(read_file(path))["index"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return index if isinstance(index, str) else None


def named(name: str) -> str | None:
    """Return the index that a safe name stands for, None for one that does not tell."""
    try:
        return _named(name)
    except UnknownFolderError:
        return None


def _named(folder: str) -> str:
    """Return the index that a safe name stands for. Raises UnknownFolderError for one that does not tell."""
    try:
        raw = re.sub(rb"=([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), folder.encode())
        index = raw.decode()
    except UnicodeDecodeError:
        index = ""
    if safe_name(index) != folder:
        raise UnknownFolderError(f"its {LABEL} does not name an index")
    return index
