"""Alerts over time, as bars of an SVG: each span's alerts by severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

WIDTH, HEIGHT = 1000, 60
SEVERITIES = ("low", "medium", "high", "critical")
# How long a bar's span may be, and how many bars a list has at most.
_SPANS: tuple[tuple[str, timedelta], ...] = (
    ("1m", timedelta(minutes=1)),
    ("5m", timedelta(minutes=5)),
    ("30m", timedelta(minutes=30)),
    ("3h", timedelta(hours=3)),
    ("12h", timedelta(hours=12)),
    ("1d", timedelta(days=1)),
    ("7d", timedelta(days=7)),
    ("30d", timedelta(days=30)),
)
_MOST_BARS = 90


@dataclass(frozen=True)
class Bar:
    """A part of a span's bar: alerts of a severity, how many, and the span, from and to."""

    x: float
    y: float
    height: float
    severity: str
    count: int
    since: str
    until: str


@dataclass(frozen=True)
class Histogram:
    """Bars, all of one width, between two moments; the highest count; how long the span of a bar is."""

    bars: Sequence[Bar]
    width: float
    first: str
    last: str
    highest: int
    span: str
    steps: int  # how many spans it is wide

    @staticmethod
    def of(
        buckets: Sequence[dict[str, Any]], span: str, since: datetime | None, until: datetime
    ) -> Histogram | None:
        """Return the histogram of what a search counted, None where there is nothing.

        It begins at `since`, or at the first alert, and ends at `until`.
        """
        if not buckets:
            return None
        length = dict(_SPANS)[span]
        first = min(_moment(buckets[0]["key"]), since or until)
        last = max(until, _moment(buckets[-1]["key"]) + length)
        scale = WIDTH / ((last - first) / length)  # width of a span
        highest = max(bucket["doc_count"] for bucket in buckets) or 1
        bars = []
        for bucket in buckets:
            begin = _moment(bucket["key"])
            counts = {kind["key"]: kind["doc_count"] for kind in bucket["severity"]["buckets"]}
            top = float(HEIGHT)
            for severity in SEVERITIES:
                if count := counts.get(severity):
                    height = max(1.5, HEIGHT * count / highest)
                    top -= height
                    x = (begin - first) / length * scale
                    bars.append(
                        Bar(
                            round(x, 2), round(top, 2), round(height, 2), severity, count,
                            _written(begin), _written(begin + length),
                        )
                    )  # fmt: skip
        return Histogram(
            bars,
            round(scale * 0.9, 2),
            _written(first),
            _written(last),
            highest,
            span,
            max(1, round((last - first) / length)),
        )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def span_of(since: datetime | None, until: datetime) -> str:
    """Return how long the span of a bar is for a list between two moments; weeks where it has no beginning."""
    if since is None:
        return "7d"
    return next((name for name, length in _SPANS if (until - since) / length <= _MOST_BARS), _SPANS[-1][0])
