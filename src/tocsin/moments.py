"""Moments as whole numbers: nanoseconds since 1970 (UTC), the precision of Elasticsearch's `date_nanos`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT = 1 << 63


def to_nanoseconds(value: Any) -> int:
    """Return a moment in nanoseconds since 1970 (UTC): ISO 8601, a datetime, or milliseconds as a number.

    Fractions of a second are read to the nanosecond. Raises ValueError, also for a moment that 64 bits do not hold
    (before 1678 and after 2261).
    """
    try:
        found = _nanoseconds(value)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    if not -_LIMIT <= found < _LIMIT:
        raise ValueError(f"{value} is not within the years 1678 to 2261")
    return found


def iso(nanoseconds: int) -> str:
    """Return a moment as Elasticsearch writes it, to the millisecond."""
    moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _nanoseconds(value: Any) -> int:
    if isinstance(value, datetime):
        return _datetime_nanoseconds(value)
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
    return _datetime_nanoseconds(datetime.fromisoformat(text)) + fraction


def _datetime_nanoseconds(moment: datetime) -> int:
    delta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1_000
