"""The time of an event that has no `@timestamp`: the other names that programs give it, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from tocsin.ecs import TIMESTAMP
from tocsin.moments import time_of, written_moment

# Names of an event's time, in order of precedence. Capitals, `_`, `-`, blanks and what stands in brackets
# make no difference. When it happened comes before when it was written, and that before when it was received.
NAMES = (
    "timegenerated",  # Azure Monitor, WMI
    "timecreated",  # Windows
    "timestamp",
    "eventtime",  # CloudTrail, nxlog (local time without a zone)
    "eventtimestamp",
    "utctime",  # Sysmon
    "timestamputc",
    "timeutc",
    "datetime",  # Timesketch
    "time",  # Splunk (`_time`), Azure, osquery
    "ts",  # Zeek
    "t",  # Serilog (`@t`)
    "activitydatetime",  # Microsoft Graph
    "createddatetime",
    "eventdate",
    "date",  # with `time` beside it, if that is a time of day
    "event.start",
    "startdatetime",
    "starttime",
    "published",  # Okta
    "creationtime",  # Office 365
    "created",
    "createdat",
    "event.created",
    "timereceived",
    "eventreceivedtime",  # nxlog
    "event.ingested",
)
_RANKS = {name: rank for rank, name in enumerate(NAMES)}
_BESIDE_LETTERS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|[^a-z0-9.]")
_TIME_OF_DAY = re.compile(
    r"\d{1,2}[:.]\d\d(?:[:.]\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm])?(?: ?(?:Z|[+-]\d\d:?\d\d))?"
)
_DAY = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d)|\d{8}")
_COMPACT_DAY = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
# What a block of JSON has somewhere if an event in it has such a field.
MENTIONS = re.compile(
    rf'["._@](?:{"|".join(".?".join(name.rpartition(".")[2]) for name in NAMES)})(?:[ (\[][^"]*)?"\s*:'.encode(),
    re.IGNORECASE,
)
_LEAST = 100_000_000  # a smaller number is a duration, a time since a start or of day, a counter

Read = Callable[[Any], str | None]


class Named(NamedTuple):
    """A field of an event and what it holds."""

    name: str
    value: Any


@lru_cache(maxsize=4096)
def rank_of(name: str) -> int | None:
    """Return the place of a field's name among those of an event's time, None for any other."""
    return _RANKS.get(_BESIDE_LETTERS.sub("", name.lower()))


def named_times(event: Mapping[str, Any]) -> list[Named]:
    """Return what a flat event holds under the names of its time, in order of precedence."""
    ranked = [(rank, name) for name in event if name != TIMESTAMP and (rank := rank_of(name)) is not None]
    return [Named(name, time_of(event[name])) for _, name in sorted(ranked)]


def has_time_of_day(names: Iterable[str]) -> bool:
    """Return whether some fields may hold a day and, apart from it, a time of day."""
    return {_RANKS["date"], _RANKS["time"]} <= {rank_of(name) for name in names}


def other_time(event: Mapping[str, Any], read: Read) -> str | None:
    """Return the time that a flat event has under another name than `@timestamp`, as `read` returns it."""
    times = named_times(event)
    by_name = {NAMES[rank]: value for name, value in reversed(times) if (rank := rank_of(name)) is not None}
    for name, value in times:
        of_day = by_name.get("time") if rank_of(name) == _RANKS["date"] else None
        time = read_other(_joined(value, of_day), read)
        if time is not None:
            return time
    return None


def read_other(value: Any, read: Read) -> str | None:
    """Return the moment in a value of such a field; None for anything else, such as a duration or a counter."""
    if isinstance(value, str):
        text = value.strip()
        if day := _COMPACT_DAY.fullmatch(text):
            return read("-".join(day.groups()))
        try:
            number = float(text)
        except ValueError:
            return read(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    else:
        return None
    return read(value) if number >= _LEAST else None


def _joined(day: Any, of_day: Any) -> Any:
    """Return a day with the time of day that another field holds."""
    if not isinstance(day, str) or not isinstance(of_day, str):
        return day
    day, of_day = day.strip(), of_day.strip()
    if not _DAY.fullmatch(day) or not _TIME_OF_DAY.fullmatch(of_day):
        return day
    dashed = _COMPACT_DAY.sub(r"\1-\2-\3", day)
    return f"{dashed} {of_day}"


def unreadable_time(event: Mapping[str, Any]) -> Named | None:
    """Return the field of a flat event that names its time and whose value cannot be read, None without one."""
    value = event.get(TIMESTAMP)
    names = (
        [Named(TIMESTAMP, value if time_of(value) is None else time_of(value))]
        if value not in (None, "", [])
        else []
    )
    return next((named for named in (*names, *named_times(event)) if named.value not in (None, "")), None)


def readable(value: Any) -> str | None:
    """Return a moment in ISO 8601, None for anything else."""
    try:
        return written_moment(value)
    except ValueError:
        return None
