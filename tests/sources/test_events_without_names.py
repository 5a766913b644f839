"""Windows events whose values come without names, under other spellings, or in their message alone.

What the programs write:

- Winlogbeat and Elastic Agent: `winlog.event_data.param1`, … of `Data` elements without a name, which is what
  Windows renders when the provider's template is not at hand (elastic/beats winlogbeat/sys/winevent: AddPairs);
  `event.original` holds the XML with `include_xml`.
- Fluent Bit: plugins/in_winevtlog/pack.c (`ProviderName`, `Qualifiers`, …, `ProcessID`, `UserID` looked up,
  `Message`, `StringInserts`), plugins/in_winlog/pack.c (`SourceName`, `ComputerName`, `TimeGenerated`, `Sid`).
- Fluentd: fluent-plugin-windows-eventlog, `windows_eventlog2` (`ProviderGUID`, `Description`, `EventData`) and
  `windows_eventlog` (`channel`, `event_id`, `string_inserts`).
- `Get-WinEvent | ConvertTo-Json`: tests/sources/test_exported.py.

The messages are those that Windows renders in English.
"""

from __future__ import annotations

import copy
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from tests.shared import needs_shared, shared
from tests.sources import shippers
from tests.sources.rendered import message_of
from tests.sources.ten_events import TEN
from tests.sources.test_exported import exported
from tocsin.sources.document import Documents

Record = dict[str, Any]


def values(record: Record) -> list[Any]:
    return list(record["Event"]["EventData"].values())


def bare(record: Record, *, numbered: bool = False) -> Record:
    """Return Winlogbeat's document of a record, with numbered values or none at all, and the real message."""
    document = shippers.winlogbeat(record)
    texts = document["winlog"].pop("event_data")
    if numbered:
        document["winlog"]["event_data"] = {f"param{n}": text for n, text in enumerate(texts.values(), 1)}
    else:
        document["message"] = message_of(record)
    return document


def respelled(record: Record, spell: Callable[[str], str]) -> Record:
    document = shippers.winlogbeat(record)
    document["winlog"]["event_data"] = {
        spell(name): value for name, value in document["winlog"]["event_data"].items()
    }
    return document


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def xml_of(record: Record, prefix: str = "") -> str:
    """Return a record as Windows renders it in XML."""
    system = record["Event"]["System"]
    root = ElementTree.Element("Event")
    head = ElementTree.SubElement(root, "System")
    for name, value in system.items():
        held = value["#attributes"] if isinstance(value, dict) else {}
        element = ElementTree.SubElement(
            head, name, {key: str(one) for key, one in held.items() if one is not None}
        )
        if not isinstance(value, dict) and value is not None:
            element.text = str(value)
    data = ElementTree.SubElement(root, "EventData")
    for name, value in record["Event"]["EventData"].items():
        ElementTree.SubElement(data, "Data", Name=name).text = (
            str(value).lower() if isinstance(value, bool) else str(value)
        )
    return ElementTree.tostring(root, "unicode")


def with_original(record: Record) -> Record:
    document = shippers.winlogbeat(record)
    del document["winlog"]["event_data"]
    document["event"]["original"] = xml_of(record)
    return document


def fluent_bit(record: Record, *, with_values: bool = True) -> Record:
    """Return what `in_winevtlog` packs: local time, the account looked up, values of their types."""
    head = record["Event"]["System"]
    attributes = {name: head[name]["#attributes"] for name in ("Provider", "TimeCreated", "Execution")}
    time = attributes["TimeCreated"]["SystemTime"]
    return {
        "ProviderName": attributes["Provider"]["Name"], "ProviderGuid": f"{{{attributes['Provider']['Guid']}}}",
        "Qualifiers": "", "EventID": head["EventID"], "Version": head["Version"], "Level": head["Level"],
        "Task": head["Task"], "Opcode": head["Opcode"], "Keywords": head["Keywords"],
        "TimeCreated": time[:19].replace("T", " ") + " +0000", "EventRecordID": head["EventRecordID"],
        "ActivityID": "", "RelatedActivityID": "", "ProcessID": attributes["Execution"]["ProcessID"],
        "ThreadID": attributes["Execution"]["ThreadID"], "Channel": head["Channel"],
        "Computer": head["Computer"], "UserID": "NT AUTHORITY\\SYSTEM", "Message": message_of(record),
        **({"StringInserts": values(record)} if with_values else {}),
    }  # fmt: skip


