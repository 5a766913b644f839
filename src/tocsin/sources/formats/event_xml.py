"""Windows events in XML: `Event` elements one after the other, with or without a root around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from tocsin.sources.batch import Reject, Rejects, RowBatch, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.formats.rows import in_batches
from tocsin.sources.inputs import DAMAGE
from tocsin.sources.windows.record import MalformedRecord
from tocsin.sources.windows.xml import record_of

_CHUNK = 1 << 20  # bytes
_START = re.compile(rb"<(?:[\w.-]+:)?Event(?=[\s>/])")
_END, _BEFORE_END, _LONGEST_PREFIX = b"Event>", re.compile(rb"</(?:[\w.-]+:)?\Z"), 64
_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)["']""")
# What may lie between events: the declaration, comments, the root, any other markup that holds none, and the lines
# that `evtx_dump` puts before each.
_BETWEEN = re.compile(
    rb"\s+|\xef\xbb\xbf|<\?.*?\?>|<!--.*?-->|</?[A-Za-z][\w.:-]*(?:\s[^<>]*)?>|(?<![^\n])Record \d+(?=\s)",
    re.DOTALL,
)
_LONGEST = 16 << 20  # bytes of one event; Windows writes none over 64 KiB of binary XML


def read_xml(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[RowBatch]:
    """Yield the events of an XML stream; elements that are no events are rejected with their line number."""
    yield from in_batches(_records(_Elements(file, name, rejects)), name, wanted, rejects, documents)


def _records(elements: _Elements) -> Iterator[tuple[Any, str]]:
    for line, element in elements:
        place = f"line {line}"
        try:
            text = elements.decoded(element)
            record = record_of(text)
        except UnicodeDecodeError as error:
            detail = f"byte {error.start + 1} of the event is not UTF-8; convert the file to UTF-8 or UTF-16"
            shown = element.decode("utf-8", "replace")
            elements.rejects.add(Reject(elements.name, place, "unknown encoding", detail, shown))
        except MalformedRecord as error:
            elements.rejects.add(Reject(elements.name, place, "malformed XML", str(error), text))
        else:
            yield record, place
    if elements.damage is not None:
        raise elements.damage


class _Elements:
    """The `Event` elements of a stream with the lines that they start at; anything else is rejected."""

    def __init__(self, file: BinaryIO, name: str, rejects: Rejects) -> None:
        self._read, self.name, self.rejects = getattr(file, "read1", file.read), name, rejects
        self.damage: Exception | None = None
        self._line = 1
        self._encoding = "utf-8"  # that the file declares

    def decoded(self, element: bytes) -> str:
        """Return an element's text, in UTF-8 or else as it is declared. Raises UnicodeDecodeError."""
        try:
            return element.decode("utf-8")
        except UnicodeDecodeError:
            if self._encoding == "utf-8":
                raise
            return element.decode(self._encoding, errors="replace")

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        buffer, searched = b"", 0
        while chunk := self._next():
            buffer += chunk
            taken = 0
            while (end := _end_of_event(buffer, max(taken, searched))) is not None:
                yield from self._split(buffer[taken:end])
                taken = end
            buffer = buffer[taken:]
            searched = max(0, len(buffer) - len(_END) + 1)
            if len(buffer) > _LONGEST:
                self._rest(buffer)
                buffer, searched = b"", 0
        self._rest(buffer)

    def _next(self) -> bytes:
        try:
            chunk: bytes = self._read(_CHUNK)
        except DAMAGE as error:
            self.damage = error
            return b""
        return chunk

    def _split(self, part: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the event that bytes end with, and its line; what comes before it is not one."""
        starts = [match.start() for match in _START.finditer(part)]
        if not starts:
            self._rest(part)
            return
        start = starts[-1]  # one before it never ended
        self._rest(part[:start])
        line = self._line
        self._line += part.count(b"\n", start)
        yield line, part[start:]

    def _rest(self, between: bytes) -> None:
        """Pass over what may lie between events; reject all else."""
        if declared := _DECLARED.search(between):
            self._encoding = _known_encoding(declared[1].decode("ascii"))
        position = 0
        match = _START.search(between)
        if match is None:
            while position < len(between) and (gap := _BETWEEN.match(between, position)):
                position = gap.end()
        if position < len(between):
            line = self._line + between.count(b"\n", 0, match.start() if match else position)
            reason, detail = (
                ("malformed XML", "the event does not end")
                if match
                else ("not an event", "something lies between the events")
            )
            shown = between[position : position + 4000].decode("utf-8", "replace")
            self.rejects.add(Reject(self.name, f"line {line}", reason, detail, shown))
        self._line += between.count(b"\n")


def _end_of_event(buffer: bytes, start: int) -> int | None:
    """Return the end of the first event that ends after `start`, whatever the prefix of its name."""
    while (end := buffer.find(_END, start)) >= 0:
        if _BEFORE_END.search(buffer[max(0, end - _LONGEST_PREFIX) : end]):
            return end + len(_END)
        start = end + 1
    return None


def _known_encoding(name: str) -> str:
    """Return a declared encoding if it writes markup in ASCII; else UTF-8, as the file cannot be in that one."""
    try:
        return name if "<>".encode(name) == b"<>" else "utf-8"
    except (LookupError, UnicodeError):
        return "utf-8"
