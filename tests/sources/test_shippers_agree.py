"""Ten Windows events are the same ECS events whichever program wrote them; or this says where not, and why."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import evtx as evtx_package
import orjson
import pytest

from tests.evtx_writer import write_evtx
from tests.sources import shippers
from tests.sources.ten_events import TEN
from tocsin.sources.batch import Rejects, Wanted, unflatten
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.sources.windows.record import to_ecs

Record = dict[str, Any]
evtx: Any = evtx_package


def logged(record: Record) -> Record:
    """Return the event of a record in an EVTX file."""
    (read,) = evtx.PyEvtxParser(io.BytesIO(write_evtx([record])), validate_checksums=True).records_json()
    return to_ecs(orjson.loads(read["data"]))


def winlogbeat_7(record: Record) -> Record:
    """Return what Winlogbeat 7 sends: its modules have set the ECS fields (those that the pipelines set now)."""
    document = shippers.winlogbeat(record, "7.17.24")
    expected = next(fields for other, fields in TEN.values() if other is record)
    document["event"].pop("action")
    data = document["winlog"]["event_data"]
    document["winlog"]["event_data"] = {name: value for name, value in data.items() if value not in ("", "-")}
    done = unflatten({name: value for name, value in expected.items() if not name.startswith("winlog.event_data")})
    for name, value in done.items():
        document[name] = {**document[name], **value} if name in document else value
    return document


WRITERS: dict[str, Callable[[Record], Record]] = {
    "Winlogbeat 8": shippers.winlogbeat,
    "Winlogbeat 9, to a file": shippers.winlogbeat_to_a_file,
    "Elastic Agent": shippers.elastic_agent,
    "Elastic Agent, forwarded events": lambda record: shippers.elastic_agent(record, "windows.forwarded"),
    "Logstash": shippers.logstash,
    "Graylog": shippers.graylog,
    "EvtxECmd": shippers.evtxecmd,
    "EvtxECmd --fj, xmltodict, python-evtx": shippers.full_json,
    "evtx_dump --separate-json-attributes, Chainsaw": shippers.separate_attributes,
    "Velociraptor": shippers.velociraptor,
    "Velociraptor's EvtxHunter": shippers.evtx_hunter,
    "Get-WinEvent": shippers.get_winevent,
    "nxlog": shippers.nxlog,
}

# Fields in which a writer's event is another than the one in the log, and why; `*` stands for all below a name.
_LOOKED_UP = "the account that wrote the event, which the shipper looked up"
_OF_BEATS = {
    "_index": "documents lie in the index of their shipper or data stream",
    "@timestamp": "Beats keep milliseconds",
    "agent.*": "says who shipped it",
    "data_stream.*": "the index of a Beat is no data stream of the integration's",
    "ecs.version": "the version that the shipper wrote",
    "event.created": "when the shipper read the event",
    "message": "the rendered message",
    "winlog.provider_guid": "as the provider's manifest spells it",
    "winlog.user.*": _LOOKED_UP,
    "user.name": _LOOKED_UP,
    "user.domain": _LOOKED_UP,
    "related.user": _LOOKED_UP,
    "related.hosts": _LOOKED_UP,
}
_WITHOUT_A_TASK = {
    "event.action": "the task is not written, whose name this is where the table has none",
    "winlog.task": "not written",
    "winlog.opcode": "not written",
    "winlog.provider_guid": "not written",
    "winlog.version": "not written",
}
_LESS_OF_A_HEAD = {
    **_WITHOUT_A_TASK,
    "winlog.keywords": "not written",
    "winlog.process.*": "not written",
    "process.pid": "that of the writing process, where the event is about this",
    "event.outcome": "keywords are not written",
    "winlog.outcome": "keywords are not written",
}
DIFFERENCES: dict[str, dict[str, str]] = {
    "Winlogbeat 8": _OF_BEATS,
    "Winlogbeat 9, to a file": {**_OF_BEATS, "@metadata.*": "where Winlogbeat would have sent it"},
    "Elastic Agent": {**_OF_BEATS, "elastic_agent.*": "says who shipped it", "input.type": "how it was read"},
    "Elastic Agent, forwarded events": {
        **_OF_BEATS, "elastic_agent.*": "says who shipped it", "input.type": "how it was read",
        "event.dataset": "the data stream of forwarded events",
    },
    "Logstash": {**_OF_BEATS, "@version": "Logstash's own", "tags": "Logstash's own"},
    "Graylog": {**_OF_BEATS, "gl2_source_input": "Graylog's own", "source": "Graylog's own",
                "_id": "Graylog's own", "timestamp": "Graylog's own"},
    "EvtxECmd": _WITHOUT_A_TASK,
    "EvtxECmd --fj, xmltodict, python-evtx": {},
    "evtx_dump --separate-json-attributes, Chainsaw": {},
    "Velociraptor": {"@timestamp": "a fraction of seconds holds microseconds",
                     "event.created": "a fraction of seconds holds microseconds"},
    "Velociraptor's EvtxHunter": _LESS_OF_A_HEAD,
    "Get-WinEvent": {},
    "nxlog": {"@timestamp": "Logstash keeps milliseconds", "event.created": "Logstash keeps milliseconds",
              "user.domain": _LOOKED_UP, "user.name": _LOOKED_UP, "related.user": _LOOKED_UP,
              "related.hosts": _LOOKED_UP, "winlog.user.*": _LOOKED_UP},
}  # fmt: skip


def listed(field: str, names: dict[str, str]) -> str | None:
    """Return the name under which a field is listed."""
    return next((n for n in names if n == field or (n.endswith("*") and field.startswith(n[:-1]))), None)


@pytest.mark.parametrize("title", TEN)
def test_the_event_in_the_log_has_the_fields_that_the_pipelines_give_it(title: str) -> None:
    record, expected = TEN[title]
    event = logged(record)
    assert {name: event.get(name) for name in expected} == expected


@pytest.mark.parametrize("writer", WRITERS)
def test_an_event_is_the_same_whoever_wrote_it(writer: str) -> None:
    seen: set[str] = set()
    for title, (record, _) in TEN.items():
        own, event = logged(record), Documents().normalise(json.loads(json.dumps(WRITERS[writer](record))))
        for field in sorted(own.keys() | event.keys()):
            if own.get(field) != event.get(field):
                name = listed(field, DIFFERENCES[writer])
                assert name is not None, f"{title}: {field} is {event.get(field)!r}, not {own.get(field)!r}"
                seen.add(name)
    assert seen == set(DIFFERENCES[writer]), "a difference that is none any more"


@pytest.mark.parametrize("title", TEN)
def test_what_a_module_of_winlogbeat_7_made_of_an_event_is_kept(title: str) -> None:
    record, expected = TEN[title]
    document = winlogbeat_7(record)
    event = Documents().normalise(document)
    assert {name: event.get(name) for name in expected} == expected
    assert event["_index"] == "winlogbeat-default"
    assert event.keys() <= {"_index", *(logged(record)), "message"} | {
        name for name in event if listed(name, _OF_BEATS)
    }


def through_a_file(tmp_path: Path, content: bytes, source: str | None = None) -> list[Record]:
    """Return the events of a file as `tocsin sources convert` reads it."""
    path = tmp_path / "events"
    path.write_bytes(content)
    rejects = Rejects()
    batches = read_inputs(find_inputs([str(path)], source), Wanted(frozenset(("process.name",))), rejects)
    events = list(whole_events(batches))
    assert rejects.total == 0, rejects.first
    return events


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("shape", ["lines", "array", "hits"])
def test_files_of_any_shape_hold_the_same_events(tmp_path: Path, writer: str, shape: str) -> None:
    records = [WRITERS[writer](record) for record, _ in TEN.values()]
    hits = [{"_index": "x", "_id": str(number), "_source": record} for number, record in enumerate(records)]
    content = {
        "lines": b"\n".join(map(orjson.dumps, records)),
        "array": json.dumps(records, indent=2).encode(),
        "hits": orjson.dumps({"hits": {"hits": hits}}),
    }[shape]
    for event, record in zip(through_a_file(tmp_path, content), records, strict=True):
        single = Documents().normalise(record)
        for found in (event, single):
            found.pop("_index", None)
            found.pop("_id", None)
        assert event == single


def test_a_table_of_evtxecmd_holds_the_events_of_its_json(tmp_path: Path) -> None:
    records = [record for record, _ in TEN.values()]
    events = through_a_file(tmp_path, shippers.evtxecmd_csv(records))
    for event, record in zip(events, records, strict=True):
        expected = Documents().normalise(shippers.evtxecmd(record))
        assert event == {name: value for name, value in expected.items() if name != "_index"}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_source_that_is_named_counts_before_what_a_record_shows(writer: str) -> None:
    record, expected = TEN["Sysmon 1"]
    event = Documents("windows.sysmon_operational").normalise(WRITERS[writer](record))
    assert {name: event.get(name) for name in expected} == expected
    assert "logs-windows.sysmon_operational-default" in event["_index"]


@pytest.mark.parametrize("category", [[], None, ""])
def test_an_empty_category_is_none(category):
    event = {"code": "1", "provider": "Microsoft-Windows-Sysmon", "category": category, "type": None}
    document = {
        "@timestamp": "2026-11-20T10:00:00Z",
        "event": event,
        "winlog": {
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "provider_name": "Microsoft-Windows-Sysmon",
            "event_id": "1",
            "event_data": {"Image": "C:\\Windows\\cmd.exe"},
        },
    }
    assert Documents().normalise(document)["process.name"] == "cmd.exe"
