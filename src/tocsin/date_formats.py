"""Formats of dates as Elasticsearch's mappings and queries name them: `epoch_second`, `yyyy/MM/dd HH:mm:ss||…`.

Names and letters are those of Elasticsearch's "format" page (the letters are those of Java's `DateTimeFormatter`).
A date that leaves parts out is a span; its end is what an inclusive upper bound means.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.moments import EPOCH, MILLISECOND, SECOND, datetime_nanoseconds, iso, to_nanoseconds

_ISO = "strict_date_optional_time"
DEFAULT = f"{_ISO}||epoch_millis"  # of fields of the type `date`
DEFAULT_NANOSECONDS = f"{_ISO}_nanos||epoch_millis"  # of those of the type `date_nanos`
_TIME = "HH:mm:ss"
_NAMED: Mapping[str, str] = {
    "basic_date": "yyyyMMdd",
    "basic_date_time": "yyyyMMdd'T'HHmmss.SSSXX",
    "basic_date_time_no_millis": "yyyyMMdd'T'HHmmssXX",
    "date": "yyyy-MM-dd",
    "date_hour": "yyyy-MM-dd'T'HH",
    "date_hour_minute": "yyyy-MM-dd'T'HH:mm",
    "date_hour_minute_second": f"yyyy-MM-dd'T'{_TIME}",
    "date_hour_minute_second_fraction": f"yyyy-MM-dd'T'{_TIME}.SSS",
    "date_hour_minute_second_millis": f"yyyy-MM-dd'T'{_TIME}.SSS",
    "date_time": f"yyyy-MM-dd'T'{_TIME}.SSSXXX",
    "date_time_no_millis": f"yyyy-MM-dd'T'{_TIME}XXX",
    "year": "yyyy",
    "year_month": "yyyy-MM",
    "year_month_day": "yyyy-MM-dd",
}
_ISO_NAMES = frozenset({_ISO, "date_optional_time", f"{_ISO}_nanos", "iso8601", "rfc3339_lenient"})
_EPOCHS = {"epoch_millis": MILLISECOND, "epoch_second": SECOND}
_ISO_TEXT = re.compile(
    r"(?P<y>[+-]?\d{4,9})(?:-(?P<M>\d{1,2})(?:-(?P<d>\d{1,2}))?)?"
    r"(?:[T ](?:(?P<H>\d{1,2})(?::(?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<S>\d{1,9})\d*)?)?)?)?)?"
    r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_MONTHS = {name.lower(): n for n, name in enumerate(calendar.month_abbr) if name}
_ZONE = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?(?::?\d\d)?")
_PIECE = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|\[|\]|.", re.DOTALL)
_WEEKDAY = r"(?:{})".format(
    "|".join(day for pair in zip(calendar.day_name, calendar.day_abbr, strict=True) for day in pair)
)


class Span(NamedTuple):
    """A moment in nanoseconds since 1970, and how many more of them the date's span has after it."""

    start: int
    length: int = 0


@dataclass(frozen=True)
class DateFormat:
    """A format, or several of which the first that fits reads a date; the first writes one."""

    text: str
    parsers: tuple[Callable[[str, tzinfo], Span | None], ...]
    write: Callable[[int], Any]

    def parse(self, value: Any, zone: tzinfo = UTC) -> Span:
        """Return what a date stands for; `zone` is that of a date that names none. Raises ValueError."""
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError(f"{value!r} is no date")
        text = value.strip() if isinstance(value, str) else _number(value)
        for parser in self.parsers:
            span = parser(text, zone)
            if span is not None:
                return Span(_checked(span.start), span.length)
        raise ValueError(f"failed to parse date field [{value}] with format [{self.text}]")


def _checked(moment: int) -> int:
    """Return a moment that 64 bits hold. Raises ValueError for another."""
    if not -(1 << 63) <= moment < 1 << 63:
        raise ValueError("a date is not within the years 1678 to 2261")
    return moment


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, int) or value.is_integer() else f"{value:f}"


@lru_cache(256)
def date_format(text: str) -> DateFormat:
    """Return the format that a text describes. Raises ValueError."""
    parsers: list[Callable[[str, tzinfo], Span | None]] = []
    write: Callable[[int], Any] | None = None
    for part in text.split("||"):
        name = part.strip().removeprefix("8")
        if not name:
            raise ValueError(f"Invalid format: [{text}]: it names no date")
        parser, writer = _parser_and_writer(name, text)
        parsers.append(parser)
        write = write or writer
    assert write is not None
    return DateFormat(text, tuple(parsers), write)


