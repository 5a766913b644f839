"""A damaged EVTX file, chunk by chunk: sound ones through the parser, and the whole records of the others."""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import evtx

from tocsin.errors import InputError
from tocsin.sources.batch import Reject, Rejects
from tocsin.sources.formats.evtx_chunks import (
    CHUNK,
    CHUNK_MAGIC,
    EMPTY,
    FILE_MAGIC,
    FILLER,
    FIRST_RECORD,
    HEADER,
    Promise,
    Record,
    file_of,
    is_sound,
    is_stale,
    lacks_template,
    next_chunk,
    promise_of,
    rebuilt,
    runs,
    start_of,
    whole_records,
)

ParsedRecord = dict[str, Any]  # as the parser gives it: `event_record_id`, and the event as JSON in `data`
_NUMBER = re.compile(r"record number (\d+)")


@dataclass(frozen=True)
class FileHeader:
    """How many chunks a file has by its header; None when its checksum shows it to be damaged."""

    chunks: int | None

    @classmethod
    def read(cls, file: BinaryIO) -> FileHeader | None:
        """Read a file's header; None when there is none, or no parser would take it for one."""
        head = read_at(file, 0, HEADER)
        if len(head) < HEADER or not head.startswith(FILE_MAGIC):
            return None
        whole = zlib.crc32(head[:120]) == int.from_bytes(head[124:128], "little")
        return cls(int.from_bytes(head[42:44], "little") if whole else None)


class DamagedFile:
    """The chunks of a file that is not as it was written; what cannot be read of it is rejected, once a chunk."""

    def __init__(self, file: BinaryIO, name: str, rejects: Rejects, header: FileHeader | None) -> None:
        self._file, self._name, self._rejects, self._header = file, name, rejects, header
        self._promised = header.chunks if header else None
        if header is not None and header.chunks is None:
            self._reject(0, "damaged EVTX header", "its checksum is wrong; every chunk of the file is read")

    def is_promised(self, position: int) -> bool:
        """Return whether the file's header says that a chunk with records is at a position."""
        return self._promised is not None and position < HEADER + self._promised * CHUNK

    def chunks(self, position: int, skip: int = 0) -> Iterator[Iterable[ParsedRecord]]:
        """Yield the records of each chunk from a position on, without the first `skip` of them.

        Raises InputError when no chunk is found in a file without a header.
        """
        anything = self._header is not None
        while piece := read_at(self._file, position, 2 * CHUNK):
            chunk = piece[:CHUNK]
            promise = promise_of(chunk)
            length = len(chunk)
            if chunk == EMPTY[:length]:
                if self.is_promised(position):
                    self._reject(position, "damaged EVTX chunk", f"{self._place(position)} is empty")
                records: list[ParsedRecord] = []
            elif promise is not None and is_sound(chunk, promise):
                records = self._parsed(position, chunk)
            else:
                start, length = _extent(piece)
                records = self._recovered(position, bytes(max(0, -start)) + piece[max(0, start) : length])
            if not anything and (records or chunk.startswith(CHUNK_MAGIC)):
                anything = True
                self._reject(0, "damaged EVTX header", "there is none; chunks are read where they are found")
            yield records[skip:]
            skip = max(0, skip - len(records))
            position += length
        if not anything:
            raise InputError(f"{self._name} is not readable as EVTX: it holds no chunk")
        self.finish(position)

    def finish(self, position: int) -> None:
        """Reject what the file's header promises and the file, which ends at a position, does not hold.

        A file that ends within a chunk has been rejected by then.
        """
        chunks, rest = divmod(position - HEADER, CHUNK)
        if self._promised is not None and chunks < self._promised and not rest:
            detail = f"the file ends behind chunk {chunks} of {self._promised}"
            self._reject(position, "truncated EVTX", detail)

    def _parsed(self, position: int, chunk: bytes) -> list[ParsedRecord]:
        """Return the records of a sound chunk; those that the parser does not understand are rejected."""
        records, messages = _parse(chunk)
        for number, message in messages:
            place = f"byte {position}" if number is None else f"record {number}"
            self._rejects.add(Reject(self._name, place, "damaged EVTX record", message))
        if self._header is None or (position - HEADER) % CHUNK:  # where no parser looks for a chunk
            self._rejects.recover(self._name, len(records))
        return records

    def _recovered(self, position: int, chunk: bytes) -> list[ParsedRecord]:
        promise = promise_of(chunk)
        whole = whole_records(chunk, promise)
        if not whole:
            if self._header is not None or chunk.startswith(CHUNK_MAGIC):
                self._complain(position, chunk, promise, [], 0)
            return []
        records, messages = _parse(rebuilt(chunk, whole))
        records = [record for record in records if record["event_record_id"] < FILLER]
        read = {record["event_record_id"] for record in records}
        why = dict(messages)
        for record in whole:
            if record.id not in read:
                self._reject_record(chunk, record, why.get(record.id, "the parser passes over it"))
        stale = promise is not None and is_stale(chunk, promise)
        known = promise.last if promise is not None and stale else 0
        complete = promise is not None and not stale and _is_complete(whole, promise)
        recovered = 0 if complete else sum(number > known for number in read)
        self._rejects.recover(self._name, recovered)
        if not stale:
            self._complain(position, chunk, promise, whole, recovered)
        return records

    def _reject_record(self, chunk: bytes, record: Record, why: str) -> None:
        reason, detail = "damaged EVTX record", why
        if lacks_template(chunk, record):
            reason, detail = "EVTX record without its template", "its template lies in a part that is damaged"
        self._rejects.add(Reject(self._name, f"record {record.id}", reason, detail))

    def _complain(
        self, position: int, chunk: bytes, promise: Promise | None, whole: list[Record], recovered: int
    ) -> None:
        """Say what is wrong with a chunk, and which of its records are lost."""
        lost = _lost(whole, promise)
        records = ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in lost)
        what = f"{recovered:,} whole records recovered" + (f", not whole: record {records}" if records else "")
        place = self._place(position)
        if len(chunk) < CHUNK and not read_at(self._file, position + len(chunk), 1):
            self._reject(position + len(chunk), "truncated EVTX", f"the file ends within {place}: {what}")
        elif promise is not None and _is_complete(whole, promise):
            if len(chunk) < CHUNK:
                self._reject(position, "damaged EVTX chunk", f"bytes are missing behind the records of {place}")
            else:
                what = "its records are read as they are, and some byte of them was changed"
                self._reject(position, "wrong EVTX checksum", f"{place}: {what}")
        else:
            self._reject(position, "damaged EVTX chunk", f"{place}: {what}")

    def _place(self, position: int) -> str:
        if self._header is None or (position - HEADER) % CHUNK:
            return f"the chunk at byte {position}"
        of = f" of {self._promised}" if self._promised is not None else ""
        return f"chunk {(position - HEADER) // CHUNK + 1}{of}"

    def _reject(self, position: int, reason: str, detail: str) -> None:
        self._rejects.add(Reject(self._name, f"byte {position}", reason, detail))


