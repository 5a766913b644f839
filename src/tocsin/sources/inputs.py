"""From what a user names (files, folders, globs, `-`) to streams of a recognised format.

A format is recognised from content, never from a name, and compression and archives are looked through.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

import zstandard

from tocsin.errors import InputError, NoTelemetryError
from tocsin.text_encoding import encoding_of

_EVTX_HEADER, _EVTX_CHUNK = 4096, b"ElfChnk\x00"  # bytes of a file's header, the beginning of each chunk behind it
_MAGIC = (
    (b"ElfFile\x00", "evtx"),
    (_EVTX_CHUNK, "evtx"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"PAR1", "parquet"),
)
_BLOCK = 1 << 20  # bytes that are looked through at once
_BOM = b"\xef\xbb\xbf"
_SNIFF = _EVTX_HEADER + len(_EVTX_CHUNK)  # bytes that show a format
_TEXT = 512  # bytes of them that show a format of text
# The names of columns, in any language: three at least, in quotes or not.
_NAMES = re.compile(
    rb"""["']?[A-Za-z_@$\x80-\xff][\w.@ /$()#\[\]\x80-\xff-]*["']?"""
    rb"""(?:[,;\t|]\s?["']?[\w.@ /$()#\[\]\x80-\xff-]*["']?){2}"""
)
# Two are enough where the first line says what parts them, and where one of them holds records.
_SEPARATOR = re.compile(rb"""["']?sep=[^\r\n]{1,2}\r?\n""", re.IGNORECASE)
_TWO = re.compile(
    rb"""["']?(?:System|_raw|_time|@timestamp|Event|event\.original)["']?[,;\t|]\s?["']?[\w.@ ]+["']?\r?\n"""
)
# A list in JSON, unlike a link in Markdown or a section of a configuration file.
_LIST = re.compile(rb"""\[\s*(?:[\[{"'\]0-9-]|true|false|null|$)""")
_RECORD = re.compile(rb"\ARecord \d+\s+")  # what `evtx_dump` writes before each record
_TEMPLATE = (b"{{", b"{%")  # of pages, not JSON
# Files whose names promise telemetry, so that one whose content is in no format is damaged.
_PROMISING = (".evtx", ".json", ".jsonl", ".ndjson", ".parquet")
# What reading raises when compressed data, an archive or the disk is damaged.
DAMAGE = (OSError, EOFError, zstandard.ZstdError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True)
class Input:
    """One file, or standard input when `path` is None; `named` when the user gave this very name.

    Its records are taken for those of `source`, or each for what it shows itself to be when that is None. What
    comes first in its dates by number says `day_first`, or its content when that is None.
    A hidden file of a folder is not read.
    """

    name: str
    path: Path | None
    named: bool = True
    source: str | None = None
    hidden: bool = False
    day_first: bool | None = None

    @property
    def size(self) -> int:
        """The size on disk in bytes, 0 when unknown."""
        return self.path.stat().st_size if self.path else 0


@dataclass(frozen=True)
class Stream:
    """A recognised stream: its format, and the name of the input or archive member."""

    name: str
    format: str
    file: BinaryIO


@dataclass(frozen=True)
class Unread:
    """A member of an archive that is no telemetry or cannot be read; the members behind it still can."""

    name: str
    error: Exception


def find_inputs(names: Sequence[str], source: str | None = None) -> list[Input]:
    """Return the inputs that names stand for: files, every file below a folder (hidden ones marked), globs, `-`.

    Raises InputError for a name that stands for nothing.
    """
    found: dict[str, Input] = {}
    for name in names:
        for found_input in _expand(name):
            found.setdefault(str(found_input.path or "-"), replace(found_input, source=source))
    return list(found.values())


def _expand(name: str) -> Iterator[Input]:
    if name == "-":
        yield Input("<stdin>", None)
        return
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        if not files:
            raise InputError(f"the folder {name} holds no files", hint="name a folder with event logs")
        yield from (Input(str(p), p, named=False, hidden=_is_hidden(p.relative_to(path))) for p in files)
    elif path.exists():
        yield Input(name, path)
    else:
        matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
        files = [Path(m) for m in matches if os.path.isfile(m)]
        if not files:
            what = "matches no file" if glob.has_magic(name) else "does not exist"
            raise InputError(f"{name} {what}", hint="check the path")
        yield from (Input(str(p), p) for p in files)


def _is_hidden(path: PurePath) -> bool:
    """Tell by a path inside a folder or an archive; macOS puts its own files beside those of an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


_EVENT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?Event")  # or `Events`, the root


def recognise(head: bytes) -> str | None:
    """Name the format that a file's first bytes show, or None."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(_EVTX_CHUNK, _EVTX_HEADER):
        return "evtx"  # with a header that is damaged
    if encoding_of(head)[0] != "utf-8":
        return "unicode" if _is_text(head) else None
    text = _RECORD.sub(b"", head[:_TEXT].removeprefix(_BOM).lstrip(), count=1)
    if text[:1] == b"<":
        return "xml" if _EVENT.search(text) else None
    if text[:1] == b"{" and not text.startswith(_TEMPLATE):
        return "json"
    if _LIST.match(text):
        return "json"
    if text.startswith(b"#TYPE "):  # by PowerShell's Export-Csv, which puts it before the names
        text = text.partition(b"\n")[2]
    return "csv" if _SEPARATOR.match(text) or _NAMES.match(text) or _TWO.match(text) else None


