"""PowerShell's events have the fields of `powershell.yml` and `powershell_operational.yml` (elastic/integrations).

Contexts are laid out as recorded events have them: eight blanks in the Operational channel, a tabulator in the classic.
"""

# ruff: noqa: E501 (a table reads better than it wraps)

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenario import Machine
from tests.shared import needs_shared, shared
from tocsin.ecs import default_schema
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.sources.windows.context import context_values
from tocsin.sources.windows.record import to_ecs

MACHINE = Machine("HOST.example.com", "CORP\\user", 7)
OPERATIONAL = ("Microsoft-Windows-PowerShell", "Microsoft-Windows-PowerShell/Operational", "")
CLASSIC = ("PowerShell", "Windows PowerShell", "")
RUNSPACE = "a5b73caf-63f5-4924-bc9f-f1d5c1c3aeb3"
CONTEXT = """        Severity = Informational
        Host Name = ConsoleHost
        Host Version = 5.1.18362.752
        Host ID = 1c1cb5c9-d305-49c1-9d7f-e864a6237819
        Host Application = powershell.exe -nop -c
if ($a) {
    User = nobody
}
        Engine Version = 5.1.18362.752
        Runspace ID = a5b73caf-63f5-4924-bc9f-f1d5c1c3aeb3
        Pipeline ID = 7
        Command Name = Start-Sleep
        Command Type = Cmdlet
        Script Name = C:\\a\\b.ps1
        Command Path =
        Sequence Number = 16
        User = CORP\\jo
        Connected User = @
        Shell ID = Microsoft.PowerShell
"""
PAYLOAD = 'CommandInvocation(Start-Sleep): "Start-Sleep"\r\nParameterBinding(Start-Sleep): name="Seconds"; value="5"\r\nsomething else\r\n\r\n'
INVOKED = {
    "powershell.command.invocation_details.type": ["CommandInvocation", "ParameterBinding"],
    "powershell.command.invocation_details.related_command": ["Start-Sleep", "Start-Sleep"],
    "powershell.command.invocation_details.name": ['"Seconds"'],
    "powershell.command.invocation_details.value": ['"Start-Sleep"', '"5"', "something else"],
}
STATE = f"""\tNewEngineState=Stopped\r
\tPreviousEngineState=Available\r
\r
\tSequenceNumber=15\r
\r
\tHostName=ConsoleHost\r
\tHostVersion=5.1.17763.1007\r
\tHostId={RUNSPACE}\r
\tHostApplication=powershell.exe -c "\r
$x=1\r
"\r
\tEngineVersion=5.1.17763.1007\r
\tRunspaceId={RUNSPACE}\r
\tPipelineId=\r
\tCommandName=\r
\tScriptName=C:\\a\\b.ps1\r
\tCommandLine="""
DETAILED = f"\tDetailSequence=1\r\n\tDetailTotal=2\r\n\r\n\tSequenceNumber=13\r\n\r\n\tUserId=CORP\\jo\r\n\tHostName=ConsoleHost\r\n\tHostApplication=powershell.exe\r\n\tRunspaceId={RUNSPACE}\r\n\tPipelineId=71\r\n\tScriptName=\r\n\tCommandLine=Add-Type x"


def operational(event_id: int, **data: Any) -> dict[str, Any]:
    return to_ecs(MACHINE.record(OPERATIONAL, event_id, data, "0x0"))


