"""The arithmetic of measures: held against Python's own statistics, and against what the parts must come to."""

from __future__ import annotations

import statistics
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.moments import DAY, HOUR, MINUTE, SECOND
from tocsin.response.measures.figures import (
    Closings,
    Durations,
    Measure,
    TimeSpans,
    durations,
    figures_by,
    figures_of,
    took,
)
from tocsin.response.measures.measured_alerts import NEVER, CodedTexts, MeasuredAlerts

SECONDS = st.floats(0, 1e9, allow_nan=False)
GROUPED = st.lists(st.tuples(st.integers(0, 4), SECONDS), max_size=60)
MOMENTS = st.integers(0, 2 * 10**18)


def measured(*alerts):
    """Return alerts of (event, raised, taken up, closed, automatic, by hand), None where it did not happen."""
    columns = list(zip(*alerts, strict=True)) or [()] * 6
    event, raised, taken_up, closed = (
        np.array([NEVER if moment is None else moment for moment in column], np.int64) for column in columns[:4]
    )
    automatic, by_hand = (np.array(column, np.bool_) for column in columns[4:])
    nothing = CodedTexts(np.full(len(alerts), -1, np.int64), [])
    ids = pa.array([str(number) for number in range(len(alerts))], pa.string())
    return MeasuredAlerts(
        ids,
        raised,
        event,
        taken_up,
        closed,
        automatic,
        by_hand,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
    )


@given(st.lists(SECONDS, min_size=1, max_size=50))
def test_the_figures_are_those_of_statistics(seconds):
    figures = figures_of(np.array(seconds))
    assert figures is not None
    assert figures.count == len(seconds)
    assert figures.mean == pytest.approx(float(statistics.mean(map(Fraction, seconds))), rel=1e-9)
    assert figures.median == pytest.approx(statistics.median(seconds))
    if len(seconds) > 1:
        assert figures.p90 == pytest.approx(statistics.quantiles(seconds, n=10, method="inclusive")[-1])
    assert min(seconds) <= figures.median <= figures.p90 <= max(seconds)


@given(GROUPED)
def test_groups_have_the_figures_that_each_has_alone(grouped):
    codes, seconds = (
        np.array([code for code, _ in grouped], np.int64),
        np.array([s for _, s in grouped], np.float64),
    )
    for code, figures in enumerate(figures_by(codes, seconds, 5)):
        alone = figures_of(seconds[codes == code])
        assert (figures is None) == (alone is None)
        if figures and alone:
            assert (figures.count, figures.median, figures.p90) == (alone.count, alone.median, alone.p90)
            assert figures.mean == pytest.approx(alone.mean)


@given(st.lists(st.tuples(MOMENTS, SECONDS), max_size=40), MOMENTS, st.integers(1, 400 * DAY))
def test_every_alert_of_a_time_is_in_one_span_of_it(ended, since, length):
    spans = TimeSpans.of(since, since + length)
    assert (spans.edges[0], spans.edges[-1]) == (since, since + length)
    steps = np.diff(np.array(spans.edges, np.int64))
    assert (steps > 0).all()
    assert len(set(steps[1:-1].tolist())) <= 1
    assert len(spans) <= 62
    moments = np.array([moment for moment, _ in ended], np.int64)
    all_ = Durations(np.arange(len(ended)), moments, np.array([s for _, s in ended], np.float64))
    counts = [figures.count for figures in spans.figures(all_) if figures]
    assert sum(counts) == sum(since <= moment < since + length for moment, _ in ended)


ALERT = st.tuples(
    MOMENTS, MOMENTS, st.none() | MOMENTS, st.none() | MOMENTS, st.booleans(), st.booleans()
)  # fmt: skip


@given(st.lists(ALERT, max_size=20))
def test_alerts_count_for_what_happened_to_them(alerts):
    alerts_ = measured(*alerts)
    taken = durations(alerts_, Measure.MTTA)
    assert taken.places.tolist() == [n for n, alert in enumerate(alerts) if alert[2] is not None]
    by = {closings: durations(alerts_, Measure.MTTR, closings) for closings in Closings}
    parts = sorted([*by[Closings.PEOPLE].places.tolist(), *by[Closings.AUTOMATIC].places.tolist()])
    assert parts == by[Closings.ALL].places.tolist()
    for of_measure in (taken, durations(alerts_, Measure.MTTD), *by.values()):
        assert (of_measure.seconds >= 0).all()


@pytest.mark.parametrize(
    ("alert", "measure", "seconds"),
    [
        ((0, 5 * SECOND, None, None, False, False), Measure.MTTD, [5]),
        ((9 * SECOND, 5 * SECOND, None, None, False, False), Measure.MTTD, [0]),  # a clock is wrong
        ((0, 5 * SECOND, None, None, False, True), Measure.MTTD, []),  # a run by hand
        ((-(2**63) + 1, 2**62, None, None, False, False), Measure.MTTD, [(2**63 + 2**62) / 1e9]),
        ((0, 5 * SECOND, None, 9 * SECOND, False, False), Measure.MTTA, []),
        ((0, 5 * SECOND, 6 * SECOND, None, False, False), Measure.MTTA, [1]),
        ((0, 5 * SECOND, None, 9 * SECOND, False, False), Measure.MTTR, [4]),
        ((0, 5 * SECOND, None, 9 * SECOND, True, False), Measure.MTTR, []),
        ((0, 5 * SECOND, 6 * SECOND, None, False, False), Measure.MTTR, []),
    ],
)
def test_what_is_measured_begins_and_ends_where_it_is_said(alert, measure, seconds):
    assert durations(measured(alert), measure).seconds.tolist() == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("length", "step"), [(HOUR, 5 * MINUTE), (DAY, 30 * MINUTE), (30 * DAY, 12 * HOUR), (365 * DAY, 7 * DAY)]
)
def test_spans_are_as_long_as_a_chart_has_room_for(length, step):
    edges = TimeSpans.of(10**18 + 1, 10**18 + 1 + length).edges
    assert edges[2] - edges[1] == step
    assert edges[1] % step == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (0.44, "0.4 s"), (12.4, "12 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3_600, "1 h"),
        (7_260, "2 h 1 min"), (86_400 * 2 + 3_600 * 5 + 59, "2 d 5 h"), (86_400 * 1_200, "1,200 d"),
    ],
)  # fmt: skip
def test_spans_of_time_have_their_two_largest_units(seconds, text):
    assert took(seconds) == text
