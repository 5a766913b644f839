"""Moments as reports and terminals show them."""

from __future__ import annotations

from typing import Any

from tocsin.moments import iso, to_nanoseconds
from tocsin.printable import printable_line

TIME_WIDTH = 23


def shown_time(value: Any) -> str:
    """Return a moment as `2026-11-27 09:41:07.123`, in UTC, to the millisecond; what is no moment as it is.

    A list gives its first value. A whole number is nanoseconds since 1970.
    """
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None or value == "":
        return ""
    try:
        nanoseconds = value if type(value) is int else to_nanoseconds(value)
        return iso(nanoseconds).replace("T", " ").removesuffix("Z")
    except (ValueError, OverflowError):
        return printable_line(str(value))[:TIME_WIDTH]
