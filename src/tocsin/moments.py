"""Moments as whole numbers: nanoseconds since 1970 (UTC), the precision of Elasticsearch's `date_nanos`.

`to_nanoseconds` takes what query languages take for a date. `read_moment` takes what products write as well, and
`written_moment` says the same as text; a moment without a zone is taken for UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MILLISECOND, SECOND, MINUTE, HOUR, DAY = 10**6, 10**9, 60 * 10**9, 3_600 * 10**9, 86_400 * 10**9  # nanoseconds
# Units of spans of time as Elasticsearch writes them, in nanoseconds.
TIME_UNITS = {
    "nanos": 1, "micros": 1_000, "ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY,
}  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT = 1 << 63


def to_nanoseconds(value: Any) -> int:
    """Return a moment in nanoseconds since 1970 (UTC): ISO 8601, a datetime, or milliseconds as a number.

    Fractions of a second are read to the nanosecond. Raises ValueError, also for a moment that 64 bits do not hold
    (before 1678 and after 2261).
    """
    try:
        nanoseconds = _nanoseconds(value)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    return _within_limits(nanoseconds, value)


def _within_limits(nanoseconds: int, value: Any) -> int:
    if not -_LIMIT <= nanoseconds < _LIMIT:
        raise ValueError(f"{value} is not within the years 1678 to 2261")
    return nanoseconds


def to_datetime(nanoseconds: int) -> datetime:
    """Return a moment as a datetime in UTC, to the microsecond. Raises OverflowError beyond the year 9999."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def datetime_nanoseconds(moment: datetime) -> int:
    """Return a datetime of any year in nanoseconds since 1970; without a zone it is taken for UTC."""
    delta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1_000


def iso(moment: int | datetime, digits: int = 3) -> str:
    """Return a moment as Elasticsearch writes it: ISO 8601 in UTC, with so many digits of its second.

    A number is nanoseconds since 1970.
    """
    nanoseconds = datetime_nanoseconds(moment) if isinstance(moment, datetime) else moment
    seconds, rest = divmod(nanoseconds, SECOND)
    text = (_EPOCH_WITHOUT_ZONE + timedelta(seconds=seconds)).isoformat()
    return f"{text}.{rest:09}"[: len(text) + 1 + digits] + "Z" if digits else f"{text}Z"


_EPOCH_WITHOUT_ZONE = EPOCH.replace(tzinfo=None)


def _nanoseconds(value: Any) -> int:
    if isinstance(value, datetime):
        return datetime_nanoseconds(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value * 1_000_000)
    text = str(value).strip()
    if text.isdigit():
        return int(text) * 1_000_000
    fraction = 0
    head, dot, tail = text.partition(".")
    if dot and head.count(":") == 2:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        fraction = int(tail[:digits][:9].ljust(9, "0")) if digits else 0
        text = head + tail[digits:]
    return datetime_nanoseconds(datetime.fromisoformat(text)) + fraction


# ---- moments as products write them


def time_of(value: Any) -> Any:
    """Return what of an event's time is to be read: the first of several, or a date that its parts make.

    Java's libraries write a date as whole numbers: Jackson's `LocalDateTime` is `[year, month, day, hour, minute,
    second, nanosecond]`, from the end on without what is 0. A value that is no list is returned.
    """
    if not isinstance(value, list):
        return value
    if len(value) > 1 and all(type(part) is int for part in value) and value[0] in _YEARS:
        return _written_in_parts(value)
    return value[0] if value else None


_YEARS = range(1678, 2262)
_LEAST_PARTS = 3  # of a date


def _written_in_parts(parts: list[int]) -> str | None:
    if not _LEAST_PARTS <= len(parts) <= _LEAST_PARTS + 4:
        return None
    year, month, day, hour, minute, second, nanosecond = parts + [0] * (_LEAST_PARTS + 4 - len(parts))
    return f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z"


def read_moment(value: Any) -> int:
    """Return a moment that a product wrote, in nanoseconds since 1970 (UTC). Raises ValueError.

    It takes what `written_moment` takes.
    """
    if isinstance(value, datetime):
        return to_nanoseconds(value)
    if isinstance(value, str) and _USUAL.fullmatch(value):  # as most shippers write it
        return _within_limits(_usual_nanoseconds(value), value)
    return to_nanoseconds(written_moment(value))


def _usual_nanoseconds(text: str) -> int:
    elapsed = datetime.fromisoformat(text[:19]) - _EPOCH_WITHOUT_ZONE  # raises for the 32nd
    return (elapsed.days * 86_400 + elapsed.seconds) * SECOND + int(text[20:-1].ljust(9, "0"))


