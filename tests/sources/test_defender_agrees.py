"""Microsoft 365 Defender's portal, where the ten Windows events happened: the same ECS fields, or why they differ.

Its sensor records the same happenings in tables of its own, of which the portal exports rows in CSV. Columns are
those of the advanced hunting schema (learn.microsoft.com, `DeviceProcessEvents` and so on).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sources.products.m365_defender import DEVICE
from tests.sources.ten_events import TEN
from tests.sources.test_csv import read, written

Record = dict[str, Any]
TIME = "Nov 20, 2026 10:00:00.123 AM"
_DEVICE = {**DEVICE, "Timestamp": TIME, "ReportId": 7}
_BY = {
    "InitiatingProcessId": 7316, "InitiatingProcessFileName": "cmd.exe",
    "InitiatingProcessFolderPath": "c:\\windows\\system32\\cmd.exe",
    "InitiatingProcessAccountName": "m.weber", "InitiatingProcessAccountDomain": "corp",
}  # fmt: skip
ROWS: dict[str, Record] = {
    "Sysmon 1": {
        "ActionType": "ProcessCreated", "FileName": "cmd.exe", "FolderPath": "C:\\Windows\\System32\\cmd.exe",
        "ProcessId": 7316, "ProcessCommandLine": '"cmd.exe" /c "echo hi"', "MD5": "a" * 32,
        "ProcessVersionInfoOriginalFileName": "Cmd.Exe", "AccountName": "m.weber", "AccountDomain": "corp",
        "InitiatingProcessId": 5120, "InitiatingProcessFileName": "explorer.exe",
    },
    "Sysmon 3": {
        **_BY, "ActionType": "ConnectionSuccess", "LocalIP": "192.0.2.23", "LocalPort": 50112,
        "RemoteIP": "198.51.100.7", "RemotePort": 443, "Protocol": "Tcp",
    },
    "Sysmon 11": {
        **_BY, "ActionType": "FileCreated", "FileName": "a.exe", "FolderPath": "C:\\Users\\Public\\a.exe",
        "SHA1": "0" * 40,
    },
    "Sysmon 13": {
        **_BY, "ActionType": "RegistryValueSet", "RegistryValueType": "Dword", "RegistryValueData": "1",
        "RegistryKey": "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows Defender",
        "RegistryValueName": "DisableAntiSpyware",
    },
    "Sysmon 22": {
        **_BY, "ActionType": "DnsConnectionInspected", "RemoteIP": "192.0.2.53", "RemotePort": 53,
        "AdditionalFields": '{"direction":"Out","query":"cdn.example.com","answers":"[\\"203.0.113.77\\"]"}',
    },
    "Security 4624": {
        "ActionType": "LogonSuccess", "LogonType": "Network", "AccountName": "a.ruiz", "AccountDomain": "corp",
        "RemoteIP": "192.0.2.77", "RemotePort": 50113, "Protocol": "NTLM",
    },
    "Security 4688": {
        "ActionType": "ProcessCreated", "FileName": "cmd.exe", "FolderPath": "C:\\Windows\\System32\\cmd.exe",
        "ProcessId": 7316, "ProcessCommandLine": "cmd.exe /c run", "AccountName": "m.weber",
        "InitiatingProcessId": 5120, "InitiatingProcessFileName": "explorer.exe",
    },
    "Security 4698": {
        **_BY, "ActionType": "ScheduledTaskCreated", "AccountName": "m.weber", "AccountDomain": "corp",
        "AdditionalFields": '{"TaskName":"\\\\Update"}',
    },
    "PowerShell 4104": {
        **_BY, "ActionType": "PowerShellCommand", "AdditionalFields": '{"Command":"Invoke-Expression"}',
    },
}  # fmt: skip
# Fields of the Windows event that the row has otherwise or lacks, and why.
_ID = "worked out of host, process id and start, which this row does not all have"
_CASE = "the sensor writes it in small letters"
_ACTION = "the integration's name of the action, which differs by product"
_ACTOR = {"process.entity_id": _ID, "process.executable": _CASE}
DIFFERENCES: dict[str, dict[str, str]] = {
    "Sysmon 1": {"process.entity_id": _ID, "event.action": _ACTION, "user.domain": _CASE},
    "Sysmon 3": {
        **_ACTOR, "event.type": "the integration has the start alone",
        "network.direction": "the row does not say who began",
        "network.protocol": "the integration puts the transport here, too",
    },
    "Sysmon 11": {**_ACTOR, "event.action": _ACTION},
    "Sysmon 13": {**_ACTOR, "event.category": "the integration has the registry alone"},
    "Sysmon 22": {**_ACTOR, "event.type": "seen on the wire: a packet of a protocol"},
    "Security 4624": {"event.action": _ACTION, "user.domain": _CASE},
    "Security 4688": {"event.action": _ACTION},
    "Security 4698": {
        "event.action": _ACTION, "user.domain": _CASE,
        "event.category": "the integration has no category for tasks but the host",
        "event.type": "the integration has no type for tasks",
        "winlog.event_data.TaskName": "the row keeps it below m365_defender.event.AdditionalFields",
    },
    "PowerShell 4104": {
        "event.category": "the integration has no category for commands but the host",
        "powershell.sequence": "a command is no part of a script",
        "powershell.total": "a command is no part of a script",
        "powershell.file.script_block_text": "the sensor records the command's name, not the script",
        "file.name": "the sensor does not record the script's file",
    },
}  # fmt: skip
# What no table of Defender's has: access to a file over a share, as the share's server sees it.
NOT_RECORDED = {"Security 5145"}


def test_every_event_has_a_row_or_is_said_to_have_none() -> None:
    assert set(ROWS) | NOT_RECORDED == set(TEN)


@pytest.mark.parametrize("title", ROWS)
def test_a_row_of_the_portal_has_the_fields_of_the_windows_event_but_for_those_listed(
    tmp_path: Path, title: str
) -> None:
    path = tmp_path / "AdvancedHunting.csv"
    path.write_bytes(written([{**_DEVICE, **ROWS[title]}]))
    (event,) = read(path)
    expected = TEN[title][1]
    differing = {name for name, value in expected.items() if event.get(name) != value}
    assert differing == set(DIFFERENCES[title]), {name: event.get(name) for name in differing}
    assert event["@timestamp"] == "2026-11-20T10:00:00.123Z"
