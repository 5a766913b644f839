"""Which comes first in a file's dates by number, the day or the month: the whole file decides, once for all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from tocsin.moments import is_doubtful, mark_of_numbers, written_moment

# The file's text again from its beginning, in blocks that end anywhere.
Text = Callable[[], Iterable[bytes]]

# A value that begins with a date by number: a time follows it, or nothing does and its year has four digits, as
# one with two could be a version. JSON may write a slash with a backslash before it.
_DATE = re.compile(
    rb"(?:^|[,;|\t\"'\[{:>])[ \t]{0,2}(\d{1,2})([-.]|\\?/)(\d{1,2})\2"
    rb"(?:(?:\d{4}|\d\d)(?=(?:[T:]|[ ,]{1,3}(?:@|at)? ?)(?:[AaPp][Mm] |[\xe0-\xef][\x80-\xef]{2,5} ?)?"
    rb"\d{1,2}[:.]\d\d)"
    rb"|(?:19|20)\d\d(?=[ \t]{0,2}(?:\r?$|[,;|\t\"'\]}<])))",
    re.MULTILINE,
)
_LONGEST = 64  # bytes of such a value's head
# The marks between a date's numbers, and whether the day comes first by convention. Where nothing else decides,
# the first of these that a file has decides for all. No language writes the month first with dots (CLDR has none).
_CONVENTIONS = {".": True, "/": False, "-": True}
_NAMES = {".": "dots", "/": "slashes", "-": "dashes"}
_FIRST = {True: "day", False: "month"}


def shows_dates(head: bytes) -> bool:
    """Return whether a file's first bytes hold a date by number."""
    return _DATE.search(head) is not None


class Shown(NamedTuple):
    """How many dates can only have the day first, how many only the month, and how many there are."""

    days: int = 0
    months: int = 0
    dates: int = 0

    @property
    def day_first(self) -> bool | None:
        """What most of them can only mean, None where no date decides."""
        return None if self.days == self.months else self.days > self.months


class Decision(NamedTuple):
    """How dates that could be read both ways are read, and why."""

    day_first: bool
    why: str


@dataclass
class DateOrder:
    """What the dates by number in one file show. `text` is None for what can be read only once.

    `given` is what the user says of them: whether the day comes first.
    """

    text: Text | None = None
    given: bool | None = None
    used: set[str] = field(default_factory=set)  # the marks in the dates that were read
    doubtful: dict[str, str] = field(default_factory=dict)  # by mark, the first that could be read both ways

    def written(self, value: str) -> str | None:
        """Return a date by number in ISO 8601, None for any other text."""
        mark = mark_of_numbers(value)
        if not mark:
            return None
        self.used.add(mark)
        if mark not in self.doubtful and is_doubtful(value):
            self.doubtful[mark] = value
        try:
            return written_moment(value, day_first=self.decision(mark).day_first)
        except ValueError:
            return None

    def decide(self) -> None:
        """Look through the file now, and not when the first such date is read."""
        self.shown  # noqa: B018 (it is kept)

    @cached_property
    def shown(self) -> dict[str, Shown]:
        """What the file's dates show, by the mark between their numbers."""
        counts_by_mark = {mark: [0, 0, 0] for mark in _CONVENTIONS}
        rest = b""
        for block in chain(() if self.text is None else self.text(), (b"",)):
            text = rest + block
            cut = max(0, len(text) - _LONGEST) if block else len(text)
            for match in _DATE.finditer(text):
                if match.start() >= cut:
                    break  # it comes again with the next block
                leading, second = int(match[1]), int(match[3])
                counts = counts_by_mark[match[2][-1:].decode()]
                counts[0] += leading > 12 >= second
                counts[1] += second > 12 >= leading
                counts[2] += 1
            rest = text[cut:]
        return {mark: Shown(*counts) for mark, counts in counts_by_mark.items()}

    @cached_property
    def whole(self) -> Shown:
        """What all dates of the file show together."""
        return Shown(*(sum(counts) for counts in zip(*self.shown.values(), strict=True)))

    def decision(self, mark: str) -> Decision:
        """Return how dates with a mark between their numbers are read.

        The first of these decides: the user, the dates with this mark, a convention without exception (dots), the
        dates with other marks, and the convention of the first mark that the file has.
        """
        own, whole = self.shown[mark].day_first, self.whole.day_first
        if self.given is not None:
            return Decision(self.given, "as --date-order says")
        if own is not None:
            return Decision(own, "as most of them can only mean")
        if mark == ".":
            return Decision(True, "as dates with dots are by convention")
        if whole is not None:
            return Decision(whole, "as other dates in the file can only mean")
        leading = next((other for other in _CONVENTIONS if self.shown[other].dates), mark)
        return Decision(_CONVENTIONS[leading], f"as dates with {_NAMES[leading]} are by convention")

    def summary(self) -> str:
        """Return how the file's dates were read, in a sentence; nothing where it has no such dates."""
        marks = [mark for mark in _CONVENTIONS if mark in self.used]
        if not any(mark in self.doubtful or self.shown[mark].days or self.shown[mark].months for mark in marks):
            return ""
        decisions = {mark: self.decision(mark) for mark in marks}
        days, months, _ = self.whole
        orders = {decision.day_first for decision in decisions.values()}
        if self.given is None and bool(days) != bool(months) and orders == {bool(days)}:
            return f"dates are read {_FIRST[bool(days)]} first: {days or months:,} of them can only mean that"
        sentences = []
        if days and months:
            sentences.append(
                f"dates contradict each other: {days:,} can only have the day first and {months:,} the month"
            )
        sentences += [
            self._summary_of(decision, [mark for mark in marks if decisions[mark] == decision])
            for decision in dict.fromkeys(decisions.values())
        ]
        summary = "; ".join(filter(None, sentences))
        return summary if self.given is not None else f"{summary} (--date-order overrides it)"

    def _summary_of(self, decision: Decision, marks: list[str]) -> str:
        """Return how dates with some marks are read, with an example of each that could be read otherwise."""
        examples = [self.doubtful[mark] for mark in marks if mark in self.doubtful]
        read = [written_moment(example, day_first=decision.day_first)[:10] for example in examples]
        how = f"{_FIRST[decision.day_first]} first, {decision.why}"
        if not examples:
            return ""
        if self.given is None and not any(self.shown[mark].days or self.shown[mark].months for mark in marks):
            could = "could have the day or the month first"
            none = "" if self.whole.days or self.whole.months else ", and none in the file decides"
            return f"dates such as {', '.join(examples)} {could}{none}: read as {', '.join(read)}, {how}"
        subject = "others" if self.whole.days and self.whole.months else "dates"
        of = f" with {' and '.join(_NAMES[mark] for mark in marks)}" if len(self.used) > 1 else ""
        return f"{subject}{of} are read {how} ({', '.join(examples)} as {', '.join(read)})"
