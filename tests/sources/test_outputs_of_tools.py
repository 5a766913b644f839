"""Answers of query interfaces and lines of daemons: the events in them are those that they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sources import shippers
from tests.sources.ten_events import TEN
from tests.sources.wrapping import xml
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.inputs import find_inputs
from tocsin.sources.line_headers import json_behind_header
from tocsin.sources.read import read_inputs
from tocsin.sources.row_lists import rows_in

Record = dict[str, Any]


def events_in(path: Path, source: str | None = None) -> tuple[list[Record], Rejects]:
    rejects = Rejects()
    batches = read_inputs(find_inputs([str(path)], source), Wanted(frozenset({"process.name"})), rejects)
    return [batch.raw(row).event() for batch in batches for row in range(batch.table.rows)], rejects


def azure_event(record: Record) -> Record:
    """Return a row of Azure Monitor's table Event (learn.microsoft.com, azure-monitor/reference/tables/event).

    `EventData` is what Sentinel's parser for Sysmon reads: `parse_xml(EventData).DataItem.EventData.Data`.
    """
    text = xml(record)
    data = text[text.index("<EventData") : text.index("</EventData>")] + "</EventData>"
    flat = shippers.nxlog(record)
    return {
        "TenantId": "7", "TimeGenerated": record["Event"]["System"]["TimeCreated"]["#attributes"]["SystemTime"],
        "Source": flat["SourceName"], "EventLog": flat["Channel"], "Computer": flat["Hostname"], "EventLevel": 4,
        "EventLevelName": "Information", "ParameterXml": "<Param>-</Param>", "EventID": flat["EventID"],
        "EventData": f'<DataItem type="System.XmlData" time="x" sourceHealthServiceId="7">{data}</DataItem>',
        "RenderedDescription": "x", "MG": "0", "UserName": "N/A", "Type": "Event",
    }  # fmt: skip


def tables(rows: list[Record]) -> Record:
    """Return what Azure Monitor's query API answers (`/v1/workspaces/{id}/query`)."""
    names = list(rows[0])
    columns = [{"name": name, "type": "string"} for name in names]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": [[*row.values()] for row in rows]}]}


def kusto(rows: list[Record]) -> Record:
    """Return what Azure Data Explorer's `/v1/rest/query` answers."""
    columns = [{"ColumnName": name, "DataType": "String"} for name in rows[0]]
    return {"Tables": [{"TableName": "Table_0", "Columns": columns, "Rows": [[*row.values()] for row in rows]}]}


def splunk_rows(rows: list[Record]) -> Record:
    """Return what Splunk answers with `output_mode=json_rows`."""
    return {"preview": False, "fields": [*rows[0]], "rows": [[*row.values()] for row in rows]}


def splunk_columns(rows: list[Record]) -> Record:
    """Return what Splunk answers with `output_mode=json_cols`, whose fields may be objects."""
    fields = [{"name": name} for name in rows[0]]
    return {"preview": False, "fields": fields, "columns": [[row[name] for row in rows] for name in rows[0]]}


def of_splunk(record: Record) -> Record:
    return {"_time": "2026-11-20T10:00:00.000+00:00", "host": "ws", "_raw": xml(record)}


ANSWERS: dict[str, tuple[Callable[[Record], Record], Callable[[list[Record]], Record]]] = {
    "Azure Monitor, Event": (azure_event, tables),
    "Azure Monitor, flat": (shippers.nxlog, tables),
    "Azure Data Explorer": (azure_event, kusto),
    "Splunk, rows": (of_splunk, splunk_rows),
    "Splunk, columns": (of_splunk, splunk_columns),
}


