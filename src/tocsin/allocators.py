"""What allocators hold beyond what is in use, and how it is given back to the system."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import pyarrow as pa


class _Mallinfo(ctypes.Structure):
    """What `mallinfo2(3)` returns, over all arenas. Sizes are in bytes."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
            "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library where it is glibc 2.33 or newer, None elsewhere."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2") or not hasattr(library, "malloc_trim"):
        return None
    library.mallinfo2.restype = _Mallinfo
    library.malloc_trim.argtypes = [ctypes.c_size_t]
    return library


def allocated() -> dict[str, int]:
    """Return how many bytes are in use by allocator, and how many of malloc's are free.

    Of what is free, pages that were given back to the system take no memory and are counted all the same. Python's
    own small objects, and what Delta's library holds, have allocators that do not report their size.
    """
    sizes = {"arrow": pa.total_allocated_bytes()}
    library = _glibc()
    if library is not None:
        info: Any = library.mallinfo2()
        sizes |= {"malloc": info.uordblks + info.hblkhd, "malloc_free": info.fordblks}
    return sizes


def give_back() -> None:
    """Give free memory back to the system. It takes some milliseconds, during which other threads go on."""
    pa.default_memory_pool().release_unused()
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
