from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.clock import ArrivalClock

SECOND = 1_000_000_000
YEAR = 365 * 86_400


class Times:
    wall = 1_000_000 * SECOND
    steady = 0

    def clock(self, floor=0):
        return ArrivalClock(floor, lambda: self.wall, lambda: self.steady)

    def pass_(self, seconds, step=0):
        self.steady += int(seconds * SECOND)
        self.wall += int((seconds + step) * SECOND)


@given(st.lists(st.tuples(st.floats(0, 3600), st.floats(-90_000, 90_000)), max_size=30))
def test_it_never_runs_back_and_always_goes_on(steps):
    times = Times()
    clock = times.clock()
    last = clock.now()
    for seconds, step in steps:
        times.pass_(seconds, step)
        now = clock.now()
        assert now >= last + int(seconds * 0.9 * SECOND) // 1000 * 1000 - 1000
        assert now % 1000 == 0
        assert now >= times.wall // 1000 * 1000
        last = now


def test_set_back_it_goes_on_slower_until_the_wall_clock_has_caught_up():
    times = Times()
    clock = times.clock()
    clock.now()
    times.pass_(1, step=-60)
    ahead = clock.now() - times.wall
    assert ahead == 59.9 * SECOND
    times.pass_(500)
    assert clock.now() - times.wall == 9.9 * SECOND
    times.pass_(100)
    assert clock.now() == times.wall


def test_it_starts_no_earlier_than_what_was_done_before():
    times = Times()
    floor = times.wall + 10 * SECOND
    assert times.clock(floor).now() == floor


@pytest.mark.parametrize("started", [False, True])
def test_a_leap_of_years_is_followed_when_it_has_lasted(started):
    times = Times()
    clock = times.clock(times.wall)
    if started:
        clock.now()
    before = times.wall
    times.pass_(60, step=10 * YEAR)
    for _ in range(10):
        clock.now()
        times.pass_(59)
    assert clock.now() - before < 700 * SECOND
    assert "ahead of the last arrival" in (clock.problem() or "")
    times.pass_(60)
    assert clock.now() == times.wall
    assert clock.problem() is None


def test_a_leap_that_is_taken_back_leaves_no_trace():
    times = Times()
    clock = times.clock()
    clock.now()
    times.pass_(60, step=10 * YEAR)
    clock.now()
    times.pass_(60, step=-10 * YEAR)
    assert clock.now() == times.wall
    assert (clock.lead, clock.problem(), clock.steps) == (0, None, 2)


@pytest.mark.parametrize(
    ("seconds", "step", "steps"),
    [(1, 0, 0), (1, 1, 0), (1, -1, 0), (1, 3, 1), (1, -3, 1), (36_000, 20, 0), (36_000, -3600, 1)],
)
def test_a_step_is_noticed_and_a_gradual_correction_is_none(seconds, step, steps):
    times = Times()
    clock = times.clock()
    clock.now()
    times.pass_(seconds, step)
    clock.now()
    assert clock.steps == steps


def test_a_clock_that_was_set_back_before_the_start_is_noticed():
    times = Times()
    clock = times.clock(times.wall + 7200 * SECOND)
    clock.now()
    assert (clock.steps, clock.lead) == (1, 7200 * SECOND)
    assert "2:00:00" in (clock.problem() or "")
