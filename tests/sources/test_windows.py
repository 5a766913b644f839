"""Windows records become the ECS events that Winlogbeat and Elastic's integrations make of them."""

# ruff: noqa: E501 (a table reads better than it wraps)

import io
from collections import Counter
from pathlib import Path
from typing import Any

import evtx as evtx_package
import orjson
import pytest

from tests.evtx_writer import write_evtx
from tests.scenario import DEFENDER, SECURITY, SYSMON, Machine
from tests.shared import needs_shared, shared
from tocsin.ecs import default_schema
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.mapping import DATASETS
from tocsin.sources.read import read_inputs
from tocsin.sources.windows.record import MalformedRecord, WindowsRecord, to_ecs

evtx: Any = evtx_package
MACHINE = Machine("HOST.example.com", "CORP\\user", 7)


def through_evtx(record: dict[str, Any]) -> dict[str, Any]:
    """Write a record into an EVTX file, read it with the real parser, map it."""
    (read,) = evtx.PyEvtxParser(io.BytesIO(write_evtx([record])), validate_checksums=True).records_json()
    return to_ecs(orjson.loads(read["data"]))


def sysmon(event_id: int, **data: Any) -> dict[str, Any]:
    return through_evtx(MACHINE.record(SYSMON, event_id, data, "0x8000000000000000"))


def security(event_id: int, **data: Any) -> dict[str, Any]:
    return through_evtx(MACHINE.record(SECURITY, event_id, data, "0x8020000000000000"))


def channel(provider: str, name: str, event_id: int, **data: Any) -> dict[str, Any]:
    return through_evtx(
        MACHINE.record(
            (provider, name, "5770385F-C22A-43E0-BF4C-06F5698FFBD9"), event_id, data, "0x80000000000000"
        )
    )


EXE = "C:\\Windows\\System32\\cmd.exe"
HASHES = "SHA1=" + "A" * 40 + ",MD5=" + "B" * 32 + ",SHA256=" + "C" * 64 + ",IMPHASH=" + "0" * 32

