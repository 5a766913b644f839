"""A file to read from, made of the blocks that something yields, and what is said of one that is damaged."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from tocsin.errors import InputError


class DamagedError(InputError):
    """Compressed data or an archive that is cut or damaged."""


class _Blocks(io.RawIOBase):
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block, self._taken = b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._taken == len(self._block):
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._block, self._taken = block, 0
        count = min(len(buffer), len(self._block) - self._taken)
        buffer[:count] = memoryview(self._block)[self._taken : self._taken + count]
        self._taken += count
        return count


def file_of(blocks: Iterator[bytes]) -> BinaryIO:
    """Return a file to read blocks from, which may be empty; it cannot seek."""
    return cast("BinaryIO", io.BufferedReader(_Blocks(blocks)))
