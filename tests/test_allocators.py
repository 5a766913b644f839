"""What is free is told, and given back to the system."""

from __future__ import annotations

import os

import pytest

from tocsin.allocators import allocated, give_back

pytestmark = pytest.mark.skipif("malloc" not in allocated(), reason="another C library than glibc tells nothing")
_PIECE, _PIECES = 4096, 16_384  # bytes; larger than what Python has an allocator of its own for


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_between_pieces_that_live_on_is_told_as_free_and_given_back():
    before = allocated()["malloc_free"]
    pieces = [bytes([number % 251]) * _PIECE for number in range(_PIECES)]
    assert allocated()["malloc"] > _PIECE * _PIECES
    kept = pieces[::64]
    del pieces
    assert allocated()["malloc_free"] - before > _PIECE * _PIECES // 2
    resident = _resident()
    give_back()
    assert resident - _resident() > _PIECE * _PIECES // 2
    assert all(len(piece) == _PIECE for piece in kept)