def in_winlog(record: Record) -> Record:
    """Return what Fluent Bit's older `in_winlog` packs."""
    new = fluent_bit(record)
    return {
        "RecordNumber": new["EventRecordID"], "TimeGenerated": new["TimeCreated"],
        "TimeWritten": new["TimeCreated"], "EventID": new["EventID"], "Qualifiers": 0,
        "EventType": "SuccessAudit", "EventCategory": new["Task"],
        "Channel": new["Channel"], "SourceName": new["ProviderName"], "ComputerName": new["Computer"], "Data": "",
        "Sid": "S-1-5-18", "Message": new["Message"], "StringInserts": [str(one) for one in new["StringInserts"]],
    }  # fmt: skip


def fluentd(record: Record) -> Record:
    new = fluent_bit(record)
    others = ("StringInserts", "Message", "ProviderGuid")
    return {
        **{name: str(value) for name, value in new.items() if name not in others},
        "ProviderGUID": new["ProviderGuid"], "Description": new["Message"],
        "EventData": [str(one) for one in new["StringInserts"]],
    }  # fmt: skip


def old_fluentd(record: Record) -> Record:
    new = fluent_bit(record)
    return {
        "channel": new["Channel"].lower(), "record_number": str(new["EventRecordID"]),
        "time_generated": new["TimeCreated"], "time_written": new["TimeCreated"], "event_id": str(new["EventID"]),
        "event_type": "audit_success", "event_category": str(new["Task"]), "source_name": new["ProviderName"],
        "computer_name": new["Computer"], "user": "SYSTEM", "description": new["Message"],
        "string_inserts": [str(one) for one in new["StringInserts"]],
    }  # fmt: skip


def get_winevent(record: Record, properties: Any) -> Record:
    return {**exported(record), "Properties": properties, "Message": message_of(record)}


WRITERS: dict[str, Callable[[Record], Record]] = {
    "Winlogbeat without the provider's template": lambda r: bare(r, numbered=True),
    "Winlogbeat, a message alone": bare,
    "Winlogbeat, a message with line feeds and blanks": lambda r: {
        **(document := bare(r)), "message": document["message"].replace("\r\n", "\n").replace("\t", "  ")
    },
    "Winlogbeat, the XML alone": with_original,
    "names in small letters": lambda r: respelled(r, str.lower),
    "names in snake case": lambda r: respelled(r, snake_case),
    "names in camel case": lambda r: respelled(r, lambda name: name[0].lower() + name[1:]),
    "Fluent Bit": fluent_bit,
    "Fluent Bit, a message alone": lambda r: fluent_bit(r, with_values=False),
    "Fluent Bit, the older API": in_winlog,
    "Fluentd": fluentd,
    "Fluentd, the older API": old_fluentd,
    "Get-WinEvent, no properties": lambda r: get_winevent(r, []),
    "Get-WinEvent, properties without values": lambda r: get_winevent(r, ["System.Diagnostics.Eventing"]),
    "Get-WinEvent, too few properties": lambda r: get_winevent(r, [{"Value": "a"}, {"Value": "b"}]),
}  # fmt: skip

# What no writer of these has, or has in another place.
_BESIDE = {"event.action"}  # the task's name, where an event has no other


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("title", TEN)
def test_an_event_has_its_fields_however_its_values_come(title: str, writer: str) -> None:
    record, expected = copy.deepcopy(TEN[title])
    event = Documents().normalise(json.loads(json.dumps(WRITERS[writer](record))))
    missed = {name for name, value in expected.items() if event.get(name) != value} - _BESIDE
    assert not missed, {name: event.get(name) for name in missed}


def test_a_value_that_holds_labels_names_nobody_else() -> None:
    record, _ = copy.deepcopy(TEN["Security 4688"])
    record["Event"]["EventData"]["CommandLine"] = "a.exe\n\nCreator Subject:\n\tAccount Name:\t\tdecoy"
    event = Documents().normalise(bare(record))
    assert (event["user.name"], event["process.command_line"]) == ("m.weber", "a.exe")


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ("Security 4688", "Ein neuer Prozess wurde erstellt.\r\n\r\nErsteller:\r\n\tKontoname:\t\tm.weber"),
        ("Security 4688", "A new process has been created."),
        ("Sysmon 1", "Process Create"),
        ("Sysmon 1", ""),
    ],
)
def test_a_message_that_tells_nothing_gives_no_values(title: str, message: str) -> None:
    event = Documents().normalise({**bare(TEN[title][0]), "message": message})
    assert not [
        name for name in event if name.startswith(("winlog.event_data", "process.executable", "user.name"))
    ]


