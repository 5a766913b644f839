"""Mean time to detect, to acknowledge and to respond, with the median and the 90th percentile.

| measure | from | to | of |
| --- | --- | --- | --- |
| MTTD | the time of the (last) event | the alert was raised | alerts of scheduled runs |
| MTTA | the alert was raised | a person first acknowledged or assigned it | alerts that a person took up |
| MTTR | the alert was raised | it was closed at last | alerts that are closed |

An alert counts at the moment at which what is measured ended, so that a time that is past keeps its figures. What
was taken back has not happened. An event later than its alert, by a clock that is wrong, counts as no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from tocsin.moments import DAY, HOUR, MINUTE, SECOND
from tocsin.response.measures.measured_alerts import NEVER, Marks, MeasuredAlerts, Moments

Seconds = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_MOST_SPANS = 60
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_STEPS = (5 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY, 3650 * DAY)


class Measure(StrEnum):
    """What is measured of alerts."""

    MTTD = "mttd"
    MTTA = "mtta"
    MTTR = "mttr"


class Closings(StrEnum):
    """Whose closings count: those of people, those of programs, or all."""

    PEOPLE = "people"
    AUTOMATIC = "automatic"
    ALL = "all"

    def marks(self, alerts: MeasuredAlerts) -> Marks:
        """Tell of each alert whether it is closed, by whoever counts."""
        closed: Marks = alerts.closed != NEVER
        if self is Closings.ALL:
            return closed
        return closed & (alerts.automatic if self is Closings.AUTOMATIC else ~alerts.automatic)


@dataclass(frozen=True)
class DurationFigures:
    """Of so many alerts the mean, the median and the 90th percentile, in seconds.

    Between two alerts a percentile lies on the straight line from one to the other.
    """

    count: int
    mean: float
    median: float
    p90: float


@dataclass(frozen=True)
class Durations:
    """How long it took with some alerts: the places of these, when it ended (ns since 1970), and the seconds."""

    places: npt.NDArray[np.int64]
    ended: Moments
    seconds: Seconds

    def within(self, since: int, until: int) -> Durations:
        """Return those that ended between two moments, the first of them included."""
        return self.where((self.ended >= since) & (self.ended < until))

    def where(self, marks: Marks) -> Durations:
        """Return some of them."""
        return Durations(self.places[marks], self.ended[marks], self.seconds[marks])


def durations(alerts: MeasuredAlerts, measure: Measure, closings: Closings = Closings.PEOPLE) -> Durations:
    """Return how long what is measured took with all alerts that count."""
    begin = alerts.event_times if measure is Measure.MTTD else alerts.created
    ended = {
        Measure.MTTD: alerts.created, Measure.MTTA: alerts.taken_up, Measure.MTTR: alerts.closed,
    }[measure]  # fmt: skip
    match measure:
        case Measure.MTTD:
            counts = ~alerts.by_hand
        case Measure.MTTA:
            counts = alerts.taken_up != NEVER
        case Measure.MTTR:
            counts = closings.marks(alerts)
    places = np.flatnonzero(counts)
    # As floats: moments of any years are further apart than 64 bits of nanoseconds hold.
    seconds = (ended[places].astype(np.float64) - begin[places].astype(np.float64)) / SECOND
    return Durations(places, ended[places], np.maximum(seconds, 0.0))


def figures_of(seconds: Seconds) -> DurationFigures | None:
    """Return the figures of alerts, None where there is none."""
    return figures_by(np.zeros(len(seconds), np.int64), seconds, 1)[0]


def figures_by(codes: Codes, seconds: Seconds, number: int) -> Sequence[DurationFigures | None]:
    """Return the figures of so many groups, None for one without alerts; `codes` say which group each is in."""
    order = np.lexsort((seconds, codes))
    ordered, counts = seconds[order], np.bincount(codes, minlength=number)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    there = np.flatnonzero(counts)
    if not len(there):
        return [None] * number
    means = np.add.reduceat(ordered, starts[there]) / counts[there]
    medians, p90s = (_quantile(ordered, starts[there], counts[there], share) for share in (0.5, 0.9))
    figures: list[DurationFigures | None] = [None] * number
    for place, count, *values in zip(there.tolist(), counts[there].tolist(), means.tolist(), medians.tolist(),
                                     p90s.tolist(), strict=True):  # fmt: skip
        figures[place] = DurationFigures(count, *values)
    return figures


def _quantile(ordered: Seconds, starts: Codes, counts: Codes, share: float) -> Seconds:
    """Return a quantile of each group of numbers, which are in order within their groups."""
    at = (counts - 1) * share
    low = np.floor(at).astype(np.int64)
    below, above = ordered[starts + low], ordered[starts + np.minimum(low + 1, counts - 1)]
    quantile: Seconds = below + (above - below) * (at - low)
    return quantile


@dataclass(frozen=True)
class TimeSpans:
    """The spans of time of a chart, one after the other: `edges` are where they begin, and the end of the last."""

    edges: Sequence[int]

    @staticmethod
    def of(since: int, until: int) -> TimeSpans:
        """Return spans of one length, from multiples of it on (UTC); the first and the last may be shorter."""
        until = max(until, since + 1)
        step = next((step for step in _STEPS if (until - since) / step <= _MOST_SPANS), _STEPS[-1])
        inner = range((since // step + 1) * step, until, step)
        return TimeSpans([since, *inner, until])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.edges) - 1

    def figures(self, durations: Durations) -> Sequence[DurationFigures | None]:
        """Return the figures of what ended in each span, None where nothing did."""
        within = durations.within(self.edges[0], self.edges[-1])
        codes = np.searchsorted(np.array(self.edges, np.int64), within.ended, side="right") - 1
        return figures_by(codes, within.seconds, len(self))


def took(seconds: float) -> str:
    """Return how long something took, in its two largest units, as `2 h 14 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    place = next(place for place, (length, _) in enumerate(_UNITS) if whole >= length)
    length, unit = _UNITS[place]
    text = f"{whole // length:,} {unit}"
    if place + 1 == len(_UNITS):
        return text
    smaller, smaller_unit = _UNITS[place + 1]
    rest = whole % length // smaller
    return f"{text} {rest} {smaller_unit}" if rest else text
