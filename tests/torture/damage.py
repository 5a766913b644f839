"""A file damaged at random, of every kind that a data folder has, and what a service has to find and say then."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from tests.torture.look import Found, look
from tests.torture.recorded import check_alerts, check_once
from tests.torture.senders import pairs_in
from tocsin.store.events import ID
from tocsin.store.lake.clean_stop import read_stop
from tocsin.store.lake.journal import journal
from tocsin.store.lake.journal.acknowledged import read_mark


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


def _nothing(data: Path, path: Path) -> frozenset[str]:
    return frozenset()


def _of_index(data: Path, path: Path) -> None:
    return None


def _of_file(data: Path, path: Path) -> frozenset[str]:
    return frozenset(pq.read_table(path, columns=[ID], partitioning=None).column(ID).to_pylist())


def _of_segment(data: Path, path: Path) -> frozenset[str]:
    return frozenset(entry.id for entry in journal.read(path).entries)


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it lies, and what may go with one of them.

    `events` returns the ids of the events that are in it, None for those of its whole index. `records` says that
    alerts, rules and users may be.
    """

    pattern: str
    events: Callable[[Path, Path], frozenset[str] | None] = _nothing
    records: bool = False
    newest: bool = False  # the last one is damaged rather than any


KINDS: Mapping[str, Kind] = {
    "Parquet file": Kind("events/*/_day=*/**/*.parquet", _of_file),
    "commit of a table": Kind("events/*/_delta_log/*.json", _of_index),
    "newest commit of a table": Kind("events/*/_delta_log/*.json", _of_index, newest=True),
    "checkpoint of a table": Kind("events/*/_delta_log/*.checkpoint.parquet", _of_index),
    "last checkpoint": Kind("events/*/_delta_log/_last_checkpoint"),
    "checksums": Kind("events/*/_checksums/*"),
    "label": Kind("events/*/_index.json"),
    "ids": Kind("ids/*.npy"),
    "list of ids": Kind("ids.json"),
    "list of mappings": Kind("mappings.json"),
    "mapping": Kind("mappings/*.json", _of_index),
    "journal": Kind("journal/*.journal", _of_segment),
    "newest journal": Kind("journal/*.journal", _of_segment, newest=True),
    "stopped.json": Kind("stopped.json"),
    "mark of the journal": Kind("journal.mark"),
    "uuid": Kind("uuid"),
    "watched.json": Kind("watched.json"),
    "rejected documents": Kind("rejected/*.ndjson"),
    "key of connectors": Kind("encryption.key"),
    "lock": Kind("*lock"),
    "records": Kind("records.db", records=True),
    "records' log": Kind("records.db-wal", records=True),
    "records' mark": Kind("records.json"),
    "records' shared memory": Kind("records.db-shm"),
}
STRAY = "stray file"
_STRAYS = (".DS_Store", "Thumbs.db", "copy.parquet", "0.json", "000000000000.journal.bak", "~backup.npy")
DAMAGES = [(kind, how) for kind in KINDS for how in HOW] + [(STRAY, name) for name in _STRAYS]


@dataclass(frozen=True)
class Damage:
    """What was done: in which words, to which file, and what may be missing for it.

    `may_be_unsaid` for what a kill leaves by itself: the journal's last segment, ended at any byte, where a
    write was not acknowledged. `noted` is the last entry of the audit log that was noted outside the database: a
    change behind it was not acknowledged either.
    """

    told: str
    path: str
    kind: Kind
    events: frozenset[str] | None
    may_be_unsaid: bool = False
    noted: int = 0

    @property
    def index(self) -> str:
        """The index that the file belongs to."""
        parts = Path(self.path).parts
        return parts[1].removesuffix(".json") if len(parts) > 1 else ""


