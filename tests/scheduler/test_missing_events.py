"""A sequence that begins or ends with a missing event is an alert when the time in which it may come has passed.

Elasticsearch answers for the events that it has at the moment, so that a rule in Kibana alerts at once, and again
stays silent or not as its window moves on; here the clock says when nothing can come any more.
"""

from __future__ import annotations

import pytest

from tests.scheduler.virtual import MINUTE, START, Office, rule
from tocsin.detection.compiled_rule import INGESTED

NAMED = "[process where process.name == {!r}]".format
A, B, X = (NAMED(name).replace("'", '"') for name in "abx")


def office_of(tmp_path, steps, span="5m", **more):
    office = Office(tmp_path, [rule("r", f"sequence by host.name with maxspan={span} {steps}", **more)])
    office.turn()
    return office


def happens(office, name, arrived, minute=None, host="h"):
    """Let an event come in at a minute; without another one it has happened then."""
    office.until(START + int(arrived * MINUTE))
    time = None if minute is None else START + int(minute * MINUTE)
    office.event(time=time, event={"category": "process"}, process={"name": name}, host={"name": host})


def raised_at(office, upto):
    """Return the minutes of the ticks at which alerts are raised, up to one minute."""
    found, known = [], len(whole(office))
    for minute in range((office.now - START) // MINUTE + 1, upto + 1):
        office.until(START + minute * MINUTE)
        office.turn()
        if len(whole(office)) > known:
            found.append(minute)
            known = len(whole(office))
    return found


def whole(office):
    """Return the alerts of sequences, without those of their single events."""
    return [one for one in office.documents() if "kibana.alert.building_block_type" not in one]


AFTER = [
    # what happens: (name, minute of arrival, minute of the event) -> the minutes at which there is an alert
    ("not before maxspan has passed", [("a", 4, None)], [10]),
    ("and once, however many windows hold it", [("a", 1, None)], [10]),
    ("maxspan takes its end in: at minute 10 an event of minute 10 may still come", [("a", 5, None)], [15]),
    ("not if the other comes in time", [("a", 4, None), ("b", 7, None)], []),
    ("nor at the last moment", [("a", 4, None), ("b", 9, None)], []),
    ("but if it comes too late", [("a", 4, None), ("b", 9.5, None)], [10]),
    ("not if the other arrives late, but before it is due", [("a", 4, None), ("b", 9.9, 6)], []),
    ("if the first arrives late, then", [("a", 13, 4)], [15]),
    ("if the first arrives late, and the other came in time, not", [("b", 6, None), ("a", 13, 4)], []),
    ("what came before does not matter", [("b", 1, None), ("a", 4, None)], [10]),
    ("each by itself", [("a", 1, None), ("a", 6, None), ("b", 8, None), ("a", 9, None)], [10, 15]),
    ("another host's does not count", [("a", 4, None, "h"), ("b", 5, None, "i")], [10]),
]


@pytest.mark.parametrize(("what", "minutes"), [c[1:] for c in AFTER], ids=[c[0] for c in AFTER])
def test_an_event_that_is_missing_behind(tmp_path, what, minutes):
    office = office_of(tmp_path, f"{A} !{B}")
    for name, arrived, minute, *host in what:
        raised = raised_at(office, int(arrived))
        assert raised == [m for m in minutes if m <= arrived]
        happens(office, name, arrived, minute, *host)
    assert [*minutes] == [m for m in minutes if m <= office.now // MINUTE - START // MINUTE] + raised_at(
        office, 60
    )


def test_a_span_longer_than_the_look_back_is_waited_for(tmp_path):
    office = office_of(tmp_path, f"{A} !{B}", "1h")
    happens(office, "a", 3)
    assert raised_at(office, 180) == [65]


def test_an_answer_an_hour_later_is_in_time_for_a_span_of_two(tmp_path):
    office = office_of(tmp_path, f"{A} !{B}", "2h")
    happens(office, "a", 3)
    assert raised_at(office, 60) == []
    happens(office, "b", 63)
    assert raised_at(office, 400) == []


BEFORE = [
    ("nothing came before", [("a", 9)], 1),
    ("something did", [("x", 7), ("a", 9)], 0),
    ("though later windows hold it no more", [("x", 4), ("a", 8.5)], 0),
    ("so long before that it does not count", [("x", 3), ("a", 9)], 1),
]


@pytest.mark.parametrize(("what", "alerts"), [c[1:] for c in BEFORE], ids=[c[0] for c in BEFORE])
def test_an_event_that_is_missing_in_front(tmp_path, what, alerts):
    office = office_of(tmp_path, f"!{X} {A}", **{"from": "now-6m"})
    for name, arrived in what:
        raised_at(office, int(arrived))
        happens(office, name, arrived)
    raised_at(office, 60)
    assert len(whole(office)) == alerts


def test_an_event_that_is_missing_in_between_is_not_waited_for(tmp_path):
    office = office_of(tmp_path, f"{A} !{X} {B}")
    happens(office, "a", 1)
    happens(office, "b", 2)
    assert raised_at(office, 60) == [5]


@pytest.mark.parametrize("time", [4, -100, 9, 300])
def test_a_rule_by_arrival_waits_from_then_on_whatever_the_clock_of_the_host_says(tmp_path, time):
    office = office_of(tmp_path, f"{A} !{B}", timestamp_override=INGESTED)
    happens(office, "a", 4, time)
    assert raised_at(office, 60) == [10]


def test_by_arrival_an_event_that_came_in_late_is_judged_by_what_came_before_it(tmp_path):
    office = office_of(tmp_path, f"!{X} {A}", timestamp_override=INGESTED)
    happens(office, "a", 4, -100)
    assert raised_at(office, 60) == [5]


def test_a_service_that_was_down_says_the_same(tmp_path):
    office = office_of(tmp_path, f"{A} !{B}")
    happens(office, "a", 4)
    office.stop()
    happens(office, "a", 12)
    happens(office, "b", 14)
    happens(office, "a", 36)
    assert raised_at(office, 37) == [37]  # what was due at minute 10
    assert raised_at(office, 60) == [45]
    assert [e.first_tick for e in office.executions()] == sorted({e.first_tick for e in office.executions()})
