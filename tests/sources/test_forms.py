"""Shapes of Windows events that tools write besides the usual ones: each is the event that it was."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources import shippers
from tests.sources.ten_events import TEN
from tests.sources.test_documents import ODD, paths
from tests.sources.test_exported import exported
from tocsin.ingest.intake import Intake, Refused
from tocsin.sources.batch import Rejects, Wanted, flatten
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.sources.windows.forms.errors import CutOffError
from tocsin.sources.windows.record import to_ecs
from tocsin.store.events import Document

Record = dict[str, Any]
SYSMON, EXPECTED = TEN["Sysmon 1"]
SECURITY = TEN["Security 4688"]
LOGON = TEN["Security 4624"]


def normalised(record: Any) -> Record:
    return Documents().normalise(json.loads(json.dumps(record)))


def dotted(record: Record, separator: str = ".") -> Record:
    """Return a record as a table of a data frame: one column a value."""
    flat: Record = {}

    def put(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for inner, below in value.items():
                put(f"{name}{separator}{inner}" if name else inner, below)
        else:
            flat[name] = value

    put("", record)
    return flat


def old_winlogbeat(record: Record) -> Record:
    """Return what Winlogbeat 6 wrote: the head's names at the root (elastic/beats 6.8, winlogbeat/eventlog)."""
    document = shippers.winlogbeat(record)
    winlog = document["winlog"]
    return {
        "@timestamp": document["@timestamp"], "beat": {"name": "WEC", "hostname": "WEC", "version": "6.8.23"},
        "activity_id": None, "computer_name": winlog["computer_name"], "event_data": winlog["event_data"],
        "event_id": int(winlog["event_id"]), "host": {"name": "WEC"}, "keywords": winlog.get("keywords"),
        "level": "Information", "log_name": winlog["channel"], "message": "x", "opcode": "Info",
        "process_id": 3104, "provider_guid": winlog["provider_guid"], "record_number": str(winlog["record_id"]),
        "source_name": winlog["provider_name"], "task": winlog["task"], "thread_id": 4120, "type": "wineventlog",
        "version": winlog["version"], **({"user": winlog["user"]} if "user" in winlog else {}),
    }  # fmt: skip


def azure_windows_event(record: Record) -> Record:
    """Return a row of Azure Monitor's table WindowsEvent."""
    row = shippers.evtx_hunter(record)
    return {
        "TimeGenerated": row["EventTime"], "Channel": row["Channel"], "Computer": row["Computer"],
        "EventData": row["EventData"], "EventID": row["EventID"], "EventLevel": 4, "EventLevelName": "Information",
        "EventRecordId": str(row["EventRecordID"]), "Keywords": record["Event"]["System"]["Keywords"],
        "Opcode": "0", "Provider": row["Provider"], "SystemProcessId": 3104, "SystemThreadId": 4120,
        "SystemUserId": row["UserSID"] or "N/A", "Task": record["Event"]["System"]["Task"], "Type": "WindowsEvent",
        "TenantId": "7", "SourceSystem": "OpsManager", "Version": "5",
    }  # fmt: skip


def azure_security_event(record: Record) -> Record:
    """Return a row of Azure Monitor's table SecurityEvent."""
    head = record["Event"]["System"]
    return {
        "TimeGenerated": head["TimeCreated"]["#attributes"]["SystemTime"], "Channel": head["Channel"],
        "Computer": head["Computer"], "EventID": head["EventID"], "TenantId": "7", "Type": "SecurityEvent",
        "EventSourceName": shippers.evtxecmd(record)["Provider"], "Activity": "4688 - A new process",
        "Account": "CORP\\m.weber", "AccountType": "User", "Process": "cmd.exe", "Level": "8",
        "Task": head["Task"], **record["Event"]["EventData"],
    }  # fmt: skip


def graylog_of_nxlog(record: Record) -> Record:
    """Return what Graylog makes of nxlog's GELF."""
    flat = shippers.nxlog(record)
    time = flat.pop("@timestamp")
    del flat["EventTime"], flat["@version"]
    return {**flat, "timestamp": time, "source": "ws", "short_message": "x", "full_message": "x", "level": 6,
            "facility": "nxlog", "gl2_source_input": "7", "streams": ["1"], "_id": "8"}  # fmt: skip


