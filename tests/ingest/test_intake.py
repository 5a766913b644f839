"""What becomes of a document on its way in: its time however it is written, its text kept as it came."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tocsin.ingest.intake import Intake, Refused
from tocsin.moments import to_nanoseconds
from tocsin.nesting import MOST_LEVELS, TOO_DEEP
from tocsin.sources.unseen import Reason
from tocsin.store.events import Document


def taken(timestamp: Any) -> Document | Refused:
    document = {"@timestamp": timestamp, "event": {"category": "process"}, "process": {"name": "x"}}
    return Intake().take("logs-test-default", None, orjson.dumps(document))


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-11-20T10:00:00.000Z",
        "2026-11-20 11:00:00+0100",
        "Nov 20, 2026 @ 10:00:00.000",
        "20/11/2026 10:00:00",
        "11/20/2026, 10:00:00.000 AM",
        "Fri, 20 Nov 2026 10:00:00 GMT",
        1795168800,
        1795168800.0,
        1795168800000,
        ["2026-11-20T10:00:00.000Z"],
    ],
)
def test_a_time_that_can_be_read_is_read_and_the_text_stays(timestamp: Any) -> None:
    found = taken(timestamp)
    assert isinstance(found, Document)
    assert found.time == to_nanoseconds("2026-11-20T10:00:00Z")
    assert orjson.loads(found.source)["@timestamp"] == timestamp


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        ("yesterday", "'yesterday' is no date"),
        ("10/11/2026 10:00:00", "day and month could be swapped"),
        ("2026-02-30T00:00:00Z", "is no date"),
        ([], "is no date"),
        ({"at": 1}, "is no date"),
        (True, "is no date"),
    ],
)
def test_a_time_that_cannot_be_read_is_refused_with_the_reason(timestamp: Any, reason: str) -> None:
    found = taken(timestamp)
    assert isinstance(found, Refused)
    assert found.kind == "document_parsing_exception"
    assert reason in found.reason


ARRIVAL = "2026-11-27T09:00:00.000Z"
# What a document without `@timestamp` has besides, the time that it gets, and whether that is of its arrival.
UNSTAMPED: dict[str, tuple[dict[str, Any], str, bool]] = {
    "nothing": ({}, ARRIVAL, True),
    "null": ({"@timestamp": None}, ARRIVAL, True),
    "a name in capitals": ({"TimeGenerated": "2026-11-20T10:00:00Z"}, "2026-11-20T10:00:00Z", False),
    "seconds": ({"ts": 1795168800.25}, "2026-11-20T10:00:00.250Z", False),
    "ECS' own": ({"event": {"created": "2026-11-20T10:00:00Z"}}, "2026-11-20T10:00:00Z", False),
    "text that is no time": ({"timestamp": "yesterday"}, ARRIVAL, True),
    "a duration": ({"time": 0.35}, ARRIVAL, True),
    "a day that could be another": ({"date": "03/04/2026"}, ARRIVAL, True),
}


@pytest.mark.parametrize(("held", "time", "of_arrival"), UNSTAMPED.values(), ids=UNSTAMPED)
def test_a_document_without_a_timestamp_is_never_refused_for_it(
    held: dict[str, Any], time: str, of_arrival: bool
) -> None:
    """As Elastic's pipeline for logs, which sets the moment of arrival where there is no `@timestamp`."""
    intake = Intake(now=lambda: to_nanoseconds(ARRIVAL))
    found = intake.take("logs-test-default", None, orjson.dumps({"process": {"name": "x"}, **held}))
    assert isinstance(found, Document)
    assert found.time == to_nanoseconds(time)
    assert orjson.loads(found.source) == {"process": {"name": "x"}, **held, "@timestamp": time}
    assert intake.unseen.total(Reason.ARRIVED) == of_arrival


@pytest.mark.parametrize(
    ("document", "unseen"),
    [
        ({"process": {"name": "x"}}, 0),
        ({"process.name": "x"}, 0),
        ({"registry": {"path": "HKLM"}}, 0),
        ({"what": "cmd.exe", "severity": "high"}, 1),
        ({"what": "cmd.exe", "host": {"name": "h"}, "message": "m"}, 1),
    ],
)
def test_a_document_that_no_rule_could_see_is_stored_and_counted(document: dict[str, Any], unseen: int) -> None:
    intake = Intake()
    found = intake.take("logs-x-default", None, orjson.dumps({"@timestamp": "2026-11-20T10:00:00Z", **document}))
    assert isinstance(found, Document)
    assert intake.unseen.document() == ({Reason.UNKNOWN.value: {"logs-x-default": 1}} if unseen else {})


@pytest.mark.parametrize(
    "name", ["_id", "_index", "_source", "_day", "_slice", "_nanoseconds", "_id.x", "_arrived"]
)
def test_a_name_of_metadata_or_of_the_stores_own_columns_is_refused(name: str) -> None:
    document = {"@timestamp": "2026-11-20T10:00:00Z", "event": {"category": "process"}, name: 3}
    found = Intake().take("logs-test-default", None, orjson.dumps(document))
    assert isinstance(found, Refused)
    assert f"Field [{name}] is a metadata field" in found.reason


@pytest.mark.parametrize("name", ["_id", "_type", "_day", "_source.ip"])
def test_a_raw_record_loses_such_a_name_and_is_read(name: str) -> None:
    head = {"channel": "Security", "provider_name": "Microsoft-Windows-Security-Auditing", "event_id": "4688"}
    data = {"NewProcessName": "C:\\a.exe", "CommandLine": "a.exe"}
    document = {"@timestamp": "2026-11-20T10:00:00Z", name: "of Graylog", "winlog": {**head, "event_data": data}}
    intake = Intake()
    found = intake.take("winlogbeat-graylog", None, orjson.dumps(document))
    assert isinstance(found, Document)
    stored = orjson.loads(found.source)
    assert (stored["process"]["name"], name in stored) == ("a.exe", False)
    assert orjson.loads(stored["event"]["original"]) == document
    assert intake.unseen.document() == {Reason.RESERVED.value: {"winlogbeat-graylog": 1}}


LEVELS = {"objects": ('{"a":', "}"), "lists": ("[", "]")}


@pytest.mark.parametrize(("begin", "end"), LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("time", ['"@timestamp":"2026-11-20T10:00:00Z",', ""])
def test_a_document_is_nested_so_deep_as_an_answer_may_be_and_refused_beyond(time, begin, end):
    def taken_at(levels: int) -> Document | Refused:
        source = f'{{{time}"x":{begin * levels}1{end * levels}}}'.encode()
        return Intake().take("logs-test-default", None, source)

    assert isinstance(taken_at(MOST_LEVELS - 1), Document)
    for levels in (MOST_LEVELS, 300, 1_000):
        refused = taken_at(levels)
        assert isinstance(refused, Refused)
        assert TOO_DEEP in refused.reason


def test_names_of_very_many_parts_in_a_raw_record_stay_names():
    name = ".".join("a" * 600)
    record = {
        "winlog": {
            "channel": "Security", "event_id": 4688, "provider_name": "Microsoft-Windows-Security-Auditing",
            "event_data": {name: "x", "NewProcessName": "C:\\a.exe"},
        },
        "@timestamp": "2026-11-20T10:00:00Z",
    }  # fmt: skip
    document = Intake().take("logs-system.security-default", None, orjson.dumps(record))
    assert isinstance(document, Document)
    assert orjson.loads(document.source)[f"winlog.event_data.{name}"] == "x"