# Each case: what it shows, the event, the fields it must have (None: must lack).
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "Sysmon 1",
        sysmon(1, ProcessGuid="747F3D96-D8DF-5F8A-0000-0010572F7200", ProcessId=3660, Image=EXE,
               OriginalFileName="Cmd.Exe", CommandLine='"cmd.exe" /c "echo hi"', User="CORP\\jo", Hashes=HASHES,
               ParentImage="C:\\Windows\\explorer.exe", ParentCommandLine="explorer.exe", IntegrityLevel="High", RuleName="-"),
        {
            "event.category": ["process"], "event.type": ["start"], "event.code": "1",
            "event.action": "Process creation", "event.dataset": "windows.sysmon_operational",
            "process.entity_id": "{747f3d96-d8df-5f8a-0000-0010572f7200}", "process.pid": 3660,
            "process.executable": EXE, "process.name": "cmd.exe", "process.args": ["cmd.exe", "/c", "echo hi"],
            "process.args_count": 3, "process.pe.original_file_name": "Cmd.Exe",
            "process.hash.sha256": "c" * 64, "process.hash.md5": "b" * 32, "process.pe.imphash": None,
            "process.parent.name": "explorer.exe", "user.domain": "CORP", "user.name": "jo",
            "related.user": ["jo"], "related.hash": ["a" * 40, "b" * 32, "c" * 64],
            "winlog.event_data.IntegrityLevel": "High", "winlog.event_data.RuleName": None, "rule.name": None,
            "host.os.type": "windows", "host.name": "HOST.example.com", "winlog.channel": "Microsoft-Windows-Sysmon/Operational",
            "_index": ["logs-windows.sysmon_operational-default", "winlogbeat-default"],
        },
    ),
    (
        "Sysmon 3",
        sysmon(3, Image=EXE, Protocol="tcp", Initiated=True, SourceIsIpv6=False, SourceIp="10.0.2.15",
               SourcePort=49826, DestinationIp="0:0:0:0:0:ffff:9765:85", DestinationPort=443, DestinationPortName="https"),
        {
            "event.category": ["network"], "event.type": ["start", "connection", "protocol"],
            "network.direction": "egress", "network.transport": "tcp", "network.protocol": "https", "network.type": "ipv4",
            "source.ip": "10.0.2.15", "source.port": 49826, "destination.ip": "151.101.0.133", "destination.port": 443,
            "related.ip": ["10.0.2.15", "151.101.0.133"],
        },
    ),
    (
        "Sysmon 7",
        sysmon(7, Image=EXE, ImageLoaded="C:\\Temp\\x.y.dll", Hashes=HASHES, Signed="true", Signature="Acme",
               SignatureStatus="Valid", OriginalFileName="x.dll"),
        {
            "event.category": ["process", "library"], "event.type": ["change"], "event.action": ["Image loaded", "load"],
            "dll.path": "C:\\Temp\\x.y.dll", "dll.name": "x.y.dll", "dll.hash.md5": "b" * 32, "dll.pe.original_file_name": "x.dll",
            "dll.code_signature.subject_name": "Acme", "dll.code_signature.status": "Valid",
            "dll.code_signature.trusted": True, "dll.code_signature.exists": True, "file.code_signature.trusted": True,
            "file.path": "C:\\Temp\\x.y.dll",
            "file.name": "x.y.dll", "file.extension": "dll", "file.directory": "C:\\Temp", "file.hash.md5": "b" * 32,
            "file.pe.original_file_name": "x.dll", "file.code_signature.subject_name": "Acme",
            "file.code_signature.valid": True, "process.pe.original_file_name": None, "process.hash.md5": None,
        },
    ),
    (
        # Values of elastic/integrations' test of an image whose signature cannot be checked.
        "Sysmon 7, of a signature that fails",
        sysmon(7, Image=EXE, ImageLoaded="C:\\Windows\\System32\\IDStore.dll", Signed="failed: Invalid hash", Signature="-",
               SignatureStatus="-", OriginalFileName="IdStore.dll"),
        {
            "dll.code_signature.status": "failed: Invalid hash", "file.code_signature.trusted": False, "dll.name": "IDStore.dll",
            "dll.pe.original_file_name": "IdStore.dll", "dll.code_signature.exists": None, "file.code_signature.status": None,
            "dll.code_signature.trusted": False, "dll.code_signature.subject_name": None,
        },
    ),
    (
        "Sysmon 7, unsigned",
        sysmon(7, ImageLoaded="C:\\x.dll", Signed="false", SignatureStatus="Unavailable"),
        {"dll.code_signature.exists": False, "dll.code_signature.trusted": False, "dll.code_signature.status": "Unavailable"},
    ),
    (
        "Sysmon 7, revoked",
        sysmon(7, ImageLoaded="C:\\x.dll", Signed="true", SignatureStatus="Revoked"),
        {"dll.code_signature.exists": True, "dll.code_signature.trusted": False, "file.code_signature.trusted": False},
    ),
    (
        "Sysmon 6",
        sysmon(6, ImageLoaded="C:\\x.sys", Signed="true", SignatureStatus="Valid"),
        {"event.category": ["driver"], "file.path": "C:\\x.sys", "file.code_signature.trusted": True, "dll.path": None},
    ),
    (
        "Sysmon 10",
        sysmon(10, SourceProcessGUID="747F3D96-D8DF-5F8A-0000-0010572F7200", SourceProcessId=11, SourceThreadId=12,
               SourceImage=EXE, TargetImage="C:\\Windows\\system32\\lsass.exe", GrantedAccess="0x1010", CallTrace="ntdll.dll+1"),
        {
            "event.category": ["process"], "event.type": ["access"], "process.name": "cmd.exe", "process.thread.id": 12,
            "process.entity_id": "{747f3d96-d8df-5f8a-0000-0010572f7200}",
            "winlog.event_data.TargetImage": "C:\\Windows\\system32\\lsass.exe", "winlog.event_data.GrantedAccess": "0x1010",
        },
    ),
    (
        "Sysmon 10, since 13.30",
        sysmon(10, SourceImage=EXE, SourceUser="CORP\\jo", TargetUser="NT AUTHORITY\\SYSTEM"),
        {"user.name": "jo", "user.domain": "CORP", "related.user": ["jo", "SYSTEM"]},
    ),
    ("Sysmon 22, no such name", sysmon(22, QueryName="x", QueryStatus=9003, QueryResults="-"), {"sysmon.dns.status": "DNS_ERROR_RCODE_NAME_ERROR", "dns.answers.type": None}),
    (
        "Sysmon 22, a code and a type that nobody knows",
        sysmon(22, QueryName="x", QueryStatus=87, QueryResults="type:  16 ;type:  9999 y;"),
        {"sysmon.dns.status": "87", "dns.answers.type": ["TXT"], "dns.answers.data": ["y"], "dns.resolved_ip": None},
    ),
    (
        "Sysmon 255",
        sysmon(255, ID="DriverCommunication", Description="Failed to retrieve events"),
        {"event.action": "Error", "event.category": ["process"], "event.type": ["error"], "error.code": "DriverCommunication"},
    ),
    (
        "Sysmon 13, DWORD",
        sysmon(13, EventType="SetValue", TargetObject="HKLM\\SOFTWARE\\Policies\\EnableLUA", Details="DWORD (0x00000010)"),
        {
            "event.category": ["configuration", "registry"], "event.type": ["change"],
            "registry.path": "HKLM\\SOFTWARE\\Policies\\EnableLUA", "registry.hive": "HKLM",
            "registry.key": "SOFTWARE\\Policies\\EnableLUA", "registry.value": "EnableLUA",
            "registry.data.strings": ["16"], "registry.data.type": "SZ_DWORD",
        },
    ),
    (
        "Sysmon 13, QWORD",
        sysmon(13, TargetObject="HKU\\S-1\\Last", Details="QWORD (0x00000001-0x00000002)"),
        {"registry.data.strings": ["4294967298"], "registry.data.type": "SZ_QWORD", "registry.hive": "HKU"},
    ),
    (
        "Sysmon 17",
        sysmon(17, PipeName="\\lsass_probe", Image="System"),
        {"event.category": ["file"], "event.type": ["creation"], "file.name": "\\lsass_probe"},
    ),
    (
        "Sysmon 22",
        sysmon(22, QueryName="a.example.com", QueryStatus=0, QueryResults="type:  5 b.example.net;::ffff:203.0.113.7;2001:db8::1;"),
        {
            "dns.question.name": "a.example.com", "dns.resolved_ip": ["203.0.113.7", "2001:db8::1"],
            "related.hosts": ["a.example.com", "b.example.net"], "network.protocol": "dns", "sysmon.dns.status": "SUCCESS",
            "dns.answers.type": ["CNAME", "A", "AAAA"], "dns.answers.data": ["b.example.net", "203.0.113.7", "2001:db8::1"],
        },
    ),
    ("Sysmon 23", sysmon(23, TargetFilename="C:\\a.exe", Hashes=HASHES), {"event.type": ["deletion"], "process.hash.md5": "b" * 32}),
    ("Sysmon 29", sysmon(29, TargetFilename="C:\\a.exe", Hashes=HASHES), {"event.type": ["creation"], "file.hash.md5": "b" * 32}),
    (
        "Security 4688",
        security(4688, SubjectUserSid="S-1-5-18", SubjectUserName="HOST$", SubjectDomainName="CORP", SubjectLogonId="0x3e7",
                 NewProcessId="0x1fc", NewProcessName=DEFENDER, ProcessId="0x278", ParentProcessName=EXE,
                 CommandLine=f'"{DEFENDER}" -DownloadFile', TargetUserName="-", TargetUserSid="S-1-0-0"),
        {
            "event.category": ["process"], "event.type": ["start"], "event.action": "created-process", "event.outcome": "success",
            "process.pid": 508, "process.parent.pid": 632, "process.name": "MpCmdRun.exe", "process.parent.name": "cmd.exe",
            "process.args": [DEFENDER, "-DownloadFile"], "user.id": "S-1-5-18", "user.name": "HOST$", "user.domain": "CORP",
            "user.effective.name": None, "winlog.logon.id": "0x3e7", "event.dataset": "system.security",
            "_index": ["logs-system.security-default", "winlogbeat-default"],
        },
    ),
    ("Security 4689", security(4689, ProcessId="0x10", ProcessName=EXE), {"event.type": ["end"], "process.pid": 16, "process.name": "cmd.exe"}),
    (
        "Security 4624",
        security(4624, SubjectUserSid="S-1-5-18", SubjectUserName="HOST$", TargetUserSid="S-1-5-21-1", TargetUserName="jo@CORP",
                 TargetDomainName="CORP", LogonType=3, IpAddress="::ffff:192.0.2.9", IpPort="50000", WorkstationName="WS"),
        {
            "event.category": ["authentication"], "event.action": "logged-in", "user.id": "S-1-5-21-1", "user.name": "jo",
            "winlog.logon.type": "Network", "source.ip": "192.0.2.9", "source.port": 50000, "source.domain": "WS",
            "related.user": ["HOST$", "jo"],
        },
    ),
    (
        "Security 4625 failed",
        through_evtx(MACHINE.record(SECURITY, 4625, {"TargetUserName": "jo", "Status": "0xc000006d"}, "0x8010000000000000")),
        {"event.action": "logon-failed", "event.outcome": "failure", "user.name": "jo", "winlog.event_data.Status": "0xc000006d"},
    ),
    ("Security 4634", security(4634, TargetUserName="jo", TargetLogonId="0x9"), {"event.type": ["end"], "winlog.logon.id": "0x9"}),
    (
        "Security 4648",
        security(4648, SubjectUserName="jo", SubjectUserSid="S-1-1", TargetUserName="admin", TargetDomainName="CORP"),
        {"event.action": "logged-in-explicit", "user.name": "jo", "user.effective.name": "admin", "related.user": ["jo", "admin"]},
    ),
    (
        "Security 4672",
        security(4672, SubjectUserName="jo", PrivilegeList="SeDebugPrivilege\n\t\t\tSeTcbPrivilege"),
        {"event.category": ["iam"], "winlog.event_data.PrivilegeList": ["SeDebugPrivilege", "SeTcbPrivilege"]},
    ),
    (
        "Security 4697",
        security(4697, SubjectUserName="jo", ServiceName="evil", ServiceFileName="cmd /c x", ServiceType="0x10"),
        {"event.action": "service-installed", "service.name": "evil", "service.type": "Win32 Own Process", "winlog.event_data.ServiceFileName": "cmd /c x"},
    ),
    ("Security 4698", security(4698, TaskName="\\x"), {"event.action": "scheduled-task-created", "winlog.event_data.TaskName": "\\x"}),
    (
        "Security 4720",
        security(4720, SubjectUserName="jo", TargetUserName="new", TargetSid="S-1-9", TargetDomainName="CORP"),
        {"event.action": "added-user-account", "user.name": "jo", "user.target.name": "new", "user.target.id": "S-1-9"},
    ),
    (
        "Security 4732",
        security(4732, SubjectUserName="jo", MemberName="CN=guest,DC=x", TargetUserName="Administrators", TargetSid="S-1-5-32-544"),
        {"event.action": "added-member-to-group", "group.name": "Administrators", "group.id": "S-1-5-32-544", "user.target.name": "guest"},
    ),
    ("Security 4738", security(4738, NewUacValue="0x10"), {"winlog.event_data.NewUACList": ["USER_NORMAL_ACCOUNT"]}),
    (
        "Security 4738, what AS-REP roasting and accounts that last need",
        security(4738, OldUacValue="0x210", NewUacValue="0x10210"),
        {
            "winlog.event_data.OldUacValue": "0x210",
            "winlog.event_data.NewUACList": ["USER_NORMAL_ACCOUNT", "USER_DONT_EXPIRE_PASSWORD", "USER_DONT_REQUIRE_PREAUTH"],
        },
    ),
    ("Security 4738, no value", security(4738, NewUacValue="-"), {"winlog.event_data.NewUACList": None}),
    ("Security 4742", security(4742, NewUacValue="0x2080"), {"winlog.event_data.NewUACList": ["USER_WORKSTATION_TRUST_ACCOUNT", "USER_TRUSTED_FOR_DELEGATION"]}),
    (
        "Security 5145",
        security(5145, ShareLocalPath="C:\\share", RelativeTargetName="a\\b.exe", IpAddress="192.0.2.1"),
        {"event.category": ["network", "file"], "file.name": "a\\b.exe", "file.extension": "exe", "file.path": "C:\\share\\a\\b.exe"},
    ),
    (
        "System 7045",
        channel("Service Control Manager", "System", 7045, ServiceName="evil", ImagePath="cmd.exe /c x", AccountName="LocalSystem"),
        {"event.code": "7045", "event.dataset": "system.system", "service.name": "evil", "winlog.event_data.ImagePath": "cmd.exe /c x"},
    ),
    (
        "PowerShell 4104",
        channel("Microsoft-Windows-PowerShell", "Microsoft-Windows-PowerShell/Operational", 4104, MessageNumber=1, MessageTotal=2,
                ScriptBlockText=" Get-Item ", ScriptBlockId="aa"),
        {"event.category": ["process"], "event.type": ["info"], "powershell.file.script_block_text": "Get-Item", "powershell.total": 2},
    ),
    (
        "PowerShell 4103",
        channel("Microsoft-Windows-PowerShell", "Microsoft-Windows-PowerShell/Operational", 4103,
                ContextInfo="        Host Application = powershell.exe -nop\n        User = CORP\\jo\n        Command Name = Get-Item\n"),
        {"process.args": ["powershell.exe", "-nop"], "user.name": "jo", "powershell.command.name": "Get-Item"},
    ),
    (
        "a forwarded record keeps its channel",
        to_ecs({"Event": {**MACHINE.sysmon(5, {"Image": EXE})["Event"], "RenderingInfo": {"Level": "Information"}}}),
        {
            "winlog.channel": "Microsoft-Windows-Sysmon/Operational", "event.type": ["end"],
            "_index": ["logs-windows.forwarded-default", "logs-windows.sysmon_operational-default", "winlogbeat-default"],
        },
    ),
    (
        "another provider's record is kept as it is",
        channel("Some-Provider", "Some/Channel", 17, Anything="x"),
        {"winlog.event_data.Anything": "x", "event.code": "17", "event.category": None, "_index": ["logs-winlog.winlog-default", "winlogbeat-default"]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "fields"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_record_becomes_ecs(event: dict[str, Any], fields: dict[str, Any]) -> None:
    assert {name: event.get(name) for name in fields} == fields


@pytest.mark.parametrize("event", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_every_field_is_in_the_schema(event: dict[str, Any]) -> None:
    assert not [name for name in event if default_schema().find(name) is None]


TEXT = "747f3d96-d8df-5f8a-0000-0010572f7200"
IN_BRACES = "{" + TEXT + "}"


@pytest.mark.parametrize(
    ("provider", "name", "written", "read"),
    [
        # Names and capitals as they lie in recorded logs: the parser renders the type GUID in capitals.
        ("Microsoft-Windows-Sysmon", "LogonGuid", TEXT.upper(), IN_BRACES),
        ("Microsoft-Windows-Sysmon", "SourceProcessGUID", TEXT.upper(), IN_BRACES),
        ("Microsoft-Windows-Security-Auditing", "TargetLogonGuid", TEXT.upper(), IN_BRACES),
        ("Microsoft-Windows-Security-Auditing", "LogonGuid", TEXT, IN_BRACES),
        ("Microsoft-Windows-Security-Auditing", "TransactionId", TEXT.upper(), IN_BRACES),
        ("Microsoft-Windows-Security-Auditing", "OpCorrelationID", TEXT.upper(), IN_BRACES),
        ("Microsoft-Windows-Bits-Client", "jobId", TEXT.upper(), IN_BRACES),
        ("Microsoft-Windows-RPC", "InterfaceUuid", TEXT.upper(), IN_BRACES),
        ("Microsoft-Windows-Security-Auditing", "TransactionId", "{" + TEXT.upper() + "}", "{" + TEXT.upper() + "}"),
        # Texts.
        ("Microsoft-Windows-PowerShell", "ScriptBlockId", TEXT, TEXT),
        ("Microsoft-Windows-PowerShell", "RunspaceId", TEXT, TEXT),
        ("Microsoft-Windows-PowerShell", "InstanceId", TEXT, TEXT),
        ("Microsoft-Windows-Security-Auditing", "MasterKeyId", TEXT, TEXT),
        ("Microsoft-Windows-Security-Auditing", "ServiceName", TEXT.upper(), TEXT.upper()),
        ("Microsoft-Windows-Security-Auditing", "SubjectUserName", TEXT, TEXT),
        ("Microsoft-Windows-Sysmon", "Details", TEXT.upper(), TEXT.upper()),
        ("Microsoft-Windows-Sysmon", "CommandLine", TEXT, TEXT),
    ],
)  # fmt: skip
def test_braces_stand_where_windows_has_them(provider: str, name: str, written: str, read: str) -> None:
    event = through_evtx(MACHINE.record((provider, "Some/Channel", ""), 17, {name: written}, "0x0"))
    assert event[f"winlog.event_data.{name}"] == read


def test_ids_of_powershell_have_no_braces() -> None:
    ids = {
        "ScriptBlockId": TEXT,
        "RunspaceId": TEXT,
        "ContextInfo": f"        Host ID = {TEXT}\n        Runspace ID = {TEXT}",
    }
    name = "Microsoft-Windows-PowerShell/Operational"
    event = {
        **channel("Microsoft-Windows-PowerShell", name, 4103, **ids),
        **channel("Microsoft-Windows-PowerShell", name, 4104, **ids),
    }
    wanted = ("process.entity_id", "powershell.runspace_id", "powershell.file.script_block_id")
    assert {field: event[field] for field in wanted} == dict.fromkeys(wanted, TEXT)


def test_sysmon_says_when_it_happened_the_record_when_it_was_written() -> None:
    record = MACHINE.sysmon(5, {"Image": EXE})
    record["Event"]["EventData"]["UtcTime"] = "2026-10-06 07:00:00.123"
    event = through_evtx(record)
    assert event["@timestamp"] == "2026-10-06T07:00:00.123Z"
    assert event["event.created"] == record["Event"]["System"]["TimeCreated"]["#attributes"]["SystemTime"]


def test_unnamed_data_is_numbered() -> None:
    record = MACHINE.record(("MSSQLSERVER", "Application", ""), 18456, {}, "0x0")
    record["Event"]["EventData"] = {"Data": {"#text": ["sa", "no match"]}}
    assert to_ecs(record)["winlog.event_data.param2"] == "no match"


def test_user_data_is_read() -> None:
    record = MACHINE.record(("Microsoft-Windows-Eventlog", "Security", ""), 1102, {}, "0x0")
    record["Event"]["EventData"] = None
    record["Event"]["UserData"] = {"LogFileCleared": {"#attributes": {"xmlns": "x"}, "SubjectUserName": "jo"}}
    event = through_evtx(record)
    assert (event["event.action"], event["user.name"]) == ("audit-log-cleared", "jo")


NXLOG: dict[str, Any] = {
    "EventTime": "2020-10-22 14:32:41", "Hostname": "WS-5.corp.example", "Keywords": -9223372036854775808,
    "EventType": "INFO", "SeverityValue": 2, "Severity": "INFO", "EventID": 3,
    "SourceName": "Microsoft-Windows-Sysmon", "ProviderGuid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
    "Version": 5, "Task": 3, "OpcodeValue": 0, "RecordNumber": 924068, "ExecutionProcessID": 3616, "ThreadID": 4128,
    "Channel": "Microsoft-Windows-Sysmon/Operational", "Domain": "NT AUTHORITY", "AccountName": "SYSTEM",
    "UserID": "S-1-5-18", "AccountType": "User", "Message": "Network connection detected:",
    "Category": "Network connection detected", "UtcTime": "2020-10-22 18:32:39.290", "Image": EXE,
    "ProcessGuid": "{fddc55f3-b938-5f8f-4c00-000000000400}", "ProcessId": "3436", "User": "NT AUTHORITY\\SYSTEM",
    "Protocol": "tcp", "DestinationIp": "10.0.0.9", "DestinationPort": "389", "Initiated": "true", "SourceIp": "::1",
    "EventReceivedTime": "2020-10-22 14:32:43", "SourceModuleName": "eventlog", "SourceModuleType": "im_msvistalog",
    "@timestamp": "2020-10-22T18:32:43.779Z", "host": "collector", "port": 58121, "tags": ["x"], "@version": "1",
}  # fmt: skip
EXPORTED: dict[str, Any] = {
    "SourceName": "Microsoft-Windows-Security-Auditing", "ProviderGuid": "{54849625-5478-4994-a5ba-3e3b0328c30d}",
    "Level": "0", "Keywords": "0x8010000000000000", "Channel": "Security", "Hostname": "WS-6",
    "TimeCreated": "2022-08-18T06:55:57.789Z", "EventID": 4625, "Message": "A logon failed.", "Task": "12544",
    "TargetUserName": "jo", "TargetDomainName": "CORP", "LogonType": "3", "IpAddress": "192.0.2.4",
}  # fmt: skip


def test_a_flat_record_is_the_same_event() -> None:
    event = Documents().normalise(NXLOG)
    wanted = {
        "@timestamp": "2020-10-22T18:32:39.290Z", "event.code": "3", "event.category": ["network"],
        "event.dataset": "windows.sysmon_operational", "event.provider": "Microsoft-Windows-Sysmon",
        "host.name": "WS-5.corp.example", "process.pid": 3436, "process.executable": EXE, "user.name": "SYSTEM",
        "user.domain": "NT AUTHORITY", "destination.ip": "10.0.0.9", "destination.port": 389,
        "network.direction": "egress", "winlog.record_id": "924068", "winlog.process.pid": 3616,
        "winlog.process.thread.id": 4128, "winlog.user.identifier": "S-1-5-18", "log.level": "information",
        "winlog.event_data.EventType": None, "winlog.event_data.tags": None, "winlog.event_data.port": None,
        "_index": ["logs-windows.sysmon_operational-default", "winlogbeat-default"],
    }  # fmt: skip
    assert {name: event.get(name) for name in wanted} == wanted
    assert not [name for name in event if default_schema().find(name) is None]


def test_event_data_called_like_a_field_of_the_shipper_stays_event_data() -> None:
    event = Documents().normalise({**NXLOG, "EventID": 13, "EventType": "SetValue", "TargetObject": "HKLM\\a\\b"})
    assert event["winlog.event_data.EventType"] == "SetValue"
    assert event["registry.value"] == "b"


def test_a_flat_export_with_levels_and_its_own_time() -> None:
    event = Documents().normalise(EXPORTED)
    assert event["@timestamp"] == "2022-08-18T06:55:57.789Z"
    assert (event["event.action"], event["event.outcome"], event["user.name"]) == ("logon-failed", "failure", "jo")
    assert event["source.ip"] == "192.0.2.4"
    assert (
        Documents().normalise({**EXPORTED, "TimeCreated": "2020-10-20 01:31:47.232"})["@timestamp"]
        == "2020-10-20T01:31:47.232Z"
    )


@needs_shared("events/mordor")
@pytest.mark.slow
def test_every_real_recording_is_read_as_windows_events(tmp_path: Path) -> None:
    for path in sorted(shared("events/mordor").glob("*.zip")):
        counts: Counter[str] = Counter()
        rejects = Rejects()
        for batch in read_inputs(find_inputs([str(path)]), Wanted(frozenset(("event.code",))), rejects):
            counts.update(batch.counts)
        assert set(rejects.counts) <= {"no telemetry"}, path.name
        windows = sum(
            count for name, count in counts.items() if name.startswith(("windows.", "system.", "winlog."))
        )
        assert windows == counts.total() > 100, (path.name, counts)


@pytest.mark.parametrize(
    "record", [{}, {"Event": {}}, {"Event": {"System": {"EventID": "x"}}}, {"Event": {"System": None}}]
)
def test_what_is_no_event_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecord):
        to_ecs(record)


def test_asking_for_one_field_gives_the_same_value() -> None:
    record = MACHINE.process(EXE, "/c x", EXE, "Cmd.Exe")
    whole = to_ecs(record)
    assert {name: WindowsRecord(record).get(name) for name in whole} == whole
    assert WindowsRecord(record).get("registry.path") is None


def test_mapping_tables_name_known_fields_and_events() -> None:
    for dataset in DATASETS.values():
        for row in dataset.rows:
            assert default_schema().find(row.target), f"{dataset.name}: {row.target}"


@needs_shared("events/evtx")
@pytest.mark.slow
def test_real_records_come_through_the_writer_unchanged() -> None:
    """What the writer writes, the parser reads back as the same record, for records of every kind."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for file in sorted(shared("events/evtx").glob("*.evtx")):
        for read in evtx.PyEvtxParser(str(file)).records_json():
            record = orjson.loads(read["data"])
            head = record["Event"]["System"]
            data = record["Event"].get("EventData") or {}
            if "Data" not in data and "Binary" not in data:
                seen.setdefault((str(head["Channel"]), str(head["EventID"])), record)
    records = list(seen.values())
    back = evtx.PyEvtxParser(io.BytesIO(write_evtx(records)), validate_checksums=True).records_json()
    assert len(records) > 30
    assert [to_ecs(orjson.loads(r["data"])) for r in back] == [to_ecs(r) for r in records]