def damage(data: Path, kind: str, how: str, rng: random.Random) -> Damage | None:
    """Damage a file of a kind; return what was done, None where there is no such file."""
    if kind == STRAY:
        folder = rng.choice(sorted(path for path in data.rglob("*") if path.is_dir()))
        path = folder / how
        path.write_bytes(rng.choice([b"", b"{}", rng.randbytes(5000)]))
        name = path.relative_to(data).as_posix()
        return Damage(f"stray {name}", name, Kind(name), frozenset())
    there = sorted(data.glob(KINDS[kind].pattern))
    if not there:
        return None
    path = rng.choice(there)
    if KINDS[kind].newest:
        path = max(path.parent.iterdir() if kind == "newest journal" else path.parent.glob("*.json"))
    events = KINDS[kind].events(data, path)
    last = path.parent.name == "journal" and path == max(path.parent.iterdir())
    unsaid = last and how in ("cut", "empty") and read_stop(data).runs and not _is_acknowledged(data, path)
    noted = int(orjson.loads((data / "records.json").read_bytes())["audit"])
    HOW[how](path, rng)
    name = path.relative_to(data).as_posix()
    return Damage(f"{how} {name}", name, KINDS[kind], events, unsaid, noted)


def _is_acknowledged(data: Path, segment: Path) -> bool:
    """Tell whether all of a segment was acknowledged, as the mark has it."""
    return read_mark(data).size_of(int(segment.name.partition(".")[0])) == segment.stat().st_size


def check_damage(
    copy: Path, database: str, before: Found, done: Damage, *, caught_up: bool, repaired: bool
) -> str:
    """Return what a service says of a folder that was damaged, and held `before` until then.

    With `caught_up` rules are run to the end first; when `repaired`, the folder is mended and looked at again.
    Raises AssertionError when the service does not start, when an event or an alert is missing that did not lie
    in that file, or is there twice, or when what is missing is not named.
    """
    after = look(copy, database, caught_up=caught_up or done.kind.records)
    hold_against(before, after, done)
    if repaired:
        environment = {**os.environ, "TOCSIN_DATA": str(copy), "TOCSIN_DATABASE_URL": database, "COLUMNS": "300"}
        command = [sys.executable, "-m", "tocsin", "store"]
        for what in ("check", "repair"):
            ran = subprocess.run([*command, what], env=environment, capture_output=True, text=True, check=False)
            assert ran.returncode in (0, 1), f"{done.told}: store {what}: {ran.stderr}"
            if what == "check" and ran.returncode == 0 and lost(before, after) and not done.may_be_unsaid:
                raise AssertionError(f"{done.told}: store check finds nothing: {ran.stdout}")
        mended = look(copy, database)
        hold_against(before, mended, done, told=[*after.told, *mended.told])
        gone = lost(before, mended) - lost(before, after)
        assert not gone, f"{done.told}: {len(gone)} events were lost by the repair: {ran.stdout}"
    return f"{done.told}: " + ("; ".join(after.told) or "nothing is missing")


def lost(before: Found, after: Found) -> set[str]:
    """Return the ids of the events that are found no more."""
    return _all(before.events) - _all(after.events)


def _all(events: Mapping[str, Iterable[str]]) -> set[str]:
    return set().union(*events.values())


def hold_against(before: Found, after: Found, done: Damage, told: Iterable[str] | None = None) -> None:
    """Compare what a service finds behind damage with what there was. Raises AssertionError."""
    named = "\n".join(after.told if told is None else told)
    for index, ids in before.events.items():
        found = Counter(after.events.get(index, ()))
        twice = [id_ for id_, count in found.items() if count > 1]
        assert not twice, f"{done.told}: {len(twice)} events of {index} are there twice"
        missing = set(ids) - found.keys()
        if missing:
            within = index == done.index if done.events is None else missing <= done.events
            assert within, f"{done.told}: {len(missing)} events of {index} are missing: {named}"
            assert done.may_be_unsaid or index in named or Path(done.path).name in named, (
                f"{done.told}: {len(missing)} events of {index} are missing, unsaid: {named}"
            )
    for what in ("alerts", "changes", "rules"):
        gone = set(getattr(before.records, what)) - set(getattr(after.records, what))
        if what == "changes":
            entries = zip(before.records.entries, before.records.changes, strict=True)
            gone -= {target for entry, target in entries if entry > done.noted}
        if gone:
            assert done.kind.records, f"{done.told}: {len(gone)} {what} are missing: {named}"
            assert "records" in named, f"{done.told}: {len(gone)} {what} are missing, unsaid: {named}"
    if after.locked:
        assert "connectors" in named, f"{done.told}: connectors are locked, unsaid: {named}"
    check_once(after.records, lost=done.kind.records)
    if after.caught_up:
        check_alerts(after.records, pairs_in(_all(after.events)))
