"""Which comes first in a file's dates by number, the day or the month: the whole file decides, once for all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from tocsin.moments import is_doubtful, is_of_numbers, written_moment

# The file's text again from its beginning, in blocks that end anywhere.
Text = Callable[[], Iterable[bytes]]

# A value that begins with a date by number, and a time behind it.
_DATE = re.compile(
    rb"(?:^|[,;|\t\"'\[{:>])[ \t]{0,2}(\d{1,2})([-/.])(\d{1,2})\2(?:\d{4}|\d\d)(?=[T ,]{1,3}\d{1,2}[:.]\d\d)",
    re.MULTILINE,
)
_LONGEST = 64  # bytes of such a value's head


def shows_dates(head: bytes) -> bool:
    """Tell whether a file's first bytes hold a date by number."""
    return _DATE.search(head) is not None


@dataclass
class DateOrder:
    """What the dates by number in one file show. `text` is None for what can be read only once."""

    text: Text | None = None
    used: bool = False  # whether the file has such dates
    doubtful: str = field(default="")  # the first date whose day and month could be swapped

    def written(self, value: str) -> str | None:
        """Return a date by number in ISO 8601, None for any other text."""
        if not is_of_numbers(value):
            return None
        self.used = True
        if not self.doubtful and is_doubtful(value):
            self.doubtful = value
        try:
            return written_moment(value, day_first=self.day_first)
        except ValueError:
            return None

    def decide(self) -> None:
        """Look through the file now, and not when the first such date is read."""
        self.shown  # noqa: B018 (it is kept)

    @cached_property
    def shown(self) -> tuple[int, int]:
        """How many dates can only have the day first, and how many only the month."""
        days = months = 0
        rest = b""
        for block in chain(() if self.text is None else self.text(), (b"",)):
            found = rest + block
            cut = max(0, len(found) - _LONGEST) if block else len(found)
            for match in _DATE.finditer(found):
                if match.start() >= cut:
                    break  # it comes again with the next block
                days += int(match[1]) > 12 >= int(match[3])
                months += int(match[3]) > 12 >= int(match[1])
            rest = found[cut:]
        return days, months

    @property
    def day_first(self) -> bool | None:
        """Whether the day comes first, None where no date decides."""
        days, months = self.shown
        return None if days == months else days > months

    def told(self) -> str:
        """Return what a reader is to know, nothing where the file has no such dates."""
        days, months = self.shown
        if not self.used:
            return ""
        if not days and not months:
            if not self.doubtful:
                return ""
            read = written_moment(self.doubtful)[:10]
            return (
                f"dates such as {self.doubtful} could have the day or the month first, and none in the file "
                f"decides: read as {read}"
            )
        first = "day" if days > months else "month"
        if not days or not months:
            return f"dates are read {first} first: {max(days, months):,} of them can only mean that"
        return f"dates contradict each other: {days:,} can only have the day first and {months:,} the month; " + (
            f"others are read {first} first" if days != months else "others as slashes or dots suggest"
        )