def fields_of_a_search(record: Record) -> Record:
    """Return a hit of a search for `fields`: flat, each value in a list."""
    flat = flatten(shippers.winlogbeat(record))
    fields = {name: value if isinstance(value, list) else [value] for name, value in flat.items()}
    return {"_index": "winlogbeat-9.1.0", "_id": "7", "fields": fields}


SHAPES = {
    "Winlogbeat 6": old_winlogbeat,
    "Azure Monitor, WindowsEvent": azure_windows_event,
    "nxlog by way of Graylog": graylog_of_nxlog,
    "a hit with fields": fields_of_a_search,
    "Winlogbeat with dots": lambda record: dotted(shippers.winlogbeat(record)),
    "Winlogbeat, event_data alone with dots": lambda record: {
        **shippers.winlogbeat(record), "winlog": dotted(shippers.winlogbeat(record)["winlog"]),
    },
    "xmltodict with dots": lambda record: {
        **dotted({"Event": {"System": shippers.full_json(record)["Event"]["System"]}}),
        "Event.EventData.Data": shippers.full_json(record)["Event"]["EventData"]["Data"],
    },
    "evtx_dump with dots": dotted,
    "Velociraptor with dots": lambda record: dotted(shippers.velociraptor(record)),
    "Logstash, the host a name": lambda record: {**shippers.logstash(record), "host": "WS-0142.corp.example.com"},
    "xmltodict, names as members": lambda record: {
        "Event": {"System": shippers.full_json(record)["Event"]["System"],
                  "EventData": {"Data": shippers.winlogbeat(record)["winlog"]["event_data"]}},
    },
    "EvtxECmd, the payload an object": lambda record: {
        **shippers.evtxecmd(record), "Payload": json.loads(shippers.evtxecmd(record)["Payload"]),
    },
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("title", TEN)
def test_an_event_of_any_shape_has_its_fields(shape: str, title: str) -> None:
    record, expected = TEN[title]
    event = normalised(SHAPES[shape](record))
    assert {name: event.get(name) for name in expected} == expected
    assert event["host.name"] in ("WS-0142.corp.example.com", "WEC", ["WS-0142.corp.example.com"])
    assert event["@timestamp"].startswith(to_ecs(record)["@timestamp"][:23])


def test_a_row_of_azures_security_events_has_its_fields() -> None:
    for record, expected in (SECURITY, LOGON):
        event = normalised(azure_security_event(record))
        expected = {name: value for name, value in expected.items() if name != "event.outcome"}
        assert {name: event.get(name) for name in expected} == expected
        assert not any(name.endswith((".Activity", ".TenantId", ".Type")) for name in event)


# ---- data of other shapes

USER_DATA = {
    "LogFileCleared": {"SubjectUserSid": "S-1-5-21-7", "SubjectUserName": "eve", "SubjectDomainName": "CORP"}
}
XMLNS = {"@xmlns": "http://manifests.microsoft.com/win/2004/08/windows/eventlog"}


def cleared() -> Record:
    """Return the record of a log that was cleared (1102), which has user data."""
    record: Record = json.loads(json.dumps(SECURITY[0]))
    record["Event"]["System"]["EventID"] = 1102
    record["Event"]["System"]["Provider"]["#attributes"]["Name"] = "Microsoft-Windows-Eventlog"
    del record["Event"]["EventData"]
    record["Event"]["UserData"] = USER_DATA
    return record


def _as(write: Any, **changed: Any) -> Record:
    record = cleared()
    record["Event"]["EventData"] = {}
    return {**write(record), **changed}


WITH_USER_DATA = {
    "evtx": cleared(),
    "Velociraptor": _as(shippers.velociraptor, EventData=None, UserData=USER_DATA),
    "EvtxHunter": _as(shippers.evtx_hunter, EventData=None, UserData=USER_DATA),
    "EvtxECmd": _as(
        shippers.evtxecmd,
        Payload=json.dumps({"UserData": {"LogFileCleared": {**XMLNS, **USER_DATA["LogFileCleared"]}}}),
    ),
    "xmltodict": {"Event": {
        "System": _as(shippers.full_json)["Event"]["System"],
        "UserData": {"LogFileCleared": {**XMLNS, "SubjectUserSid": {"#text": "S-1-5-21-7"},
                                        "SubjectUserName": "eve", "SubjectDomainName": "CORP"}},
    }},
    "Winlogbeat": {
        **(shipped := _as(shippers.winlogbeat)),
        "winlog": {name: value for name, value in shipped["winlog"].items() if name != "event_data"}
        | {"user_data": {**USER_DATA["LogFileCleared"], "xml_name": "LogFileCleared"}},
    },
}  # fmt: skip


@pytest.mark.parametrize("writer", WITH_USER_DATA)
def test_user_data_are_read_whoever_wrote_them(writer: str) -> None:
    event = normalised(WITH_USER_DATA[writer])
    assert event["event.action"] == "audit-log-cleared"
    assert event["winlog.user_data.SubjectUserName"] == "eve"
    assert (event["user.name"], event["user.domain"]) == ("eve", "CORP")


CONTEXT = "\tHostName=ConsoleHost\n\tHostApplication=powershell -enc AAAA\n\tEngineVersion=5.1"


@pytest.mark.parametrize(
    "data",
    [
        {"Data": {"#text": ["Stopped", "Available", CONTEXT]}},
        {"Data": ["Stopped", "Available", CONTEXT]},
        {"Data": [{"#text": "Stopped"}, {"#text": "Available"}, {"#text": CONTEXT}], "Binary": ""},
        {"param1": "Stopped", "param2": "Available", "param3": CONTEXT},
    ],
    ids=["evtx", "separate attributes", "xmltodict", "Winlogbeat"],
)
def test_values_without_names_keep_their_order(data: Record) -> None:
    record = shippers.full_json(SYSMON)
    system = record["Event"]["System"] | {"Provider": {"@Name": "PowerShell"}, "Channel": "Windows PowerShell"}
    event = normalised({"Event": {"System": {**system, "EventID": "400"}, "EventData": data}})
    assert event["process.command_line"] == "powershell -enc AAAA"
    assert event["winlog.event_data.param1"] == "Stopped"


def test_one_value_is_no_list_in_json_of_xml() -> None:
    record = shippers.evtxecmd(SYSMON)
    one = {**record, "Payload": '{"EventData":{"Data":{"@Name":"Image","#text":"C:\\\\a.exe"}}}'}
    assert normalised(one)["process.name"] == "a.exe"
    text = {**record, "Payload": '{"EventData":{"Data":"all in one"}}'}
    assert normalised(text)["winlog.event_data.param1"] == "all in one"


# ---- what is not there is said


@pytest.mark.parametrize(
    "record",
    [
        {**shippers.evtxecmd(SYSMON), "Payload": '{"EventData":{"Data":[{"@Name":"Image"'},
        {name: value for name, value in shippers.evtxecmd(SYSMON).items() if name != "Payload"},
        {**exported(SECURITY[0]), "Properties": "System.Collections.Generic.List`1[EventProperty]"},
        {name: value for name, value in exported(SECURITY[0]).items() if name != "Properties"},
    ],
    ids=["a cut payload", "no payload", "Export-Csv", "Select-Object"],
)
def test_an_event_whose_values_a_tool_left_out_is_not_read_without_them(record: Record) -> None:
    with pytest.raises(CutOffError):
        normalised(record)


WRITTEN = [
    write(record)
    for record in (SYSMON, SECURITY[0], cleared())
    for write in (
        *(SHAPES.values() if record is SYSMON else ()), shippers.winlogbeat, shippers.velociraptor,
    )
    if record["Event"].get("EventData") is not None
] + [*WITH_USER_DATA.values(), shippers.nxlog(SYSMON), shippers.graylog(SYSMON), shippers.evtxecmd(SYSMON),
     shippers.full_json(SYSMON), shippers.separate_attributes(SYSMON), shippers.evtx_hunter(SYSMON)]  # fmt: skip


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_an_event_with_odd_values_is_an_event_or_refused(data: st.DataObject) -> None:
    record: Any = json.loads(json.dumps(data.draw(st.sampled_from(WRITTEN))))
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


# ---- tables

WRITTEN_IN_PARQUET = {
    "Winlogbeat": shippers.winlogbeat,
    "Winlogbeat with dots": lambda record: dotted(shippers.winlogbeat(record)),
    "EvtxECmd --fj": shippers.full_json,
    "nxlog": shippers.nxlog,
    "Get-WinEvent": lambda record: {**exported(record), "Bookmark": None, "Properties": [
        {"Value": str(one["Value"])} for one in exported(record)["Properties"]
    ]},
    "EvtxECmd": shippers.evtxecmd,
}  # fmt: skip


def table(rows: list[Record], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(
        {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in row.items()}
        for row in rows
    )
    return out.getvalue().encode()


TABLES = {
    "Winlogbeat, as Kibana exports it": lambda record: dotted(shippers.winlogbeat(record)),
    "EvtxHunter, event data in JSON": shippers.evtx_hunter,
    "nxlog": shippers.nxlog,
    "evtx_dump with dots": dotted,
    "Graylog": shippers.graylog,
}


@pytest.mark.parametrize("writer", TABLES)
def test_tables_in_csv_are_read_like_records(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(table([TABLES[writer](record) for record, _ in TEN.values()]))
    rejects = Rejects()
    events = list(whole_events(read_inputs(find_inputs([str(path)]), Wanted(frozenset()), rejects)))
    assert rejects.total == 0
    for event, (_, expected) in zip(events, TEN.values(), strict=True):
        if TABLES[writer] is shippers.evtx_hunter:  # which has no keywords
            expected = {name: value for name, value in expected.items() if name != "event.outcome"}
        assert {name: event.get(name) for name in expected} == expected


@pytest.mark.parametrize("writer", [*WRITTEN_IN_PARQUET])
@pytest.mark.parametrize("among", [0, 300])
def test_rows_of_parquet_that_are_no_ecs_events_are_read_like_records(
    tmp_path: Path, writer: str, among: int
) -> None:
    path = tmp_path / "events.parquet"
    records = [done(number) for number in range(among)]
    records += [WRITTEN_IN_PARQUET[writer](record) for record, _ in TEN.values()]
    names = dict.fromkeys(name for record in records for name in record)
    pq.write_table(pa.Table.from_pylist([{name: record.get(name) for name in names} for record in records]), path)
    rejects = Rejects()
    fields = frozenset(("process.name", "event.category"))
    events = list(whole_events(read_inputs(find_inputs([str(path)]), Wanted(fields), rejects)))
    assert rejects.total == 0
    assert sorted(event["number"] for event in events if "number" in event) == list(range(among))
    found = [event for event in events if "number" not in event]
    for event, (_, expected) in zip(found, TEN.values(), strict=True):
        assert {name: event.get(name) for name in expected} == expected


# ---- one stranger among many of another kind


def done(number: int) -> Record:
    """Return a document that a pipeline has seen."""
    return {
        "@timestamp": "2026-10-06T09:00:00.000Z", "agent": {"type": "winlogbeat"}, "number": number,
        "event": {"category": ["process"], "type": ["start"], "code": "1"}, "process": {"name": "a.exe"},
        "winlog": {"channel": "Microsoft-Windows-Sysmon/Operational", "event_id": "1", "event_data": {"x": "y"}},
    }  # fmt: skip


@pytest.mark.parametrize("writer", [shippers.winlogbeat, shippers.velociraptor, shippers.evtxecmd])
@pytest.mark.parametrize("within", ["lines", "hits"])
def test_one_event_among_many_that_are_done_is_not_lost(tmp_path: Path, writer: Any, within: str) -> None:
    records: list[Record] = [done(number) for number in range(3000)]
    records[2503] = writer(SYSMON)  # where a sample of lines does not see it
    if within == "hits":
        records = [{"_index": "winlogbeat-9", "_id": str(n), "_source": one} for n, one in enumerate(records)]
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(map(orjson.dumps, records)))
    rejects = Rejects()
    fields = frozenset(("process.name", "process.parent.name", "number"))
    found: list[tuple[Any, Any]] = []
    for batch in read_inputs(find_inputs([str(path)]), Wanted(fields), rejects):
        for row in range(batch.table.rows):
            event = batch.raw(row).event()
            found.append((event.get("number"), event.get("process.parent.name")))
    assert rejects.total == 0
    assert sorted(number for number, _ in found if number is not None) == [n for n in range(3000) if n != 2503]
    assert [parent for number, parent in found if number is None] == ["explorer.exe"]