def _parser_and_writer(name: str, whole: str) -> tuple[Callable[[str, tzinfo], Span | None], Callable[[int], Any]]:
    if name in _EPOCHS:
        return _epoch(_EPOCHS[name])
    if name in _ISO_NAMES:
        digits = 9 if name.endswith("nanos") else 3
        return _iso, lambda moment: iso(moment, digits)
    pattern = _NAMED.get(name.removeprefix("strict_"), name)
    if pattern is name and re.fullmatch(r"[a-z]+(?:_[a-z]+)+", name):
        raise ValueError(f"Invalid format: [{whole}]: Unknown pattern [{name}]")
    return _pattern(pattern, whole)


def _epoch(unit: int) -> tuple[Callable[[str, tzinfo], Span | None], Callable[[int], Any]]:
    def parse(text: str, zone: tzinfo) -> Span | None:
        match = re.fullmatch(r"(-?)(\d{1,19})(?:\.(\d{1,9}))?", text, re.ASCII)
        if match is None:
            return None
        digits = match[3] or ""
        whole = int(match[2]) * unit + (int(digits) * unit // 10 ** len(digits) if digits else 0)
        return Span(-whole if match[1] else whole)

    def write(moment: int) -> str:
        whole, rest = divmod(moment, unit)
        return str(whole) if not rest else f"{whole}.{rest:0{len(str(unit)) - 1}}".rstrip("0")

    return parse, write


def _iso(text: str, zone: tzinfo) -> Span | None:
    match = _ISO_TEXT.fullmatch(text)
    return None if match is None else _span(match.groupdict(), zone)


def _span(parts: Mapping[str, str | None], zone: tzinfo) -> Span | None:
    """Return the span that the parts of a date name; None when there is no such date."""
    year = int(parts.get("y") or 0) if parts.get("y") else None
    if year is None:
        short = parts.get("yy")
        year = 2000 + int(short) if short else 1970
    month, day = parts.get("M"), parts.get("d")
    names = parts.get("Mon")
    number = int(month) if month else _MONTHS.get(names[:3].lower(), 0) if names else 1
    hour = _hour(parts)
    minute, second, fraction = parts.get("m"), parts.get("s"), parts.get("S")
    named = parts.get("zone")
    try:
        start = datetime(year, number, int(day or 1), hour or 0, int(minute or 0), int(second or 0))
        at = start.replace(tzinfo=zone_of(named) if named else zone)
        nanoseconds = datetime_nanoseconds(at) + int((fraction or "0")[:9].ljust(9, "0"))
        if fraction:
            return Span(nanoseconds)
        end = _end(start, month or names, day, hour, minute, second)
        return Span(nanoseconds, datetime_nanoseconds(end.replace(tzinfo=at.tzinfo)) - nanoseconds - 1)
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        return None


def _end(
    start: datetime, month: str | None, day: str | None, hour: int | None, minute: str | None, second: str | None
) -> datetime:
    """Return where the span ends that begins at `start`, by the smallest part that is given."""
    if second:
        return start + timedelta(seconds=1)
    if minute:
        return start + timedelta(minutes=1)
    if hour is not None:
        return start + timedelta(hours=1)
    if day:
        return start + timedelta(days=1)
    if month:
        return start + timedelta(days=calendar.monthrange(start.year, start.month)[1])
    return start.replace(year=start.year + 1)


def _hour(parts: Mapping[str, str | None]) -> int | None:
    if parts.get("H"):
        hour = int(parts["H"] or 0)
        return 0 if hour == 24 and "k" in parts else hour
    half = parts.get("h")
    if not half:
        return None
    return int(half) % 12 + (12 if (parts.get("a") or "").lower() == "pm" else 0)


@lru_cache(256)
def zone_of(name: str) -> tzinfo:
    """Return the zone of a name or an offset. Raises ValueError and ZoneInfoNotFoundError."""
    if name in ("Z", "UTC", "GMT"):
        return UTC
    match = _ZONE.fullmatch(name)
    if match:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-offset if match[1] == "-" else offset)
    return ZoneInfo(name)


# ---- patterns of letters

_OFFSET = r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)"
_NAMED_ZONE = r"(?P<zone>Z|(?:UTC|GMT)?[+-]\d\d:?\d\d|[A-Za-z]+(?:/[A-Za-z_+-]+)*)"
_LONG_MONTH = r"(?P<Mon>{})".format("|".join([*calendar.month_name[1:], *calendar.month_abbr[1:]]))


