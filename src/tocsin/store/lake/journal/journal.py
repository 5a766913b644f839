"""The journal: events are acknowledged when they are in it, and stay until a table holds them.

A segment is a file of frames: 4 bytes of length and 4 of CRC-32, little-endian, and the compressed payload. A
segment's number only grows. A frame that the file's end cuts off is a write that was not finished, unless it was
acknowledged (`acknowledged.py`); one that is damaged costs itself alone, for the next is found by the mark that
compressed data begins with. Each frame says its segment and its place there, so that a copy is known for one.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import zstandard

from tocsin.counted import counted
from tocsin.store.durable import read_file, sync

_LEVEL = -3  # of zstd: it has to be quick, and stays for seconds
_HEAD = struct.Struct("<II")
NUMBER = r"\d{12}|[1-9]\d{12,16}"  # of a segment, as names of files have it
_NAME = re.compile(rf"({NUMBER})\.journal")


class Entry(NamedTuple):
    """One event in the journal: its index, id, whether its sender chose the id, times in ns, and text."""

    index: str  # type: ignore[assignment]  # a tuple has a method of this name
    id: str
    named: bool
    time: int
    ingested: int
    source: bytes


def encode(entries: Sequence[Entry], segment: int, frame: int) -> bytes:
    """Return entries as the payload of a frame: the segment that it belongs to, and its number there."""
    indices = list(dict.fromkeys(entry.index for entry in entries))
    number = {name: code for code, name in enumerate(indices)}
    head = {
        "segment": segment,
        "frame": frame,
        "indices": indices,
        "rows": [
            (number[e.index], e.id, e.named, e.time, e.ingested, len(e.source)) for e in entries
        ],
    }  # fmt: skip
    return b"".join((orjson.dumps(head), b"\n", *(e.source for e in entries)))


class Frame(NamedTuple):
    """What a payload holds. An earlier version did not write the segment and the number."""

    segment: int | None
    number: int | None
    entries: list[Entry]


def decode(payload: bytes) -> Frame:
    """Return what a payload holds. Raises ValueError, LookupError or TypeError for what is no payload."""
    head, _, body = payload.partition(b"\n")
    read = orjson.loads(head)
    entries, at = [], 0
    for code, id_, named, time, ingested, length in read["rows"]:
        entries.append(Entry(read["indices"][code], id_, named, time, ingested, body[at : at + length]))
        at += length
    return Frame(read.get("segment"), read.get("frame"), entries)


class Segment:
    """The segment that is written to. Not for several threads."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number, self.path, self.size = number, path_of(folder, number), 0
        self._frames = 0
        self._file = self.path.open("xb", buffering=0)
        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        sync(folder)

    def append(self, groups: Sequence[Sequence[Entry]]) -> None:
        """Write a frame of each group and wait until they are on disk.

        Raises OSError, and then none of them is there.
        """
        frames = []
        for number, entries in enumerate(groups, self._frames):
            packed = self._compress(encode(entries, self.number, number))
            frames += [_HEAD.pack(len(packed), zlib.crc32(packed)), packed]
        data = memoryview(b"".join(frames))
        try:
            done = 0
            while done < len(data):
                done += self._file.write(data[done:])
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.seek(self.size)
            self._file.truncate(self.size)
            raise
        self.size += len(data)
        self._frames += len(groups)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def path_of(folder: Path, number: int) -> Path:
    """Return the file of a segment."""
    return folder / f"{number:012}.journal"


def segments(folder: Path) -> list[int]:
    """Return the numbers of the segments in a folder, ascending."""
    return sorted(number for number in numbers(folder) if path_of(folder, number).is_file())


def numbers(folder: Path) -> list[int]:
    """Return the numbers that are taken in a folder, by whatever has the name of a segment."""
    names = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return [int(name[1]) for name in names if name]


class SegmentContent(NamedTuple):
    """What a segment holds: entries, and how many bytes of it are damaged, or of a frame that was cut off.

    `copied` are bytes of frames that belong to another segment or are there already, `missing` counts frames that
    are gone without a trace.
    """

    entries: list[Entry]
    damaged: int
    cut_off: int
    copied: int = 0
    missing: int = 0

    @property
    def fault(self) -> str | None:
        """What is wrong with the segment, None when nothing is; a frame that was cut off is no fault."""
        faults = []
        if self.damaged:
            faults.append(f"{self.damaged:,} bytes are damaged, and their events lost")
        elif self.missing:
            faults.append(f"{counted(self.missing, 'frame')} of it are gone, and their events lost")
        if self.copied:
            faults.append(f"{self.copied:,} bytes are copies of other frames of the journal, and left out")
        return "; ".join(faults) or None


