"""Rows of advanced hunting without `ActionType`: columns as the schema reference of advanced hunting has them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.shared import needs_shared, shared
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.sources.unseen import Reason

HEAD = {"Timestamp": "2026-11-20T15:40:13.988Z", "DeviceName": "ws01", "InitiatingProcessFileName": "explorer.exe"}
# By what is projected: the category, the action and whether the columns tell what happened.
ROWS: dict[str, tuple[dict[str, str], list[str] | None, str | None, bool]] = {
    "a process": (
        {"FileName": "a.exe", "ProcessCommandLine": "a.exe -x", "ProcessCreationTime": "2026-11-20T15:40:13.9Z"},
        ["process"], "start", True,
    ),
    "a process by its id": ({"FileName": "a.exe", "ProcessId": "7"}, ["process"], "start", True),
    "a value of the registry": (
        {"RegistryKey": "HKEY_LOCAL_MACHINE\\SOFTWARE\\x", "RegistryValueName": "n", "RegistryValueData": "d"},
        ["registry"], "modification", True,
    ),
    "a key of the registry": ({"RegistryKey": "HKEY_LOCAL_MACHINE\\SOFTWARE\\x"}, ["registry"], None, False),
    "a connection": ({"RemoteIP": "198.51.100.7", "RemotePort": "443"}, ["network"], None, False),
    "a failed logon": (
        {"LogonType": "Network", "RemoteIP": "198.51.100.7", "AccountName": "u", "FailureReason": "Unknown user"},
        ["authentication"], "logonfailed", True,
    ),
    "a logon": ({"LogonType": "Network", "AccountName": "u"}, ["authentication"], None, False),
    "a renamed file": ({"FileName": "b", "PreviousFileName": "a"}, ["file"], "rename", True),
    "a downloaded file": ({"FileName": "b", "FileOriginUrl": "https://e.example/b"}, ["file"], "creation", True),
    "a file, or a library": ({"FileName": "b.dll", "FolderPath": "C:\\b.dll"}, None, None, False),
    "a library, by its table": ({"FileName": "b.dll", "Type": "DeviceImageLoadEvents"}, ["library"], "load", True),
    "a table of many": ({"ProcessCommandLine": "a", "RemoteUrl": "e.example"}, ["host"], None, False),
}  # fmt: skip


def events_of(path: Path, rejects: Rejects, source: str | None = None) -> list[dict[str, Any]]:
    return list(whole_events(read_inputs(find_inputs([str(path)], source), Wanted(frozenset()), rejects)))


def as_csv(path: Path, row: dict[str, str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)


def as_lines(path: Path, row: dict[str, str]) -> None:
    path.write_text(json.dumps(row) + "\n")


def as_array(path: Path, row: dict[str, str]) -> None:
    path.write_text(json.dumps([row], indent=1))


@pytest.mark.parametrize(("columns", "category", "action", "told"), ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("write", [as_csv, as_lines, as_array])
@pytest.mark.parametrize("source", [None, "m365_defender.event"])
def test_a_row_without_its_action_is_told_by_its_columns_or_counted(
    tmp_path: Path,
    columns: dict[str, str],
    category: list[str] | None,
    action: str | None,
    told: bool,
    write: Any,
    source: str | None,
) -> None:
    path, rejects = tmp_path / "export", Rejects()
    write(path, {**HEAD, **columns})
    (event,) = events_of(path, rejects, source)
    assert (event["event.dataset"], event["host.name"]) == ("m365_defender.event", "ws01")
    assert (event.get("event.category"), event.get("event.action")) == (category, action)
    assert event["host.os.type"] == "windows"
    assert rejects.unseen.total(Reason.NO_ACTION) == (not told)
    assert not rejects.total


@pytest.mark.parametrize("time", ["Timestamp [UTC]", "TimeGenerated [UTC]", "TimeGenerated"])
def test_columns_of_log_analytics_are_known_with_their_zone(tmp_path: Path, time: str) -> None:
    path, rejects = tmp_path / "export.csv", Rejects()
    row = {
        time: "11/20/2026, 3:40:13.988 PM",
        "DeviceName": "ws01",
        "FileName": "a.exe",
        "ProcessCommandLine": "a",
    }
    as_csv(path, row)
    (event,) = events_of(path, rejects)
    assert (event["@timestamp"], event["event.action"]) == ("2026-11-20T15:40:13.988Z", "start")
    assert not rejects.total


@pytest.mark.parametrize(
    "row",
    [
        {"Timestamp": "2026-11-20T15:40:13Z", "FileName": "a", "Size": "1"},
        {"Timestamp": "2026-11-20T15:40:13Z", "RemoteIP": "198.51.100.7", "Bytes": "1"},
        {"DeviceName": "h", "ProcessCommandLine": "a", "Size": "1"},
        {"Timestamp": "2026-11-20T15:40:13Z", "Protocol": "tcp", "LocalIP": "192.0.2.1"},
    ],
)
def test_rows_that_only_resemble_are_left_alone(tmp_path: Path, row: dict[str, str]) -> None:
    as_lines(tmp_path / "e.ndjson", row)
    (event,) = events_of(tmp_path / "e.ndjson", Rejects())
    assert "event.dataset" not in event
    as_csv(tmp_path / "e.csv", row)
    rejects = Rejects()
    assert events_of(tmp_path / "e.csv", rejects) == []
    assert rejects.counts


def test_lines_of_rows_are_told_among_lines_in_ecs(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    ecs = {"@timestamp": "2026-11-20T15:40:13Z", "event": {"category": "process"}, "process": {"name": "x"}}
    row = {**HEAD, "FileName": "a.exe", "ProcessCommandLine": "a"}
    path.write_text("".join(json.dumps(one) + "\n" for one in [*[ecs] * 500, row, *[ecs] * 500]))
    wanted = Wanted(frozenset(("process.name", "event.action")))
    batches = list(read_inputs(find_inputs([str(path)]), wanted, Rejects()))
    assert sum(batch.counts.get("m365_defender.event", 0) for batch in batches) == 1
    assert sum(batch.events for batch in batches) == 1001


@needs_shared("cases/11_defender_without_actiontype.csv")
def test_the_sample_is_a_process_start() -> None:
    (event,) = events_of(shared("cases/11_defender_without_actiontype.csv"), Rejects())
    assert (event["event.category"], event["event.type"], event["process.pid"]) == (["process"], ["start"], 4242)
    assert event["process.args"][1] == "-DownloadFile"
