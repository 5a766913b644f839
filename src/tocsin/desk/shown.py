"""Values as pages show them: moments in the visitor's zone, characters that hide, values that are long."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from markupsafe import Markup

from tocsin.moments import to_nanoseconds
from tocsin.printable import printable, printable_line

_LONGEST, _MOST_MEMBERS = 20_000, 500  # characters of a text, members of a list
LONGEST_DATA = 200_000  # characters of a value that a page carries along with what it shows of it
_BETWEEN_PARAGRAPHS = re.compile(r"\n\s*\n")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def visible(value: Any) -> str:
    """Return a value as text whose control and hidden characters can be seen. A list is joined by commas.

    A text of very many characters is cut in the middle, and a list of very many members behind the first.
    """
    if isinstance(value, list | tuple):
        more = [f"… and {len(value) - _MOST_MEMBERS:,} more"] if len(value) > _MOST_MEMBERS else []
        return ", ".join([*(visible(member) for member in value[:_MOST_MEMBERS]), *more])
    return "" if value is None else printable_line(cut_in_the_middle(str(value), _LONGEST))


def as_data(value: Any) -> str:
    """Return a value, exactly, as an attribute of an element can carry it: JSON, empty where it is very long."""
    text = json.dumps(value, default=str)  # in ASCII: browsers replace some characters of a page
    return text if len(text) <= LONGEST_DATA else ""


def visible_lines(text: str) -> str:
    """Return a text of several lines whose other control and hidden characters can be seen."""
    return printable(text)


def paragraphs(text: Any) -> list[str]:
    """Return the paragraphs of a text that people wrote. Its lines are joined: they end where a file's do."""
    return [visible(" ".join(part.split())) for part in _BETWEEN_PARAGRAPHS.split(str(text)) if part.strip()]


def bold(number: int) -> Markup:
    """Return a number of a sentence, to be seen before its words."""
    return Markup("<b>{}</b>").format(f"{number:,}")


def cut_in_the_middle(text: str, most: int = 120) -> str:
    """Return a text of at most `most` characters: what is longer keeps its beginning and its end."""
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(to_nanoseconds(value) / 1e9, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def shown_moment(value: Any, zone: tzinfo = UTC) -> Markup:
    """Return a moment as `2026-11-27 09:41:07.123` in a zone, with UTC for who points at it."""
    moment = _moment(value)
    if moment is None:
        return Markup("<span>{}</span>").format(visible(value))
    utc, local = f"{_written(moment)} UTC", _written(_in_zone(moment, zone))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), utc, local)


def moment_text(value: Any, zone: tzinfo = UTC) -> str:
    """Return a moment in a zone as text, for where a page holds no other elements."""
    moment = _moment(value)
    return visible(value) if moment is None else _written(_in_zone(moment, zone))


def _in_zone(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # a day at the end of the calendar
        return moment


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}"


def shown_age(value: Any, now: datetime) -> str:
    """Return how long ago a moment was, as `2 min`."""
    moment = _moment(value)
    if moment is None:
        return ""
    seconds = max(0, int((now - moment).total_seconds()))
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def shown_span(start: Any, end: Any) -> str:
    """Return how long it was from a moment to another, as `2 min`, empty where one of them is none."""
    later = _moment(end)
    return "" if later is None else shown_age(start, later)


def shown_duration(nanoseconds: int) -> str:
    """Return how long a span of time is, as `2 min`."""
    seconds = max(0, nanoseconds) // 1_000_000_000
    units = ((365 * 86_400, "y"), *_UNITS)
    return next((f"{seconds // length:,} {unit}" for length, unit in units if seconds >= length), f"{seconds} s")


def shown_size(size: float) -> str:
    """Return a number of bytes, as `1.4 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "B" or size >= 100 else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def shown_rate(rate: float) -> str:
    """Return how much something happens in an hour, as `1,200/h`."""
    return f"{rate:,.0f}/h" if rate >= 10 or rate == 0 else f"{rate:,.1f}/h"
