"""Which ids senders chose: sorted runs of hashes on disk, looked up before an event is stored.

An id that the store made needs no look-up: it holds the event's time and a number that is never used again.
Beside the runs lies a list of them, each with its checksum: a run that is gone or damaged is reported until the
ids are made anew, and stays where it is.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from tocsin.store.durable import durable_file, read_file, regular, write_durably
from tocsin.store.lake.journal.journal import NUMBER
from tocsin.store.resources import raise_if_lacking

LIST = "ids.json"
_NAME = re.compile(rf"ids-({NUMBER})-({NUMBER})\.npy")
_RATIO = 4  # a run is merged with the one before it unless that is this many times as long
_BIAS = 1 << 63  # makes a time before 1970 a positive number
_MASK = (1 << 64) - 1

# Four rows: a key of 128 bits for index and id in two halves, by which columns are sorted; a hash of the event's
# text; its time in ns, as the bits of a signed number.
Run = npt.NDArray[np.uint64]
Key = tuple[int, int]
Known = tuple[int, int]  # content, time


class StoredRun(NamedTuple):
    """A run on disk: the first and last segment whose ids it has, its entries and their checksum."""

    first: int
    last: int
    entries: Run
    crc: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return _name(self.first, self.last)

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether it has ids of some of the segments from one to another."""
        return self.first <= last and first <= self.last


