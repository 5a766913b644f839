"""Elasticsearch's date math: `now-48h/h`, `2026-01-01||+1d`, or a plain date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tocsin.moments import datetime_nanoseconds, to_datetime

_STEP = re.compile(r"([+-])(\d+)([yMwdhHms])|/([yMwdhHms])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "H": "hours", "m": "minutes", "s": "seconds"}


def parse_date_math(text: str, now: datetime | None = None, *, round_up: bool = False) -> datetime:
    """Return the moment that `text` names, in UTC where it has no zone. Raises ValueError.

    `round_up` makes `/d` the last microsecond of the day, as an inclusive upper bound wants it.
    """
    text = text.strip()
    if text.startswith("now"):
        moment, rest = now or datetime.now(UTC), text[3:]
    else:
        date, bars, rest = text.partition("||")
        try:
            moment = datetime.fromisoformat(date)
        except ValueError:
            raise ValueError(
                f"`{text}` is neither a date (2026-11-24T13:00:00Z) nor date math (now-48h)"
            ) from None
        if not bars and rest:
            raise ValueError(f"`{text}`: put `||` between a date and its math")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    position = 0
    while position < len(rest):
        step = _STEP.match(rest, position)
        if step is None:
            raise ValueError(f"`{text}`: `{rest[position:]}` is no date math; write it as in now-48h/h")
        position = step.end()
        sign, amount, unit, rounding = step.groups()
        moment = _round(moment, rounding, round_up) if rounding else add_to(moment, int(sign + amount), unit)
    return moment


def apply_math(moment: int, math: str, *, round_up: bool = False) -> int:
    """Return a moment (nanoseconds since 1970) some units later or earlier, or rounded. Raises ValueError."""
    at, beyond = to_datetime(moment), moment % 1000
    position = 0
    while position < len(math):
        step = _STEP.match(math, position)
        if step is None:
            raise ValueError(f"`{math[position:]}` is no date math; write it as in now-48h/h")
        position = step.end()
        sign, amount, unit, rounding = step.groups()
        if rounding:
            at, beyond = _round(at, rounding, round_up), 999 if round_up else 0
        else:
            at = add_to(at, int(sign + amount), unit)
    return datetime_nanoseconds(at) + beyond


def add_to(moment: datetime, amount: int, unit: str) -> datetime:
    """Return a moment some units later, or earlier; a day that the month does not have is its last."""
    if unit in _UNITS:
        return moment + timedelta(**{_UNITS[unit]: amount})
    months = moment.month - 1 + amount * (12 if unit == "y" else 1)
    year, month = moment.year + months // 12, months % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, _days(year, month)))


def _days(year: int, month: int) -> int:
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return (following - timedelta(days=1)).day


def _round(moment: datetime, unit: str, up: bool) -> datetime:
    start = moment.replace(microsecond=0)
    for smaller in ("second", "minute", "hour"):
        if unit in {"second": "mhHdwMy", "minute": "hHdwMy", "hour": "dwMy"}[smaller]:
            start = start.replace(**{smaller: 0})  # type: ignore[arg-type]
    if unit == "w":
        start -= timedelta(days=start.weekday())
    if unit in "My":
        start = start.replace(day=1)
    if unit == "y":
        start = start.replace(month=1)
    return add_to(start, 1, unit) - timedelta(microseconds=1) if up else start