def _digits(name: str, count: int) -> str:
    return rf"(?P<{name}>\d{{{count}}})" if count > 1 else rf"(?P<{name}>\d{{1,2}})"


def _piece(letter: str, count: int) -> str | None:
    """Return the regular expression of a run of one letter, None of one that has no meaning here."""
    if letter in "yu":
        return r"(?P<yy>\d{2})" if count == 2 else r"(?P<y>\d{4})"
    if letter in "ML":
        return _LONG_MONTH if count > 2 else _digits("M", count)
    if letter == "S":
        return rf"(?P<S>\d{{{count}}})"
    if letter in "dHms":
        return _digits(letter, count)
    if letter in "hK":
        return _digits("h", count)
    if letter == "k":
        return _digits("H", count)
    return {"a": r"(?P<a>[AaPp][Mm])", "E": _WEEKDAY, "Z": _OFFSET, "X": _OFFSET, "x": _OFFSET}.get(letter) or (
        _NAMED_ZONE if letter in "zVvO" else None
    )


def _pattern(pattern: str, whole: str) -> tuple[Callable[[str, tzinfo], Span | None], Callable[[int], Any]]:
    expression: list[str] = []
    writers: list[Callable[[datetime, int], str]] = []
    for match in _PIECE.finditer(pattern):
        text, letter = match[0], match[2]
        if letter:
            piece = _piece(letter, len(text))
            if piece is None:
                raise ValueError(f"Invalid format: [{whole}]: Unknown pattern letter: {letter}")
            expression.append(piece)
            writers.append(_writer(letter, len(text)))
        elif text in "[]":
            expression.append("(?:" if text == "[" else ")?")
        else:
            plain = text if match[1] is None else (match[1].replace("''", "'") or "'")
            expression.append(re.escape(plain))
            writers.append(lambda at, rest, plain=plain: plain)  # type: ignore[misc]
    try:
        compiled = re.compile("".join(expression), re.ASCII | re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"Invalid format: [{whole}]: {error}") from None
    if not compiled.groupindex:
        raise ValueError(f"Invalid format: [{whole}]: it names no part of a date")

    def parse(text: str, zone: tzinfo) -> Span | None:
        match = compiled.fullmatch(text)
        return None if match is None else _span(match.groupdict(), zone)

    def write(moment: int) -> str:
        seconds, rest = divmod(moment, SECOND)
        at = EPOCH + timedelta(seconds=seconds)
        return "".join(writer(at, rest) for writer in writers)

    return parse, write


def _writer(letter: str, count: int) -> Callable[[datetime, int], str]:
    def padded(part: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
        return lambda at, rest: f"{part(at):0{count}}"

    if letter in "yu":
        return padded((lambda at: at.year % 100) if count == 2 else (lambda at: at.year))
    if letter in "ML" and count > 2:
        return lambda at, rest: calendar.month_abbr[at.month] if count == 3 else calendar.month_name[at.month]
    if letter == "S":
        return lambda at, rest: f"{rest:09}".ljust(count, "0")[:count]
    if letter == "E":
        names = calendar.day_abbr if count < 4 else calendar.day_name
        return lambda at, rest: names[at.weekday()]
    if letter == "a":
        return lambda at, rest: "AM" if at.hour < 12 else "PM"
    if letter in "XzVvO":
        return lambda at, rest: "Z" if letter == "X" else "UTC"
    if letter in "Zx":
        return lambda at, rest: (
            "+00:00" if (letter == "Z" and count == 5) or (letter == "x" and count == 3) else "+0000"
        )
    parts: dict[str, Callable[[datetime], int]] = {
        "M": lambda at: at.month, "L": lambda at: at.month, "d": lambda at: at.day, "H": lambda at: at.hour,
        "k": lambda at: at.hour or 24, "h": lambda at: at.hour % 12 or 12, "K": lambda at: at.hour % 12,
        "m": lambda at: at.minute, "s": lambda at: at.second,
    }  # fmt: skip
    return padded(parts[letter])


def nanoseconds_of(value: Any, text: str = DEFAULT) -> int:
    """Return the moment of a date in a format, the beginning where it is a span. Raises ValueError."""
    if text in (DEFAULT, DEFAULT_NANOSECONDS):
        return to_nanoseconds(value)
    return date_format(text).parse(value).start
