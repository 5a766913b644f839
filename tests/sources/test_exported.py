"""Windows events as `Get-WinEvent | ConvertTo-Json` writes them have the fields of the same events in EVTX."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import evtx as evtx_package
import orjson
import pytest

from tests.scenario import SECURITY, SYSMON, Machine
from tests.shared import needs_shared, shared
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.sources.windows.forms.errors import CutOffError
from tocsin.sources.windows.forms.exported import CUT_OFF, is_exported, moment
from tocsin.sources.windows.record import to_ecs

evtx: Any = evtx_package
COMPARED = ("process.executable", "process.command_line", "process.entity_id", "user.name", "registry.path",
            "file.path", "destination.ip", "process.parent.args")  # fmt: skip
MACHINE = Machine("WS-0142.corp.example.com", "CORP\\m.weber", 5)
CMD = MACHINE.process("C:\\Windows\\System32\\cmd.exe", "/c run", "C:\\Windows\\explorer.exe", "Cmd.Exe")


def exported(record: dict[str, Any], *, cut_off: bool = False) -> dict[str, Any]:
    """Return an event as ConvertTo-Json writes it, its values in the order in which they stand in the log."""
    head, data = record["Event"]["System"], record["Event"].get("EventData") or {}
    attributes = {name: (head.get(name) or {}).get("#attributes") or {} for name in
                  ("Provider", "TimeCreated", "Execution", "Security", "Correlation")}  # fmt: skip
    values: list[Any] = []
    for name, value in data.items():
        if name == "Data":  # values without names
            texts = value["#text"] if isinstance(value, dict) else value
            values += texts if isinstance(texts, list) else [texts]
        elif name not in ("#attributes", "Binary"):
            values.append(value)
    event_id, user = head["EventID"], attributes["Security"].get("UserID")
    keywords = int(head["Keywords"], 16)
    return {
        "Id": event_id if isinstance(event_id, int) else event_id["#text"],
        "Version": head.get("Version"),
        "Qualifiers": None,
        "Level": head.get("Level"),
        "Task": head.get("Task"),
        "Opcode": head.get("Opcode"),
        "Keywords": keywords - (1 << 64) if keywords >= 1 << 63 else keywords,
        "RecordId": head.get("EventRecordID"),
        "ProviderName": attributes["Provider"].get("Name"),
        "ProviderId": (attributes["Provider"].get("Guid") or "").strip("{}").lower() or None,
        "LogName": head.get("Channel"),
        "ProcessId": attributes["Execution"].get("ProcessID"),
        "ThreadId": attributes["Execution"].get("ThreadID"),
        "MachineName": head.get("Computer"),
        "UserId": user and {"BinaryLength": 12, "AccountDomainSid": None, "Value": user},
        "TimeCreated": attributes["TimeCreated"].get("SystemTime"),
        "ActivityId": (attributes["Correlation"].get("ActivityID") or "").strip("{}").lower() or None,
        "RelatedActivityId": None,
        "ContainerLog": head.get("Channel"),
        "MatchedQueryIds": [],
        "Bookmark": {},
        "LevelDisplayName": "Information",
        "KeywordsDisplayNames": [],
        "Properties": [CUT_OFF] * len(values) if cut_off else [{"Value": value} for value in values],
        "Message": "A title:\r\n" + "\r\n".join(f"{name}: {value}" for name, value in data.items()),
    }


def same_but_for(event: dict[str, Any], *others: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in others}


@pytest.mark.parametrize("cut_off", [False, True])
def test_an_exported_event_has_the_fields_of_the_logged_one(cut_off: bool) -> None:
    record = exported(CMD, cut_off=cut_off)
    assert is_exported(record)
    assert Documents().normalise(record) == to_ecs(CMD)


def test_numbers_of_logons_and_processes_are_written_as_the_log_does() -> None:
    data = {"SubjectUserSid": {"Value": "S-1-5-18"}, "SubjectUserName": "WS$", "SubjectDomainName": "CORP",
            "SubjectLogonId": 369393, "NewProcessId": 7316, "NewProcessName": "C:\\a.exe",
            "TokenElevationType": "%%1938", "ProcessId": 5120, "CommandLine": "a.exe -x"}  # fmt: skip
    event = Documents().normalise(exported(MACHINE.security(4688, data)))
    assert event["winlog.event_data.SubjectLogonId"] == "0x5a2f1"
    assert event["winlog.event_data.NewProcessId"] == "0x1c94"
    assert (event["process.pid"], event["process.parent.pid"]) == (7316, 5120)
    assert event["user.id"] == "S-1-5-18"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/Date(1595374458918)/", "2020-07-21T23:34:18.918Z"),
        ("2020-07-21T19:34:18.9186789-04:00", "2020-07-21T19:34:18.9186789-04:00"),
        ({"value": "/Date(1595374458918)/", "DateTime": "Tuesday"}, "2020-07-21T23:34:18.918Z"),
        ("Tuesday", None),
        (None, None),
    ],
)
def test_moments_are_read_as_either_powershell_writes_them(written: Any, read: str | None) -> None:
    assert moment(written) == read


def test_values_without_a_known_name_are_numbered() -> None:
    record = MACHINE.record(("Some-Provider", "Some/Log", "0" * 8), 99, {"a": "x", "b": "y"}, "0x0")
    event = Documents().normalise(exported(record))
    assert (event["winlog.event_data.param1"], event["winlog.event_data.param2"]) == ("x", "y")


def test_an_event_whose_values_were_cut_off_is_rejected_with_what_to_do(tmp_path: Path) -> None:
    security = MACHINE.record(SECURITY, 4634, {"TargetUserSid": "S-1-5-18"}, "0x0")
    path = tmp_path / "events.json"
    records = [exported(security, cut_off=True), exported(CMD), exported(CMD, cut_off=True)]
    path.write_bytes(json.dumps(records, indent=4).encode("utf-16"))  # as `>` writes it in Windows PowerShell
    rejects = Rejects()
    (batch,) = read_inputs(find_inputs([str(path)]), Wanted(frozenset(("process.name",))), rejects)
    assert batch.table.rows == 2
    assert dict(rejects.counts) == {"event without its values": 1}
    reject = rejects.first["event without its values"]
    assert (reject.position, "-Depth" in reject.detail) == ("record 1", True)
    with pytest.raises(CutOffError):
        Documents().normalise(records[0])


def test_a_message_may_have_values_of_several_lines() -> None:
    record = exported(MACHINE.record(SYSMON, 1, {"CommandLine": "a"}, "0x0"), cut_off=True)
    record["Message"] = (
        "Process Create:\r\nRuleName: -\r\nCommandLine: powershell one\r\n  two: three\r\nUser: C\\u"
    )
    event = Documents().normalise(record)
    assert event["process.command_line"] == "powershell one\n  two: three"
    assert event["user.name"] == "u"


@needs_shared("events/evtx")
@pytest.mark.slow
def test_every_real_record_has_the_same_fields_exported_as_logged() -> None:
    compared = 0
    for path in sorted(shared("events/evtx").rglob("*.evtx")):
        for read in evtx.PyEvtxParser(str(path)).records_json():
            record = orjson.loads(read["data"])
            if not record["Event"].get("EventData"):
                continue
            logged, again = to_ecs(record), Documents().normalise(exported(record))
            if "winlog.event_data.param1" in again and "winlog.event_data.param1" not in logged:
                continue  # of a provider whose names are not known
            differing = {n for n in logged.keys() | again.keys() if logged.get(n) != again.get(n)}
            assert differing <= {"winlog.provider_guid", "winlog.activity_id", "winlog.event_data.Binary"}, path
            compared += 1
    assert compared > 1_500


@needs_shared("events/mordor")
@pytest.mark.slow
def test_every_real_message_of_sysmon_holds_the_values() -> None:
    compared = 0
    for archive in sorted(shared("events/mordor").rglob("*.zip"))[:10]:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.namelist():
                for line in opened.open(member).read().splitlines():
                    if b"Sysmon" not in line or b"%" in line:  # Windows takes `%5` for a place to fill
                        continue
                    record = orjson.loads(line)
                    if "Sysmon" not in str(record.get("SourceName")) or "Message" not in record:
                        continue
                    flat = Documents().normalise(record)
                    rendered = {"Id": record["EventID"], "ProviderName": record["SourceName"],
                                "LogName": record["Channel"], "Properties": [CUT_OFF],
                                "Message": record["Message"], "MachineName": record["Hostname"]}  # fmt: skip
                    event = Documents().normalise(rendered)
                    for name in COMPARED:
                        assert event.get(name) == flat.get(name), (name, line)
                    compared += 1
    assert compared > 2_000
