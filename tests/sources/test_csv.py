"""Query results in CSV, as consoles export them."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.products import m365_defender
from tests.sources.products.case import Process, Record
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
