"""What is free is told, and given back to the system."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tocsin.allocators import allocated

pytestmark = pytest.mark.skipif("malloc" not in allocated(), reason="another C library than glibc tells nothing")
PIECE, PIECES = 4096, 16_384  # bytes; larger than what Python has an allocator of its own for
# A process of its own: in that of the tests, threads of others take and give memory at the same time.
PROGRAM = f"""
import json, os
from tocsin.allocators import allocated, give_back

def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = allocated()["malloc_free"]
pieces = [bytes([number % 251]) * {PIECE} for number in range({PIECES})]
in_use = allocated()["malloc"]
kept = pieces[::64]
del pieces
free, held = allocated()["malloc_free"] - before, resident()
give_back()
whole = all(len(piece) == {PIECE} for piece in kept)
print(json.dumps({{"in_use": in_use, "free": free, "given_back": held - resident(), "whole": whole}}))
"""


def test_memory_between_pieces_that_live_on_is_told_as_free_and_given_back():
    found = json.loads(subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True).stdout)
    assert found["in_use"] > PIECE * PIECES
    assert found["free"] > PIECE * PIECES // 2
    assert found["given_back"] > PIECE * PIECES // 2
    assert found["whole"]
