"""What is said of an index by when its events arrived: how much, how often, and whether it is silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.investigation.coverage.source_health import SourceHealth, SourceState, source_health
from tocsin.moments import DAY, HOUR, MINUTE, SECOND
from tocsin.store.events import ArrivedEvents

NOW = 1_795_000_000 * SECOND


def file(first: int, last: int, events: int = 100, *, behind: int = 0, size: int = 10) -> ArrivedEvents:
    """Events that arrived from `first` to `last` before NOW, each so long after it happened."""
    arrived = NOW - first, NOW - last
    return ArrivedEvents(events, size, arrived[0] - behind, arrived[1] - behind, arrived)


def steady(since: int, until: int, every: int, events: int = 100) -> list[ArrivedEvents]:
    """Files of a source that sends without a pause longer than `every`."""
    return [file(at, at - SECOND, events) for at in range(since, until, -every)]


def health(parts: list[ArrivedEvents]) -> SourceHealth:
    (source,) = source_health({"logs-a": parts}, NOW)
    return source


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ([], SourceState.EMPTY),
        ([ArrivedEvents(7, 1, NOW - DAY, NOW, None)], SourceState.UNKNOWN),
        (steady(DAY, MINUTE, MINUTE), SourceState.RECEIVING),
        (steady(DAY, 6 * MINUTE, MINUTE), SourceState.QUIET),
        (steady(DAY, 3 * HOUR, MINUTE), SourceState.SILENT),
        # It sends every four hours: three without an event are nothing unusual, nine are.
        (steady(3 * DAY, 3 * HOUR, 4 * HOUR), SourceState.QUIET),
        (steady(3 * DAY, 9 * HOUR, 4 * HOUR), SourceState.SILENT),
        # A burst of events as they happened that broke off is silence; one of old events was an import.
        ([file(3 * HOUR, 3 * HOUR - MINUTE)], SourceState.SILENT),
        ([file(3 * HOUR, 3 * HOUR - MINUTE, behind=400 * DAY)], SourceState.IMPORTED),
        ([file(MINUTE, SECOND, behind=400 * DAY)], SourceState.RECEIVING),
    ],
)
def test_the_state_of_a_source_follows_from_its_own_pauses(parts: list[ArrivedEvents], state: SourceState) -> None:
    assert health(parts).state is state


def test_rates_are_those_of_the_last_minutes_and_of_the_last_days() -> None:
    source = health(steady(DAY, 3 * HOUR, MINUTE, events=20))
    assert source.rate == 0
    assert source.usual == pytest.approx(1_200, rel=0.02)
    assert source.day == pytest.approx(20 * 60 * 21, rel=0.01)
    assert source.silence == pytest.approx(3 * HOUR, rel=0.01)
    assert health(steady(DAY, 0, MINUTE, events=20)).rate == pytest.approx(1_200, rel=0.1)
    assert health([file(HOUR // 2, 0)]).usual is None


def test_events_that_are_late_or_ahead_of_their_arrival_are_told() -> None:
    ahead = health([*steady(DAY, 0, MINUTE), file(MINUTE, 0, 5, behind=-3 * HOUR)])
    assert ahead.ahead == 3 * HOUR
    late = health([*steady(DAY, 0, MINUTE), file(MINUTE, 0, 5, behind=2 * DAY)])
    assert (late.late_events, late.late) == (5, 2 * DAY)
    on_time = health(steady(DAY, 0, MINUTE))
    assert (on_time.ahead, on_time.late, on_time.late_events) == (0, 0, 0)


def test_a_source_fell_silent_after_a_moment_at_which_it_was_not_silent_yet() -> None:
    source = health(steady(DAY, 3 * HOUR, MINUTE))
    assert source.fell_silent_after(NOW - 3 * HOUR)
    assert not source.fell_silent_after(NOW - HOUR)
    assert not health(steady(DAY, MINUTE, MINUTE)).fell_silent_after(0)


spans = st.tuples(st.integers(0, 40 * DAY), st.integers(0, DAY)).map(lambda s: (s[0] + s[1], s[0]))


@given(st.lists(st.tuples(spans, st.integers(1, 10_000), st.integers(-DAY, 400 * DAY)), min_size=1, max_size=30))
def test_whatever_arrived_figures_are_within_what_there_is(files) -> None:
    parts = [file(first, last, events, behind=behind) for (first, last), events, behind in files]
    source = health(parts)
    assert source.events == sum(part.events for part in parts)
    assert 0 <= source.day <= source.events
    assert source.silence >= 0
    assert source.pause >= 0
    assert 0 <= source.late_events <= source.events
    assert source.usual is None or source.usual >= 0
