"""Rules that look at many events together, hunted over files: groups, new terms and their history, indicators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scheduler.virtual import MINUTE, START, iso_exact, rule
from tocsin.detection.compile import prepare
from tocsin.detection.hunt import GIVEN_UP, NO_EVENT_HAS, Hunt, Report
from tocsin.detection.schedule import Window
from tocsin.rules.files import read_rule
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs

HOUR = 60 * MINUTE
NO_WINDOW = Window()
NEW_TERMS = rule(
    "r", "*:*", type="new_terms", language="kuery", new_terms_fields=["user.name"], history_window_start="now-10h"
)
THRESHOLD = rule("r", "*:*", type="threshold", language="kuery", threshold={"field": ["host.name"], "value": 3})
Row = tuple[float | None, str]  # hour, value


def written(file, rows: Iterable[tuple[float | None, dict[str, Any]]]):
    lines = []
    for hour, fields in rows:
        document = {"event": {"category": "process"}, **fields}
        if hour is not None:
            document["@timestamp"] = iso_exact(START + int(hour * HOUR))
        lines.append(orjson.dumps(document) + b"\n")
    file.write_bytes(b"".join(lines))
    return file


def hunted(folder, document, rows, *, history=(), window=NO_WINDOW, **more) -> Report:
    ready, skipped = prepare([read_rule(document)], open_fields=True)
    assert not skipped
    before = find_inputs([str(written(folder / "history.ndjson", history))]) if history else []
    inputs = find_inputs([str(written(folder / "events.ndjson", rows))])
    return Hunt(ready, window, **more).run(inputs, Rejects(), history=before)


def users(*rows: Row):
    return [(hour, {"user": {"name": name}}) for hour, name in rows]


def new(report: Report) -> list[Row]:
    return [((alert.time - START) / HOUR, alert.value("user.name")) for alert in report.alerts]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, "a"), (1, "a"), (2, "b")], [(0, "a"), (2, "b")]),
        ([(2, "b"), (1, "a"), (0, "a")], [(0, "a"), (2, "b")]),  # in whatever order they lie
        ([(0, "a"), (10, "a")], [(0, "a")]),
        ([(0, "a"), (11, "a")], [(0, "a"), (11, "a")]),  # longer ago than the history reaches
        ([(0, "a"), (6, "a"), (12, "a")], [(0, "a")]),
    ],
)
def test_a_term_is_new_that_no_event_of_the_history_before_has(tmp_path, rows, expected):
    assert new(hunted(tmp_path, NEW_TERMS, users(*rows))) == expected


def test_what_lies_before_the_window_is_history(tmp_path):
    window = Window(START + 2 * HOUR, START + 4 * HOUR)
    rows = users((1, "a"), (3, "a"), (3, "b"), (5, "c"))
    assert new(hunted(tmp_path, NEW_TERMS, rows, window=window)) == [(3, "b")]


def test_history_of_other_files_raises_no_alert(tmp_path):
    report = hunted(tmp_path, NEW_TERMS, users((3, "a"), (3, "b")), history=users((1, "a"), (1, "c")))
    assert new(report) == [(3, "b")]
    assert report.total_events == 2
    assert report.history_events == 2


def test_another_length_of_history(tmp_path):
    report = hunted(tmp_path, NEW_TERMS, users((0, "a"), (2, "a")), history_window=HOUR)
    assert new(report) == [(0, "a"), (2, "a")]
    assert "back 1h" in report.history_lines()[0]


def test_events_without_a_time_are_counted_by_rules_that_go_by_it(tmp_path):
    for document in (NEW_TERMS, THRESHOLD):
        report = hunted(tmp_path, document, [(None, {"user": {"name": "a"}, "host": {"name": "a"}})] * 3)
        assert not report.alerts
        assert report.untimed == 3


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), max_size=12))
def test_new_terms_are_those_of_a_plain_search(tmp_path_factory, rows):
    report = hunted(tmp_path_factory.mktemp("new"), NEW_TERMS, users((0, "x"), *rows))
    in_order = sorted(rows, key=lambda row: row[0])
    plain = [(0, "x")]
    for number, (hour, name) in enumerate(in_order):
        before = [h for h, n in in_order[:number] if n == name]
        if not before or hour - max(before) > 10:
            plain.append((hour, name))
    assert sorted(new(report)) == sorted(plain)


def test_a_threshold_counts_over_the_whole_span(tmp_path):
    rows = [
        (hour, {"host": {"name": host}}) for hour, host in ((0, "a"), (50, "a"), (90, "a"), (1, "b"), (2, "b"))
    ]
    (alert,) = hunted(tmp_path, THRESHOLD, rows).alerts
    assert alert.value("host.name") == "a"
    assert alert.finding.about["kibana.alert.threshold_result"]["count"] == 3
    window = Window(START + 40 * HOUR, None)
    assert not hunted(tmp_path, THRESHOLD, rows, window=window).alerts


def test_dates_of_a_piped_query_are_relative_to_the_end_of_the_hunted_span(tmp_path):
    query = "from logs-* | where @timestamp > now() - 1 hour | stats n = count(*) by host.name"
    document = rule("r", query, type="esql", language="esql")
    del document["index"]
    rows = [(hour, {"host": {"name": "a"}}) for hour in (0, 5, 5.5)]
    (alert,) = hunted(tmp_path, document, rows).alerts
    assert alert.event["n"] == 2


def test_more_rows_than_may_be_held_give_up_their_rule_and_say_so(tmp_path):
    report = hunted(tmp_path, NEW_TERMS, users((0, "a"), (1, "b")), row_bytes=10)
    assert not report.alerts
    (skipped,) = report.skipped
    assert skipped.reason == GIVEN_UP
    assert "hunt a shorter span" in skipped.message


def test_a_fault_of_one_rule_ends_no_hunt(tmp_path):
    faulty = {**THRESHOLD, "threshold": {"field": ["host.name"], "value": 1, "cardinality": [{"field": "x"}]}}
    ready, skipped = prepare([read_rule(faulty), read_rule(rule("q"))], open_fields=True)
    assert [one.reason for one in skipped] == ["invalid rule"]
    assert len(ready) == 1


@pytest.mark.parametrize(("events", "alerts"), [([{"x": {"y": "a"}}, {"x": {"y": "b"}}], 1), ([{"z": 1}], None)])
def test_a_piped_query_may_name_a_field_that_events_bring_along(tmp_path, events, alerts):
    document = rule("r", 'from logs-* metadata _id | where x.y == "a"', type="esql", language="esql")
    del document["index"]
    report = hunted(tmp_path, document, [(0, event) for event in events])
    if alerts is None:
        (skipped,) = report.skipped
        assert skipped.reason == NO_EVENT_HAS
        assert "x.y" in skipped.message
    assert len(report.alerts) == (alerts or 0)


def test_what_becomes_no_alert_of_its_own_is_counted_and_said(tmp_path):
    on_a = (1, {"host": {"name": "a"}, "process": {"name": "bad.exe"}})
    suppressed = rule("r", alert_suppression={"group_by": ["host.name"]})
    report = hunted(tmp_path, suppressed, [on_a, (2, on_a[1]), (3, on_a[1])])
    assert len(report.alerts) == 1
    assert "2 findings suppressed: other alerts stand for them" in report.rule_lines()
    document = rule("r", 'from logs-* metadata _id | where host.name == "a"', type="esql", language="esql")
    del document["index"]
    report = hunted(tmp_path, document, [on_a, on_a, on_a])
    assert len(report.alerts) == 1
    assert "2 findings left out, of the same events as another alert" in report.rule_lines()


def test_every_message_of_a_run_is_told_also_where_alerts_are_too_many(tmp_path):
    many = {"process": {"name": "bad.exe"}, "tags": [str(n) for n in range(1001)]}
    suppressed = rule("r", alert_suppression={"group_by": ["tags"]}, type="query", language="kuery")
    report = hunted(tmp_path, {**suppressed, "query": "process.name: bad.exe"}, [(1, many)], max_alerts=5)
    assert len(report.alerts) == 5
    assert report.capped() == {"r": 1000}
    assert [line for line in report.rule_lines() if "more combinations" in line]


def test_events_of_the_history_are_none_of_those_that_were_not_looked_at(tmp_path):
    window = Window(START, None)
    report = hunted(tmp_path, NEW_TERMS, users((3, "a")), history=users((None, "b"), (None, "c")), window=window)
    assert report.looked_at == "1 event"
    assert report.untimed == 2


def test_history_that_no_rule_reads_is_said(tmp_path):
    report = hunted(tmp_path, THRESHOLD, users((3, "a")), history=users((1, "a")))
    assert "--history was not read: no rule that runs is of new terms" in report.rule_lines()


def test_now_is_when_the_last_event_of_a_rule_happened_whatever_other_rules_find(tmp_path):
    query = (
        'from logs-* | where host.name == "a" and @timestamp > now() - 1 hour | stats n = count(*) by host.name'
    )
    piped = rule("piped", query, type="esql", language="esql")
    del piped["index"]
    rows = [(0, {"host": {"name": "a"}}), (50, {"host": {"name": "b"}})]
    ready, _ = prepare([read_rule(piped), read_rule(THRESHOLD)], open_fields=True)
    inputs = find_inputs([str(written(tmp_path / "events.ndjson", rows))])
    assert [alert.rule.name for alert in Hunt(ready).run(inputs, Rejects()).alerts] == ["piped"]