@pytest.mark.parametrize("indent", [None, 2], ids=["a line", "indented"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_tables_of_an_answer_are_read_row_by_row(answer: str, indent: int | None, tmp_path: Path) -> None:
    row_of, answered = ANSWERS[answer]
    record, expected = TEN["Sysmon 1"]
    (tmp_path / "answer.json").write_text(json.dumps(answered([row_of(record)] * 3), indent=indent))
    events, rejects = events_in(tmp_path / "answer.json")
    assert [{name: event.get(name) for name in expected} for event in events] == [expected] * 3
    assert not rejects.total


@pytest.mark.parametrize(
    "found",
    [
        {"tables": "none"}, {"tables": [1]}, {"tables": [{"columns": [{"name": "a"}]}]}, {"rows": [[1]]},
        {"fields": ["a"], "rows": [{"a": 1}]}, {"fields": ["a"], "rows": [[1, 2]]}, {"fields": [1], "rows": [[1]]},
        {"fields": ["a", "b"], "columns": [[1], [1, 2]]},
    ],
)  # fmt: skip
def test_what_has_members_of_such_names_alone_is_no_table(found: Record) -> None:
    assert rows_in(found) is None


HEADERS = {
    "RFC 5424": "<14>1 2026-11-20T10:00:00.000Z ws nxlog 44 - - ",
    "RFC 3164": "<14>Nov 20 10:00:00 ws nxlog[44]: ",
    "RFC 3164 in a file": "Nov  2 10:00:00 ws nxlog[44]: ",
    "rsyslog in a file": "2026-11-20T10:00:00.123456+01:00 ws nxlog: ",
    "CEE": "<14>Nov 20 10:00:00 ws nxlog[44]: @cee: ",
    "CRI": "2026-11-20T10:00:00.123456789Z stdout F ",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("writer", [shippers.nxlog, shippers.winlogbeat])
def test_json_behind_a_header_is_read(header: str, writer: Callable[[Record], Record], tmp_path: Path) -> None:
    record, expected = TEN["Sysmon 1"]
    line = header + json.dumps(writer(record)) + "\n"
    (tmp_path / "lines.log").write_text(line * 3 + header + "no JSON\n" + line)
    events, rejects = events_in(tmp_path / "lines.log")
    assert [{name: event.get(name) for name in expected} for event in events] == [expected] * 4
    assert rejects.counts == {"malformed JSON": 1}


@pytest.mark.parametrize(
    "line", [b"", b"{}", b'a {"b": 1}', b"<14>no JSON", b"<14>{5770385F-C22A}", b'# {"a": 1}']
)
def test_a_line_without_a_header_stays_as_it_is(line: bytes) -> None:
    assert json_behind_header(line) is None


BESIDE: dict[str, Record] = {
    "a category": {"event": {"category": ["process"], "type": ["start"]}},
    "a code and a provider": {"event": {"code": "1", "provider": "Microsoft-Windows-Sysmon"}},
    "a kind": {"event": {"kind": "event"}},
    "what a shipper adds": {"event": {"action": "x"}, "agent": {"type": "filebeat"}, "host": {"name": "h"}},
}
WRITERS = [shippers.nxlog, shippers.evtxecmd, shippers.velociraptor]


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_raw_record_with_ecs_below_event_alone_is_read(
    writer: Callable[[Record], Record], count: int, beside: Record, tmp_path: Path
) -> None:
    record, expected = TEN["Sysmon 1"]
    (tmp_path / "e.ndjson").write_text((json.dumps({**writer(record), **beside}) + "\n") * count)
    events, rejects = events_in(tmp_path / "e.ndjson")
    assert [{name: event.get(name) for name in expected} for event in events] == [expected] * count
    assert not rejects.total


@pytest.mark.parametrize("writer", WRITERS)
def test_a_document_in_ecs_stays_what_it_is_whatever_else_it_has(
    writer: Callable[[Record], Record], tmp_path: Path
) -> None:
    record = {**writer(TEN["Sysmon 1"][0]), "event": {"category": ["process"]}, "process": {"name": "other.exe"}}
    (tmp_path / "e.ndjson").write_text(json.dumps(record) + "\n")
    events, _ = events_in(tmp_path / "e.ndjson")
    assert [event["process.name"] for event in events] == ["other.exe"]


def gelf(record: Record) -> Record:
    """Return what nxlog's `xm_gelf` writes: its fields with `_` before their names (docs.nxlog.co, GELF)."""
    flat = {name: value for name, value in shippers.nxlog(record).items() if not name.startswith("@")}
    own = {f"_{name}": value for name, value in flat.items() if name not in ("Hostname", "Message")}
    return {"version": "1.1", "host": flat["Hostname"], "short_message": "x", "full_message": "x", "level": 6,
            "timestamp": 1795168800.5, **own}  # fmt: skip


@pytest.mark.parametrize("title", TEN)
def test_gelf_of_nxlog_is_read(title: str, tmp_path: Path) -> None:
    record, expected = TEN[title]
    (tmp_path / "e.ndjson").write_text(json.dumps(gelf(record)) + "\n")
    (event,), rejects = events_in(tmp_path / "e.ndjson")
    assert {name: event.get(name) for name in expected} == expected
    assert not rejects.total


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize(
    "source", ["windows.sysmon_operational", "windows.forwarded", "winlogbeat", "endpoint.events.process"]
)
@pytest.mark.parametrize(
    "record",
    [
        {"TimeCreated": "2026-11-20T10:00:00Z", "Id": 1, "Message": "Process Create:\r\nImage: C:\\a.exe"},
        {"version": "1.1", "host": "ws", "short_message": "Process Create"},
        {"preview": False, "result": {"host": "ws", "count": "3"}},
    ],
    ids=["projected by Get-WinEvent", "a message in GELF", "figures of Splunk"],
)  # fmt: skip
def test_what_cannot_be_of_the_source_that_is_named_is_rejected(
    record: Record, source: str, count: int, tmp_path: Path
) -> None:
    (tmp_path / "e.ndjson").write_text((json.dumps(record) + "\n") * count)
    events, rejects = events_in(tmp_path / "e.ndjson", source)
    assert not events
    assert rejects.counts.total() == count
    assert f"not a record of {source}" in next(iter(rejects.first.values())).detail


def test_a_log_of_windows_is_of_no_other_product() -> None:
    path = Path(__file__).parents[2] / "examples"
    log = next(path.rglob("*.evtx"))
    events, rejects = events_in(log, "crowdstrike.fdr")
    assert not events
    assert "holds no records of crowdstrike.fdr" in rejects.first["unreadable file"].detail
