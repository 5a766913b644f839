"""When a rule is due, and which span of time it reads then: its schedule decides both, not when it really runs.

A rule is due at the multiples of its interval since 1970 (UTC), its ticks. So these are the same for all rules of
one interval and after every restart; no time zone, daylight saving or late start moves them. The window of a tick
reaches from the rule's `from` to its `to`, with the tick as `now`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tocsin.date_math import parse_date_math
from tocsin.errors import RuleError
from tocsin.moments import SECOND, TIME_UNITS, to_datetime, to_nanoseconds
from tocsin.rules.model import Rule

UNITS = {unit: TIME_UNITS[unit] for unit in ("s", "m", "h", "d")}
_INTERVAL = re.compile(r"(\d{1,9})([smhd])")
# Ticks whose windows are compared: with rounding (`now/d`) windows differ from tick to tick, over two days.
_LOOKED_AT = 2 * 1440
_UNEVEN = re.compile(r"[/My]")  # rounding, and units that vary in length
_LONGEST_ROUNDING = 2 * 366 * UNITS["d"]  # to years, and of years
_MONDAY = 1_767_571_200 * SECOND  # 2026-01-05


@dataclass(frozen=True)
class Window:
    """A span of time in nanoseconds, with its start and without its end; None leaves a side open."""

    start: int | None = None
    end: int | None = None

    def __bool__(self) -> bool:
        return self.start is not None or self.end is not None


@dataclass(frozen=True)
class Schedule:
    """How often a rule is due (`interval`, in nanoseconds), and its window in date math.

    Windows begin `reach` nanoseconds earlier, for a rule that needs the events before.
    """

    interval: int
    start: str
    end: str = "now"
    reach: int = 0

    def ticks(self, after: int, upto: int) -> Iterator[int]:
        """Yield the ticks after one moment and up to another, in nanoseconds since 1970."""
        first = after // self.interval * self.interval + self.interval
        yield from range(first, upto + 1, self.interval)

    def window(self, tick: int) -> Window:
        """Return the window of a tick."""
        now = to_datetime(tick)
        start, end = (to_nanoseconds(parse_date_math(text, now)) for text in (self.start, self.end))
        return Window(start - self.reach, end)

    @property
    def uneven(self) -> int:
        """By how many nanoseconds the starts of two windows may be nearer to each other than their ticks are."""
        return _LONGEST_ROUNDING if _UNEVEN.search(self.start) else 0

    @cached_property
    def overlap(self) -> int:
        """How many nanoseconds two windows in a row share at least; negative if there is a gap between them."""
        ticks = _LOOKED_AT if _UNEVEN.search(self.start + self.end) else 2
        windows = [self.window(tick) for tick in self.ticks(_MONDAY, _MONDAY + ticks * self.interval)]
        return min((a.end or 0) - (b.start or 0) for a, b in itertools.pairwise(windows))


def read_schedule(rule: Rule) -> Schedule:
    """Return a rule's schedule. Raises RuleError, which names the wrong field."""
    match = _INTERVAL.fullmatch(rule.interval.strip())
    if match is None or int(match[1]) == 0:
        raise RuleError(
            f"`interval` is a number above 0 with a unit, not `{rule.interval}`", hint="s, m, h or d, as in 5m"
        )
    for name, text in (("from", rule.from_), ("to", rule.to)):
        if not text.strip().startswith("now"):
            raise RuleError(f"`{name}` is date math that begins with now, not `{text}`", hint="as in now-9m")
        try:
            parse_date_math(text)
        except (ValueError, OverflowError) as error:
            raise RuleError(f"`{name}`: {error}") from None
    schedule = Schedule(int(match[1]) * UNITS[match[2]], rule.from_.strip(), rule.to.strip())
    # Rounding may make single windows empty: from now/d to now, at midnight.
    windows = map(schedule.window, schedule.ticks(_MONDAY, _MONDAY + 24 * schedule.interval))
    if all((window.start or 0) >= (window.end or 0) for window in windows):
        raise RuleError(f"`from` ({rule.from_}) does not lie before `to` ({rule.to})", hint="as in now-9m and now")
    return schedule


def unread(rule: Rule, schedule: Schedule) -> str | None:
    """Return a message if some events lie in no window, None if every event lies in one."""
    if schedule.overlap >= 0:
        return None
    return (
        f"`from`: every {rule.interval} the rule reads from {rule.from_} to {rule.to}, so that "
        f"{span(-schedule.overlap)} in every {span(schedule.interval)} are never read"
    )


def span(nanoseconds: int) -> str:
    """Return a span of time as text, in its two largest units, as in `1h 30m`, to the second."""
    parts = []
    for unit, size in reversed(UNITS.items()):
        number, nanoseconds = divmod(nanoseconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"
