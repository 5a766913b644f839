from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.clock import ArrivalClock

SECOND = 1_000_000_000


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
