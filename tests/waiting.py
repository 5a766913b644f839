"""Waiting for what threads and processes do: for a condition, never for a number of seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE = 0.01  # seconds between two looks


def eventually(look: Callable[[], T], seconds: float = 60.0) -> T:
    """Return what `look` returns as soon as it is true. Raises AssertionError when it stays false for so long."""
    end = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < end, f"it did not come true within {seconds:g} seconds"
        time.sleep(_PAUSE)
    return answer