class _Frames(NamedTuple):
    """The frames of a segment that are sound, still compressed, and what else there is, as in SegmentContent."""

    packed: list[bytes]
    damaged: int
    cut_off: int


def read(path: Path) -> SegmentContent:
    """Return what a segment holds, but for damaged and copied frames. Raises OSError for what cannot be read."""
    name = _NAME.fullmatch(path.name)
    own = int(name[1]) if name else None
    frames = _split(read_file(path))
    unpack = zstandard.ZstdDecompressor().decompress
    entries: list[Entry] = []
    damaged, copied, missing, following = frames.damaged, 0, 0, 0
    for packed in frames.packed:
        try:
            frame = decode(unpack(packed))
        except _NO_PAYLOAD:  # its sum is right, and it is no frame
            damaged += _HEAD.size + len(packed)
            continue
        if frame.segment is not None and frame.number is not None:
            if frame.segment != own or frame.number < following:
                copied += _HEAD.size + len(packed)
                continue
            missing += frame.number - following
            following = frame.number + 1
        entries += frame.entries
    return SegmentContent(entries, damaged, frames.cut_off, copied, missing)


def cut_off(path: Path) -> int:
    """Return how many bytes of a segment lie behind its last whole frame and belong to one that was cut off."""
    return _split(read_file(path)).cut_off


def put_back(folder: Path) -> Iterator[tuple[int, int]]:
    """Give renamed segments their names again; yield the number in the wrong name of each, and its own.

    Its first frame says which segment a file is. Where that one is there, the file is a copy, and stays.
    """
    for number in segments(folder):
        origin = _origin(path_of(folder, number))
        if origin is None or os.path.lexists(path_of(folder, origin)):
            continue
        path_of(folder, number).rename(path_of(folder, origin))
        sync(folder)
        yield number, origin


def _origin(path: Path) -> int | None:
    """Return the segment that the first frame of a file names, None where it is damaged or names none."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
            packed = _frame(head + file.read(_HEAD.unpack(head)[0] if len(head) == _HEAD.size else 0), 0)
        return None if packed is None else decode(zstandard.ZstdDecompressor().decompress(packed)).segment
    except (OSError, *_NO_PAYLOAD):  # reading it says so
        return None


_NO_PAYLOAD = (zstandard.ZstdError, ValueError, LookupError, TypeError, AttributeError)


def _split(data: bytes) -> _Frames:
    """Return the sound frames of a segment."""
    frames: list[bytes] = []
    at = damaged = 0
    while at < len(data):
        packed = _frame(data, at)
        if packed is None:
            following = _next_frame(data, at)
            if following is None:
                break
            damaged += following - at
            at = following
            continue
        frames.append(packed)
        at += _HEAD.size + len(packed)
    left = len(data) - at
    if left >= _HEAD.size and (_fits(data, at) or _is_whole(data[at + _HEAD.size :])):
        return _Frames(frames, damaged + left, 0)  # it is all there, and its head or its sum is wrong
    return _Frames(frames, damaged, left)


def _fits(data: bytes, at: int) -> bool:
    """Return whether the frame that begins at a place has all of its bytes, as its head has it."""
    return at + _HEAD.size + int(_HEAD.unpack_from(data, at)[0]) <= len(data)


def _is_whole(packed: bytes) -> bool:
    """Return whether some bytes are a whole payload, whatever the head before them says."""
    unpacking = zstandard.ZstdDecompressor().decompressobj()
    try:
        unpacking.decompress(packed)
    except zstandard.ZstdError:
        return False
    return unpacking.eof


def _frame(data: bytes, at: int) -> bytes | None:
    """Return the payload of the frame that begins at a place, None when no whole and sound one does."""
    if at + _HEAD.size > len(data):
        return None
    length, crc = _HEAD.unpack_from(data, at)
    packed = data[at + _HEAD.size : at + _HEAD.size + length]
    return packed if 0 < length == len(packed) and zlib.crc32(packed) == crc else None


def _next_frame(data: bytes, after: int) -> int | None:
    """Return where the next sound frame begins, None when there is none."""
    mark = data.find(zstandard.FRAME_HEADER, after + _HEAD.size + 1)
    while mark >= 0:
        if _frame(data, mark - _HEAD.size) is not None:
            return mark - _HEAD.size
        mark = data.find(zstandard.FRAME_HEADER, mark + 1)
    return None
