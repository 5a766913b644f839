"""Suppression: one alert for what has values in common."""

from __future__ import annotations

import pytest

from tests.scheduler.virtual import BAD, MINUTE, ROOT, START, Office, rule
from tocsin.management import alerts as management
from tocsin.moments import iso


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
        management.set_status(session, ROOT, [office.alerts()[0].id], "closed")
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


# ---- fields with several values, as Kibana's group_and_bulk_create and suppression_utils have them

QUERY = {"type": "query", "language": "kuery", "query": "process.name: bad.exe"}
SAVED = {**QUERY, "type": "saved_query"}
LUCENE = {**QUERY, "language": "lucene", "query": "process.name:bad.exe"}
TERMS = {
    "type": "new_terms", "language": "kuery", "query": "*:*", "new_terms_fields": ["process.pid"],
    "history_window_start": "now-1h",
}  # fmt: skip
SEVERAL = [(1, ["a", "b"]), (2, ["b"]), (3, ["b", "a"]), (3, "c"), (4, None)]
EACH = [(None, 0), ("a", 1), ("b", 2), ("c", 0)]  # a group's values, and what its alert stands for beside its own
WHOLE = [(None, 0), (["a", "b"], 1), ("b", 0), ("c", 0)]


def office_by(tmp_path, rule_, fields=("tags",), **policy):
    office = Office(tmp_path, [rule(**rule_, alert_suppression={"group_by": list(fields), **policy})])
    office.turn()
    return office


def tagged(office, *rows):
    for n, (minute, tags, *more) in enumerate(rows):
        office.until(START + minute * MINUTE)
        fields = {"event": {"category": "process"}, "process": {"name": "bad.exe", "pid": minute * 100 + n}}
        office.event(**fields, **({"tags": tags} if tags else {}), **(more[0] if more else {}))


def groups(office):
    """Return for each alert the values of its group, and how many more events it stands for."""
    found = [
        (
            *(term["value"] for term in d["kibana.alert.suppression.terms"]),
            d["kibana.alert.suppression.docs_count"],
        )
        for d in office.documents()
    ]
    return sorted(found, key=str)


@pytest.mark.parametrize(
    ("rule_", "expected"),
    [(QUERY, EACH), (SAVED, EACH), (LUCENE, EACH), ({}, WHOLE), (TERMS, WHOLE)],
    ids=["query", "saved", "lucene", "eql", "new terms"],
)
@pytest.mark.parametrize("duration", [{}, {"duration": {"value": 1, "unit": "h"}}], ids=["execution", "span"])
def test_several_values_of_a_field(tmp_path, rule_, expected, duration):
    office = office_by(tmp_path, rule_, **duration)
    tagged(office, *SEVERAL)
    run_until(office, 5)
    assert groups(office) == sorted(expected, key=str)
    run_until(office, 10)  # whose window holds some of them too
    assert groups(office) == sorted(expected, key=str)


def test_an_event_that_is_the_first_of_several_groups_is_an_alert_of_each(tmp_path):
    office = office_by(tmp_path, QUERY)
    tagged(office, (1, ["a", "b", "a"]))
    run_until(office, 5)
    assert groups(office) == [("a", 0), ("b", 0)]
    ancestors = [[one["id"] for one in d["kibana.alert.ancestors"]] for d in office.documents()]
    assert len(ancestors) == 2
    assert ancestors[0] == ancestors[1]


def test_several_fields_make_a_group_of_each_combination(tmp_path):
    office = office_by(tmp_path, QUERY, ("tags", "host.name"))
    tagged(office, (1, ["a", "b"], {"host": {"name": "h"}}), (2, "a", {"host": {"name": ["h", "i"]}}), (3, "b"))
    run_until(office, 5)
    assert groups(office) == [("a", "h", 1), ("a", "i", 0), ("b", "h", 0), ("b", None, 0)]


def test_each_group_goes_on_by_itself_for_its_span_of_time(tmp_path):
    office = office_by(tmp_path, QUERY, duration={"value": 30, "unit": "m"})
    tagged(office, (1, ["a", "b"]))
    run_until(office, 5)
    tagged(office, (6, "b"), (7, ["b", "c"]))
    run_until(office, 10)
    assert groups(office) == [("a", 0), ("b", 2), ("c", 0)]
    tagged(office, (40, ["a", "c"]))
    run_until(office, 45)
    assert groups(office) == [("a", 0), ("a", 0), ("b", 2), ("c", 0), ("c", 0)]


def test_events_that_lack_a_field_stand_alone_if_asked(tmp_path):
    office = office_by(tmp_path, QUERY, missing_fields_strategy="doNotSuppress")
    tagged(office, (1, ["a", "b"]), (2, None), (3, None), (4, "a"))
    run_until(office, 5)
    documents = office.documents()
    assert sorted(d.get("kibana.alert.suppression.docs_count", -1) for d in documents) == [-1, -1, 0, 1]


def test_combinations_beyond_the_most_are_told(tmp_path):
    office = office_by(tmp_path, QUERY, ("tags", "host.name"))
    many = [f"{n:03}" for n in range(40)]
    tagged(office, (1, many, {"host": {"name": many}}))
    run_until(office, 5)
    [run] = office.executions()
    assert run.written == 100
    assert "suppression: 1 events have more combinations of values than groups are made of" in str(vars(run))


def test_a_threshold_counts_an_event_for_each_value(tmp_path):
    threshold = {"field": ["tags"], "value": 2}
    office = office_by(tmp_path, {**QUERY, "type": "threshold", "threshold": threshold}, ())
    tagged(office, (1, ["a", "b"]), (2, ["b", "c"]), (3, "a"))
    run_until(office, 5)
    found = [d["kibana.alert.threshold_result"] for d in office.documents()]
    assert sorted((one["terms"][0]["value"], one["count"]) for one in found) == [("a", 2), ("b", 2)]
