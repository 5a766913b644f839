"""Values as a terminal shows them: moments in one format, text without what would change the terminal."""

from __future__ import annotations

import re
from typing import Any

from tocsin.moments import iso, to_nanoseconds

# Control characters, and those that turn the direction of text or take no room: a value could hide behind them.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]")
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
        return printable(str(value))[:TIME_WIDTH]


def printable(text: str) -> str:
    r"""Return text with control characters and hidden marks written out, as in `\x1b`; lines and tabs stay."""
    return _HIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_line(text: str, limit: int = 400) -> str:
    """Return text on one line, printable, its end left out when it is longer than `limit` characters."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return printable(" ".join(text.split()))
