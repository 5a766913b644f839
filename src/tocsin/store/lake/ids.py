"""Which ids senders chose: sorted runs of hashes on disk, looked up before an event is stored.

An id that the store made needs no look-up: it holds the event's time and a number that is never used again.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tocsin.store.durable import durable_file

_NAME = re.compile(r"ids-(\d{12})-(\d{12})\.npy")
_RATIO = 4  # a run is merged with the one before it unless that is this many times as long
_BIAS = 1 << 63  # makes a time before 1970 a positive number
_MASK = (1 << 64) - 1

# Four rows: a key of 128 bits for index and id in two halves, by which columns are sorted; a hash of the event's
# text; its time in ns, as the bits of a signed number.
Run = npt.NDArray[np.uint64]
Key = tuple[int, int]
Known = tuple[int, int]  # content, time


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

    def __init__(self, folder: Path, put_aside: Callable[[str, BaseException], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._put_aside = folder, put_aside
        self._runs: list[tuple[int, int, Run]] = []  # first and last segment, entries
        self._lock = threading.Lock()
        self._recent: dict[int, dict[Key, Known]] = {}  # by segment: key -> content, time
        self._open()

    def _open(self) -> None:
        spans = sorted(
            (int(match[1]), -int(match[2]), path)
            for path in self._folder.iterdir()
            if (match := _NAME.fullmatch(path.name))
        )
        for first, negative, path in spans:
            if self._runs and -negative <= self._runs[-1][1]:
                path.unlink()  # it was merged into the one before
                continue
            try:
                self._runs.append((first, -negative, _load(path)))
            except (OSError, EOFError, ValueError) as error:
                self._put_aside(f"ids/{path.name}", error)

    def find(self, keys: Sequence[Key]) -> dict[Key, Known]:
        """Return the content's hash and the time of each event that has one of the keys."""
        found: dict[Key, Known] = {}
        with self._lock:
            for recent in self._recent.values():
                found.update((key, recent[key]) for key in keys if key in recent)
            runs = self._runs
        wanted = np.array([key[0] for key in keys], np.uint64)
        for _, _, run in runs:
            starts = np.searchsorted(run[0], wanted)
            for number in np.flatnonzero(run[0][np.minimum(starts, run.shape[1] - 1)] == wanted).tolist():
                at = int(starts[number])
                while at < run.shape[1] and run[0, at] == wanted[number]:
                    if int(run[1, at]) == keys[number][1]:
                        found[keys[number]] = int(run[2, at]), int(run[3, at].view(np.int64))
                    at += 1
        return found

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
        """Write a segment's ids to disk, before its events get into tables. Again is the same as once."""
        with self._lock:
            recent = self._recent.get(segment)
        if not recent or any(first <= segment <= last for first, last, _ in self._runs):
            with self._lock:
                self._recent.pop(segment, None)
            return
        entries = np.array([[*key, content, time & _MASK] for key, (content, time) in recent.items()], np.uint64)
        merged: list[tuple[int, int, Run]] = []
        for run in (*self._runs, (segment, segment, _sorted(entries.T))):
            while merged and merged[-1][2].shape[1] < _RATIO * run[2].shape[1]:
                first, _, before = merged.pop()
                run = (first, run[1], _sorted(np.concatenate((before, run[2]), axis=1)))
            merged.append(run)
        known = {(first, last) for first, last, _ in self._runs}
        for first, last, entries in merged:
            if (first, last) not in known:
                _write(self._folder, first, last, entries)
        opened = [(first, last, _load(_path(self._folder, first, last))) for first, last, _ in merged]
        with self._lock:
            self._runs = opened
            del self._recent[segment]
        for first, last in known - {(first, last) for first, last, _ in merged}:
            _path(self._folder, first, last).unlink()

    def times(self, index: str, ids: Sequence[str]) -> dict[str, int | None]:
        """Return the time of each event that an id names; None where an id is neither chosen nor made here."""
        found: dict[str, int | None] = {}
        chosen = self.find([key_of(index, id_) for id_ in ids])
        for id_ in ids:
            found[id_] = chosen[key][1] if (key := key_of(index, id_)) in chosen else time_in(id_)
        return found


def _load(path: Path) -> Run:
    """Return a run as it lies on disk. Raises OSError or ValueError for a file that holds none."""
    run: Run = np.load(path, mmap_mode="r")
    if run.dtype != np.uint64 or run.ndim != 2 or run.shape[0] != 4:
        raise ValueError(f"an array of {run.shape} {run.dtype} is no run of ids")
    return run


def write_run(folder: Path, last: int, entries: Sequence[tuple[int, int, int, int]]) -> None:
    """Write ids of all segments up to the last: key in two halves, content, time of each."""
    folder.mkdir(exist_ok=True)
    if entries:
        rows = np.array([[*key, content, time & _MASK] for *key, content, time in entries], np.uint64)
        _write(folder, 0, last, _sorted(rows.T))


def _path(folder: Path, first: int, last: int) -> Path:
    return folder / f"ids-{first:012}-{last:012}.npy"


def _write(folder: Path, first: int, last: int, run: Run) -> None:
    with durable_file(_path(folder, first, last)) as file:
        np.save(file, run)


def _sorted(run: Run) -> Run:
    return run[:, np.lexsort((run[1], run[0]))]