def classic(event_id: int, *values: str) -> dict[str, Any]:
    record = MACHINE.record(CLASSIC, event_id, {}, "0x0")
    record["Event"]["EventData"] = {"Data": {"#text": list(values)}}
    return to_ecs(record)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "4103": (
        operational(4103, ContextInfo=CONTEXT.replace("@", "").replace("\n", "\r\n"), UserData="", Payload=PAYLOAD),
        {"event.sequence": 16, "process.title": "ConsoleHost", "process.entity_id": "1c1cb5c9-d305-49c1-9d7f-e864a6237819",
         "process.command_line": "powershell.exe -nop -c\nif ($a) {\n    User = nobody\n}",
         "powershell.engine.version": "5.1.18362.752", "powershell.process.executable_version": "5.1.18362.752", "powershell.runspace_id": RUNSPACE,
         "powershell.pipeline_id": "7", "powershell.command.name": "Start-Sleep", "powershell.command.type": "Cmdlet", "powershell.command.path": None,
         "powershell.id": "Microsoft.PowerShell", "user.name": "jo", "user.domain": "CORP", "related.user": ["jo"], "related.hosts": ["CORP"],
         "source.user.name": None, "destination.user.name": None, "file.path": "C:\\a\\b.ps1", "file.name": "b.ps1", "file.directory": "C:\\a",
         "file.extension": "ps1", "winlog.event_data.Payload": PAYLOAD, **INVOKED},
    ),
    "4103, of a remote session": (
        operational(4103, ContextInfo=CONTEXT.replace("@", "OTHER\\admin")),
        {"user.name": "admin", "user.domain": "OTHER", "source.user.name": "admin", "source.user.domain": "OTHER",
         "destination.user.name": "jo", "destination.user.domain": "CORP", "related.user": ["jo", "admin"]},
    ),
    "4104": (
        operational(4104, ScriptBlockText="x", ScriptBlockId=RUNSPACE, Path="C:\\a\\b.psm1", MessageNumber=1, MessageTotal=3),
        {"event.type": ["info"], "powershell.file.script_block_id": RUNSPACE, "powershell.sequence": 1, "powershell.total": 3, "file.name": "b.psm1",
         "process.pid": MACHINE.record(OPERATIONAL, 4104, {}, "0x0")["Event"]["System"]["Execution"]["#attributes"]["ProcessID"]},
    ),
    "4105": (operational(4105, ScriptBlockId=RUNSPACE, RunspaceId=RUNSPACE), {"event.type": ["start"], "powershell.runspace_id": RUNSPACE, "powershell.file.script_block_id": RUNSPACE}),
    "403": (
        classic(403, "Stopped", "Available", STATE),
        {"event.type": ["end"], "event.sequence": 15, "powershell.engine.new_state": "Stopped", "powershell.engine.previous_state": "Available",
         "powershell.engine.version": "5.1.17763.1007", "powershell.process.executable_version": "5.1.17763.1007", "powershell.runspace_id": RUNSPACE,
         "process.title": "ConsoleHost", "process.entity_id": RUNSPACE, "process.command_line": 'powershell.exe -c "\n$x=1\n"', "file.name": "b.ps1",
         "powershell.pipeline_id": None},
    ),
    "600": (
        classic(600, "Registry", "Started", "\tProviderName=Registry\r\n\tNewProviderState=Started\r\n\r\n\tSequenceNumber=1\r\n\r\n\tHostName=ConsoleHost"),
        {"event.type": ["info"], "powershell.provider.name": "Registry", "powershell.provider.new_state": "Started", "process.title": "ConsoleHost"},
    ),
    "600, whose tabulators a collector took away": (
        classic(600, "Registry", "Started", "ProviderName=Registry\r\nNewProviderState=Started\r\nHostApplication=powershell.exe\r\n$x=1"),
        {"powershell.provider.name": "Registry", "process.command_line": "powershell.exe\n$x=1"},
    ),
    "800": (
        classic(800, "Add-Type x", DETAILED, 'CommandInvocation(Start-Sleep): "Start-Sleep"\nParameterBinding(Start-Sleep): name="Seconds"; value="5"\nsomething else\n'),
        {"powershell.sequence": 1, "powershell.total": 2, "event.sequence": 13, "user.name": "jo", "user.domain": "CORP", "powershell.pipeline_id": "71",
         "powershell.command.value": "Add-Type x", "process.command_line": "powershell.exe", **INVOKED},
    ),
    "800, whose details look like a context": (
        classic(800, "x", DETAILED, 'ParameterBinding(Add-Type): name="TypeDefinition"; value="class A\n{\n\tHostApplication=evil;\n}"'),
        {"process.command_line": "powershell.exe", "user.name": "jo"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("event", "fields"), CASES.values(), ids=CASES)
def test_event(event: dict[str, Any], fields: dict[str, Any]) -> None:
    found = {name: event.get(name) for name in fields}
    assert found == fields
    assert not [name for name in event if default_schema().find(name) is None]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_context_is_read(one: str, other: str) -> None:
    found = context_values({"ContextInfo": one, "param3": other})
    assert all(value.strip() == value != "" for value in found.values())


# As nxlog wrote them in public recordings (OTRF/Security-Datasets): the values stand in the message alone.
NXLOG: dict[str, Any] = {
    "Keywords": 36028797018963968, "SeverityValue": 2, "EventReceivedTime": "2020-09-21 18:58:57", "ExecutionProcessID": 0, "ThreadID": 0,
    "Channel": "Windows PowerShell", "EventType": "INFO", "Opcode": "Info", "EventTime": "2020-09-21 18:58:57", "SourceModuleType": "im_msvistalog",
    "RecordNumber": 176738, "SourceModuleName": "eventlog", "Severity": "INFO", "SourceName": "PowerShell", "Hostname": "WORKSTATION5",
}  # fmt: skip


@pytest.mark.parametrize(
    ("event_id", "message", "fields"),
    [
        (
            403,
            f"Engine state is changed from Available to Stopped. \r\n\r\nDetails: \r\n{STATE}",
            {"powershell.engine.new_state": "Stopped", "powershell.runspace_id": RUNSPACE, "file.name": "b.ps1"},
        ),
        (
            800,
            f"Pipeline execution details for command line: Add-Type x. \r\n\r\nContext Information: \r\n{DETAILED} \r\n\r\nDetails: \r\n{PAYLOAD}",
            {
                "user.name": "jo",
                "powershell.command.value": "Add-Type x",
                "winlog.event_data.param1": "Add-Type x",
                **INVOKED,
            },
        ),
        (800, "Pipelineausführungsdetails", {"user.name": None, "event.code": "800"}),
        (800, None, {"user.name": None, "event.code": "800"}),
    ],
)
def test_what_a_collector_kept_in_the_message_alone_is_read(
    event_id: int, message: object, fields: dict[str, Any]
) -> None:
    event = Documents().normalise({**NXLOG, "EventID": event_id, "Message": message})
    assert {name: event.get(name) for name in fields} == fields


def test_who_cleared_the_log_is_read_from_the_message() -> None:
    message = "The audit log was cleared.\r\nSubject:\r\n\tSecurity ID:\tS-1-5-21-500\r\n\tAccount Name:\twardog\r\n\tDomain Name:\tWS5\r\n\tLogon ID:\t0xC61D9"
    head = {
        "SourceName": "Microsoft-Windows-Eventlog",
        "TimeCreated": "2020-10-19 12:28:23.942",
        "Hostname": "WS5",
        "Task": "104",
        "Channel": "Security",
    }
    event = Documents().normalise({**head, "EventID": 1102, "Message": message})
    wanted = {
        "user.id": "S-1-5-21-500",
        "user.name": "wardog",
        "user.domain": "WS5",
        "related.user": ["wardog"],
        "winlog.user_data.SubjectLogonId": "0xc61d9",
    }
    assert {name: event.get(name) for name in wanted} == wanted


def test_the_account_that_a_collector_found_is_who_runs_powershell() -> None:
    record = {**NXLOG, "SourceName": OPERATIONAL[0], "Channel": OPERATIONAL[1], "EventID": 4104, "ScriptBlockText": "x",
              "UserID": "S-1-5-21-9", "AccountName": "pgustavo", "Domain": "THESHIRE"}  # fmt: skip
    event = Documents().normalise(record)
    wanted = {
        "user.id": "S-1-5-21-9",
        "user.name": "pgustavo",
        "related.hosts": ["THESHIRE"],
        "user.domain": "THESHIRE",
        "related.user": ["pgustavo"],
        "winlog.user.name": "pgustavo",
    }
    assert {name: event.get(name) for name in wanted} == wanted
    other = Documents().normalise({**record, "Channel": "X/Y", "SourceName": "X"})
    assert (other.get("user.name"), other["winlog.user.name"]) == (None, "pgustavo"), (
        "the writer of other logs is a service"
    )


@needs_shared("events/mordor")
@pytest.mark.slow
def test_classic_events_of_a_recording_name_their_command_line() -> None:
    path = next(path for path in sorted(shared("events/mordor").glob("*psexec_dcerpc_tcp_svcctl*")))
    wanted = Wanted(frozenset(("event.code", "event.dataset", "process.command_line")))
    seen: list[str | None] = []
    for batch in read_inputs(find_inputs([str(path)]), wanted, Rejects()):
        datasets = batch.table.raw("event.dataset").to_pylist()  # type: ignore[union-attr]
        lines = batch.table.raw("process.command_line").to_pylist()  # type: ignore[union-attr]
        seen += [line for dataset, line in zip(datasets, lines, strict=True) if dataset == "windows.powershell"]
    assert (len(seen), sum(line is None for line in seen)) == (440, 26), "26 have no message either"
