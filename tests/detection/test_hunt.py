"""Hunts over events as files hold them: what windows let through, and what is told of events that no rule sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tocsin.detection.compile import prepare
from tocsin.detection.hunt import Hunt, Report
from tocsin.detection.schedule import Window
from tocsin.moments import to_nanoseconds
from tocsin.rules.model import Rule
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs
from tocsin.sources.unseen import Reason

EVENT_QUERY = 'any where process.name == "x"'
SEQUENCE = 'sequence by host.name [any where process.name == "x"] [any where process.name == "x"]'
SAMPLE = 'sample by host.name [any where process.name == "x"] [any where process.pid == 1]'


def hunted(path: Path, query: str = EVENT_QUERY, window: Window = Window()) -> Report:  # noqa: B008 (frozen)
    rule = Rule(rule_id="r", name="r", type="eql", severity="low", risk_score=1, language="eql", query=query)
    ready, skipped = prepare([rule])
    assert not skipped
    return Hunt(ready, window).run(find_inputs([str(path)]), Rejects())


def event(time: Any, **more: Any) -> dict[str, Any]:
    about = {"process": {"name": "x", "pid": 1}, "host": {"name": "h"}, **more}
    return about if time is None else {"@timestamp": time, **about}


def lines(path: Path, *events: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return path


UNREADABLE = [None, "yesterday", "", True, "2026-02-30T00:00:00Z", [], ["yesterday"], {"at": 1}]


@pytest.mark.parametrize("query", [EVENT_QUERY, SEQUENCE, SAMPLE])
@pytest.mark.parametrize("time", UNREADABLE)
@pytest.mark.parametrize("whole", [False, True], ids=["lines", "array"])
def test_events_without_a_readable_time_end_no_hunt_with_a_window(
    tmp_path: Path, time: Any, query: str, whole: bool
) -> None:
    events = [event(time), event(time)]
    path = lines(tmp_path / "e.json", *events)
    if whole:
        path.write_text(json.dumps(events))
    window = Window(to_nanoseconds("2026-01-01"), to_nanoseconds("2027-01-01"))
    report = hunted(path, query, window)
    assert report.total_events == 2
    assert not report.alerts


@pytest.mark.parametrize(
    ("time", "inside"),
    [
        ("2026-11-20T10:00:00Z", True),
        ("2026-11-21T00:00:00Z", False),
        ("2026-11-19T23:59:59Z", False),
        (["2026-11-20T10:00:00Z"], True),
        ("Nov 20, 2026 @ 10:00:00.123", True),
        ("Nov 21, 2026 @ 10:00:00.123", False),
        ("11/20/2026, 3:40:20.000 PM", True),
        (1795189220, True),
        (1795189220.123, True),
        (1795189220123, True),
    ],
)
def test_a_window_takes_events_by_their_time_however_it_is_written(
    tmp_path: Path, time: Any, inside: bool
) -> None:
    window = Window(to_nanoseconds("2026-11-20"), to_nanoseconds("2026-11-21"))
    report = hunted(lines(tmp_path / "e.ndjson", event(time), event("yesterday")), window=window)
    assert len(report.alerts) == inside


# ---- what no rule sees

IN_ECS = {"event": {"category": "process"}, "process": {"name": "y"}, "host": {"name": "h"}}
TIMED = {"@timestamp": "2026-11-20T10:00:00Z", **IN_ECS}
FOREIGN = {"@timestamp": "2026-11-20T10:00:00Z", "host": {"name": "h"}, "severity": "high", "what": "cmd.exe"}
SEEN: dict[str, tuple[dict[str, Any], dict[Reason, int]]] = {
    "an event in ECS": (TIMED, {}),
    "no time": (IN_ECS, {Reason.NO_TIME: 1}),
    "a time that is none": ({**TIMED, "@timestamp": "yesterday"}, {Reason.NO_TIME: 1}),
    "a day that no month has": ({**TIMED, "@timestamp": "2026-02-30T00:00:00Z"}, {Reason.NO_TIME: 1}),
    "a time beyond 64 bits": ({**TIMED, "@timestamp": "1601-01-01T00:00:00Z"}, {Reason.NO_TIME: 1}),
    "a time as Kibana writes it": ({**TIMED, "@timestamp": "Nov 20, 2026 @ 10:00:00.123"}, {}),
    "seconds since 1970": ({**TIMED, "@timestamp": 1795168800.5}, {}),
    "a foreign document": (FOREIGN, {Reason.NO_FIELD: 1}),
    "a foreign document without a time": ({"what": "cmd.exe"}, {Reason.NO_TIME: 1, Reason.NO_FIELD: 1}),
    "a field of no rule beside the event's category": ({**TIMED, "process": {"pid": 1}}, {}),
    "a dataset alone": (
        {"@timestamp": "2026-11-20T10:00:00Z", "event": {"dataset": "zeek.dns"}},
        {Reason.NO_FIELD: 1},
    ),
    "a record of a product": (
        {"Timestamp": "2026-11-20T10:00:00Z", "ActionType": "ProcessCreated", "FileName": "a.exe"},
        {},
    ),
    "a record of a product without a time": (
        {"ActionType": "ProcessCreated", "FileName": "a.exe"},
        {Reason.NO_TIME: 1},
    ),
}


@pytest.mark.parametrize(("one", "expected"), SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("form", ["lines", "array", "parquet"])
def test_what_no_rule_sees_is_counted_by_reason_and_file_in_every_format(
    tmp_path: Path, one: dict[str, Any], expected: dict[Reason, int], form: str, count: int
) -> None:
    path = tmp_path / "events"
    if form == "lines":
        lines(path, *[one] * count)
    elif form == "array":
        path.write_text(json.dumps([one] * count))
    elif "ActionType" in one:
        pytest.skip("Parquet holds events in ECS")
    else:
        pq.write_table(pa.Table.from_pylist([one] * count), path)
    report = hunted(path, 'process where process.name == "x"')
    assert report.rejects.unseen.document() == {
        reason.value: {str(path): number * count} for reason, number in expected.items()
    }
    told = "\n".join(report.unseen_lines())
    for reason in expected:
        assert f"{count:,} event{'s have' if count > 1 else ' has'} {reason} ({path} {count:,}" in told


def test_events_in_a_mixed_file_are_judged_one_by_one(tmp_path: Path) -> None:
    path = lines(tmp_path / "mixed.ndjson", TIMED, FOREIGN, IN_ECS, *[TIMED] * 200, FOREIGN)
    document = hunted(path, 'process where process.name == "x"').rejects.unseen.document()
    assert document == {Reason.NO_TIME: {str(path): 1}, Reason.NO_FIELD: {str(path): 2}}


def rule_of(index: list[str]) -> Rule:
    return Rule(
        rule_id="i", name="i", type="eql", severity="low", risk_score=1, language="eql", index=tuple(index),
        query='process where process.name == "y"',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("patterns", "unseen"),
    [
        ([["logs-*"]], 0),
        ([["logs-endpoint.events.*"]], 0),
        ([["winlogbeat-*"]], 5),
        ([["winlogbeat-*"], ["logs-endpoint*"]], 0),
        ([["logs-*", "-logs-endpoint.*"]], 5),
        ([[]], 0),
    ],
)
@pytest.mark.parametrize("whole", [False, True], ids=["lines", "array"])
def test_events_in_an_index_that_no_rule_names_are_counted(
    tmp_path: Path, patterns: list[list[str]], unseen: int, whole: bool
) -> None:
    event = {**TIMED, "data_stream": {"type": "logs", "dataset": "endpoint.events.process", "namespace": "x"}}
    path = lines(tmp_path / "e", *[event] * 5)
    if whole:
        path.write_text(json.dumps([event] * 5))
    ready, skipped = prepare([rule_of(one) for one in patterns])
    assert not skipped
    report = Hunt(ready).run(find_inputs([str(path)]), Rejects())
    assert report.rejects.unseen.total(Reason.NO_INDEX) == unseen
    every = Hunt(ready, any_index=True).run(find_inputs([str(path)]), Rejects())
    assert every.rejects.unseen.document() == {}


def test_a_window_says_what_was_not_looked_at(tmp_path: Path) -> None:
    path = lines(tmp_path / "e", TIMED, {**TIMED, "@timestamp": "2026-11-21T10:00:00Z"}, IN_ECS)
    window = Window(to_nanoseconds("2026-11-20"), to_nanoseconds("2026-11-21"))
    report = hunted(path, 'process where process.name == "y"', window)
    assert (len(report.alerts), report.outside) == (1, 1)
    told = "\n".join(report.unseen_lines())
    assert "1 event was outside --from and --to: not looked at" in told
    assert "1 event was not looked at, as without a time nothing lies within --from and --to" in told
