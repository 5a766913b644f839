"""The system clock is set back and forward, by hours and by years: no alert is lost or doubled; it is told."""

from __future__ import annotations

import pytest

from tests.scheduler.virtual import BAD, MINUTE, SECOND, START, Office, rule
from tocsin.detection.compiled_rule import INGESTED

HOUR = 60 * MINUTE
YEAR = 365 * 24 * HOUR
PAIR = 'sequence [process where process.name == "a"] [process where process.name == "b"]'
NAMED = {name: {"event": {"category": "process"}, "process": {"name": name}} for name in "ab"}
RULES = [rule("event"), rule("ingested", timestamp_override=INGESTED), rule("pair", PAIR)]


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path, RULES)


def pass_turning(office, span, every=MINUTE):
    for _ in range(span // every):
        office.pass_(every)
        office.turn()


def happen(office, wrong=0):
    """Let something happen that each rule finds, at the true time: the system clock is `wrong` by so much."""
    now = office.now - wrong
    office.event(time=now, **BAD)
    office.event(time=now - 2 * SECOND, **NAMED["a"])
    office.event(time=now - SECOND, **NAMED["b"])


def counts(office):
    """Return how many alerts each rule has raised, a sequence with its building blocks."""
    found = [name for name, _ in office.named_alerts()]
    return {name: found.count(name) for name in sorted(set(found))}


def each(times):
    return {"event": times, "ingested": times, "pair": 3 * times}


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("step", [-2 * HOUR, -20 * HOUR, -40 * 24 * HOUR, 2 * HOUR, 40 * 24 * HOUR, 20 * YEAR])
def test_what_happens_behind_a_step_is_alerted_at_its_next_ticks(office, step, stopped):
    office.turn()
    happen(office)
    pass_turning(office, 10 * MINUTE)
    assert counts(office) == each(1)
    if stopped:
        office.stop()
    office.pass_(0, step=step)
    happen(office)
    # A leap of years is not followed for ten minutes.
    pass_turning(office, (24 if step > YEAR else 12) * MINUTE)
    assert counts(office) == each(2)
    pass_turning(office, HOUR)
    assert counts(office) == each(2)


@pytest.mark.parametrize("lasting", [5 * MINUTE, HOUR])
@pytest.mark.parametrize("stopped", [False, True])
def test_a_clock_that_is_years_ahead_and_set_back_costs_nothing(office, lasting, stopped):
    office.turn()
    happen(office)
    pass_turning(office, 10 * MINUTE)
    office.pass_(0, step=10 * YEAR)
    if stopped:
        office.stop()
    happen(office, wrong=10 * YEAR)
    pass_turning(office, lasting)
    office.pass_(0, step=-10 * YEAR)
    if stopped:
        office.stop()
    happen(office)
    pass_turning(office, 24 * MINUTE)
    happen(office)
    pass_turning(office, 24 * MINUTE)
    assert counts(office) == each(4)
    assert len(office.executions()) < 100
    # Where it was not followed all is as before; else what is told says what the clock of arrivals is.
    assert (office.clock.problem() is None) == (lasting < HOUR)


def test_windows_that_a_step_forward_passed_over_are_run_and_noted_with_its_cause(office):
    office.turn()
    pass_turning(office, 10 * MINUTE)
    office.pass_(0, step=2 * HOUR)
    office.turn()
    gaps = office.gaps()
    assert {(gap.cause, gap.filled_by) for gap in gaps} == {("clock set forward", "tocsin")}
    assert {(gap.first_tick - START) // MINUTE for gap in gaps} == {15}
    assert {(gap.last_tick - START) // MINUTE for gap in gaps} == {125}


def test_a_step_is_told_by_executions_until_the_clock_has_caught_up(office):
    office.turn()
    pass_turning(office, 10 * MINUTE)
    assert office.clock.problem() is None
    assert office.clock.steps == 0
    office.pass_(0, step=-2 * HOUR)
    pass_turning(office, 10 * MINUTE)
    assert office.clock.steps == 1
    assert "set back" in office.clock.problem()
    told = "the system clock was set, and is not followed yet: see /readyz"
    assert told in office.executions()[-1].messages
    assert office.executions()[-1].status == "succeeded" or "no index" in office.executions()[-1].messages[0]
    pass_turning(office, 21 * HOUR, HOUR)
    assert office.clock.problem() is None
    assert told not in office.executions()[-1].messages


def test_a_rule_that_was_enabled_just_before_the_clock_was_set_back_sees_what_happens(tmp_path):
    """What comes in from then on has times before the rule was enabled."""
    office = Office(tmp_path, [rule("event")])
    office.pass_(MINUTE, step=-2 * HOUR)
    office.turn()
    office.event(**BAD)
    pass_turning(office, 12 * MINUTE)
    assert counts(office) == {"event": 1}