def test_a_script_is_read_from_a_message_in_any_language() -> None:
    document = bare(TEN["PowerShell 4104"][0])
    document["message"] = (
        "Skriptblocktext wird erstellt (1 von 1):\r\nInvoke-Expression $a\r\n\r\n"
        "ScriptBlock-ID: 8f1d1f6c-6f5b-4b4e-9d41-9f3d3f0d0c11\r\nPfad: "
    )
    assert Documents().normalise(document)["powershell.file.script_block_text"] == "Invoke-Expression $a"


def test_values_of_another_version_than_is_known_keep_their_numbers() -> None:
    document = bare(TEN["Sysmon 1"][0], numbered=True)
    document["winlog"]["event_data"] = {f"param{n}": f"text {n}" for n in range(1, 24)}
    event = Documents().normalise(document)
    assert event["winlog.event_data.param5"] == "text 5"
    assert "process.executable" not in event


@pytest.mark.parametrize("last", [20, 24])
def test_a_version_with_values_more_or_fewer_at_the_end_is_told_by_what_they_look_like(last: int) -> None:
    document = bare(TEN["Sysmon 1"][0], numbered=True)
    data = document["winlog"]["event_data"]
    data["param24"] = "of a newer version"
    document["winlog"]["event_data"] = {name: data[name] for name in list(data)[:last]}
    assert Documents().normalise(document)["process.name"] == "cmd.exe"


def test_names_that_the_log_has_are_kept_whatever_their_capitals() -> None:
    document = shippers.winlogbeat(TEN["Sysmon 1"][0])
    document["winlog"]["event_data"]["commandline"] = "another"
    event = Documents().normalise(document)
    assert event["process.command_line"] == '"cmd.exe" /c "echo hi"'
    assert event["winlog.event_data.commandline"] == "another"


@needs_shared("events/mordor")
@pytest.mark.slow
def test_real_messages_hold_what_the_log_holds() -> None:
    """Each kind of event of the recordings is read from its message alone, and compared with its values."""
    seen: Counter[tuple[Any, Any]] = Counter()
    for record in recorded():
        provider, event_id = record.get("SourceName"), record.get("EventID")
        if "Message" not in record or provider not in _TOLD or seen[provider, event_id] >= 20:
            continue
        seen[provider, event_id] += 1
        full = Documents().normalise(record)
        told = Documents().normalise({name: record[name] for name in _HEAD if name in record})
        differing = {name for name in _COMPARED if full.get(name) != told.get(name)}
        assert not differing, (provider, event_id, {n: (full.get(n), told.get(n)) for n in differing})
    assert seen.total() > 500


_TOLD = ("Microsoft-Windows-Security-Auditing", "Microsoft-Windows-Sysmon", "Service Control Manager")
_HEAD = (
    "EventTime", "@timestamp", "TimeCreated", "Hostname", "SourceName", "EventID", "Task", "Keywords", "Channel",
    "Message", "UserID",
)  # fmt: skip
_COMPARED = (
    "@timestamp", "event.action", "user.id", "user.name", "process.executable", "process.parent.executable",
    "file.path", "registry.path", "destination.ip", "source.ip", "source.port", "dns.question.name",
    "service.name",
    "winlog.event_data.TargetUserName", "winlog.event_data.TargetSid", "winlog.event_data.SubjectLogonId",
    "winlog.event_data.LogonType", "winlog.event_data.ShareName", "winlog.event_data.ObjectName",
    "winlog.event_data.AccessMaskDescription", "winlog.event_data.TicketOptions",
    "winlog.event_data.PrivilegeList",
    "winlog.logon.type",
)  # fmt: skip


def recorded() -> Iterator[Record]:
    for archive in sorted(shared("events/mordor").rglob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            for member in opened.namelist():
                for line in opened.open(member).read().splitlines():
                    with suppress(ValueError):
                        yield orjson.loads(line)
