"""Ten Windows events that detection rules live on, and what Elastic's pipelines make of each.

The expected fields follow elastic/integrations (packages `windows` and `system`) and the same pipelines in
elastic/beats x-pack/winlogbeat/module, read in 2026.
"""

from __future__ import annotations

from typing import Any

from tests.scenario import SECURITY, SYSMON, Machine

Record = dict[str, Any]
POWERSHELL = (
    "Microsoft-Windows-PowerShell",
    "Microsoft-Windows-PowerShell/Operational",
    "A0C1853B-5C40-4B15-8766-3CF1C58F985A",
)
_MACHINE = Machine("WS-0142.corp.example.com", "CORP\\m.weber", 11)
_SUCCESS, _SYSMON = "0x8020000000000000", "0x8000000000000000"
_GUID = "747F3D96-D8DF-5F8A-0000-0010572F7200"
_BY = {
    "UtcTime": "", "ProcessGuid": _GUID, "ProcessId": 7316, "Image": "C:\\Windows\\System32\\cmd.exe",
    "User": "CORP\\m.weber",
}  # fmt: skip
# The values of each event in the order of its provider's manifest; what an event below does not give is `-`.
_VALUES = {
    1: "RuleName UtcTime ProcessGuid ProcessId Image FileVersion Description Product Company OriginalFileName "
    "CommandLine CurrentDirectory User LogonGuid LogonId TerminalSessionId IntegrityLevel Hashes "
    "ParentProcessGuid ParentProcessId ParentImage ParentCommandLine ParentUser",
    3: "RuleName UtcTime ProcessGuid ProcessId Image User Protocol Initiated SourceIsIpv6 SourceIp SourceHostname "
    "SourcePort SourcePortName DestinationIsIpv6 DestinationIp DestinationHostname DestinationPort "
    "DestinationPortName",
    11: "RuleName UtcTime ProcessGuid ProcessId Image TargetFilename CreationUtcTime User",
    13: "RuleName EventType UtcTime ProcessGuid ProcessId Image TargetObject Details User",
    22: "RuleName UtcTime ProcessGuid ProcessId QueryName QueryStatus QueryResults Image User",
    4624: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId TargetUserSid TargetUserName "
    "TargetDomainName TargetLogonId LogonType LogonProcessName AuthenticationPackageName WorkstationName "
    "LogonGuid TransmittedServices LmPackageName KeyLength ProcessId ProcessName IpAddress IpPort "
    "ImpersonationLevel RestrictedAdminMode TargetOutboundUserName TargetOutboundDomainName VirtualAccount "
    "TargetLinkedLogonId ElevatedToken",
    4688: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId NewProcessId NewProcessName "
    "TokenElevationType ProcessId CommandLine TargetUserSid TargetUserName TargetDomainName TargetLogonId "
    "ParentProcessName MandatoryLabel",
    4698: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId TaskName TaskContent",
    5145: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId ObjectType IpAddress IpPort ShareName "
    "ShareLocalPath RelativeTargetName AccessMask AccessList AccessReason",
}
_SUBJECT = {
    "SubjectUserSid": "S-1-5-21-3623811015-3361044348-30300820-1013", "SubjectUserName": "m.weber",
    "SubjectDomainName": "CORP", "SubjectLogonId": "0x5a2f1",
}  # fmt: skip
_PROCESS = {
    "process.entity_id": "{747f3d96-d8df-5f8a-0000-0010572f7200}", "process.pid": 7316, "process.name": "cmd.exe",
    "process.executable": "C:\\Windows\\System32\\cmd.exe",
}  # fmt: skip


def _in_order(event_id: int, data: Record) -> Record:
    names = _VALUES[event_id].split()
    assert data.keys() <= set(names)
    return {name: data.get(name, "-") for name in names}


# The numbers of the tasks, by which Winlogbeat names them.
_TASKS = {4624: 12544, 4688: 13312, 4698: 12804, 5145: 12811, 4104: 2}


def _sysmon(event_id: int, **data: Any) -> Record:
    return _MACHINE.record(SYSMON, event_id, _in_order(event_id, {**_BY, **data}), _SYSMON)


def _security(event_id: int, **data: Any) -> Record:
    record = _MACHINE.record(SECURITY, event_id, _in_order(event_id, {**_SUBJECT, **data}), _SUCCESS)
    record["Event"]["System"]["Task"] = _TASKS[event_id]
    return record


