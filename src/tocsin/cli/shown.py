"""Values as a terminal shows them: moments in one format, text without what would change the terminal."""

from __future__ import annotations

from tocsin.printable import printable_line
from tocsin.report.moments_shown import TIME_WIDTH as TIME_WIDTH
from tocsin.report.moments_shown import shown_time as shown_time


def one_line(text: str, limit: int = 400) -> str:
    """Return text on one line, printable, its end left out when it is longer than `limit` characters."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return printable_line(" ".join(text.split()))
