"""When rules are due and what they read then: whoever asks, whenever, wherever."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared import needs_shared, shared
from tocsin.detection.schedule import Schedule, Window, read_schedule, span, unread
from tocsin.errors import RuleError
from tocsin.moments import SECOND, to_nanoseconds
from tocsin.rules.load import bundled_rules, load_rules
from tocsin.rules.model import Rule

MINUTE = 60 * SECOND


def rule_of(**schedule: str) -> Rule:
    about = {"rule_id": "r", "name": "r", "type": "eql", "severity": "low", "risk_score": 1}
    return Rule.model_validate({**about, **schedule})


def at(text: str, zone: str = "UTC") -> int:
    return to_nanoseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def test_the_reference_rule_is_due_every_five_minutes_and_reads_nine():
    (rule,) = (r for r in bundled_rules().rules if r.name == "Remote File Download via MpCmdRun")
    schedule = read_schedule(rule)
    ticks = list(schedule.ticks(at("2026-11-25 12:03:21"), at("2026-11-25 12:15:00")))
    assert ticks == [at("2026-11-25 12:05"), at("2026-11-25 12:10"), at("2026-11-25 12:15")]
    assert schedule.window(ticks[0]) == Window(at("2026-11-25 11:56"), at("2026-11-25 12:05"))
    assert schedule.overlap == 4 * MINUTE
    assert unread(rule, schedule) is None


# when clocks go forward or back nothing is left out and nothing is due twice
CLOCKS = {
    "Europe/Berlin": ("2026-03-29 01:30", "2026-03-29 03:30", 12),
    "America/New_York": ("2026-11-01 00:30", "2026-11-01 02:30", 36),
}


@pytest.mark.parametrize("zone", CLOCKS)
def test_ticks_do_not_move_with_daylight_saving(zone):
    start, end, count = CLOCKS[zone]
    ticks = list(Schedule(5 * MINUTE, "now-9m").ticks(at(start, zone), at(end, zone)))
    assert len(ticks) == count
    assert {b - a for a, b in itertools.pairwise(ticks)} == {5 * MINUTE}


_SPANS = st.tuples(st.integers(1, 90), st.sampled_from(["s", "m", "h"]))
_MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: to_nanoseconds(moment.replace(tzinfo=UTC))
)


@given(_SPANS, _MOMENTS, st.lists(st.integers(0, 10**13), max_size=5))
def test_however_often_one_stops_in_between_the_ticks_are_the_same(interval, start, pauses):
    schedule = read_schedule(rule_of(interval=f"{interval[0]}{interval[1]}", **{"from": "now-9h"}))
    pauses = [min(pause, 100 * schedule.interval) for pause in pauses]
    end = start + sum(pauses)
    piecewise: list[int] = []
    now = start
    for pause in pauses:
        piecewise += schedule.ticks(now, now + pause)
        now += pause
    assert piecewise == list(schedule.ticks(start, end))


@given(_SPANS, st.integers(0, 300), _MOMENTS)
def test_with_an_overlap_every_moment_lies_in_a_window(interval, more, moment):
    seconds = interval[0] * {"s": 1, "m": 60, "h": 3600}[interval[1]]
    rule = rule_of(interval=f"{interval[0]}{interval[1]}", **{"from": f"now-{seconds + more}s"})
    schedule = read_schedule(rule)
    assert schedule.overlap == more * SECOND
    due = list(schedule.ticks(moment, moment + (seconds + more) * SECOND))
    holding = [tick for tick in due if schedule.window(tick).start <= moment < schedule.window(tick).end]
    assert holding == due
    assert due


def test_windows_take_rounding_and_an_earlier_end():
    schedule = read_schedule(rule_of(interval="1h", **{"from": "now-2h/h", "to": "now-5m"}))
    assert schedule.window(at("2026-11-25 12:00")) == Window(at("2026-11-25 10:00"), at("2026-11-25 11:55"))
    assert schedule.overlap == 55 * MINUTE


# what is told of a schedule that leaves events out
UNREAD = {
    (
        "10m",
        "now-6m",
        "now",
    ): "every 10m the rule reads from now-6m to now, so that 4m in every 10m are never read",
    ("1h", "now-5400s", "now-45m"): "so that 15m in every 1h are never read",
    ("5m", "now-5m", "now"): None,
}


@pytest.mark.parametrize("times", UNREAD)
def test_a_window_shorter_than_the_interval_is_told_of(times):
    interval, start, end = times
    rule = rule_of(interval=interval, **{"from": start, "to": end})
    told = unread(rule, read_schedule(rule))
    expected = UNREAD[times]
    assert told is None if expected is None else expected in (told or "")


# what is wrong -> how the error begins
WRONG = {
    ("5 minutes", "now-9m", "now"): "`interval` is a number above 0 with a unit, not `5 minutes`",
    ("0m", "now-9m", "now"): "`interval` is a number above 0",
    ("5m", "2026-11-25", "now"): "`from` is date math that begins with now, not `2026-11-25`",
    ("5m", "now-9x", "now"): "`from`: `now-9x`: `-9x` is no date math",
    ("5m", "now-9m", "later"): "`to` is date math that begins with now",
    ("5m", "now", "now"): "`from` (now) does not lie before `to` (now)",
    ("5m", "now-1m", "now-2m"): "`from` (now-1m) does not lie before `to`",
    ("5m", "now-999999999y", "now"): "`from`: ",
}


@pytest.mark.parametrize("times", WRONG)
def test_a_schedule_that_cannot_be_is_refused_by_field(times):
    interval, start, end = times
    with pytest.raises(RuleError, match=f"^{re.escape(WRONG[times])}"):
        read_schedule(rule_of(interval=interval, **{"from": start, "to": end}))


@needs_shared("rules/elastic-windows")
def test_no_public_rule_leaves_time_unread():
    rules = load_rules([str(shared("rules/elastic-windows"))]).rules
    assert [rule.name for rule in rules if unread(rule, read_schedule(rule))] == []


def test_spans_are_told_in_two_units():
    told = {0: "0s", 90 * SECOND: "1m 30s", 5 * MINUTE: "5m", 90_061 * SECOND: "1d 1h"}
    assert {nanoseconds: span(nanoseconds) for nanoseconds in told} == told


def test_a_moment_of_another_zone_is_the_same_moment():
    east = datetime(2026, 11, 25, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert list(Schedule(5 * MINUTE, "now-9m").ticks(to_nanoseconds(east) - 1, to_nanoseconds(east))) == [
        at("2026-11-25 12:00")
    ]