def _is_text(head: bytes) -> bool:
    """Tell a text in UTF-16 or UTF-32 from a binary file that has zeros where such a text has them."""
    encoding, mark = encoding_of(head)
    text = head[mark:_TEXT].decode(encoding, errors="replace")
    return bool(mark) or not any(ord(character) < 32 and character not in "\t\r\n" for character in text[:64])


@contextmanager
def open_streams(source: Input) -> Iterator[Iterator[Stream | Unread]]:
    """Open an input as one stream, or one for each member of an archive. Raises InputError."""
    if source.path is None:
        raw = cast("BinaryIO", sys.stdin.buffer)
        yield _streams(source.name, raw, seekable=False)
        return
    try:
        raw = source.path.open("rb")
    except OSError as error:
        raise InputError(f"{source.name} cannot be opened: {error.strerror}") from None
    with raw:
        yield _streams(source.name, raw, seekable=True, named=source.named)


def _streams(name: str, raw: BinaryIO, *, seekable: bool, named: bool = False) -> Iterator[Stream | Unread]:
    buffered = cast("BinaryIO", raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw))
    head = _peek(buffered)
    if not head:
        raise NoTelemetryError(f"{name} is empty", hint="nothing to read")
    kind = recognise(head)
    if kind in ("gzip", "zstd"):
        inner = gzip.GzipFile(fileobj=buffered) if kind == "gzip" else io.BufferedReader(_Zstd(buffered))
        yield from _streams(name, cast("BinaryIO", inner), seekable=False)
    elif kind == "unicode":
        encoding, mark = encoding_of(head)
        decoded = buffered.read()[mark:].decode(encoding, errors="replace").encode(errors="replace")
        yield from _streams(name, cast("BinaryIO", io.BytesIO(decoded)), seekable=True)
    elif kind == "zip":
        with _on_disk(buffered, seekable) as file, zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if _is_hidden(PurePath(member.filename)):
                    yield Unread(f"{name}!{member.filename}", NoTelemetryError("hidden"))
                elif not member.is_dir():
                    with archive.open(member) as opened:
                        inside = f"{name}!{member.filename}"
                        try:
                            yield from _streams(inside, cast("BinaryIO", opened), seekable=False)
                        except (InputError, *DAMAGE) as error:
                            yield Unread(inside, error)
    elif kind in ("evtx", "parquet"):
        with _on_disk(buffered, seekable) as file:
            yield Stream(name, kind, file)
    elif kind in ("csv", "json", "xml"):
        yield Stream(name, kind, buffered)
    elif seekable and (named or name.lower().endswith(".evtx")) and _holds_chunks(buffered):
        yield Stream(name, "evtx", buffered)
    elif head.startswith(b"\0") and _passes_zeros(buffered):  # of a log that was cut while it was written
        yield from _streams(name, buffered, seekable=False)
    else:
        kind_of_error = InputError if name.lower().endswith(_PROMISING) else NoTelemetryError
        shown = " ".join(f"{byte:02x}" for byte in head[:8])
        raise kind_of_error(
            f"{name} is in no format that tocsin reads (it starts with {shown})",
            hint="EVTX, NDJSON, JSON, CSV, Windows event XML and Parquet are read, also inside gzip, zstd and zip",
        )


def _passes_zeros(buffered: BinaryIO) -> bool:
    """Pass over the zero bytes that a file begins with, and tell whether anything follows."""
    while head := _peek(buffered):
        zeros = len(head) - len(head.lstrip(b"\0"))
        buffered.read(zeros)
        if zeros < len(head):
            return True
    return False


def _holds_chunks(file: BinaryIO) -> bool:
    """Tell whether a chunk of an EVTX file lies anywhere in a file, as in an image of a disk."""
    try:
        rest = b""
        while block := file.read(_BLOCK):
            if _EVTX_CHUNK in rest + block:
                return True
            rest = block[-len(_EVTX_CHUNK) :]
    finally:
        file.seek(0)
    return False


def _peek(buffered: BinaryIO) -> bytes:
    try:
        return cast("io.BufferedReader", buffered).peek(_SNIFF)[:_SNIFF]
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise InputError(f"the compressed data is damaged: {error}") from None


class _Zstd(io.RawIOBase):
    """Zstandard frames, one behind the other. Unlike the library's reader it notices a frame cut short."""

    def __init__(self, compressed: BinaryIO) -> None:
        self._compressed = compressed
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._pending:
            chunk = self._compressed.read(1 << 17)
            if not chunk:
                if self._frame is not None:
                    raise EOFError("the last Zstandard frame ends too early")
                return 0
            self._decompress(chunk)
        count = min(len(buffer), len(self._pending))
        buffer[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count

    def _decompress(self, chunk: bytes) -> None:
        out: list[bytes] = []
        while chunk:
            frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            out.append(frame.decompress(chunk))
            chunk = frame.unused_data if frame.eof else b""
            self._frame = None if frame.eof else frame
        self._pending = b"".join(out)


@contextmanager
def _on_disk(stream: BinaryIO, seekable: bool) -> Iterator[BinaryIO]:
    """Give formats that are read out of order a file to seek in."""
    if seekable:
        yield stream
        return
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(stream, spool, 1 << 20)
        spool.seek(0)
        yield cast("BinaryIO", spool)