def read_at(file: BinaryIO, position: int, size: int) -> bytes:
    """Read bytes of a file, fewer at its end."""
    file.seek(position)
    return file.read(size)


def parser_of(file: BinaryIO | str) -> Iterator[ParsedRecord]:
    """Return the parser's records of a file or a path; it warns of those that it cannot read."""
    parser = evtx.PyEvtxParser(file, number_of_threads=1, skip_errors=True)
    return cast("Iterator[ParsedRecord]", parser.records_json())


def _extent(piece: bytes) -> tuple[int, int]:
    """Return where the chunk in a piece begins, negative if that is before the piece, and where it ends."""
    if piece.startswith(CHUNK_MAGIC):
        start, other = 0, next_chunk(piece, FIRST_RECORD)
    else:
        other = next_chunk(piece, 1)
        start = min(start_of(piece[:other] if other > 0 else piece), CHUNK)
    end = min(start + CHUNK, len(piece))
    return (start, end) if other < 0 or other > end else (min(start, other), other)


def _parse(chunk: bytes) -> tuple[list[ParsedRecord], list[tuple[int | None, str]]]:
    """Return the records of one chunk, and what the parser says of those that it cannot read, by their ids."""
    messages: list[tuple[int | None, str]] = []
    records: list[ParsedRecord] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            records.extend(parser_of(io.BytesIO(file_of(chunk))))
        except RuntimeError as error:
            messages.append((None, _message(error)))
    for warning in warned:
        message = _message(warning.message)
        match = _NUMBER.search(message)
        messages.append((int(match[1]) if match else None, message))
    return records, messages


def _message(error: object) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


def _is_complete(whole: list[Record], promise: Promise) -> bool:
    """Return whether a chunk's whole records are all that its header promises."""
    return [record.id for record in whole] == list(range(promise.first, promise.last + 1)) and whole[
        -1
    ].end == promise.end


def _lost(whole: list[Record], promise: Promise | None) -> list[tuple[int, int]]:
    """Return the ids of records that were there once, as their neighbours or the chunk's header say."""
    ids = [record.id for record in whole]
    if promise is None and not ids:
        return []
    first, last = (promise.first, promise.last) if promise is not None else (ids[0], ids[-1])
    if last - first > CHUNK:
        return []
    return list(runs(sorted(set(range(first, last + 1)).difference(ids))))
