"""Write real EVTX files: file header, chunks, records in binary XML without templates.

Layout after the published descriptions of the format (libevtx, MS-EVEN6). A record is given as the parser
renders it in JSON: `{"Event": {"System": {…}, "EventData": {…}}}`, attributes under `#attributes`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

CHUNK = 65536
_FIRST_RECORD = 512
_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)

_EOF, _OPEN, _CLOSE_START, _CLOSE_EMPTY, _END, _VALUE, _ATTRIBUTE, _FRAGMENT = range(8)
_FRAGMENT = 0x0F
_MORE, _TEXT, _UINT32, _UINT64, _BOOL = 0x40, 0x01, 0x08, 0x0A, 0x0D


def write_evtx(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return an EVTX file that holds the records, numbered from their EventRecordID or else from 1."""
    chunks: list[bytes] = []
    chunk = _Chunk(1)
    number = 0
    for number, record in enumerate(records, 1):
        if not chunk.add(record, number):
            chunks.append(chunk.finish())
            chunk = _Chunk(number)
            if not chunk.add(record, number):
                raise ValueError(f"record {number} does not fit into a chunk")
    chunks.append(chunk.finish())
    head = struct.pack(
        "<8sQQQIHHHH76x", b"ElfFile\0", 0, len(chunks) - 1, number + 1, 128, 1, 3, 4096, len(chunks)
    )
    head += struct.pack("<II", 0, zlib.crc32(head[:120]))
    return head.ljust(4096, b"\0") + b"".join(chunks)


class _Chunk:
    """64 KiB of records; names are written once and referred to."""

    def __init__(self, first: int) -> None:
        self.first = self.last = first
        self.data = bytearray(_FIRST_RECORD)
        self.names: dict[str, int] = {}
        self.last_offset = _FIRST_RECORD

    def add(self, record: Mapping[str, Any], number: int) -> bool:
        """Append a record; False, and nothing changed, when it does not fit."""
        start = len(self.data)
        names = dict(self.names)
        self.data += struct.pack("<4sIQQ", b"**\0\0", 0, number, _filetime(record))
        self._fragment(record["Event"])
        size = len(self.data) - start + 4
        self.data += struct.pack("<I", size)
        if len(self.data) > CHUNK:
            del self.data[start:]
            self.names = names
            return False
        struct.pack_into("<I", self.data, start + 4, size)
        self.last, self.last_offset = number, start
        return True

    def finish(self) -> bytes:
        free = len(self.data)
        records = zlib.crc32(self.data[_FIRST_RECORD:free])
        head = struct.pack(
            "<8sQQQQIIII64x",
            b"ElfChnk\0",
            self.first,
            self.last,
            self.first,
            self.last,
            128,
            self.last_offset,
            free,
            records,
        )
        self.data[:120] = head
        checksum = zlib.crc32(bytes(self.data[:120]) + bytes(self.data[128:512]))
        struct.pack_into("<II", self.data, 120, 0, checksum)
        return bytes(self.data).ljust(CHUNK, b"\0")

    # ---- binary XML

    def _fragment(self, event: Mapping[str, Any]) -> None:
        self.data += bytes((_FRAGMENT, 1, 1, 0))
        self._element("Event", {"#attributes": {"xmlns": _NAMESPACE}, **event})
        self.data.append(_EOF)

    def _element(self, name: str, content: Any) -> None:
        attributes = content.get("#attributes", {}) if isinstance(content, Mapping) else {}
        self.data.append(_OPEN | (_MORE if attributes else 0))
        self.data += struct.pack("<I", 0)  # a dependency id stands before this in templates alone
        size_at = len(self.data) - 4
        self._name(name)
        if attributes:
            self.data += struct.pack("<I", 0)
            list_at = len(self.data)
            for position, (key, value) in enumerate(attributes.items(), 1):
                self.data.append(_ATTRIBUTE | (_MORE if position < len(attributes) else 0))
                self._name(key)
                self._value(value)
            struct.pack_into("<I", self.data, list_at - 4, len(self.data) - list_at)
        self._content(name, content)
        struct.pack_into("<I", self.data, size_at, len(self.data) - size_at - 4)

    def _content(self, name: str, content: Any) -> None:
        if isinstance(content, Mapping):
            below = [(k, v) for k, v in content.items() if k not in ("#attributes", "#text")]
            if not below and "#text" not in content:
                self.data.append(_CLOSE_EMPTY)
                return
            self.data.append(_CLOSE_START)
            if "#text" in content:
                self._value(content["#text"])
            for key, value in below:
                if name == "EventData" and key != "Data":
                    text = {} if value is None else {"#text": value}
                    self._element("Data", {"#attributes": {"Name": key}, **text})
                else:
                    for item in value if isinstance(value, list) else [value]:
                        self._element(key, item)
        elif content is None:
            self.data.append(_CLOSE_EMPTY)
            return
        else:
            self.data.append(_CLOSE_START)
            self._value(content)
        self.data.append(_END)

    def _name(self, name: str) -> None:
        known = self.names.get(name)
        if known is not None:
            self.data += struct.pack("<I", known)
            return
        offset = self.names[name] = len(self.data) + 4
        self.data += struct.pack("<IIHH", offset, 0, _hash(name), len(name))
        self.data += name.encode("utf-16-le") + b"\0\0"

    def _value(self, value: Any) -> None:
        self.data.append(_VALUE)
        if isinstance(value, bool):
            self.data += struct.pack("<BI", _BOOL, value)
        elif isinstance(value, int):
            kind, layout = (_UINT32, "<BI") if value < 1 << 32 else (_UINT64, "<BQ")
            self.data += struct.pack(layout, kind, value)
        else:
            text = str(value).encode("utf-16-le")
            self.data += struct.pack("<BH", _TEXT, len(text) // 2) + text


def _hash(name: str) -> int:
    value = 0
    for character in name:
        value = (value * 65599 + ord(character)) & 0xFFFFFFFF
    return value & 0xFFFF


def _filetime(record: Mapping[str, Any]) -> int:
    text = record["Event"]["System"]["TimeCreated"]["#attributes"]["SystemTime"]
    delta = datetime.fromisoformat(text) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 10_000_000 + delta.microseconds * 10
