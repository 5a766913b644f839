"""Figures over time as lines of an SVG, which needs no script: median, mean and 90th percentile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tocsin.response.measures.figures import DurationFigures, TimeSpans

WIDTH, HEIGHT = 1000, 120
_TOP = 6  # of the highest point, so that its line is not cut
LINES = ("p90", "mean", "median")  # the last is drawn over the others


class Point(NamedTuple):
    """Where a figure stands."""

    x: float
    y: float


@dataclass(frozen=True)
class ChartedSpan:
    """A span of time with its figures, None where nothing ended in it, and its part of the chart."""

    since: int
    until: int
    x: float
    width: float
    figures: DurationFigures | None


@dataclass(frozen=True)
class Chart:
    """Lines by their names, each as runs of neighbouring spans with figures; the highest figure, in seconds."""

    spans: Sequence[ChartedSpan]
    lines: Sequence[tuple[str, Sequence[Sequence[Point]]]]
    highest: float

    @staticmethod
    def of(spans: TimeSpans, figures: Sequence[DurationFigures | None]) -> Chart | None:
        """Return the chart of the figures of spans, None where there are none."""
        values = [getattr(figure, line) for figure in figures if figure for line in LINES]
        if not values:
            return None
        first, last, highest = spans.edges[0], spans.edges[-1], max(values)
        charted = []
        for since, until, figure in zip(spans.edges, spans.edges[1:], figures, strict=False):
            x, end = ((moment - first) / (last - first) * WIDTH for moment in (since, until))
            charted.append(ChartedSpan(since, until, round(x, 2), round(end - x, 2), figure))
        return Chart(charted, [(line, _runs(charted, line, highest)) for line in LINES], highest)

    def filled(self) -> list[ChartedSpan]:
        """Return the spans that have figures, the newest first, as a table shows them."""
        return [span for span in reversed(self.spans) if span.figures]


def _runs(spans: Sequence[ChartedSpan], line: str, highest: float) -> list[list[Point]]:
    runs: list[list[Point]] = [[]]
    for span in spans:
        if span.figures is None:
            if runs[-1]:
                runs.append([])
            continue
        share = getattr(span.figures, line) / highest if highest else 0.0
        runs[-1].append(Point(round(span.x + span.width / 2, 2), round(HEIGHT - share * (HEIGHT - _TOP), 2)))
    return [run for run in runs if run]
