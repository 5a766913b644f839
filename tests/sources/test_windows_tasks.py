"""Events that no table gives an action have their task's name as `event.action`, as Winlogbeat sends it."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import evtx as evtx_package
import orjson
import pytest

from tests.evtx_writer import write_evtx
from tests.scenario import SECURITY, Machine
from tests.shared import needs_shared, shared
from tocsin.sources.document import Documents
from tocsin.sources.windows.record import WindowsRecord, to_ecs
from tocsin.sources.windows.xml import record_of

evtx: Any = evtx_package
MACHINE = Machine("HOST.example.com", "CORP\\user", 7)
AUDITING = "Microsoft-Windows-Security-Auditing"
POWERSHELL = "Microsoft-Windows-PowerShell/Operational"
SCHEDULER = "Microsoft-Windows-TaskScheduler/Operational"


def record(provider: str, channel: str, event_id: int, task: object, **head: Any) -> dict[str, Any]:
    found = MACHINE.record((provider, channel, ""), event_id, {}, "0x8020000000000000")
    found["Event"]["System"] |= {"Task": task, "Opcode": 0, **head}
    return found


@pytest.mark.parametrize(
    ("provider", "channel", "event_id", "task", "action"),
    [
        (AUDITING, "Security", 4703, 13317, "Token Right Adjusted Events"),
        (AUDITING, "Security", 4656, 12801, "Registry"),
        (AUDITING, "Security", 4656, 12800, "File System"),
        (AUDITING, "Security", 4661, 12803, "SAM"),
        (AUDITING, "Security", 5061, 12290, "System Integrity"),
        (AUDITING, "security", 4794, "13824", "User Account Management"),
        ("Microsoft-Windows-PowerShell", POWERSHELL, 4104, 2, "Execute a Remote Command"),
        ("PowerShellCore", "PowerShellCore/Operational", 4104, 2, "Execute a Remote Command"),
        ("PowerShell", "Windows PowerShell", 800, 8, "Pipeline Execution Details"),
        ("Microsoft-Windows-TaskScheduler", SCHEDULER, 106, 106, "Task registered"),
        ("Service Control Manager", "System", 7036, 0, "None"),
        ("Some-Provider", "Some/Channel", 1, 4711, None),
        ("Some-Provider", "Some/Channel", 1, None, None),
        # A table's action comes first.
        (AUDITING, "Security", 4688, 13312, "created-process"),
        ("Microsoft-Windows-Sysmon", "Microsoft-Windows-Sysmon/Operational", 1, 1, "Process creation"),
    ],
)  # fmt: skip
def test_action(provider: str, channel: str, event_id: int, task: object, action: str | None) -> None:
    assert to_ecs(record(provider, channel, event_id, task)).get("event.action") == action


def test_task_opcode_and_keywords_are_named() -> None:
    found = to_ecs(record("Microsoft-Windows-Sysmon", "Microsoft-Windows-Sysmon/Operational", 1, 1))
    assert found["winlog.task"] == "Process Create (rule: ProcessCreate)"
    assert (found["winlog.opcode"], found["winlog.keywords"]) == ("Info", ["Audit Success"])


def test_a_record_that_is_not_parsed_gives_the_same_action() -> None:
    (read,) = evtx.PyEvtxParser(io.BytesIO(write_evtx([record(AUDITING, "Security", 4703, 13317)]))).records_json()
    dataset = WindowsRecord(orjson.loads(read["data"])).dataset
    unparsed = WindowsRecord.unparsed(read["data"], AUDITING, dataset, 4703, forwarded=False)
    assert unparsed.get("event.action") == "Token Right Adjusted Events"


def rendered(task: str) -> str:
    """A forwarded event as a collector in German renders it (RenderingInfo of the event schema)."""
    return (
        "<Event><System><Provider Name='P'/><EventID>7</EventID><Task>9</Task><Channel>C</Channel></System>"
        f"<RenderingInfo Culture='de-DE'><Task>{task}</Task><Opcode>Info</Opcode></RenderingInfo></Event>"
    )


@pytest.mark.parametrize(("task", "action"), [("Dienst gestartet", "Dienst gestartet"), ("", None)])
def test_a_task_that_is_not_known_is_named_as_the_collector_rendered_it(task: str, action: str | None) -> None:
    assert to_ecs(record_of(rendered(task))).get("event.action") == action


def test_rules_ask_for_names_in_english() -> None:
    """A name that is known comes before one that a collector rendered in its own language."""
    text = rendered("Anpassung").replace("'P'", f"'{AUDITING}'").replace("<Task>9<", "<Task>13317<")
    assert to_ecs(record_of(text))["event.action"] == "Token Right Adjusted Events"


@pytest.mark.parametrize("odd", [[], {}, {"a": 1}, "", "x", 1.5, True, None, -1, 10**30])
def test_an_odd_task_is_no_reason_to_refuse_a_record(odd: Any) -> None:
    found = to_ecs(record(SECURITY[0], "Security", 4703, odd, Opcode=odd, TaskDisplayName=odd))
    assert found["event.code"] == "4703"


@pytest.mark.parametrize("channel", ["Security", "security", "SECURITY"])
def test_a_channel_is_known_whatever_its_capitals(channel: str) -> None:
    """Collectors write the name that a subscription has; recorded logs hold `security`."""
    found = to_ecs(record("Microsoft-Windows-Eventlog", channel, 1102, 104))
    assert (found["event.action"], found["event.dataset"]) == ("audit-log-cleared", "system.security")


@needs_shared("events/mordor")
@pytest.mark.slow
def test_names_are_those_of_real_recordings() -> None:
    """nxlog records the name of each event's task beside its number."""
    seen: dict[tuple[str, object], set[tuple[str, str | None]]] = {}
    for path in sorted(shared("events/mordor").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                for line in archive.open(name):
                    event = orjson.loads(line) if line.startswith(b"{") else {}
                    if event.get("Category") and (event.get("SourceName"), event.get("Task")) not in seen:
                        found = Documents().normalise({**event, "Category": None})
                        key = (event["SourceName"], event["Task"])
                        seen.setdefault(key, set()).add((event["Category"], found.get("winlog.task")))
    assert len(seen) > 40
    differ = [key for key, names in seen.items() for theirs, ours in names if theirs != ours]
    assert differ == [("Microsoft-Windows-Sysmon", 23)], "Sysmon 13 renamed what 12 calls File Delete"
