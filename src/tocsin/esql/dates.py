"""Moments and spans of time of ES|QL: nanoseconds since 1970, UTC. Facts are from Elastic's ES|QL reference."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tocsin.date_math import add_to
from tocsin.esql.syntax import Duration
from tocsin.moments import DAY, EPOCH, HOUR, MILLISECOND, MINUTE, SECOND, iso, to_datetime, to_nanoseconds

Value = Any
# Units of spans of time, with their other names: months, nanoseconds.
_UNITS: dict[str, tuple[int, int]] = {
    name: size
    for names, size in (
        ("nanosecond nanoseconds ns", (0, 1)),
        ("microsecond microseconds", (0, 1_000)),
        ("millisecond milliseconds ms", (0, MILLISECOND)),
        ("second seconds sec s", (0, SECOND)),
        ("minute minutes min m", (0, MINUTE)),
        ("hour hours h", (0, HOUR)),
        ("day days d", (0, DAY)),
        ("week weeks w", (0, 7 * DAY)),
        ("month months mo", (1, 0)),
        ("quarter quarters q", (3, 0)),
        ("year years yr y", (12, 0)),
    )
    for name in names.split()
}


def span(text: str) -> Duration | None:
    """Return the span of time that a text such as `5 minutes` states, None for any other text."""
    match = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]+)\s*", text)
    size = None if match is None else _UNITS.get(match[2].lower())
    if match is None or size is None:
        return None
    return Duration(int(match[1]) * size[0], int(match[1]) * size[1])


def to_moment(value: Value) -> int | None:
    """Return a moment in nanoseconds, null for a text that is none. Numbers are moments already."""
    if not isinstance(value, str):
        return int(value)
    try:
        return to_nanoseconds(value)
    except ValueError:
        return None


def moved(moment: int, span: Duration, sign: int) -> int:
    """Return a moment so much later, or (`sign` -1) earlier."""
    if span.months:
        moment = to_nanoseconds(add_to(to_datetime(moment), sign * span.months, "M")) + moment % 1000
    return moment + sign * span.nanoseconds


def date_trunc(span: Duration, moment: int) -> int:
    """Return the beginning of the span of time that a moment lies in; weeks begin on Mondays."""
    if span.months:
        at = to_datetime(moment)
        number = (at.year * 12 + at.month - 1) // span.months * span.months
        return to_nanoseconds(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC))
    week = 7 * DAY
    offset = 3 * DAY if span.nanoseconds % week == 0 else 0  # 1970 began on a Thursday
    return (moment + offset) // span.nanoseconds * span.nanoseconds - offset


_DIFFERENCES: Mapping[str, int] = {
    name: size
    for names, size in (
        ("nanosecond nanoseconds ns", 1),
        ("microsecond microseconds mcs", 1_000),
        ("millisecond milliseconds ms", MILLISECOND),
        ("second seconds ss s", SECOND),
        ("minute minutes mi n", MINUTE),
        ("hour hours hh", HOUR),
        ("day days dd d dayofyear dy y weekday weekdays dw", DAY),
        ("week weeks wk ww", 7 * DAY),
    )
    for name in names.split()
}
_MONTHS = {
    **dict.fromkeys(("month", "months", "mm", "m"), 1),
    **dict.fromkeys(("quarter", "quarters", "qq", "q"), 3),
    **dict.fromkeys(("year", "years", "yy", "yyyy"), 12),
}


def date_diff(unit: str, start: int, end: int) -> int | None:
    """Return how many whole units lie between two moments; null for a unit that there is not."""
    if unit.lower() in _MONTHS:
        first, last = sorted((start, end))
        a, b = to_datetime(first), to_datetime(last)
        months = (b.year - a.year) * 12 + b.month - a.month
        months -= (b.day, b.time()) < (a.day, a.time())
        count = months // _MONTHS[unit.lower()]
    elif unit.lower() in _DIFFERENCES:
        count = abs(end - start) // _DIFFERENCES[unit.lower()]
    else:
        return None
    return count if end >= start else -count


_EXTRACTED: Mapping[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "month_of_year": lambda at: at.month,
    "day_of_month": lambda at: at.day,
    "day_of_week": lambda at: at.isoweekday(),
    "day_of_year": lambda at: at.timetuple().tm_yday,
    "hour_of_day": lambda at: at.hour,
    "minute_of_hour": lambda at: at.minute,
    "minute_of_day": lambda at: at.hour * 60 + at.minute,
    "second_of_minute": lambda at: at.second,
    "epoch_day": lambda at: (at - EPOCH).days,
}


def date_extract(part: str, moment: int) -> int | None:
    """Return a part of a moment, such as its hour of the day; null for a part that there is not."""
    extract = _EXTRACTED.get(part.lower())
    return None if extract is None else extract(to_datetime(moment))


# ---- as texts: letters of Java's DateTimeFormatter, with what Python calls the same

_LETTERS = {
    java: python
    for python, letters in (
        ("%Y", "yyyy uuuu"), ("%y", "yy"), ("%B", "MMMM"), ("%b", "MMM"), ("%m", "MM M"), ("%d", "dd d"),
        ("%j", "DDD"), ("%A", "EEEE"), ("%a", "EEE E"), ("%H", "HH H"), ("%I", "hh h"), ("%M", "mm m"),
        ("%S", "ss s"), ("%f", "SSS SSSSSS"), ("%p", "a"), ("%z", "XXX X Z"),
    )
    for java in letters.split()
}  # fmt: skip
_PATTERN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")


def _strftime(pattern: str) -> str | None:
    """Return a pattern of Java's as one of Python's, None for letters that nobody needs."""
    parts = []
    for match in _PATTERN.finditer(pattern):
        if match[2] is None:
            text = match[0] if match[1] is None else match[1].replace("''", "'") or "'"
            parts.append(text.replace("%", "%%"))
        elif match[0] not in _LETTERS:
            return None
        else:
            parts.append(_LETTERS[match[0]])
    return "".join(parts)


def date_format(first: Value, second: Value = None) -> str | None:
    """Return a moment as a text: by a pattern that stands before it, or else as ISO 8601."""
    if second is None:
        return iso(first)
    pattern = _strftime(str(first))
    at = to_datetime(second)
    if pattern is None:
        return None
    milliseconds = f"{at.microsecond // 1000:03}" if "SSSSSS" not in str(first) else f"{at.microsecond:06}"
    return at.strftime(pattern.replace("%f", milliseconds))


def date_parse(first: str, second: str | None = None) -> int | None:
    """Return the moment that a text states: by a pattern that stands before it, or else as ISO 8601."""
    if second is None:
        return to_moment(first)
    pattern = _strftime(first)
    try:
        parsed = None if pattern is None else datetime.strptime(second, pattern)
    except ValueError:
        return None
    if parsed is None:
        return None
    return to_nanoseconds(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))


def day_name(moment: int) -> str:
    """Return the name of a moment's day of the week."""
    return to_datetime(moment).strftime("%A")


def month_name(moment: int) -> str:
    """Return the name of a moment's month."""
    return to_datetime(moment).strftime("%B")


def days_in_month(moment: int) -> int:
    """Return how many days a moment's month has."""
    at = to_datetime(moment)
    return calendar.monthrange(at.year, at.month)[1]
