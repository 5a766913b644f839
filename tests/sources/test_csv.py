"""Query results in CSV, as consoles export them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources import shippers
from tests.sources.products import m365_defender
from tests.sources.products.case import Process, Record
from tests.sources.ten_events import TEN
from tests.sources.wrapping import wazuh, xml
from tocsin.errors import InputError
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.formats.csv_events import read_csv
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

PROCESS = Process("C:\\Windows\\System32\\cmd.exe", 'cmd.exe /c "echo a, b"', original_file_name="Cmd.Exe")
ROW = {**m365_defender.DEVICE, **m365_defender.started(PROCESS)}


def written(rows: list[Record], delimiter: str = ",", **changed: Any) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list({**rows[0], **changed}), delimiter=delimiter)
    writer.writeheader()
    writer.writerows({**row, **changed} for row in rows)
    return out.getvalue().encode()


def read(path: Path, rejects: Rejects | None = None) -> list[dict[str, Any]]:
    return list(whole_events(read_inputs(find_inputs([str(path)]), Wanted(frozenset()), rejects or Rejects())))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_row_is_read_as_the_streaming_api_sends_it(tmp_path: Path, delimiter: str, encoding: str) -> None:
    path = tmp_path / "query.csv"
    path.write_bytes(written([ROW], delimiter).decode().encode(encoding))
    (event,) = read(path)
    streamed = Documents().normalise(m365_defender.process_started(PROCESS))
    kept = "m365_defender.event."
    assert {n: v for n, v in event.items() if not n.startswith(kept)} == {
        n: v for n, v in streamed.items() if not n.startswith(kept) and n not in ("_index", "event.id")
    }


@pytest.mark.parametrize(
    ("moment", "read_as"),
    [
        ("Oct 6, 2026 9:12:44.123 AM", "2026-10-06T09:12:44.123Z"),
        ("Oct 6, 2026 9:12:44 PM", "2026-10-06T21:12:44Z"),
        ("2026-10-06 09:12:44.1234567", "2026-10-06T09:12:44.1234567Z"),
        ("2026-10-06T11:12:44.5+0200", "2026-10-06T11:12:44.5+02:00"),
        ("yesterday", None),
    ],
)
def test_moments_are_read_as_exports_have_them(tmp_path: Path, moment: str, read_as: str | None) -> None:
    path = tmp_path / "query.csv"
    path.write_bytes(written([ROW], Timestamp=moment))
    (event,) = read(path)
    assert event.get("@timestamp") == read_as


def test_columns_of_a_logs_table_and_of_ecs_are_known_too(tmp_path: Path) -> None:
    logs = {
        "TimeGenerated": "2026-10-06T09:00:00Z",
        "Type": "DeviceFileEvents",
        "ActionType": "Odd",
        "FileName": "a",
    }
    (tmp_path / "a.csv").write_bytes(written([logs]))
    ecs = {"@timestamp": "2026-10-06T09:00:00Z", "process.name": "a.exe", "event.category": "process"}
    (tmp_path / "b.csv").write_bytes(written([ecs]))
    first, second = read(tmp_path)
    assert (first["event.category"], first["file.name"]) == (["file"], "a")
    assert (second["process.name"], second["event.category"]) == ("a.exe", "process")


def test_a_line_that_does_not_fit_is_rejected_and_the_rest_read(tmp_path: Path) -> None:
    lines = written([ROW] * 3).splitlines()
    lines[2] = b"too,short"
    (tmp_path / "query.csv").write_bytes(b"\r\n".join(lines))
    rejects = Rejects()
    assert len(read(tmp_path, rejects)) == 2
    assert dict(rejects.counts) == {"malformed CSV": 1}
    reject = rejects.first["malformed CSV"]
    assert (reject.position, reject.detail) == ("line 3", f"2 values for {len(ROW)} columns")


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        pytest.param(b"TimeGenerated,Channel,EventID\r\n", {}, id="a result without rows"),
        pytest.param(b"TimeGenerated,Channel,Eve", {"truncated CSV": 1}, id="cut within the names"),
    ],
)
def test_a_table_that_ends_within_its_names_is_rejected(
    tmp_path: Path, content: bytes, counts: dict[str, int]
) -> None:
    (tmp_path / "query.csv").write_bytes(content)
    rejects = Rejects()
    assert read(tmp_path, rejects) == []
    assert dict(rejects.counts) == counts


def test_a_table_of_something_else_is_refused_by_name() -> None:
    file = io.BufferedReader(io.BytesIO(b"name,age,city\na,1,b\n"))
    with pytest.raises(InputError, match="columns of no source"):
        list(read_csv(file, "people.csv", Wanted(frozenset()), Rejects(), Documents()))


def test_what_a_damaged_file_still_gives_is_read(tmp_path: Path) -> None:
    content = gzip.compress(written([{**ROW, "ReportId": number} for number in range(3000)]))
    (tmp_path / "query.csv.gz").write_bytes(content[: len(content) // 2])
    rejects = Rejects()
    assert len(read(tmp_path / "query.csv.gz", rejects)) > 100
    assert rejects.counts["damaged file"] == 1


CELL = st.text(st.characters(codec="utf-8", exclude_characters='",\r\n\0'), max_size=6)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(CELL, min_size=1, max_size=6).filter(lambda cells: any(cells) or len(cells) > 1)))
def test_every_line_is_an_event_or_rejected(rows: list[list[str]]) -> None:
    columns = ["Timestamp", "ActionType", "FileName", "ProcessId"]
    content = "".join(",".join(cells) + "\n" for cells in (columns, *rows)).encode()
    rejects = Rejects()
    stream: Any = io.BufferedReader(io.BytesIO(content))
    batches = read_csv(stream, "x", Wanted(frozenset(("process.pid",))), rejects, Documents())
    assert sum(sum(batch.counts.values()) for batch in batches) + rejects.total == len(rows)


WINDOWS_POWERSHELL = """#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\r
"Message","Id","Level","RecordId","ProviderName","LogName","MachineName","TimeCreated","Properties"\r
"Process Create:\r
UtcTime: {utc}\r
ProcessId: 4242\r
Image: C:\\Windows\\MpCmdRun.exe","1","4","7","Microsoft-Windows-Sysmon","Microsoft-Windows-Sysmon/Operational","ws01","{time}","System.Collections.Generic.List`1[System.Diagnostics.Eventing.Reader.EventProperty]"\r
"""  # noqa: E501 (as Export-Csv writes it)


@pytest.mark.parametrize(
    "time",
    [
        "11/20/2026 3:40:20 PM",
        "20/11/2026 15:40:20",
        "20.11.2026 15:40:20",
        "20-11-2026 15:40:20",
        "2026/11/20 15:40:20",
    ],
    ids=["en-US", "en-GB", "de-DE", "nl-NL", "ja-JP"],
)
@pytest.mark.parametrize("typed", [True, False])
def test_events_exported_by_powershell_are_read_in_the_moments_of_every_culture(
    tmp_path: Path, time: str, typed: bool
) -> None:
    """`Get-WinEvent | Export-Csv`: Windows PowerShell 5.1 writes the type first, PowerShell 7 does not."""
    text = WINDOWS_POWERSHELL.format(time=time, utc="")
    path = tmp_path / "e.csv"
    path.write_bytes((text if typed else text.partition("\n")[2]).encode())
    rejects = Rejects()
    (event,) = read(path, rejects)
    assert (event["@timestamp"], event["process.pid"]) == ("2026-11-20T15:40:20Z", 4242)
    assert not rejects.total


# ---- tables of Windows events

SYSMON_1, EXPECTED_1 = TEN["Sysmon 1"]
SECURITY_4688 = TEN["Security 4688"]


def table(columns: list[str], rows: list[list[str]], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([columns, *rows])
    return out.getvalue()


def parts(record: Record) -> list[str]:
    return [json.dumps(record["Event"]["System"]), json.dumps(record["Event"]["EventData"])]


TABLES: dict[str, Callable[[Record], str]] = {
    "System and EventData as JSON": lambda r: table(["System", "EventData"], [parts(r)]),
    "System and EventData as JSON, and more": lambda r: table(
        ["_time", "System", "EventData", "Message"], [["2026-10-06T10:00:00Z", *parts(r), "x"]]),
    "Splunk, XML": lambda r: table(
        ["_raw", "_time", "host", "sourcetype"], [[xml(r), "2026-10-06T10:00:00+0000", "f", "XmlWinEventLog"]]),
    "Splunk, XML alone": lambda r: table(["_time", "_raw"], [["2026-10-06T10:00:00.000+0000", xml(r)]]),
    "Kibana, event.original": lambda r: table(
        ["@timestamp", "event.original", "agent.name"], [["Oct 6, 2026 @ 10:00:00.000", xml(r), "a"]]),
    "Wazuh": lambda r: table(
        [*(f"data.win.system.{n}" for n in wazuh(r)["data"]["win"]["system"]),
         *(f"data.win.eventdata.{n}" for n in wazuh(r)["data"]["win"]["eventdata"])],
        [[*wazuh(r)["data"]["win"]["system"].values(), *wazuh(r)["data"]["win"]["eventdata"].values()]]),
    "messages of a queue": lambda r: table(["offset", "value", "partition"], [["7", json.dumps(r), "0"]]),
}  # fmt: skip


@pytest.mark.parametrize("title", TEN)
@pytest.mark.parametrize("written_as", TABLES)
def test_events_in_columns_have_their_fields(written_as: str, title: str, tmp_path: Path) -> None:
    record, expected = TEN[title]
    (tmp_path / "e.csv").write_text(TABLES[written_as](record))
    rejects = Rejects()
    (event,) = read(tmp_path / "e.csv", rejects)
    assert {name: event.get(name) for name in expected} == expected
    assert not rejects.total


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["sep={}\r\n", '"sep={}"\r\n', "\ufeffsep={}\r\n", ""])
def test_any_mark_may_part_columns_and_be_named_first(mark: str, first: str, tmp_path: Path) -> None:
    row = shippers.evtxecmd(SYSMON_1)
    text = first.format(mark) + table(list(row), [[str(value) for value in row.values()]], mark)
    (tmp_path / "e.csv").write_text(text, newline="")
    (event,) = read(tmp_path / "e.csv")
    assert event["process.executable"] == EXPECTED_1["process.executable"]


# Event Viewer's columns (eventvwr, "Save All Events As…", CSV) in English, German, French and Japanese.
VIEWER = {
    "en": ["Level", "Date and Time", "Source", "Event ID", "Task Category"],
    "en, Security": ["Keywords", "Date and Time", "Source", "Event ID", "Task Category"],
    "de": ["Ebene", "Datum und Uhrzeit", "Quelle", "Ereignis-ID", "Aufgabenkategorie"],
    "de, Security": ["Schlüsselwörter", "Datum und Uhrzeit", "Quelle", "Ereignis-ID", "Aufgabenkategorie"],
    "fr": ["Niveau", "Date et heure", "Source", "ID de l’événement", "Catégorie de la tâche"],
    "ja": ["レベル", "日付と時刻", "ソース", "イベント ID", "タスクのカテゴリ"],
}


def sysmons_message(record: Record) -> str:
    return "Process Create:\r\n" + "\r\n".join(f"{n}: {v}" for n, v in record["Event"]["EventData"].items())


@pytest.mark.parametrize("language", VIEWER)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_what_event_viewer_saves_is_read(language: str, encoding: str, tmp_path: Path) -> None:
    columns = VIEWER[language]
    message = sysmons_message(SYSMON_1)
    row = ["Information", "20/11/2026 15:40:20", "Microsoft-Windows-Sysmon", "1", "Process Create (rule)", message]
    (tmp_path / "e.csv").write_bytes(table(columns, [row, row]).encode(encoding))
    rejects = Rejects()
    events = read(tmp_path / "e.csv", rejects)
    assert not rejects.total
    for event in events:
        assert event["process.executable"] == EXPECTED_1["process.executable"]
        assert (event["event.code"], event["data_stream.dataset"]) == ("1", "windows.sysmon_operational")
    assert len(events) == 2


MESSAGE_4688 = """A new process has been created.

Creator Subject:
	Security ID:		S-1-5-21-1
	Account Name:		m.weber
	Account Domain:		CORP
	Logon ID:		0x5A2F1

Target Subject:
	Security ID:		S-1-0-0
	Account Name:		-
	Account Domain:		-
	Logon ID:		0x0

Process Information:
	New Process ID:		0x1c94
	New Process Name:	C:\\Windows\\System32\\cmd.exe
	Token Elevation Type:	%%1938
	Mandatory Label:		S-1-16-8192
	Creator Process ID:	0x1400
	Creator Process Name:	C:\\Windows\\explorer.exe
	Process Command Line:	cmd.exe /c run
"""


def test_the_outcome_and_the_values_of_the_security_log_are_read_from_what_event_viewer_saves(
    tmp_path: Path,
) -> None:
    rows = [
        [
            audit,
            "11/20/2026 3:40:20 PM",
            "Microsoft-Windows-Security-Auditing",
            "4688",
            "Process Creation",
            MESSAGE_4688,
        ]
        for audit in ("Audit Success", "Audit Failure")
    ]
    (tmp_path / "e.csv").write_text(table(VIEWER["en, Security"], rows))
    first, second = read(tmp_path / "e.csv")
    assert (first["process.executable"], first["user.name"]) == ("C:\\Windows\\System32\\cmd.exe", "m.weber")
    assert (first["event.outcome"], second["event.outcome"]) == ("success", "failure")
    assert first["@timestamp"] == "2026-11-20T15:40:20Z"


ENTRY = {
    "EventID": "4688", "MachineName": "ws01", "Data": "System.Byte[]", "Index": "7", "Category": "(13312)",
    "CategoryNumber": "13312", "EntryType": "SuccessAudit", "Message": MESSAGE_4688,
    "Source": "Microsoft-Windows-Security-Auditing", "ReplacementStrings": "System.String[]", "InstanceId": "4688",
    "TimeGenerated": "11/20/2026 3:40:20 PM", "TimeWritten": "11/20/2026 3:40:20 PM", "UserName": "", "Site": "",
    "Container": "",
}  # fmt: skip
STRINGS = ["S-1-5-21-1", "m.weber", "CORP", "0x5a2f1", "0x1c94", "C:\\Windows\\System32\\cmd.exe", "%%1938",
           "0x1400", "cmd.exe /c run",
           "S-1-0-0", "-", "-", "0x0", "C:\\Windows\\explorer.exe", "S-1-16-8192"]  # fmt: skip


@pytest.mark.parametrize("written_as", ["Export-Csv", "Export-Csv -UseCulture", "ConvertTo-Json"])
def test_entries_of_get_event_log_are_read(written_as: str, tmp_path: Path) -> None:
    """`Get-EventLog` of Windows PowerShell gives System.Diagnostics.EventLogEntry."""
    text = "#TYPE System.Diagnostics.EventLogEntry#Security/Microsoft-Windows-Security-Auditing/4688\r\n"
    mark = ";" if "Culture" in written_as else ","
    text += table(list(ENTRY), [list(ENTRY.values())], mark)
    if written_as == "ConvertTo-Json":
        entry = {**ENTRY, "EventID": 4688, "EntryType": 8, "ReplacementStrings": STRINGS, "Message": None}
        text = json.dumps([{**entry, "TimeGenerated": "/Date(1795189220000)/"}], indent=4)
    (tmp_path / "e").write_text(text, newline="")
    (event,) = read(tmp_path / "e")
    assert (event["process.executable"], event["process.command_line"]) == (
        "C:\\Windows\\System32\\cmd.exe", "cmd.exe /c run",
    )  # fmt: skip
    assert (event["event.outcome"], event["host.name"], event["user.name"]) == ("success", "ws01", "m.weber")
    assert event["data_stream.dataset"] == "system.security"


@pytest.mark.parametrize("message", ["Ein neuer Prozess wurde erstellt.\r\n\r\n\tKontoname: x", "", "x"])
def test_messages_that_cannot_be_read_are_rejected_with_what_to_do(message: str, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(table(list(ENTRY), [[*{**ENTRY, "Message": message}.values()]]))
    rejects = Rejects()
    assert not read(tmp_path / "e.csv", rejects)
    reject = rejects.first["event without its values"]
    assert reject.position == "line 2"
    assert "EVTX" in reject.detail
    assert "-Depth 4" in reject.detail


# ---- lines


def test_rows_are_told_by_the_line_that_they_begin_on(tmp_path: Path) -> None:
    rows = ['2026-10-06T10:00:00Z,Odd,"a\nb\nc"', "too,short", "2026-10-06T10:00:00Z,Odd,d", '"over\ntwo",lines']
    (tmp_path / "e.csv").write_text("\n".join(["Timestamp,ActionType,FileName", *rows]) + "\n")
    rejects = Rejects(tmp_path / "rejects")
    assert len(read(tmp_path / "e.csv", rejects)) == 2
    rejects.close()
    kept = [json.loads(line) for line in (tmp_path / "rejects").read_text().splitlines()]
    assert [one["position"] for one in kept] == ["line 5", "line 7", "line 8"]


@pytest.mark.parametrize("last", [False, True])
def test_a_quote_that_nothing_closes_takes_one_line_alone(last: bool, tmp_path: Path) -> None:
    good = "2026-10-06T10:00:00Z,Odd,a"
    rows = [good, good, '2026-10-06T10:00:00Z,"Odd,b', *([] if last else [good] * 50)]
    (tmp_path / "e.csv").write_text("\n".join(["Timestamp,ActionType,FileName", *rows]) + "\n")
    rejects = Rejects()
    assert len(read(tmp_path / "e.csv", rejects)) == len(rows) - 1
    assert (rejects.total, rejects.first["malformed CSV"].position) == (1, "line 4")


def test_tables_put_one_behind_the_other_are_one(tmp_path: Path) -> None:
    one = "\ufeff" + table(["Timestamp", "ActionType", "FileName"], [["2026-10-06T10:00:00Z", "Odd", "a"]])
    (tmp_path / "e.csv").write_text(one * 3)
    rejects = Rejects()
    assert len(read(tmp_path / "e.csv", rejects)) == 3
    assert not rejects.total
