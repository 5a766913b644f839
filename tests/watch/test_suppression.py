"""Suppression: one alert for what has values in common."""

from __future__ import annotations

import pytest

from tests.watch.virtual import BAD, MINUTE, ROOT, START, Office, rule
from tocsin.moments import iso
from tocsin.store.records import alerts as kept


def office_of(tmp_path, **policy):
    office = Office(tmp_path, [rule(alert_suppression={"group_by": ["host.name"], **policy})])
    office.turn()
    return office


def events(office, *rows):
    for minute, host in rows:
        office.until(START + minute * MINUTE)
        office.event(**BAD, **({"host": {"name": host}} if host else {}))


def run_until(office, minute):
    office.until(START + minute * MINUTE)
    office.turn()


def told(office):
    """Return, for each alert, its group, when what it stands for ends, and how many more events that is."""
    return [
        (
            d["kibana.alert.suppression.terms"][0]["value"],
            d["kibana.alert.suppression.end"],
            d["kibana.alert.suppression.docs_count"],
        )
        for d in sorted(office.documents(), key=lambda d: d["kibana.alert.original_time"])
    ]


def at(minute):
    return iso(START + minute * MINUTE)


def test_the_events_of_an_execution_that_have_values_in_common_are_one_alert(tmp_path):
    office = office_of(tmp_path)
    events(office, (1, "a"), (2, "a"), (2, "b"), (3, "a"))
    run_until(office, 5)
    assert told(office) == [("a", at(3), 2), ("b", at(2), 0)]
    assert [(e.matches, e.written, e.suppressed) for e in office.executions()] == [(4, 2, 2)]
    run_until(office, 10)  # whose window holds them too
    assert len(office.alerts()) == 2


def test_the_next_execution_makes_an_alert_of_its_own(tmp_path):
    office = office_of(tmp_path)
    events(office, (4, "a"))
    run_until(office, 5)
    events(office, (6, "a"), (7, "a"))
    run_until(office, 10)
    assert told(office) == [("a", at(4), 0), ("a", at(7), 1)]


def test_an_alert_stands_for_what_follows_within_a_span_of_time(tmp_path):
    office = office_of(tmp_path, duration={"value": 30, "unit": "m"})
    events(office, (1, "a"))
    run_until(office, 5)
    events(office, (6, "a"), (6, "b"))
    run_until(office, 10)
    events(office, (29, "a"), (33, "a"))
    run_until(office, 35)
    assert told(office) == [("a", at(29), 2), ("b", at(6), 0), ("a", at(33), 0)]


def test_a_closed_alert_stands_for_nothing_more(tmp_path):
    office = office_of(tmp_path, duration={"value": 30, "unit": "m"})
    events(office, (1, "a"))
    run_until(office, 5)
    with office.records.transaction() as session:
        kept.set_status(session, ROOT, [office.alerts()[0].id], "closed")
    events(office, (6, "a"))
    run_until(office, 10)
    assert [count for *_, count in told(office)] == [0, 0]


@pytest.mark.parametrize(("strategy", "alerts"), [("suppress", 1), ("doNotSuppress", 2)])
def test_events_without_the_field_are_a_group_or_stand_alone(tmp_path, strategy, alerts):
    office = office_of(tmp_path, missing_fields_strategy=strategy)
    events(office, (1, None), (2, None))
    run_until(office, 5)
    assert len(office.alerts()) == alerts


def test_thresholds_are_suppressed_by_their_own_groups(tmp_path):
    document = rule(
        "r", "*:*", type="threshold", language="kuery", threshold={"field": ["host.name"], "value": 2},
        alert_suppression={"duration": {"value": 1, "unit": "h"}},
    )  # fmt: skip
    office = Office(tmp_path, [document])
    office.turn()
    events(office, (1, "a"), (2, "a"))
    run_until(office, 5)
    events(office, (11, "a"), (12, "a"))
    run_until(office, 15)
    assert told(office) == [("a", at(12), 1)]
