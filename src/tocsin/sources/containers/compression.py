"""Compressed data, of which all is read that can be: what is cut or damaged gives what lies before that place.

gzip, bzip2, xz and Zstandard may have several frames one after the other, and gzip and xz zeros after them.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import zstandard

from tocsin.sources.containers.blocks import file_of

_CHUNK = 1 << 17  # compressed bytes that are taken at once
_BLOCK = 4 << 20  # bytes that they may become at once
# No log is compressed more than this, and deflate cannot. Data beyond it would fill the disk, and is cut there.
_RATIO, _ALWAYS = 1100, 1 << 30


class Decompressor(Protocol):
    """One frame of compressed data, as `bz2` and `lzma` read them."""

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing more to give without more data."""

    @property
    def unused_data(self) -> bytes:
        """What follows the frame."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return up to `max_length` bytes, or a few more."""


class _DamagedError(Exception):
    """Damage, and what could be read before it."""

    def __init__(self, before: bytes) -> None:
        super().__init__()
        self.before = before


class _Gzip:
    def __init__(self) -> None:
        self._frame = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def needs_input(self) -> bool:
        return not self._frame.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        data = self._frame.unconsumed_tail + data
        before = self._frame.copy()
        try:
            return self._frame.decompress(data, max(0, max_length))
        except zlib.error:
            raise _DamagedError(b"".join(_bytewise(before, data))) from None


def _bytewise(frame: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    try:
        for place in range(len(data)):
            yield frame.decompress(data[place : place + 1])
    except zlib.error:
        return


class _Zstd:
    needs_input = True

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor().decompressobj()

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._frame.decompress(data)


@dataclass(frozen=True)
class Compression:
    """A way to compress: its name, and what reads one frame."""

    name: str
    begin: Callable[[], Decompressor]


COMPRESSIONS = {
    "gzip": Compression("gzip", _Gzip),
    "bzip2": Compression("bzip2", bz2.BZ2Decompressor),
    "xz": Compression("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
    "zstd": Compression("Zstandard", _Zstd),
}
_DAMAGE = (_DamagedError, EOFError, OSError, ValueError, lzma.LZMAError, zlib.error, zstandard.ZstdError)


def decompressed(compression: Compression, compressed: BinaryIO, stopped: list[str]) -> BinaryIO:
    """Return a file with what compressed data holds.

    Where that is cut or damaged the file ends, and `stopped` gets a sentence that says so. Memory is bounded.
    """
    return file_of(_blocks(compression, compressed, stopped))


def _blocks(compression: Compression, compressed: BinaryIO, stopped: list[str]) -> Iterator[bytes]:
    taken = given = 0
    frame: Decompressor | None = None
    chunk = b""
    kind = f"the {compression.name} data"

    def what_was_read() -> str:
        return f"; the {given:,} bytes that it held before that are read" if given else ", and gave nothing"

    while True:
        if not chunk and (frame is None or frame.needs_input):
            try:
                chunk = compressed.read(_CHUNK)
            except OSError as error:
                stopped.append(f"the disk could not be read: {error.strerror or error}{what_was_read()}")
                return
            if not chunk:
                if frame is not None:
                    stopped.append(f"{kind} ends too early, after {taken:,} bytes{what_was_read()}")
                return
            taken += len(chunk)
        if frame is None:
            chunk = chunk.lstrip(b"\0")
            if not chunk:
                continue
            frame = compression.begin()
        try:
            block = frame.decompress(chunk, _BLOCK)
        except _DAMAGE as error:
            before = error.before if isinstance(error, _DamagedError) else b""
            given += len(before)
            yield before
            stopped.append(f"{kind} is damaged within the first {taken:,} bytes{what_was_read()}")
            return
        chunk = frame.unused_data if frame.eof else b""
        given += len(block)
        yield block
        if given > _ALWAYS + _RATIO * taken:
            stopped.append(f"{kind} holds more than {_RATIO:,} times its own size{what_was_read()}")
            return
        if frame.eof:
            frame = None
