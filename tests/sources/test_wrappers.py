"""Records within other documents are read as they would be alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources import shippers
from tests.sources.products import m365_defender
from tests.sources.products.case import Process
from tests.sources.ten_events import TEN
from tests.sources.test_documents import ODD, paths
from tests.sources.wrapping import ENVELOPES, WRAPPERS, compact, filebeat, kafka, splunk, wazuh, xml
from tocsin.ingest.intake import Intake, Refused
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.store.events import Document

Record = dict[str, Any]
SYSMON, EXPECTED = TEN["Sysmon 1"]


def read(path: Path, fields: frozenset[str] = frozenset(), rejects: Rejects | None = None) -> list[Record]:
    return list(whole_events(read_inputs(find_inputs([str(path)]), Wanted(fields), rejects or Rejects())))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("title", TEN)
def test_a_wrapped_event_has_its_fields(wrapper: str, title: str) -> None:
    record, expected = TEN[title]
    event = Documents().normalise(json.loads(json.dumps(WRAPPERS[wrapper](record))))
    assert {name: event.get(name) for name in expected} == expected
    assert event["host.name"] in ("WS-0142.corp.example.com", "WEC")
    assert event["@timestamp"].startswith("2026-")


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("spelling", ["a line each", "a list", "over several lines"])
def test_files_of_wrapped_events_are_read_whole(wrapper: str, spelling: str, tmp_path: Path) -> None:
    wrapped = [WRAPPERS[wrapper](record) for record, _ in TEN.values()]
    text = {
        "a line each": "\n".join(map(json.dumps, wrapped)),
        "a list": json.dumps(wrapped),
        "over several lines": "\n".join(json.dumps(one, indent=2) for one in wrapped),
    }[spelling]
    (tmp_path / "e").write_text(text)
    rejects = Rejects()
    events = read(tmp_path / "e", rejects=rejects)
    assert [event["event.code"] for event in events] == [
        str(r["Event"]["System"]["EventID"]) for r, _ in TEN.values()
    ]
    assert not rejects.total


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_rules_see_wrapped_events_of_parquet_files(wrapper: str, tmp_path: Path) -> None:
    wrapped = {name: value for name, value in WRAPPERS[wrapper](SYSMON).items() if value != {}}
    pq.write_table(pa.Table.from_pylist([wrapped] * 2), tmp_path / "e.parquet")
    wanted = Wanted(frozenset(("process.name", "event.category", "event.code")))
    (batch,) = read_inputs(find_inputs([str(tmp_path / "e.parquet")]), wanted, Rejects())
    assert batch.table.raw("process.name").to_pylist() == ["cmd.exe"] * 2  # type: ignore[union-attr]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("spelling", ["a line", "over several lines", "two lines", "within a list"])
def test_each_record_of_an_envelope_is_an_event(envelope: str, spelling: str, tmp_path: Path) -> None:
    wrapped = ENVELOPES[envelope]([record for record, _ in TEN.values()])
    text = {
        "a line": json.dumps(wrapped),
        "over several lines": json.dumps(wrapped, indent=4),
        "two lines": json.dumps(wrapped) + "\n" + json.dumps(wrapped) + "\n",
        "within a list": json.dumps([wrapped]),
    }[spelling]
    (tmp_path / "e").write_text(text)
    rejects = Rejects()
    events = read(tmp_path / "e", rejects=rejects)
    codes = [str(record["Event"]["System"]["EventID"]) for record, _ in TEN.values()]
    assert [event["event.code"] for event in events] == codes * (2 if spelling == "two lines" else 1)
    for event, (_, expected) in zip(events, TEN.values(), strict=False):
        assert {name: event.get(name) for name in expected} == expected
    assert not rejects.total


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_events_among_events_in_ecs_are_seen(wrapper: str, tmp_path: Path) -> None:
    ecs = {"@timestamp": "2026-10-06T10:00:00Z", "event": {"category": ["process"]}, "process": {"name": "a.exe"}}
    bare = {"@timestamp": "2026-10-06T10:00:00Z", "message": "no category", "host": {"name": "h"}}
    lines = [ecs] * 3000 + [bare] * 40
    lines[1701] = WRAPPERS[wrapper](SYSMON)
    (tmp_path / "e.ndjson").write_text("\n".join(map(json.dumps, lines)))
    fields = frozenset(("process.name", "process.pid", "event.category", "host.name"))
    (event,) = (event for event in read(tmp_path / "e.ndjson", fields) if event.get("event.code") == "1")
    assert event["process.name"] == "cmd.exe"


# Those that are records themselves, whose `event` is one, or which have fields of ECS that say what happened.
MORE_THAN_WRAPPERS = re.compile("alone|Splunk's collector|Wazuh|parts as JSON")


@pytest.mark.parametrize("wrapper", [name for name in WRAPPERS if not MORE_THAN_WRAPPERS.search(name)])
@pytest.mark.parametrize("category", ["windows", ["process"]])
def test_a_category_alone_does_not_close_a_wrapper(wrapper: str, category: Any, tmp_path: Path) -> None:
    wrapped = WRAPPERS[wrapper](SYSMON)
    record = {**wrapped, "event": {**wrapped.get("event", {}), "category": category}}
    (tmp_path / "e.ndjson").write_text("\n".join([json.dumps(record)] * 300))
    events = read(tmp_path / "e.ndjson", frozenset(("process.name", "event.category", "host.name")))
    assert [event["process.executable"] for event in events] == [EXPECTED["process.executable"]] * 300
    found = Intake().take("logs-generic-default", None, json.dumps(record).encode())
    assert isinstance(found, Document)
    assert json.loads(found.source)["process"]["executable"] == EXPECTED["process.executable"]


@pytest.mark.parametrize("wrapper", [name for name in WRAPPERS if name != "Wazuh in a search"])
def test_a_wrapped_event_sent_over_http_is_stored_with_its_fields(wrapper: str) -> None:
    found = Intake().take("logs-generic-default", None, json.dumps(WRAPPERS[wrapper](SYSMON)).encode())
    assert isinstance(found, Document)
    stored = json.loads(found.source)
    assert stored["process"]["executable"] == EXPECTED["process.executable"]
    assert found.index in ("logs-windows.sysmon_operational-default", "winlogbeat-default")


def test_records_of_products_are_unwrapped_too(tmp_path: Path) -> None:
    """Defender's streaming API sends `records` to Event Hubs (learn.microsoft.com, raw-data-export-event-hub)."""
    record = m365_defender.process_started(Process("C:\\Windows\\cmd.exe", "cmd.exe"))
    (tmp_path / "e.json").write_text(
        json.dumps({"records": [record, record]}) + "\n" + compact(kafka(compact(record)))
    )
    events = read(tmp_path / "e.json")
    assert [event["process.name"] for event in events] == ["cmd.exe"] * 3