def written_moment(value: Any, *, day_first: bool | None = None) -> str:
    """Return a moment that a product wrote in ISO 8601, with its fraction of a second and its zone.

    ISO 8601 in its variants, dates by number or with the month's English name, 12 hours or 24, zones as offsets or
    names, seconds or finer steps since 1970, .NET's `/Date(…)/`, Windows' FILETIME and WMI's moments.

    `day_first` says how `10/11/2026` is meant; where it is None, dots and dashes put the day first and slashes the
    month. Raises ValueError for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no date")
    if not isinstance(value, str):
        return _of_number(Decimal(repr(value)))
    if _USUAL.fullmatch(value):
        datetime.fromisoformat(value[:19])  # raises for the 32nd
        return value
    text = _plain(value)
    if _NUMBER.fullmatch(text) and not _COMPACT.fullmatch(text):
        return _of_number(Decimal(text))
    for pattern, build in _FORMS:
        match = pattern.fullmatch(text)
        if match is not None:
            return build({name: content or "" for name, content in match.groupdict().items()}, day_first)
    try:  # what is left of ISO 8601: weeks, an hour alone
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{value[:60]!r} is no date that is known") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")


def mark_of_numbers(text: str) -> str:
    """Return the mark between the numbers of a date such as 3/4/2026; nothing for any other text.

    The text may leave open which of the two is the day.
    """
    match = _BY_NUMBER.fullmatch(_plain(text))
    return match["mark"] if match else ""


def is_doubtful(text: str) -> bool:
    """Return whether day and month of a date could be swapped, as in `10/11/2026`."""
    if _USUAL.fullmatch(text):
        return False
    match = _BY_NUMBER.fullmatch(_plain(text))
    return match is not None and max(int(match["one"]), int(match["two"])) <= 12 and match["one"] != match["two"]


def _plain(text: str) -> str:
    """Return text with single blanks, without the marks of direction that browsers write into dates."""
    return " ".join(text.replace("\u200e", "").split())


_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,19}(?:\.\d{1,19})?(?:[eE]\+?\d{1,2})?", re.ASCII)
_HALVES = {"am": 0, "pm": 12, "上午": 0, "下午": 12, "오전": 0, "오후": 12}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Names of zones that have one meaning: those of RFC 2822, and others that no second zone shares. Any other (IST of
# India, Ireland and Israel) is refused, as it could be hours off.
_ZONES = {
    "Z": 0, "UTC": 0, "UT": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2,
    "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip

_HALF = r"[AaPp]\.?[Mm]\.?|上午|下午|오전|오후"
_TIME = (
    rf"(?:(?P<before>{_HALF}) ?)?(?P<hour>\d{{1,2}})(?P<colon>[:.])(?P<minute>\d\d)"
    rf"(?:(?P=colon)(?P<second>\d\d)(?:[.,:](?P<fraction>\d{{1,20}}))?)?(?: ?(?P<half>{_HALF}))?"
)
_ZONE = (
    r"(?: ?(?P<zone>[+-]\d\d(?::?\d\d)?|(?:UTC|GMT)[+-]\d{1,2}(?::?\d\d)?|[A-Za-z]+(?:/[A-Za-z_+-]+\d*)*)"
    r"(?: ?[A-Z]{3,4}| ?\[[A-Za-z_/]+\]| ?\([^()]*\))?)?"  # an offset's name behind it: Go, Java, JavaScript
)
_REST = rf"(?:(?:[T:]|,? ?(?:@|at\b)? ?){_TIME}{_ZONE})?"
_MONTH = r"(?P<month>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? )?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?"
_YEAR_FIRST = r"(?P<year>\d{4})(?P<mark>[-/.]) ?(?P<month>\d{1,2})(?P=mark) ?(?P<day>\d{1,2})\.?"
_BY_NUMBER = re.compile(
    rf"(?P<one>\d{{1,2}})(?P<mark>[-/.])(?P<two>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d\d){_REST}", re.ASCII | re.I
)
_COMPACT = re.compile(
    r"(?P<year>(?:19|2\d)\d\d)(?P<month>\d\d)(?P<day>\d\d)[T ]?"
    rf"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?:[.,](?P<fraction>\d{{1,20}}))?{_ZONE}",
    re.ASCII,
)

Parts = dict[str, str]


def _of_parts(parts: Parts, day_first: bool | None) -> str:
    """Return the moment that a date's parts say, each as text, a missing one as an empty text."""
    name = parts["month"].lower()[:3]
    month = _MONTHS.index(name) + 1 if name in _MONTHS else int(parts["month"])
    year = parts["year"]
    number = int(year) if len(year) > 2 else 1900 + int(year) + 100 * (int(year) < 69)
    return _of_date(number, month, int(parts["day"]), parts)


def _of_numbers(parts: Parts, day_first: bool | None) -> str:
    first, second = int(parts["one"]), int(parts["two"])
    if day_first is None:
        day_first = parts["mark"] != "/"
    if first > 12 or second > 12:
        day_first = first > 12
    day, month = (first, second) if day_first else (second, first)
    return _of_parts({**parts, "day": str(day), "month": str(month)}, None)


