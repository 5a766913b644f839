"""How long to wait before something that failed is tried again: twice as long after each failure."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

Span = TypeVar("Span", float, timedelta)
_DOUBLINGS = 30  # beyond which numbers get larger than a clock can add


def pause_after(failures: int, first: Span, longest: Span) -> Span:
    """Return the pause after so many failures in a row, one at the least; never longer than `longest`."""
    return min(longest, first * (1 << min(failures - 1, _DOUBLINGS)))