KEPT = [
    (filebeat(compact({**SYSMON, "Event": {**SYSMON["Event"], "System": {
        **SYSMON["Event"]["System"], "Computer": None, "TimeCreated": None}}})),
     {"host.name": "COLLECTOR", "host.ip": ["192.0.2.1"], "agent.name": "COLLECTOR"}),
    (filebeat(compact(SYSMON)), {"host.name": "WS-0142.corp.example.com", "host.ip": None, "agent.id": "5a3"}),
    (kafka(compact({"event": {"category": ["process"], "type": ["start"]}, "process": {"name": "a"}})),
     {"@timestamp": "2026-09-21T14:13:20.000Z", "process.name": "a"}),
    (filebeat(compact({"event": {"category": "process"}, "agent": {"id": "own"}})),
     {"@timestamp": "2026-10-06T10:01:00.000Z", "agent.id": "own", "agent.name": None, "host.name": "COLLECTOR"}),
    (wazuh(SYSMON), {"agent.id": "006", "agent.name": "WS-0142", "host.name": "WS-0142.corp.example.com"}),
]  # fmt: skip


@pytest.mark.parametrize(("record", "expected"), KEPT)
def test_what_a_wrapper_says_is_kept_where_the_record_says_nothing(record: Record, expected: Record) -> None:
    event = Documents().normalise(record)
    assert {name: event.get(name) for name in expected} == expected