def key_of(index: str, id_: str) -> Key:
    """Return the key of an id in an index."""
    digest = hashlib.blake2b(f"{index}\0{id_}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def content_of(source: bytes) -> int:
    """Return the hash by which an event sent again is known."""
    return int.from_bytes(hashlib.blake2b(source, digest_size=8).digest(), "little")


class Maker:
    """Makes ids: 8 bytes of the event's time, 4 of the process's, 6 of a counter, in base64."""

    def __init__(self) -> None:
        self._process, self._number = os.urandom(4), 0

    def make(self, time: int) -> str:
        """Return an id that was never made before."""
        self._number += 1
        raw = (time + _BIAS).to_bytes(8, "big") + self._process + self._number.to_bytes(6, "big")
        return base64.urlsafe_b64encode(raw).decode()


def time_in(id_: str) -> int | None:
    """Return the time that an id of `Maker` holds, None for a text that is none."""
    try:
        raw = base64.urlsafe_b64decode(id_) if len(id_) == 24 else b""
    except ValueError:
        return None
    return int.from_bytes(raw[:8], "big") - _BIAS if len(raw) == 18 else None


class ChosenIds:
    """The ids that senders chose, of events in tables (`runs`) and in the journal (`recent`)."""

    def __init__(self, folder: Path, put_aside: Callable[[str, BaseException | str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._put_aside = folder, put_aside
        self._runs: list[StoredRun] = []
        self._lost: dict[str, int] = {}  # files that are gone or damaged, with the checksums that they had
        self._listed_all = True  # the list of files could be read, so that none is missing unnoticed
        self._lock = threading.Lock()
        self._recent: dict[int, dict[Key, Known]] = {}  # by segment: key -> content, time
        self._open()

    def _open(self) -> None:
        listed = self._listed()
        spans = sorted(
            (int(match[1]), -int(match[2]), path)
            for path in self._folder.iterdir()
            if (match := _NAME.fullmatch(path.name)) and (path.name in listed or path.is_file())
        )
        for first, negative, path in sorted(spans, key=lambda span: span[2].name not in listed):
            if path.name not in listed and any(run.overlaps(first, -negative) for run in self._runs):
                path.unlink()  # merged into another, or written but not listed: the journal has what it holds
                continue
            try:
                entries = _load(path)
                run = StoredRun(first, -negative, entries, _sum(entries))
                if listed.get(path.name, run.crc) != run.crc:
                    raise ValueError("its checksum is wrong")
                self._runs.append(run)
            except (OSError, EOFError, ValueError) as error:
                raise_if_lacking(f"ids/{path.name}", error)
                self._lose(path.name, error, listed.get(path.name, 0))
        self._runs.sort(key=lambda run: run.first)
        there = {path.name for _, _, path in spans}
        for name, crc in listed.items():
            match = _NAME.fullmatch(name)
            covered = match and any(run.first <= int(match[1]) and int(match[2]) <= run.last for run in self._runs)
            if name not in there and not covered:  # an earlier version does not list what it merges
                self._lose(name, "this file is gone", crc)
        _write_list(self._folder, self._runs, self._lost)

    def _listed(self) -> dict[str, int]:
        """Return the checksum of each file that is listed; none where there is no list that can be read."""
        path = _list_of(self._folder)
        try:
            return {str(name): int(crc) for name, crc in orjson.loads(read_file(path)).items()}
        except FileNotFoundError:  # an earlier version had none
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise_if_lacking(LIST, error)
            consequence = "the files of ids are taken as they are"
            self._put_aside(LIST, f"it cannot be read, and {consequence}: {type(error).__name__}: {error}")
            self._listed_all = False
            return {}

    def _lose(self, name: str, reason: BaseException | str, crc: int) -> None:
        self._lost[name] = crc
        why = reason if isinstance(reason, str) else f"{type(reason).__name__}: {reason}"
        self._put_aside(f"ids/{name}", f"{why}; an event that is sent again under an id of it is stored twice")

    @property
    def complete(self) -> bool:
        """Return whether every id is known: no file is gone or damaged."""
        return self._listed_all and not self._lost

    def names(self) -> frozenset[str]:
        """Return the names of its files, those included that are damaged."""
        return frozenset({run.name for run in self._runs} | self._lost.keys())

    def find(self, keys: Sequence[Key]) -> dict[Key, Known]:
        """Return the content's hash and the time of each event that has one of the keys."""
        known: dict[Key, Known] = {}
        with self._lock:
            for recent in self._recent.values():
                known.update((key, recent[key]) for key in keys if key in recent)
            runs = self._runs
        wanted = np.array([key[0] for key in keys], np.uint64)
        for stored in runs:
            run = stored.entries
            starts = np.searchsorted(run[0], wanted)
            for number in np.flatnonzero(run[0][np.minimum(starts, run.shape[1] - 1)] == wanted).tolist():
                at = int(starts[number])
                while at < run.shape[1] and run[0, at] == wanted[number]:
                    if int(run[1, at]) == keys[number][1]:
                        known[keys[number]] = int(run[2, at]), int(run[3, at].view(np.int64))
                    at += 1
        return known

    def add(self, segment: int, key: Key, content: int, time: int) -> None:
        """Remember the id of an event that is in a segment of the journal."""
        with self._lock:
            self._recent.setdefault(segment, {})[key] = (content, time)

    def forget(self, segment: int, keys: Iterable[Key]) -> None:
        """Take back ids whose events did not get into the journal."""
        with self._lock:
            for key in keys:
                self._recent.get(segment, {}).pop(key, None)

    def settle(self, segment: int) -> None:
        """Write a segment's ids to disk, before its events get into tables. It may be called again."""
        with self._lock:
            recent = self._recent.get(segment)
        if not recent or any(run.first <= segment <= run.last for run in self._runs):
            with self._lock:
                self._recent.pop(segment, None)
            return
        entries = np.array([[*key, content, time & _MASK] for key, (content, time) in recent.items()], np.uint64)
        merged: list[StoredRun] = []
        for run in (*self._runs, _run(segment, segment, _sorted(entries.T))):
            while merged and merged[-1].entries.shape[1] < _RATIO * run.entries.shape[1]:
                before = merged.pop()
                both = _sorted(np.concatenate((before.entries, run.entries), axis=1))
                run = _run(min(before.first, run.first), max(before.last, run.last), both)
            merged.append(run)
        known = {run.name for run in self._runs}
        for run in merged:
            if run.name not in known:
                _write(self._folder, run)
        opened = [run._replace(entries=_load(self._folder / run.name)) for run in merged]
        _write_list(self._folder, merged, self._lost)
        with self._lock:
            self._runs = opened
            del self._recent[segment]
        for name in known - {run.name for run in merged}:
            (self._folder / name).unlink(missing_ok=True)

    def times(self, index: str, ids: Sequence[str]) -> dict[str, int | None]:
        """Return the time of each event that an id names; None where an id is neither chosen nor made here."""
        times: dict[str, int | None] = {}
        chosen = self.find([key_of(index, id_) for id_ in ids])
        for id_ in ids:
            times[id_] = chosen[key][1] if (key := key_of(index, id_)) in chosen else time_in(id_)
        return times


def _load(path: Path) -> Run:
    """Return a run as it lies on disk. Raises OSError or ValueError for a file that holds none."""
    run: Run = np.load(regular(path), mmap_mode="r")
    if run.dtype != np.uint64 or run.ndim != 2 or run.shape[0] != 4:
        raise ValueError(f"an array of {run.shape} {run.dtype} is no run of ids")
    return run


def write_run(folder: Path, last: int, entries: Sequence[tuple[int, int, int, int]]) -> None:
    """Write ids of all segments up to the last: key in two halves, content, time of each."""
    folder.mkdir(exist_ok=True)
    runs = []
    if entries:
        rows = np.array([[*key, content, time & _MASK] for *key, content, time in entries], np.uint64)
        runs.append(_run(0, last, _sorted(rows.T)))
        _write(folder, runs[0])
    _write_list(folder, runs, {})


def _run(first: int, last: int, entries: Run) -> StoredRun:
    return StoredRun(first, last, entries, _sum(entries))


def _sum(entries: Run) -> int:
    """Return the checksum of entries, row by row."""
    return zlib.crc32(np.ascontiguousarray(entries).data)


def _name(first: int, last: int) -> str:
    return f"ids-{first:012}-{last:012}.npy"


def _write(folder: Path, run: StoredRun) -> None:
    with durable_file(folder / run.name) as file:
        np.save(file, run.entries)


def _list_of(folder: Path) -> Path:
    """Return where the list of a folder's runs is: beside it, so that a folder that is gone is noticed."""
    return folder.with_name(LIST)


def _write_list(folder: Path, runs: Iterable[StoredRun], lost: Mapping[str, int]) -> None:
    write_durably(_list_of(folder), orjson.dumps({run.name: run.crc for run in runs} | {**lost}))


def _sorted(run: Run) -> Run:
    return run[:, np.lexsort((run[1], run[0]))]
