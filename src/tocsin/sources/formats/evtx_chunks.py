"""Chunks of EVTX files: which are sound, and the whole records of those that are not.

The layout is that of MS-EVEN6 and of libevtx's description of the format. A chunk has a header of 512 bytes with
two checksums, and records one after the other, each with its size at both ends. Templates and names lie in the
first record that uses them, and are referred to by their offset from the chunk's start.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

HEADER, CHUNK = 4096, 65536  # bytes of a file's header and of each chunk
FIRST_RECORD = 512  # bytes of a chunk's header
FILE_MAGIC, CHUNK_MAGIC = b"ElfFile\x00", b"ElfChnk\x00"
EMPTY = bytes(CHUNK)
FILLER = 1 << 63  # added to the numbers of fillers between whole records

_CHUNK_HEAD = struct.Struct("<QQQQIIII")  # numbers, ids; header size, last record, free space, checksum of records
_RECORD_HEAD = struct.Struct("<4sIQQ")  # signature, size, id, time written
_SIGNATURE = b"**\x00\x00"
_SIZE = struct.Struct("<I")
_SMALLEST = _RECORD_HEAD.size + _SIZE.size
# A record that is an instance of a template: fragment header, token, template id, offset of the definition.
_INSTANCE = struct.Struct("<4s2sII")
_FRAGMENT, _TEMPLATE = b"\x0f\x01\x01\x00", b"\x0c\x01"
_DEFINITION = struct.Struct("<4xI12xI")  # id (the first bytes of a GUID), size


@dataclass(frozen=True)
class Promise:
    """What a chunk's header says that it holds: the ids of its records, and where they end."""

    first: int
    last: int
    end: int

    @property
    def count(self) -> int:
        """How many records."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Record:
    """A whole record: where it lies in its chunk, how many bytes it has, its id."""

    offset: int
    size: int
    id: int

    @property
    def end(self) -> int:
        """The offset of the first byte behind it."""
        return self.offset + self.size


def promise_of(chunk: bytes) -> Promise | None:
    """Return what a chunk's header says; None for a damaged header."""
    if not chunk.startswith(CHUNK_MAGIC) or len(chunk) < FIRST_RECORD:
        return None
    if zlib.crc32(chunk[128:FIRST_RECORD], zlib.crc32(chunk[:120])) != _SIZE.unpack_from(chunk, 124)[0]:
        return None
    _, _, first, last, _, _, end, _ = _CHUNK_HEAD.unpack_from(chunk, 8)
    return Promise(first, last, end) if FIRST_RECORD <= end <= CHUNK else None


def is_sound(chunk: bytes, promise: Promise) -> bool:
    """Return whether a chunk is whole, by its checksum, and ends where its header says.

    When bytes are missing, the next chunk begins within it. The header of a log that was copied while Windows
    wrote it may be older than its last records.
    """
    if len(chunk) < CHUNK:
        return False
    if zlib.crc32(memoryview(chunk)[FIRST_RECORD : promise.end]) != _CHUNK_HEAD.unpack_from(chunk, 8)[7]:
        return False
    return not is_stale(chunk, promise) and chunk.find(CHUNK_MAGIC, promise.end) < 0


def is_stale(chunk: bytes, promise: Promise) -> bool:
    """Return whether the next record by number follows the last one that the header knows."""
    behind = _record_at(chunk, promise.end, promise.end)
    return behind is not None and behind.id == promise.last + 1


def whole_records(chunk: bytes, promise: Promise | None) -> list[Record]:
    """Return the whole records of a chunk, in order. `chunk` may be cut short.

    A record is whole when its size stands at both ends, or its signature and one size fit what is around it.
    Records that an earlier use of the chunk left after the last one are recognised by their ids.
    """
    if promise is not None and is_stale(chunk, promise):
        promise = None
    end = len(chunk) if promise is None else min(promise.end, len(chunk))
    records: list[Record] = []
    position = FIRST_RECORD
    while (record := _next(chunk, position, end)) is not None:
        number = _number_of(chunk, records, record, promise, adjoining=record.offset == position)
        if number is not None:
            records.append(replace(record, id=number))
        elif record.offset == position:
            break
        position = record.end
    return records


def _number_of(
    chunk: bytes, before: list[Record], record: Record, promise: Promise | None, *, adjoining: bool
) -> int | None:
    """Return a record's id; None for a record that does not continue those `before` it, such as an old one.

    A damaged id follows from its neighbours'.
    """
    if not before:
        fits = promise is None or promise.first <= record.id <= promise.last
        return record.id if fits else promise.first if promise and adjoining else None
    due = before[-1].id + 1
    room = 0 if adjoining else (record.offset - before[-1].end) // _SMALLEST
    if due <= record.id <= (due + room if promise is None else promise.last):
        return record.id
    if not adjoining or (promise is not None and due > promise.last):
        return None
    behind = _record_at(chunk, record.end, record.end)
    return due if promise is not None or (behind is not None and behind.id == due + 1) else None


def _next(chunk: bytes, position: int, end: int) -> Record | None:
    """Return the record at a position, or the first after it."""
    record = _record_at(chunk, position, position)
    if record is not None and record.end <= end:
        return record
    if (record := _read_from_start(chunk, position, end)) is not None:
        return record
    at = position
    while (at := chunk.find(_SIGNATURE, at, end)) >= 0:
        candidate = _record_at(chunk, at, position)
        if candidate is not None and candidate.end <= end:
            return _read_from_end(chunk, position, at) or candidate
        at += 1
    return _read_from_end(chunk, position, end)


