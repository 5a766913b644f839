"""When a rule is due, and which span of time it reads then: told by its schedule, not by when a run happens.

A rule is due at the multiples of its interval since 1970 (UTC), its ticks. So they are the same for all rules of
one interval and after every restart, and no zone, daylight saving or late start moves them. The window of a tick
reaches from the rule's `from` to its `to`, with the tick for `now`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tocsin.date_math import parse_date_math
from tocsin.errors import RuleError
from tocsin.moments import DAY, HOUR, MINUTE, SECOND, to_datetime, to_nanoseconds
from tocsin.rules.model import Rule

UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_INTERVAL = re.compile(r"(\d{1,9})([smhd])")
# Ticks that are looked at for how windows lie: rounding (`now/d`) makes them differ for two days of minutes.
_LOOKED_AT = 2 * 1440
_UNEVEN = re.compile(r"[/My]")  # rounding, and units of no one length
_LONGEST_ROUNDING = 2 * 366 * UNITS["d"]  # to years, and of years
_MONDAY = 1_767_571_200 * SECOND  # 2026-01-05


@dataclass(frozen=True)
class Window:
    """A span of event time in nanoseconds, start included and end excluded; None leaves a side open."""

    start: int | None = None
    end: int | None = None

    def __bool__(self) -> bool:
        return self.start is not None or self.end is not None


@dataclass(frozen=True)
class Schedule:
    """How often a rule is due (`interval`, in nanoseconds), and its window in date math.

    Windows begin `reach` nanoseconds before that, for a rule that has to know what came before its events.
    """

    interval: int
    start: str
    end: str = "now"
    reach: int = 0

    def ticks(self, after: int, upto: int) -> Iterator[int]:
        """Yield the moments, behind one and up to another, at which the rule is due, in nanoseconds since 1970."""
        first = after // self.interval * self.interval + self.interval
        yield from range(first, upto + 1, self.interval)

    def window(self, tick: int) -> Window:
        """Return what the rule reads at a tick."""
        now = to_datetime(tick)
        start, end = (to_nanoseconds(parse_date_math(text, now)) for text in (self.start, self.end))
        return Window(start - self.reach, end)

    @property
    def uneven(self) -> int:
        """By how many nanoseconds the beginnings of two windows may be nearer each other than their ticks."""
        return _LONGEST_ROUNDING if _UNEVEN.search(self.start) else 0

    @cached_property
    def overlap(self) -> int:
        """How many nanoseconds two windows in a row share at least; below zero what neither reads."""
        ticks = _LOOKED_AT if _UNEVEN.search(self.start + self.end) else 2
        windows = [self.window(tick) for tick in self.ticks(_MONDAY, _MONDAY + ticks * self.interval)]
        return min((a.end or 0) - (b.start or 0) for a, b in itertools.pairwise(windows))


def read_schedule(rule: Rule) -> Schedule:
    """Return a rule's schedule. Raises RuleError, which names the field at fault."""
    found = _INTERVAL.fullmatch(rule.interval.strip())
    if found is None or int(found[1]) == 0:
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
    schedule = Schedule(int(found[1]) * UNITS[found[2]], rule.from_.strip(), rule.to.strip())
    # Rounding may leave single windows empty: that from now/d to now at midnight.
    windows = map(schedule.window, schedule.ticks(_MONDAY, _MONDAY + 24 * schedule.interval))
    if all((window.start or 0) >= (window.end or 0) for window in windows):
        raise RuleError(f"`from` ({rule.from_}) does not lie before `to` ({rule.to})", hint="as in now-9m and now")
    return schedule


def unread(rule: Rule, schedule: Schedule) -> str | None:
    """Return what to tell about events that no window holds, None where every event lies in one."""
    if schedule.overlap >= 0:
        return None
    return (
        f"`from`: every {rule.interval} the rule reads from {rule.from_} to {rule.to}, so that "
        f"{span(-schedule.overlap)} in every {span(schedule.interval)} are never read"
    )


def span(nanoseconds: int) -> str:
    """Return a span of time for people, in its two largest units, as in `1h 30m`, to the second."""
    parts = []
    for unit, size in reversed(UNITS.items()):
        number, nanoseconds = divmod(nanoseconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"
