"""From what a user names (files, folders, globs, `-`) to streams of a recognised format.

A format is recognised from content, never from a name, and compression and archives are looked through.
"""

from __future__ import annotations

import glob
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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from tocsin.errors import InputError, NoTelemetryError
from tocsin.sources.containers.archives import Unread, is_hidden, is_tar, tar_members, zip_members
from tocsin.sources.containers.blocks import DamagedError
from tocsin.sources.containers.compression import COMPRESSIONS, decompressed
from tocsin.sources.foreign_formats import foreign_format
from tocsin.sources.line_headers import json_behind_header
from tocsin.text_encoding import encoding_of

_EVTX_HEADER, _EVTX_CHUNK = 4096, b"ElfChnk\x00"  # bytes of a file's header, the beginning of each chunk after it
_MAGIC = (
    (b"ElfFile\x00", "evtx"),
    (_EVTX_CHUNK, "evtx"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
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
# Two are enough where the first line says what separates them, and where one of them holds records.
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
_ARCHIVES = {"zip": zip_members, "tar": tar_members}
_DEEPEST = 8  # archives and compressed files within one another
# What reading raises when compressed data, an archive or the disk is damaged.
DAMAGE = (OSError, EOFError, zstandard.ZstdError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True)
class Input:
    """One file, or standard input when `path` is None; `named` when the user gave this very name.

    Its records are read as those of `source`, or each as what it shows itself to be if that is None. `day_first`
    says whether the day comes first in its dates by number; if that is None, its content does. A hidden file of a
    folder is not read.
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
    """A recognised stream: its format, and the name of the input or archive member.

    Once it has been read, `stopped` says where data that it was packed in was cut or damaged.
    """

    name: str
    format: str
    file: BinaryIO
    stopped: list[str] = field(default_factory=list)


def find_inputs(names: Sequence[str], source: str | None = None) -> list[Input]:
    """Return the inputs that names stand for: files, every file below a folder (hidden ones marked), globs, `-`.

    Raises InputError for a name that stands for nothing.
    """
    inputs: dict[str, Input] = {}
    for name in names:
        for expanded in _expand(name):
            inputs.setdefault(str(expanded.path or "-"), replace(expanded, source=source))
    return list(inputs.values())


def _expand(name: str) -> Iterator[Input]:
    if name == "-":
        yield Input("<stdin>", None)
        return
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        if not files:
            raise InputError(f"the folder {name} holds no files", hint="name a folder with event logs")
        yield from (Input(str(p), p, named=False, hidden=is_hidden(p.relative_to(path))) for p in files)
    elif path.exists():
        yield Input(name, path)
    else:
        matches = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []
        files = [Path(m) for m in matches if os.path.isfile(m)]
        if not files:
            what = "matches no file" if glob.has_magic(name) else "does not exist"
            raise InputError(f"{name} {what}", hint="check the path")
        yield from (Input(str(p), p) for p in files)


_EVENT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?Event")  # or `Events`, the root


def recognise(head: bytes) -> str | None:
    """Name the format that a file's first bytes show, or None."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(_EVTX_CHUNK, _EVTX_HEADER):
        return "evtx"  # with a header that is damaged
    if is_tar(head):
        return "tar"
    if encoding_of(head)[0] != "utf-8":
        return "unicode" if _is_text(head) else None
    text = _RECORD.sub(b"", head[:_TEXT].removeprefix(_BOM).lstrip(), count=1)
    if json_behind_header(text) is not None:
        return "json"
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
    """Return whether bytes are a text in UTF-16 or UTF-32, and no binary file with zeros in the same places."""
    encoding, mark = encoding_of(head)
    text = head[mark:_TEXT].decode(encoding, errors="replace")
    return bool(mark) or not any(ord(character) < 32 and character not in "\t\r\n" for character in text[:64])


@contextmanager
def open_streams(source: Input) -> Iterator[Iterator[Stream | Unread]]:
    """Open an input as one stream, or one for each member of an archive. Raises InputError."""
    if source.path is None:
        raw = cast("BinaryIO", sys.stdin.buffer)
        yield _streams(source.name, raw, _Place(), seekable=False)
        return
    try:
        raw = source.path.open("rb")
    except OSError as error:
        raise InputError(f"{source.name} cannot be opened: {error.strerror}") from None
    with raw:
        yield _streams(source.name, raw, _Place(), seekable=True, named=source.named)


@dataclass(frozen=True)
class _Place:
    """Where a file lies: within how many others, and where the data of these stopped."""

    depth: int = 0
    stopped: list[str] = field(default_factory=list)

    def within(self, stopped: list[str] | None = None) -> _Place:
        return _Place(self.depth + 1, self.stopped if stopped is None else stopped)


def _streams(
    name: str, raw: BinaryIO, place: _Place, *, seekable: bool, named: bool = False
) -> Iterator[Stream | Unread]:
    buffered = cast("BinaryIO", raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw))
    head = _peek(buffered)
    if not head:
        if place.stopped:
            raise DamagedError(place.stopped.pop())
        raise NoTelemetryError(f"{name} is empty", hint="nothing to read")
    if place.depth > _DEEPEST:
        raise InputError(f"{name} is packed more than {_DEEPEST} times over", hint="unpack it first")
    kind = recognise(head)
    if kind in COMPRESSIONS:
        inner = decompressed(COMPRESSIONS[kind], buffered, place.stopped)
        yield from _streams(name, inner, place.within(), seekable=False)
    elif kind == "unicode":
        encoding, mark = encoding_of(head)
        decoded = buffered.read()[mark:].decode(encoding, errors="replace").encode(errors="replace")
        yield from _streams(name, cast("BinaryIO", io.BytesIO(decoded)), place.within(), seekable=True)
    elif kind in _ARCHIVES:
        with _on_disk(buffered, seekable or kind == "tar") as file:
            yield from _members(kind, name, file, place)
    elif kind in ("evtx", "parquet"):
        with _on_disk(buffered, seekable) as file:
            yield Stream(name, kind, file, place.stopped)
    elif kind in ("csv", "json", "xml"):
        yield Stream(name, kind, buffered, place.stopped)
    elif seekable and (named or name.lower().endswith(".evtx")) and _holds_chunks(buffered):
        yield Stream(name, "evtx", buffered, place.stopped)
    elif head.startswith(b"\0") and _passes_zeros(buffered):  # of a log that was cut while it was written
        yield from _streams(name, buffered, place, seekable=False)
    else:
        raise _no_format(name, head)


def _members(kind: str, name: str, file: BinaryIO, place: _Place) -> Iterator[Stream | Unread]:
    for member in _ARCHIVES[kind](name, file):
        if isinstance(member, Unread):
            yield member
            continue
        try:
            yield from _streams(member.name, member.file, place.within(member.stopped), seekable=False)
        except Exception as error:  # of one file, which does not end the others
            yield Unread(member.name, error)
    if place.stopped:  # of an archive that is compressed
        yield Unread(name, DamagedError(place.stopped.pop()))


def _no_format(name: str, head: bytes) -> InputError:
    if (known := foreign_format(head)) is not None:
        kind_of_error = InputError if known.may_hold_events else NoTelemetryError
        return kind_of_error(f"{name} is {known.what}, which is not read", hint=known.instead)
    kind_of_error = InputError if name.lower().endswith(_PROMISING) else NoTelemetryError
    shown = " ".join(f"{byte:02x}" for byte in head[:8])
    return kind_of_error(
        f"{name} is in no format that tocsin reads (it starts with {shown})",
        hint="EVTX, NDJSON, JSON, CSV, Windows event XML and Parquet are read, "
        "also inside gzip, bzip2, xz, zstd, zip and tar",
    )


def _passes_zeros(buffered: BinaryIO) -> bool:
    """Pass over the zero bytes that a file begins with, and return whether anything follows."""
    while head := _peek(buffered):
        zeros = len(head) - len(head.lstrip(b"\0"))
        buffered.read(zeros)
        if zeros < len(head):
            return True
    return False


def _holds_chunks(file: BinaryIO) -> bool:
    """Return whether a chunk of an EVTX file lies anywhere in a file, as in an image of a disk."""
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
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}") from None


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