def _record_at(chunk: bytes, offset: int, expected: int) -> Record | None:
    """Read a record whose size stands at both ends; at the `expected` place its signature may be damaged."""
    if offset + _SMALLEST > len(chunk):
        return None
    signature, size, number, _ = _RECORD_HEAD.unpack_from(chunk, offset)
    if signature != _SIGNATURE and offset != expected:
        return None
    if size < _SMALLEST or offset + size > len(chunk):
        return None
    if _SIZE.unpack_from(chunk, offset + size - _SIZE.size)[0] != size:
        return None
    return Record(offset, size, number)


def _read_from_start(chunk: bytes, offset: int, end: int) -> Record | None:
    """Read a record whose second size is wrong: the first leads to the next record, or to the end of all."""
    if offset + _SMALLEST > end or not chunk.startswith(_SIGNATURE, offset):
        return None
    _, size, number, _ = _RECORD_HEAD.unpack_from(chunk, offset)
    behind = offset + size
    if size < _SMALLEST or behind > end or (behind < end and _record_at(chunk, behind, -1) is None):
        return None
    return None if behind == end == len(chunk) else Record(offset, size, number)


def _read_from_end(chunk: bytes, offset: int, end: int) -> Record | None:
    """Read a record whose first size is wrong: the second says how long it is, up to where the next begins."""
    size = end - offset
    if size < _SMALLEST or not chunk.startswith(_SIGNATURE, offset):
        return None
    if _SIZE.unpack_from(chunk, end - _SIZE.size)[0] != size:
        return None
    return Record(offset, size, _RECORD_HEAD.unpack_from(chunk, offset)[2])


def lacks_template(chunk: bytes, record: Record) -> bool:
    """Return whether the template of which a record is an instance is not where the record says."""
    instance = record.offset + _RECORD_HEAD.size
    if record.size < _RECORD_HEAD.size + _INSTANCE.size:
        return False
    fragment, token, template, at = _INSTANCE.unpack_from(chunk, instance)
    if fragment != _FRAGMENT or token != _TEMPLATE:
        return False
    if at + _DEFINITION.size > len(chunk):
        return True
    known, size = _DEFINITION.unpack_from(chunk, at)
    return bool(known != template or at + _DEFINITION.size + size > len(chunk))


def start_of(piece: bytes) -> int:
    """Return where the chunk began that a piece without a header comes from, which may be before the piece.

    A record that defines its template says how far from the chunk's start it lies. 0 when none does.
    """
    at = -1
    while (at := piece.find(_SIGNATURE, at + 1)) >= 0:
        record = _record_at(piece, at, -1)
        if record is None or record.size < _RECORD_HEAD.size + _INSTANCE.size + _DEFINITION.size:
            continue
        fragment, token, template, offset = _INSTANCE.unpack_from(piece, at + _RECORD_HEAD.size)
        definition = at + _RECORD_HEAD.size + _INSTANCE.size
        if (
            fragment == _FRAGMENT
            and token == _TEMPLATE
            and _DEFINITION.unpack_from(piece, definition)[0] == template
            and FIRST_RECORD < offset < CHUNK
        ):
            return definition - int(offset)
    return 0


def rebuilt(chunk: bytes, records: list[Record]) -> bytes:
    """Return a sound chunk in which the records stand where they stood; what lies between becomes fillers.

    A filler has an id from FILLER on and keeps its bytes but for a record's head, as a template may lie there.
    """
    made = bytearray(chunk[:CHUNK].ljust(CHUNK, b"\x00"))
    position, fillers = FIRST_RECORD, 0
    previous: Record | None = None
    for record in records:
        gap = record.offset - position
        if gap >= _RECORD_HEAD.size:
            _RECORD_HEAD.pack_into(made, position, _SIGNATURE, gap, FILLER + fillers, 0)
            fillers += 1
        elif gap and previous is not None:
            _SIZE.pack_into(made, previous.offset + len(_SIGNATURE), previous.size + gap)
        struct.pack_into("<4sIQ", made, record.offset, _SIGNATURE, record.size, record.id)
        previous, position = record, record.end
    made[:FIRST_RECORD] = bytes(FIRST_RECORD)
    numbers = (1, len(records) + fillers, records[0].id, FILLER - 1)  # the last id ends a chunk where it is met
    made[:8] = CHUNK_MAGIC
    checksum = zlib.crc32(memoryview(made)[FIRST_RECORD:position])
    _CHUNK_HEAD.pack_into(made, 8, *numbers, 128, records[-1].offset, position, checksum)
    _SIZE.pack_into(made, 124, zlib.crc32(made[128:FIRST_RECORD], zlib.crc32(made[:120])))
    return bytes(made)


def file_of(chunk: bytes) -> bytes:
    """Return an EVTX file with one chunk."""
    head = struct.pack("<8sQQQIHHHH76xI", FILE_MAGIC, 0, 0, 1, 128, 1, 3, HEADER, 1, 0)[:120]
    return (head + struct.pack("<II", 0, zlib.crc32(head))).ljust(HEADER, b"\x00") + chunk


def next_chunk(data: bytes, start: int) -> int:
    """Return where the next chunk's header begins at or after a position, -1 when none does."""
    at = start
    while (at := data.find(CHUNK_MAGIC, at)) >= 0:
        if at + 44 > len(data) or _SIZE.unpack_from(data, at + 40)[0] == 128 or promise_of(data[at : at + CHUNK]):
            return at
        at += 1
    return -1


def runs(records: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of ids."""
    start = previous = None
    for number in records:
        if previous is None or number != previous + 1:
            if start is not None and previous is not None:
                yield start, previous
            start = number
        previous = number
    if start is not None and previous is not None:
        yield start, previous