# What each is, the record in the log, and fields that it has in ECS.
TEN: dict[str, tuple[Record, dict[str, Any]]] = {
    "Sysmon 1": (
        _sysmon(
            1, CommandLine='"cmd.exe" /c "echo hi"', CurrentDirectory="C:\\", LogonId="0x5a2f1",
            OriginalFileName="Cmd.Exe", Company="Microsoft Corporation", TerminalSessionId=1,
            IntegrityLevel="High",
            Hashes="MD5=" + "A" * 32 + ",SHA256=" + "B" * 64, ParentProcessGuid=_GUID.replace("747", "748"),
            ParentProcessId=5120, ParentImage="C:\\Windows\\explorer.exe", ParentCommandLine="explorer.exe",
        ),
        {
            **_PROCESS, "event.category": ["process"], "event.type": ["start"], "event.action": "Process creation",
            "process.args": ["cmd.exe", "/c", "echo hi"], "process.parent.name": "explorer.exe",
            "process.parent.pid": 5120, "process.pe.original_file_name": "Cmd.Exe", "process.hash.md5": "a" * 32,
            "user.name": "m.weber", "user.domain": "CORP", "related.user": ["m.weber"],
        },
    ),
    "Sysmon 3": (
        _sysmon(
            3, Protocol="tcp", Initiated=True, SourceIsIpv6=False, SourceIp="192.0.2.23",
            SourcePort=50112, DestinationIsIpv6=False, DestinationIp="198.51.100.7", DestinationHostname="-",
            DestinationPort=443, DestinationPortName="https",
        ),
        {
            **_PROCESS, "event.category": ["network"], "event.type": ["start", "connection", "protocol"],
            "source.ip": "192.0.2.23", "source.port": 50112, "destination.ip": "198.51.100.7",
            "destination.port": 443, "network.direction": "egress", "network.transport": "tcp",
            "network.protocol": "https",
        },
    ),
    "Sysmon 11": (
        _sysmon(11, TargetFilename="C:\\Users\\Public\\a.exe", CreationUtcTime="2026-10-06 07:55:00.000"),
        {
            **_PROCESS, "event.category": ["file"], "event.type": ["creation"], "event.action": "FileCreate",
            "file.path": "C:\\Users\\Public\\a.exe", "file.name": "a.exe", "file.extension": "exe",
        },
    ),
    "Sysmon 13": (
        _sysmon(
            13, EventType="SetValue", Details="DWORD (0x00000001)",
            TargetObject="HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\DisableAntiSpyware",
        ),
        {
            **_PROCESS, "event.category": ["configuration", "registry"], "event.type": ["change"],
            "registry.path": "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\DisableAntiSpyware",
            "registry.hive": "HKLM", "registry.value": "DisableAntiSpyware", "registry.data.strings": ["1"],
        },
    ),
    "Sysmon 22": (
        _sysmon(22, QueryName="cdn.example.com", QueryStatus="0", QueryResults="::ffff:203.0.113.77;"),
        {
            **_PROCESS, "event.category": ["network"], "event.type": ["connection", "protocol", "info"],
            "dns.question.name": "cdn.example.com", "dns.resolved_ip": ["203.0.113.77"], "network.protocol": "dns",
        },
    ),
    "Security 4624": (
        _security(
            4624, TargetUserSid="S-1-5-21-3623811015-3361044348-30300820-1104", TargetUserName="a.ruiz",
            TargetDomainName="CORP", TargetLogonId="0x7b1c2", LogonType=3, LogonProcessName="NtLmSsp",
            AuthenticationPackageName="NTLM", WorkstationName="WS-0207", ProcessId="0x0", ProcessName="-",
            IpAddress="192.0.2.77", IpPort="50113",
        ),
        {
            "event.category": ["authentication"], "event.type": ["start"], "event.action": "logged-in",
            "event.outcome": "success", "user.name": "a.ruiz", "user.domain": "CORP", "source.ip": "192.0.2.77",
            "source.port": 50113, "winlog.logon.type": "Network",
        },
    ),
    "Security 4688": (
        _security(
            4688, NewProcessId="0x1c94", NewProcessName="C:\\Windows\\System32\\cmd.exe", ProcessId="0x1400",
            TokenElevationType="%%1938", CommandLine="cmd.exe /c run", TargetUserName="-", TargetDomainName="-",
            ParentProcessName="C:\\Windows\\explorer.exe", MandatoryLabel="S-1-16-8192",
        ),
        {
            "event.category": ["process"], "event.type": ["start"], "event.action": "created-process",
            "process.pid": 7316, "process.name": "cmd.exe", "process.args": ["cmd.exe", "/c", "run"],
            "process.parent.name": "explorer.exe", "process.parent.pid": 5120, "user.name": "m.weber",
        },
    ),
    "Security 4698": (
        _security(4698, TaskName="\\Update", TaskContent="<Task><Actions><Exec>a</Exec></Actions></Task>"),
        {
            "event.category": ["iam", "configuration"], "event.type": ["creation", "admin"],
            "event.action": "scheduled-task-created", "user.name": "m.weber", "user.domain": "CORP",
            "winlog.event_data.TaskName": "\\Update",
        },
    ),
    "Security 5145": (
        _security(
            5145, ObjectType="File", IpAddress="192.0.2.77", IpPort="50114", ShareName="\\\\*\\C$",
            ShareLocalPath="\\??\\C:\\", RelativeTargetName="Windows\\Temp\\a.exe", AccessMask="0x2",
        ),
        {
            "event.category": ["network", "file"], "event.type": ["info", "access"],
            "event.action": "network-share-object-access-checked", "source.ip": "192.0.2.77",
            "user.name": "m.weber",
        },
    ),
    "PowerShell 4104": (
        _MACHINE.record(
            POWERSHELL, 4104,
            {"MessageNumber": 1, "MessageTotal": 1, "ScriptBlockText": "Invoke-Expression $a",
             "ScriptBlockId": "8f1d1f6c-6f5b-4b4e-9d41-9f3d3f0d0c11", "Path": "C:\\a\\b.ps1"}, "0x0",
        ),
        {
            "event.category": ["process"], "event.type": ["info"], "powershell.sequence": 1, "powershell.total": 1,
            "powershell.file.script_block_text": "Invoke-Expression $a", "file.name": "b.ps1",
        },
    ),
}  # fmt: skip
TEN["PowerShell 4104"][0]["Event"]["System"]["Task"] = _TASKS[4104]
# PowerShell writes its log itself, as who runs it.
TEN["PowerShell 4104"][0]["Event"]["System"]["Security"] = {"#attributes": {"UserID": _SUBJECT["SubjectUserSid"]}}
