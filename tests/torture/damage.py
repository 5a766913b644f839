"""A file damaged at random, of every kind that a data folder has, and what a service has to find and say then."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.torture.look import Found, look


def cut(path: Path, rng: random.Random) -> None:
    """Leave a part of the beginning."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(max(1, len(content)))])


def empty(path: Path, rng: random.Random) -> None:
    """Leave nothing of its content."""
    path.write_bytes(b"")


def flip(path: Path, rng: random.Random) -> None:
    """Change one byte."""
    content = bytearray(path.read_bytes() or b"\0")
    content[rng.randrange(len(content))] ^= rng.randrange(1, 256)
    path.write_bytes(content)


def zero(path: Path, rng: random.Random) -> None:
    """Blank a block, as a disk does that has lost it."""
    content = bytearray(path.read_bytes())
    at = rng.randrange(max(1, len(content))) // 4096 * 4096
    end = min(len(content), at + 4096)
    content[at:end] = bytes(end - at)
    path.write_bytes(content)


def remove(path: Path, rng: random.Random) -> None:
    """Remove it."""
    path.unlink()


HOW: Mapping[str, Callable[[Path, random.Random], None]] = {
    "cut": cut, "empty": empty, "flip": flip, "zero": zero, "remove": remove,
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it lies, and what of events and alerts may go with it."""

    pattern: str
    events: str = "none"  # or those of its "index", or of "any"
    alerts: bool = False


KINDS: Mapping[str, Kind] = {
    "Parquet file": Kind("events/*/_day=*/**/*.parquet", "index"),
    "commit of a table": Kind("events/*/_delta_log/*0.json", "index"),
    "newest commit of a table": Kind("events/*/_delta_log/*[1-9].json", "index"),
    "checkpoint of a table": Kind("events/*/_delta_log/*.checkpoint.parquet", "index"),
    "last checkpoint": Kind("events/*/_delta_log/_last_checkpoint"),
    "checksums": Kind("events/*/_checksums/*", "index"),
    "label": Kind("events/*/_index.json"),
    "ids": Kind("ids/*.npy"),
    "list of ids": Kind("ids.json"),
    "list of mappings": Kind("mappings.json"),
    "journal": Kind("journal/*.journal", "any"),
    "stopped.json": Kind("stopped.json"),
    "uuid": Kind("uuid"),
    "mapping": Kind("mappings/*.json", "index"),
    "watched.json": Kind("watched.json"),
    "records": Kind("records.db", alerts=True),
    "records' log": Kind("records.db-wal", alerts=True),
    "records' mark": Kind("records.json"),
    "records' shared memory": Kind("records.db-shm"),
}


def check_damage(data: Path, before: Found, kind: str, how: str, rng: random.Random, database: str = "") -> str:
    """Damage a file of a kind in a copy of a folder; return what a service on it says.

    `before` is what the folder holds. Raises AssertionError when the service does not start, when an event or an
    alert is missing that did not lie in that file, or when what is missing is not named.
    """
    with tempfile.TemporaryDirectory() as made:
        copy = Path(made) / "data"
        shutil.copytree(data, copy)
        there = sorted(copy.glob(KINDS[kind].pattern))
        if not there:
            return "not there"
        path = rng.choice(there)
        HOW[how](path, rng)
        name = path.relative_to(copy).as_posix()
        # Alerts whose transactions are lost are raised again, as the windows are run again.
        after = look(copy, database, caught_up=KINDS[kind].alerts)
        again = look(copy, database) if rng.random() < 0.3 else after
    told = f"{how} {name}: "
    for found in (after, again):
        _hold_against(before, found, kind, name, told)
    return told + ("; ".join((*after.set_aside, *after.problems)) or "nothing is missing")


def _hold_against(before: Found, after: Found, kind: str, name: str, told: str) -> None:
    may = KINDS[kind]
    index = name.split("/")[1].removesuffix(".json") if "/" in name else ""
    named = "\n".join((*after.set_aside, *after.problems))
    for known, ids in before.events.items():
        found = Counter(after.events.get(known, ()))
        twice = [id_ for id_, count in found.items() if count > 1]
        assert not twice, f"{told}{len(twice)} events of {known} are there twice"
        missing = set(ids) - found.keys()
        if missing:
            allowed = may.events == "any" or (may.events == "index" and known == index)
            assert allowed, f"{told}{len(missing)} events of {known} are missing: {named}"
            assert known in named or Path(name).name in named, f"{told}{len(missing)} events gone unsaid: {named}"
    lost = set(before.alerts) - set(after.alerts)
    if lost:
        assert may.alerts, f"{told}{len(lost)} alerts are missing: {named}"
        assert "records" in named, f"{told}{len(lost)} alerts gone unsaid: {named}"
    assert len(after.alerts) == len(set(after.alerts))