def _without_year(parts: Parts, day_first: bool | None) -> str:
    """Syslog writes no year: it is the one that makes the moment the last before now, with a day's allowance."""
    latest = datetime.now(UTC) + timedelta(days=1)
    this = _of_parts({**parts, "year": str(latest.year)}, None)
    if to_nanoseconds(this) <= to_nanoseconds(latest):
        return this
    return _of_parts({**parts, "year": str(latest.year - 1)}, None)


def _of_date(year: int, month: int, day: int, parts: Parts) -> str:
    hour = int(parts.get("hour") or 0)
    half = (parts.get("half") or parts.get("before") or "").replace(".", "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(f"there is no {hour} {half}")
        hour = hour % 12 + _HALVES[half]
    moment = datetime(year, month, day, hour, int(parts.get("minute") or 0), int(parts.get("second") or 0))
    fraction = (parts.get("fraction") or "")[:9]
    written = f"{moment.isoformat()}{'.' + fraction if fraction else ''}"
    return written + _offset(parts.get("zone") or "Z", moment)


def _offset(zone: str, moment: datetime) -> str:
    """Return the offset that a zone has at a moment, as `Z` or `+01:00`."""
    if zone.upper() in _ZONES:
        return _of_minutes(60 * _ZONES[zone.upper()])
    plain = zone.removeprefix("UTC").removeprefix("GMT").replace(":", "")
    if plain[:1] in ("+", "-"):
        hours, minutes = (plain[1:-2], plain[-2:]) if len(plain) > 3 else (plain[1:], "0")
        return _of_minutes((int(hours) * 60 + int(minutes)) * (-1 if plain[0] == "-" else 1))
    if "/" not in zone:
        raise ValueError(f"the zone {zone!r} is unknown or has several meanings; write an offset, as in +01:00")
    try:
        offset = moment.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no zone {zone!r}") from None
    return _of_minutes(round((offset or timedelta()).total_seconds() / 60))


def _of_minutes(minutes: int) -> str:
    if not minutes:
        return "Z"
    if abs(minutes) >= 24 * 60:
        raise ValueError("an offset of a zone is less than a day")
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _of_wmi(parts: Parts, day_first: bool | None) -> str:
    """WMI's moments end in the zone's minutes, as in `20261120100000.123456+060`."""
    return _of_parts({**parts, "zone": _of_minutes(int(parts["minutes"]))}, None)


def _of_net(parts: Parts, day_first: bool | None) -> str:
    return _since_1970(Decimal(parts["number"]) * 1_000_000)


# Steps of numbers that count from 1970, each with the number below which it holds. What would be a day of 1970 to
# 1973 in milliseconds is rather one of ours in seconds. FILETIME counts 100 nanoseconds from 1601; its numbers for
# 1970 to 2234 would be nanoseconds of 1973 to 1976.
_FILETIME_1970 = 116_444_736_000_000_000
_STEPS: tuple[tuple[int, Callable[[Decimal], Decimal]], ...] = (
    (100_000_000, lambda number: number * 1_000_000),
    (100_000_000_000, lambda number: number * SECOND),
    (100_000_000_000_000, lambda number: number * 1_000_000),
    (_FILETIME_1970, lambda number: number * 1_000),
    (200_000_000_000_000_000, lambda number: (number - _FILETIME_1970) * 100),
    (_LIMIT, lambda number: number),
)


def _of_number(number: Decimal) -> str:
    if not number.is_finite() or not -100_000_000_000_000 < number < _LIMIT:
        raise ValueError(f"{number} is no date")
    return _since_1970(next(convert(number) for limit, convert in _STEPS if number < limit))


def _since_1970(nanoseconds: Decimal) -> str:
    seconds, fraction = divmod(int(nanoseconds), SECOND)
    try:
        moment = _EPOCH_WITHOUT_ZONE + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    digits = f"{fraction:09}".rstrip("0")
    return f"{moment.isoformat()}.{digits.ljust(3, '0')}Z"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[Parts, bool | None], str]], ...] = (
    (_form(rf"{_YEAR_FIRST}{_REST}"), _of_parts),
    (_BY_NUMBER, _of_numbers),
    (_form(rf"{_WEEKDAY}{_MONTH} {_DAY},? (?P<year>\d{{4}}){_REST}"), _of_parts),
    (_form(rf"{_WEEKDAY}{_DAY}[ /-]{_MONTH}[ /-](?P<year>\d{{4}}|\d\d){_REST}"), _of_parts),
    (_form(rf"{_WEEKDAY}{_MONTH} {_DAY} {_TIME}{_ZONE} (?P<year>\d{{4}})"), _of_parts),
    (_form(rf"{_WEEKDAY}{_MONTH} {_DAY} {_TIME}"), _without_year),
    (_form(r"/?Date\((?P<number>-?\d{1,15})(?:[+-]\d{4})?\)/?"), _of_net),
    (
        _form(
            r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
            r"\.(?P<fraction>\d{6})(?P<minutes>[+-]\d{3})"
        ),
        _of_wmi,
    ),
    (_COMPACT, _of_parts),
)  # fmt: skip
