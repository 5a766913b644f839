"""The journal: events are acknowledged when they are in it, and stay until a table holds them.

A segment is a file of frames: 4 bytes of length and 4 of CRC-32, little-endian, and the compressed payload. A
segment's number only grows. A frame that the file's end cuts off was never acknowledged; one that is damaged costs
itself alone, for the next is found by the mark that compressed data begins with.
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


def encode(entries: Sequence[Entry]) -> bytes:
    """Return entries as the payload of a frame."""
    indices = list(dict.fromkeys(entry.index for entry in entries))
    number = {name: code for code, name in enumerate(indices)}
    head = {
        "indices": indices,
        "rows": [
            (number[e.index], e.id, e.named, e.time, e.ingested, len(e.source)) for e in entries
        ],
    }  # fmt: skip
    return b"".join((orjson.dumps(head), b"\n", *(e.source for e in entries)))


def decode(payload: bytes) -> Iterator[Entry]:
    """Yield the entries of a payload."""
    head, _, body = payload.partition(b"\n")
    read = orjson.loads(head)
    at = 0
    for code, id_, named, time, ingested, length in read["rows"]:
        yield Entry(read["indices"][code], id_, named, time, ingested, body[at : at + length])
        at += length


class Segment:
    """The segment that is written to. Not for several threads."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number, self.path, self.size = number, path_of(folder, number), 0
        self._file = self.path.open("xb", buffering=0)
        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        sync(folder)

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write frames and wait until they are on disk. Raises OSError, and then none of them is there."""
        frames = []
        for payload in payloads:
            packed = self._compress(payload)
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
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return [int(match[1]) for match in found if match]


class SegmentContent(NamedTuple):
    """What a segment holds: entries, the bytes of frames that are damaged, and of one that was cut off."""

    entries: list[Entry]
    damaged: int
    cut_off: int


def read(path: Path) -> SegmentContent:
    """Return what a segment holds, but for damaged frames. Raises OSError for what cannot be read."""
    data = read_file(path)
    unpack = zstandard.ZstdDecompressor().decompress
    entries: list[Entry] = []
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
        try:
            entries.extend(list(decode(unpack(packed))))
        except (zstandard.ZstdError, ValueError, LookupError, TypeError):  # its sum is right, and it is no frame
            damaged += _HEAD.size + len(packed)
        at += _HEAD.size + len(packed)
    left = len(data) - at
    if left >= _HEAD.size and (_fits(data, at) or _is_whole(data[at + _HEAD.size :])):
        return SegmentContent(entries, damaged + left, 0)  # it is all there, and its head or its sum is wrong
    return SegmentContent(entries, damaged, left)


def _fits(data: bytes, at: int) -> bool:
    """Tell whether the frame that begins at a place has all of its bytes, as its head has it."""
    return at + _HEAD.size + int(_HEAD.unpack_from(data, at)[0]) <= len(data)


def _is_whole(packed: bytes) -> bool:
    """Tell whether some bytes are a whole payload, whatever the head before them says."""
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
