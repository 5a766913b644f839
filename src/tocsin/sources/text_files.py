"""Text files that a user names beside the events: lists of indicators, exported exceptions."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from tocsin.errors import InputError
from tocsin.sources.containers.archives import Unread, zip_members
from tocsin.sources.containers.compression import COMPRESSIONS, decompressed
from tocsin.sources.inputs import DAMAGE, find_inputs, recognise
from tocsin.text_encoding import decode_text

_BINARY = frozenset(("evtx", "parquet", "tar"))


@dataclass(frozen=True)
class TextFile:
    """A file's text, in whichever encoding it was, and the name that the user knows it by."""

    name: str
    text: str


def read_text_files(paths: Sequence[str]) -> Iterator[TextFile]:
    """Yield the texts of files, of folders' files, of globs and of `-`; zip archives and compression are opened.

    Raises InputError, which names the file, for one that does not exist, cannot be read, is empty or is no text.
    """
    for source in find_inputs(paths):
        if source.hidden:
            continue
        try:
            data = sys.stdin.buffer.read() if source.path is None else source.path.read_bytes()
        except OSError as error:
            raise InputError(f"{source.name} cannot be opened: {error.strerror}", hint="check the path") from None
        yield from texts_of(source.name, data)


def texts_of(name: str, data: bytes) -> Iterator[TextFile]:
    """Yield the text of a file that is in memory, and of each member of an archive. Raises InputError."""
    kind = recognise(data[:8192])
    if kind in COMPRESSIONS:
        stopped: list[str] = []
        unpacked = _read(name, decompressed(COMPRESSIONS[kind], cast("BinaryIO", io.BytesIO(data)), stopped))
        if stopped:
            raise InputError(f"{name} is damaged: {stopped[0]}", hint="get a whole copy")
        yield from texts_of(name, unpacked)
    elif kind == "zip":
        for member in zip_members(name, cast("BinaryIO", io.BytesIO(data))):
            if isinstance(member, Unread):
                raise InputError(f"{member.name} cannot be read: {member.error}", hint="unpack the archive first")
            yield from texts_of(member.name, _read(member.name, member.file))
    elif kind in _BINARY or "\0" in (text := _decoded(name, data)):
        raise InputError(f"{name} is no text", hint="name a file in JSON, NDJSON, CSV or plain text")
    elif not text.strip():
        raise InputError(f"{name} is empty", hint="check the path")
    else:
        yield TextFile(name, text)


def _read(name: str, file: BinaryIO) -> bytes:
    try:
        return file.read()
    except DAMAGE as error:
        raise InputError(f"{name} is damaged: {error}", hint="get a whole copy") from None


def _decoded(name: str, data: bytes) -> str:
    try:
        return decode_text(data)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is no text in UTF-8 or UTF-16: byte {error.start:,} cannot be one",
            hint="save it as UTF-8",
        ) from None
