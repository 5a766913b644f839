"""Alerts over time, as bars of an SVG: each span's alerts by severity."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 1000, 60
SEVERITIES = ("low", "medium", "high", "critical")
# The longest span of a list, in hours, and how long a bar's span is then.
_INTERVALS = ((2, "1m"), (30, "30m"), (24 * 8, "3h"), (24 * 32, "12h"), (24 * 100, "1d"))
_LONG = "7d"
_SINCE = re.compile(r"now-(\d{1,4})([mhdw])")
_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}


@dataclass(frozen=True)
class Bar:
    """A part of a span's bar, and what it stands for."""

    x: float
    y: float
    height: float
    severity: str
    label: str


@dataclass(frozen=True)
class Histogram:
    """Bars, all of one width; the moments of the first and the last; the highest count."""

    bars: Sequence[Bar]
    width: float
    first: str
    last: str
    highest: int
    interval: str

    @staticmethod
    def of(buckets: Sequence[dict[str, Any]], interval: str) -> Histogram | None:
        """Return the histogram of what a search counted, None where there is nothing."""
        if not buckets:
            return None
        highest = max(bucket["doc_count"] for bucket in buckets) or 1
        width = WIDTH / max(len(buckets), 24)
        bars = []
        for place, bucket in enumerate(buckets):
            counts = {one["key"]: one["doc_count"] for one in bucket["severity"]["buckets"]}
            top = float(HEIGHT)
            for severity in SEVERITIES:
                if count := counts.get(severity):
                    height = HEIGHT * count / highest
                    top -= height
                    label = f"{bucket['key_as_string']}: {count:,} {severity}"
                    bars.append(Bar(round(place * width, 2), round(top, 2), round(height, 2), severity, label))
        first, last = buckets[0]["key_as_string"], buckets[-1]["key_as_string"]
        return Histogram(bars, round(width * 0.86, 2), first, last, highest, interval)


def interval_of(since: str, until: str) -> str:
    """Return how long the span of a bar is for a list that begins at `since`, at most some hundred bars."""
    match = _SINCE.fullmatch(since)
    if match is None or until:
        return _LONG if not since else "1d"
    hours = int(match[1]) * _HOURS[match[2]]
    return next((interval for longest, interval in _INTERVALS if hours <= longest), _LONG)