AS_THEY_ARE: list[Record] = [
    {"@timestamp": "2026-10-06T10:00:00Z", "event": {"category": ["process"], "original": xml(SYSMON)},
     "process": {"name": "own.exe"}},
    {"@timestamp": "2026-10-06T10:00:00Z", "message": '{"level": "info"}', "process": {"name": "own.exe"}},
    {"@timestamp": "2026-10-06T10:00:00Z", "data": {"a": 1}, "value": 7, "process": {"name": "own.exe"}},
    {"@timestamp": "2026-10-06T10:00:00Z", "records": [{"a": 1}], "process": {"name": "own.exe"}},
    {"@timestamp": "2026-10-06T10:00:00Z", "message": "see <Event log> {x}", "process": {"name": "own.exe"}},
]  # fmt: skip


@pytest.mark.parametrize("record", AS_THEY_ARE)
def test_documents_that_hold_no_record_or_are_one_stay(record: Record, tmp_path: Path) -> None:
    (tmp_path / "e").write_text(json.dumps(record))
    (event,) = read(tmp_path / "e")
    assert event["process.name"] == "own.exe"


def test_xml_that_cannot_be_read_is_rejected_with_its_place(tmp_path: Path) -> None:
    lines = [splunk(xml(SYSMON)), splunk(xml(SYSMON)[:300]), splunk(xml(SYSMON).replace("</System>", ""))]
    (tmp_path / "e").write_text("\n".join(map(json.dumps, lines)))
    rejects = Rejects(tmp_path / "rejects")
    assert len(read(tmp_path / "e", rejects=rejects)) == 1
    rejects.close()
    kept = [json.loads(line) for line in (tmp_path / "rejects").read_text().splitlines()]
    assert [one["position"] for one in kept] == ["line 2", "line 3"]
    assert rejects.counts == {"malformed Windows event": 2}


def evtx_dump(record: Record, form: str) -> str:
    if form == "xml":
        return f'<?xml version="1.0" encoding="utf-8"?>\n{xml(record)}\n'
    return json.dumps(record, indent=2 if form == "json" else None) + "\n"


@pytest.mark.parametrize("form", ["json", "jsonl", "xml"])
def test_the_lines_before_each_record_of_evtx_dump_are_passed_over(form: str, tmp_path: Path) -> None:
    """`evtx_dump` prints `Record 1` before each record unless told not to (src/bin/evtx_dump.rs)."""
    text = "".join(f"Record {n}\n{evtx_dump(record, form)}" for n, (record, _) in enumerate(TEN.values(), 1))
    (tmp_path / "e").write_text(text)
    rejects = Rejects()
    assert len(read(tmp_path / "e", rejects=rejects)) == len(TEN)
    assert not rejects.total


@given(
    data=st.data(),
    write=st.sampled_from([*WRAPPERS.values(), *(lambda r, e=e: e([r]) for e in ENVELOPES.values())]),
)
@settings(deadline=None, max_examples=200)
def test_a_wrapper_with_odd_values_is_an_event_or_refused(
    data: st.DataObject, write: Callable[[Record], Record]
) -> None:
    record: Any = json.loads(json.dumps(write(SYSMON)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(record)))
        inner = record
        for key in path[:-1]:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if path and isinstance(inner, dict):
            inner[path[-1]] = data.draw(ODD)
    assert isinstance(Intake().take("logs-x-default", None, json.dumps(record).encode()), Document | Refused)
    try:
        event = Documents().normalise(record)
    except ValueError:
        return
    assert all(isinstance(name, str) for name in event)


def test_every_wrapper_of_the_shippers_is_read() -> None:
    assert Documents().normalise(filebeat(compact(shippers.elastic_agent(SYSMON))))["process.name"] == "cmd.exe"
