"""Security events have the fields that Elastic's integration makes of them.

Values are those of `security_standard.yml`, `scheduled_task.yml` and the published tests of the package `system`
(elastic/integrations); what differs is in docs/sources.md.
"""

# ruff: noqa: E501 (a table reads better than it wraps)

import io
from typing import Any

import evtx as evtx_package
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evtx_writer import write_evtx
from tests.scenario import SECURITY, Machine
from tests.shared import needs_shared, shared
from tocsin.ecs import default_schema
from tocsin.sources.mapping import DATASETS
from tocsin.sources.windows.record import to_ecs
from tocsin.sources.windows.security.scheduled_task import FIELDS, part

evtx: Any = evtx_package
MACHINE = Machine("HOST.example.com", "CORP\\user", 7)
SUBJECT = {
    "SubjectUserSid": "S-1-5-20",
    "SubjectUserName": "SERVER2$",
    "SubjectDomainName": "TEST1",
    "SubjectLogonId": "0x3e4",
}
USER = {
    "user.id": "S-1-5-20",
    "user.name": "SERVER2$",
    "user.domain": "TEST1",
    "related.user": ["SERVER2$"],
    "winlog.logon.id": "0x3e4",
}
DATA = "winlog.event_data."


def security(event_id: int, data: dict[str, Any], task: int = 0) -> dict[str, Any]:
    """Write an event into an EVTX file, read it with the real parser, map it."""
    record = MACHINE.record(SECURITY, event_id, data, "0x8020000000000000")
    record["Event"]["System"]["Task"] = task
    (read,) = evtx.PyEvtxParser(io.BytesIO(write_evtx([record])), validate_checksums=True).records_json()
    return to_ecs(orjson.loads(read["data"]))


def means(action: str, category: list[str], *types: str) -> dict[str, Any]:
    return {"event.action": action, "event.category": category, "event.type": list(types)}


CONFIGURATION = ["iam", "configuration"]
TASK = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><URI>\\Updater</URI></RegistrationInfo>
  <Triggers>
    <LogonTrigger id="x"/>
    <TimeTrigger>
      <Repetition><Interval>PT29M</Interval><Duration>P9999D</Duration><StopAtDurationEnd>0</StopAtDurationEnd></Repetition>
      <StartBoundary>2025-06-25T10:02:50</StartBoundary><Enabled>false</Enabled>
    </TimeTrigger>
    <BootTrigger />
  </Triggers>
  <Settings><Enabled>true</Enabled><Hidden>1</Hidden><Priority>7</Priority></Settings>
  <Actions Context="Author">
    <ComHandler><ClassId>{A}</ClassId></ComHandler>
    <Exec><Command>mshta.exe</Command><Arguments>https://x.example/?fn=a|b</Arguments></Exec>
    <Exec><Command>cmd.exe</Command><WorkingDirectory>C:\\</WorkingDirectory></Exec>
  </Actions>
  <Principals>
    <Principal id="Author"><UserId>CORP\\jo</UserId><LogonType>InteractiveToken</LogonType><RunLevel>HighestAvailable</RunLevel></Principal>
    <Principal id="Two"><GroupId>S-1-5-32-544</GroupId></Principal>
  </Principals>
</Task>"""
SCHEDULED = {
    "uri": "\\Updater",
    "principals.id": ["Author", "Two"],
    "principals.user.identifier": ["CORP\\jo"],
    "principals.group.identifier": ["S-1-5-32-544"],
    "principals.logon.type": ["InteractiveToken"],
    "principals.run_level": ["HighestAvailable"],
    "settings.enabled": True,
    "settings.hidden": True,
    "triggers.type": ["boot", "time", "logon"],
    "triggers.enabled": [True, False, True],
    "triggers.repetition.interval": ["PT29M"],
    "triggers.repetition.duration": ["P9999D"],
    "triggers.repetition.stop_at_duration_end": [False],
    "triggers.definition": [
        "v=1|type=boot|enabled=true|interval=|duration=|stop_at_duration_end=",
        "v=1|type=time|enabled=false|interval=PT29M|duration=P9999D|stop_at_duration_end=false",
        "v=1|type=logon|enabled=true|interval=|duration=|stop_at_duration_end=",
    ],
    "actions.type": ["exec", "exec", "com_handler"],
    "actions.context": ["Author", "Author", "Author"],
    "actions.command": ["mshta.exe", "cmd.exe"],
    "actions.arguments": ["https://x.example/?fn=a|b"],
    "actions.working_directory": ["C:\\"],
    "actions.class_id": ["{A}"],
    "actions.definition": [
        "v=1|type=exec|context=Author|command=mshta.exe|arguments=https://x.example/?fn%3Da%7Cb|working_directory=|class_id=",
        "v=1|type=exec|context=Author|command=cmd.exe|arguments=|working_directory=C:\\|class_id=",
        "v=1|type=com_handler|context=Author|command=|arguments=|working_directory=|class_id={A}",
    ],
}

# Each case: the event's id and data, the fields that it must have (None: must lack).
CASES: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
    "4627, whose subject is nobody": (
        4627,
        {"SubjectUserSid": "S-1-0-0", "SubjectUserName": "-", "SubjectDomainName": "-", "SubjectLogonId": "0x0", "TargetUserSid": "S-1-5-18",
         "TargetUserName": "SERVER2$", "TargetDomainName": "TEST1.LOCAL", "TargetLogonId": "0x7bf2cce", "LogonType": 3},
        {**means("group-membership-info", ["iam"], "info"), "group.domain": "TEST1.LOCAL", "group.id": "S-1-5-18", "group.name": "SERVER2$",
         "user.domain": "TEST1.LOCAL", "user.effective.domain": "TEST1.LOCAL", "user.effective.id": "S-1-5-18", "user.effective.name": "SERVER2$",
         "user.id": "S-1-0-0", "user.name": "SERVER2$", "user.target.domain": "TEST1.LOCAL", "user.target.name": "SERVER2$", "user.target.id": None,
         "related.user": ["SERVER2$"], "winlog.logon.id": "0x0", "winlog.logon.type": "Network"},
    ),
    "4658": (
        4658,
        {**SUBJECT, "ObjectServer": "Security", "HandleId": "0x3b0", "ProcessId": "0x92c", "ProcessName": "C:\\Windows\\System32\\wbem\\WmiPrvSE.exe"},
        {**means("handle-closed-object", CONFIGURATION, "change"), **USER, "process.executable": "C:\\Windows\\System32\\wbem\\WmiPrvSE.exe",
         "process.name": "WmiPrvSE.exe", "process.pid": 2348},
    ),
    "4659": (
        4659,
        {**SUBJECT, "ObjectType": "File", "ObjectName": "C:\\a\\statecache.lock", "AccessList": "%%4417\r\n\t\t\t\t%%4418\r\n\t\t\t\t", "AccessMask": "0x10000", "ProcessId": "0x1884"},
        {**means("object-was-requested-with-intent-to-delete", CONFIGURATION, "change"), **USER, "file.path": "C:\\a\\statecache.lock", "process.pid": 6276,
         DATA + "AccessListDescription": ["WriteData (or AddFile)", "AppendData (or AddSubdirectory or CreatePipeInstance)"], DATA + "AccessMaskDescription": ["DELETE"],
         DATA + "AccessMask": "0x10000"},
    ),
    "4660": (4660, {**SUBJECT, "HandleId": "0x1d0"}, {**means("object-deleted", ["file", "registry"], "deletion"), **USER}),
    "4662, with which DCSync is seen": (
        4662,
        {**SUBJECT, "ObjectServer": "DS", "AccessMask": "0x100", "AccessList": "%%7688\r\n\t\t\t\t", "Properties": "%%7688 {1131f6ad-9c07-11d1-f79f-00c04fc2dcd2}"},
        {**means("object-operation-performed", CONFIGURATION, "admin", "change"), **USER, DATA + "AccessMaskDescription": ["Control Access"],
         DATA + "AccessListDescription": ["Control Access"], "registry.path": None},
    ),
    "4663 of a file": (
        4663,
        {**SUBJECT, "ObjectType": "File", "ObjectName": "C:\\Documents\\HBI Data.txt", "AccessList": "%%4417 %%4418", "AccessMask": "0x6", "ProcessName": "C:\\x\\notepad.exe"},
        {"event.category": None, **USER, "file.path": "C:\\Documents\\HBI Data.txt", "registry.path": None, "process.name": "notepad.exe",
         DATA + "AccessMaskDescription": ["Delete Child", "List Contents"], DATA + "AccessList": "%%4417 %%4418"},
    ),
    "4656 of the registry": (
        4656,
        {**SUBJECT, "ObjectType": "Key", "ObjectName": "\\REGISTRY\\MACHINE\\SAM", "AccessMask": "0x20019", "AccessList": "%%1538\r\n\t\t\t\t%%4432\r\n\t\t\t\t"},
        {**USER, "registry.path": "\\REGISTRY\\MACHINE\\SAM", "file.path": None, DATA + "AccessMaskDescription": ["Create Child", "SELF", "Read Property", "READ_CONTROL"],
         DATA + "AccessListDescription": ["READ_CONTROL", "Query key value"]},
    ),
    # Values of the integration's test; the next ones in forms that [MS-DTYP] 2.5.1 gives.
    "4670, of a token": (
        4670,
        {**SUBJECT, "OldSd": "D:(A;;GA;;;SY)(A;;GA;;;NS)", "NewSd": "D:(A;;GA;;;SY)(A;;RC;;;OW)(A;;GA;;;S-1-5-80-123231216-2592883651)"},
        {DATA + "OldSdDacl0": "Local system :Access Allowed ([Generic All])", DATA + "OldSdDacl1": "Network service account :Access Allowed ([Generic All])",
         DATA + "NewSdDacl0": "Local system :Access Allowed ([Generic All])", DATA + "NewSdDacl1": "OW :Access Allowed ([Read Permissions])",
         DATA + "NewSdDacl2": "S-1-5-80-123231216-2592883651 :Access Allowed ([Generic All])", DATA + "NewSdDacl3": None, DATA + "NewSdOwner": None,
         DATA + "NewSd": "D:(A;;GA;;;SY)(A;;RC;;;OW)(A;;GA;;;S-1-5-80-123231216-2592883651)", "related.user": ["SERVER2$"]},
    ),
    "4670, with an owner, a mask and accounts of a domain": (
        4670,
        {"NewSd": "O:BAG:SYD:PAI(A;OICI;0x1200a9;;;S-1-5-21-1-2-3-500)(D;;WDWO;;;S-1-5-21-1-2-3-1105)S:AI(AU;SAFA;DCLC;;;WD)"},
        {DATA + "NewSdOwner": "Built-in administrators", DATA + "NewSdGroup": "Local system",
         DATA + "NewSdDacl0": "Administrator :Access Allowed ([Syncronize, Read Control])",
         DATA + "NewSdDacl1": "S-1-5-21-1-2-3-1105 :Access Denied ([Modify Permissions, Modify Owner])", DATA + "NewSdDacl2": None,
         DATA + "NewSdSacl0": "Everyone :System Audit ([Delete All Child Objects, List Contents])", "related.user": ["Administrator"]},
    ),
    "4670, with a condition": (
        4670,
        {"NewSd": 'D:(XA;;FX;;;WD;((@User.a == ")(D:") || @User.b))(A;;0x2;;;BU)'},
        {DATA + "NewSdDacl0": "Everyone :XA ([FILE GENERIC EXECUTE])", DATA + "NewSdDacl1": "Built-in users :Access Allowed ([0x2])"},
    ),
    "4670, cut short": (4670, {"OldSd": "a Security Descriptor too long to display", "NewSd": "D:(A;;GA"}, {DATA + "NewSdDacl0": None, DATA + "OldSdDacl0": None}),
    "4907, of what is audited": (4907, {"OldSd": "S:AI", "NewSd": "S:ARAI(AU;SAFA;WDWO;;;WD)"}, {DATA + "OldSdSacl0": None, DATA + "NewSdSacl0": "Everyone :System Audit ([Modify Permissions, Modify Owner])"}),
    "4908": (4908, {"SidList": "%{S-1-5-32-544}\r\n\t\t%{S-1-5-21-7-8-9-512}"}, {DATA + "SidListDesc": ["Administrators", "Domain Admins"]}),
    "4688, which has no descriptor": (4688, {"NewSd": "D:(A;;GA;;;SY)"}, {DATA + "NewSdDacl0": None}),
    "4964": (4964, {**SUBJECT, "TargetLogonId": "0x7"}, {"winlog.logon.id": "0x3e4"}),
    "4664": (4664, {**SUBJECT, "FileName": "C:\\a.dll", "LinkName": "C:\\b.dll"}, {**means("create-hard-link", ["file"], "creation"), **USER, "file.path": "C:\\a.dll"}),
    "4674, decimal": (4674, {**SUBJECT, "AccessMask": "16777216"}, {DATA + "AccessMaskDescription": ["ADS_RIGHT_ACCESS_SYSTEM_SECURITY"]}),
    "4674, messages": (4674, {**SUBJECT, "AccessMask": "%%1538\r\n\t\t\t\t%%1542\r\n\t\t\t\t"}, {DATA + "AccessMaskDescription": ["Delete Child", "List Contents"]}),
    "4675, without a subject": (
        4675,
        {"TargetUserSid": "S-1-5-21-1-1013", "TargetUserName": "Administrator", "TargetDomainName": "CORP", "TdoDirection": "1", "TdoAttributes": "1", "TdoType": "1"},
        {**means("sids-filtered", ["authentication"], "info"), "group.id": "S-1-5-21-1-1013", "user.id": "S-1-5-21-1-1013", "user.name": "Administrator",
         "user.domain": "CORP", "user.effective.id": "S-1-5-21-1-1013", "user.target.name": "Administrator", "winlog.computerObject.name": "Administrator",
         "winlog.trustAttribute": "TRUST_ATTRIBUTE_NON_TRANSITIVE", "winlog.trustDirection": "TRUST_DIRECTION_INBOUND", "winlog.trustType": "TRUST_TYPE_DOWNLEVEL"},
    ),
    "4690": (4690, {**SUBJECT, "SourceProcessId": "0x1350"}, {**means("duplicate-handle-attempt", ["process"], "access"), **USER}),
    "4691": (4691, {**SUBJECT, "ProcessId": "0x1884"}, {**means("indirect-object-access-requested", ["process"], "access"), **USER, "process.pid": 6276}),
    "4692": (
        4692,
        {**SUBJECT, "MasterKeyId": "42464b43-cf55-4a64-a82e-0c0431038b7c", "FailureReasons": "0x0"},
        {**means("dpapi-master-key-backup-attempted", ["configuration"], "access"), **USER, DATA + "FailureReasonsOutcome": "Success",
         DATA + "MasterKeyId": "42464b43-cf55-4a64-a82e-0c0431038b7c"},
    ),
    "4695": (4695, SUBJECT, {**means("auditable-data-unprotection-attempted", ["configuration"], "access"), **USER}),
    "4704": (
        4704,
        {**SUBJECT, "TargetSid": "S-1-5-82-3006700770", "PrivilegeList": "SeAuditPrivilege"},
        {**means("user-right-assigned", ["iam"], "change", "user"), **USER, "user.target.id": "S-1-5-82-3006700770", DATA + "PrivilegeList": ["SeAuditPrivilege"]},
    ),
    "4705": (4705, SUBJECT, {**means("user-right-removed", ["iam"], "change", "user"), **USER}),
    "4703, which no table names": (
        4703,
        {**SUBJECT, "TargetUserName": "jo", "ProcessName": "C:\\x\\svchost.exe", "ProcessId": "0x10"},
        {"event.category": None, "user.name": "SERVER2$", "related.user": ["SERVER2$", "jo"], "process.name": "svchost.exe", "process.pid": 16},
    ),
    "4778, at the machine itself": (4778, {"AccountName": "jo", "ClientName": "WS", "ClientAddress": "LOCAL"}, {"source.ip": "127.0.0.1", "related.ip": ["127.0.0.1"], "source.domain": "WS", "user.name": "jo"}),
    "4779, from nowhere known": (4779, {"AccountName": "jo", "ClientAddress": "Unknown"}, {"source.ip": None, "related.ip": None}),
    "4794, which no table names": (4794, {**SUBJECT, "Workstation": "WS"}, USER),
    "4800, a workstation locked": (4800, {"TargetUserSid": "S-1-1", "TargetUserName": "jo", "TargetDomainName": "CORP"}, {"user.id": "S-1-1", "user.name": "jo", "user.domain": "CORP"}),
    "4719": (
        4719,
        {**SUBJECT, "SubcategoryGuid": "0CCE923F-69AE-11D9-BED3-505054503030", "AuditPolicyChanges": "%%8448, %%8450"},
        {**means("changed-audit-config", CONFIGURATION, "admin", "change"), DATA + "AuditPolicyChangesDescription": ["Success removed", "Failure removed"],
         DATA + "SubCategory": "Credential Validation", DATA + "Category": "Account Logon"},
    ),
    "4719, one change": (4719, {"AuditPolicyChanges": "%%8448"}, {DATA + "AuditPolicyChangesDescription": ["Success removed"], DATA + "SubCategory": None}),
    "4698": (4698, {**SUBJECT, "TaskName": "\\Updater", "TaskContent": TASK}, {"winlog.scheduled_task.name": "\\Updater", **{f"winlog.scheduled_task.{name}": value for name, value in SCHEDULED.items()}}),
    "4702": (4702, {"TaskName": "\\Updater", "TaskContentNew": TASK}, {"winlog.scheduled_task.actions.command": ["mshta.exe", "cmd.exe"]}),
    "4699 without a definition": (4699, {"TaskName": "\\Updater"}, {"winlog.scheduled_task.name": "\\Updater", "winlog.scheduled_task.actions.command": None}),
    "4698, malformed": (4698, {"TaskName": "\\x", "TaskContent": "<Task><Actions>"}, {"winlog.scheduled_task.name": "\\x", "winlog.scheduled_task.uri": None}),
    "4728, whose member lies in the directory": (
        4728,
        {**SUBJECT, "MemberName": "CN=Jo Doe,CN=Users,DC=TEST,DC=SAAS", "TargetUserName": "Admins", "TargetDomainName": "TEST", "TargetSid": "S-1-5-21-512"},
        {"user.target.name": "Jo Doe", "user.target.domain": "SAAS", "user.target.group.id": "S-1-5-21-512", "user.target.group.name": "Admins",
         "user.target.group.domain": "TEST", "group.name": "Admins", "related.user": ["SERVER2$", "Jo Doe"]},
    ),
    "4732, whose member is local": (4732, {**SUBJECT, "MemberName": "-", "TargetUserName": "Admins"}, {"user.target.group.name": None, "group.name": "Admins"}),
    "4768, refused": (
        4768,
        {"TargetUserName": "HD01", "TargetDomainName": "T.COM", "TargetSid": "S-1-0-0", "TicketOptions": "0x40810010", "Status": "0x6", "TicketEncryptionType": "0xffffffff"},
        {"user.name": "HD01", DATA + "StatusDescription": "KDC_ERR_C_PRINCIPAL_UNKNOWN", DATA + "TicketEncryptionTypeDescription": "FAIL",
         DATA + "TicketOptionsDescription": ["Forwardable", "Renewable", "Name-canonicalize", "Renewable-ok"], "winlog.logon.failure.status": None},
    ),
    "4769, RC4": (4769, {"TicketEncryptionType": "0x17", "Status": "0x1F"}, {DATA + "TicketEncryptionTypeDescription": "RC4-HMAC", DATA + "StatusDescription": "KRB_AP_ERR_BAD_INTEGRITY"}),
    "4625": (
        4625,
        {**SUBJECT, "TargetUserName": "jo", "Status": "0xC000006D", "SubStatus": "0xc0000064", "FailureReason": "%%2313"},
        {"user.name": "jo", "related.user": ["SERVER2$", "jo"], "winlog.logon.failure.reason": "Unknown user name or bad password.",
         "winlog.logon.failure.status": "This is either due to a bad username or authentication information",
         "winlog.logon.failure.sub_status": "User logon with misspelled or bad user account", DATA + "StatusDescription": None},
    ),
    "4776": (4776, {"TargetUserName": "jo", "Status": "0xc000006a"}, {"winlog.logon.failure.status": "User logon with misspelled or bad password"}),
    # 4868 to 4892: values of the integration's tests `adcs-actor-normalization` and `adcs-disposition-name`.
    "4873": (
        4873,
        {**SUBJECT, "RequestId": "11", "ExtensionName": "1.3.6.1.4.1.311.99.1"},
        {**means("certificate-request-extension-changed", ["iam"], "change"), **USER, "winlog.adcs.request.id": 11,
         "winlog.adcs.request.extension.name": "1.3.6.1.4.1.311.99.1", "winlog.adcs.request.extension.oid": "1.3.6.1.4.1.311.99.1"},
    ),
    "4870": (4870, {**SUBJECT, "RevocationReason": "0"}, {**means("certificate-revoked", ["iam"], "change"), **USER}),
    "4876": (4876, {**SUBJECT, "BackupType": "1"}, {**means("certificate-services-backup-started", ["session"], "start"), DATA + "BackupTypeDescription": "full backup"}),
    "4887, with names that the requester gave": (
        4887,
        {"RequestId": "12", "Disposition": "3", "Requester": "CORP\\PC01$",
         "Attributes": "CertificateTemplate: User \r\nSAN:upn=admin@corp.example&dns=dc.corp.example&URL=tag:microsoft.com,2022-09-14:SID:S-1-5-21-1-2-3-500\n"
         "Request-Client Info: x\r\ncdc:DC01.corp.example\nother:y\nrmd:"},
        {**means("certificate-issued", ["iam"], "creation"), "user.name": "PC01$", "user.domain": "CORP", "related.user": ["PC01$"],
         "winlog.adcs.request.requester.name": "PC01$", "winlog.adcs.request.requester.domain": "CORP", "winlog.adcs.request.id": 12,
         "winlog.adcs.request.disposition.code": 3, "winlog.adcs.request.disposition.name": "CR_DISP_ISSUED",
         "winlog.adcs.request.attributes.certificate_template": ["User"], "winlog.adcs.request.attributes.cdc": ["DC01.corp.example"],
         "winlog.adcs.request.attributes.request_client_info": ["x"], "winlog.adcs.request.attributes.rmd": None,
         "winlog.adcs.request.subject_alt_name.upn": ["admin@corp.example"], "winlog.adcs.request.subject_alt_name.dns": ["dc.corp.example"],
         "winlog.adcs.request.subject_alt_name.uri": ["tag:microsoft.com,2022-09-14:SID:S-1-5-21-1-2-3-500"],
         "winlog.adcs.request.subject_alt_name.sid": ["S-1-5-21-1-2-3-500"]},
    ),
    "4887, which names a subject": (4887, {**SUBJECT, "Requester": "CORP\\jo"}, {**USER, "related.user": ["jo", "SERVER2$"]}),
    "4886, by nobody known": (4886, {"Requester": "jo"}, {"user.name": None, "winlog.adcs.request.requester.name": None}),
    **{
        f"4888, {disposition}": (
            4888,
            {"Disposition": disposition},
            {**means("certificate-request-denied", ["iam"], "info"), "winlog.adcs.request.disposition.code": code, "winlog.adcs.request.disposition.name": name},
        )
        for disposition, code, name in (
            ("-2146875392", -2146875392, "CERTSRV_E_UNSUPPORTED_CERT_TYPE"), ("2148091904", 2148091904, "CERTSRV_E_UNSUPPORTED_CERT_TYPE"),
            ("-2146875359", -2146875359, "CERTSRV_E_SEC_EXT_DIRECTORY_SID_REQUIRED"), ("-2146828289", -2146828289, None),
            ("6443059200", 6443059200, None), ("-6441842688", -6441842688, None), ("0x80094800", None, None), ("-2146875392.0", None, None),
        )
    },
    "4889": (4889, {"Disposition": "5"}, {**means("certificate-request-pending", ["iam"], "info"), "winlog.adcs.request.disposition.name": "CR_DISP_UNDER_SUBMISSION"}),
    "5136 of a user": (
        5136,
        {**SUBJECT, "ObjectDN": "CN=Doe\\, Jo,CN=Users,DC=x", "ObjectClass": "user", "OperationType": "%%14674"},
        {**means("directory-service-object-modified", CONFIGURATION, "admin", "change"), "event.reason": "%%14674", "user.name": "SERVER2$",
         "user.target.name": "Doe, Jo", "group.name": None, "related.user": ["SERVER2$", "Doe, Jo"]},
    ),
    "5136 of a group": (5136, {"ObjectDN": "cn=R\\26D,DC=x", "ObjectClass": "group"}, {"group.name": "R&D", "user.target.name": None, "related.user": ["R&D"]}),
    "5136 of a policy": (5136, {"ObjectDN": "DC=x", "ObjectClass": "groupPolicyContainer"}, {"group.name": None}),
    "5137": (5137, SUBJECT, {**means("directory-service-object-created", CONFIGURATION, "admin", "creation"), **USER}),
    "5141": (5141, SUBJECT, {**means("directory-service-object-deleted", CONFIGURATION, "admin", "deletion"), **USER}),
    "5140": (5140, {**SUBJECT, "ShareName": "\\\\*\\C$", "RelativeTargetName": "a.exe"}, {"file.target_path": "\\\\*\\C$\\a.exe", "file.name": "a.exe"}),
    "5156": (
        5156,
        {"RemoteUserID": "S-1-0-0", "RemoteMachineID": "S-1-5-21-1-2-3-500", "ProcessID": 820, "Application": "\\device\\harddiskvolume1\\svchost.exe", "Direction": "%%14593", "SourceAddress": "10.0.0.1", "SourcePort": "546",
         "DestAddress": "10.0.0.2", "DestPort": "547", "Protocol": 17, "LayerName": "%%14611"},
        {**means("windows-firewall-connection", ["network"], "connection", "info", "allowed"), "network.direction": "outbound", "network.iana_number": "17",
         "network.transport": "udp", "process.pid": 820, "process.name": "svchost.exe", "source.ip": "10.0.0.1", "source.port": 546, "destination.ip": "10.0.0.2",
         "destination.port": 547, "related.ip": ["10.0.0.1", "10.0.0.2"], DATA + "LayerNameDescription": "Connect", DATA + "RemoteUserDescription": "Nobody",
         DATA + "RemoteMachineDescription": None},
    ),
    "5157": (5157, {"Direction": "%%14592"}, {**means("windows-firewall-packet-block", ["network"], "connection", "info", "denied"), "network.direction": "inbound"}),
    "5158": (5158, {"SourcePort": "53"}, {**means("windows-firewall-bind-local-port", ["network"], "info"), "source.port": 53}),
    "5379": (5379, SUBJECT, {**means("credential-manager-credentials-were-read", ["iam"], "user", "info"), **USER}),
    "5380": (5380, SUBJECT, means("vault-credential-find", ["iam"], "user", "info")),
    "5381": (5381, SUBJECT, means("vault-credentials-were-read", ["iam"], "user", "info")),
    "5382": (5382, SUBJECT, means("vault-credentials-were-read", ["iam"], "user", "info")),
    "4797": (4797, {**SUBJECT, "TargetUserName": "jo"}, {**means("query-existence-of-blank-password", ["iam"], "user", "info"), "user.target.name": "jo", "related.user": ["SERVER2$", "jo"]}),
}  # fmt: skip


@pytest.mark.parametrize(("event_id", "data", "fields"), CASES.values(), ids=CASES)
def test_event(event_id: int, data: dict[str, Any], fields: dict[str, Any]) -> None:
    event = security(event_id, data)
    assert {name: event.get(name) for name in fields} == fields
    assert not [name for name in event if default_schema().find(name) is None]


LOGONS = {
    4624,
    4625,
    4634,
    4647,
    4768,
    4769,
    4770,
    4771,
    4772,
    4773,
    4776,
    4777,
    4964,
    4778,
    4779,
    *range(4800, 4804),
}


@pytest.mark.parametrize(
    "event_id", [*sorted(set(DATASETS["system.security"].kinds) - LOGONS), 4656, 4661, 4663, 4985, 6000]
)
def test_the_subject_is_the_user_of_every_event_but_logons(event_id: int) -> None:
    event = security(event_id, {**SUBJECT, "ProcessId": "0x10"})
    assert {name: event.get(name) for name in USER} == USER
    assert event["process.parent.pid" if event_id == 4688 else "process.pid"] == 16


@pytest.mark.parametrize("event_id", sorted(LOGONS - {4778, 4779}))
def test_the_account_that_logs_on_is_the_user_and_the_subject_is_related(event_id: int) -> None:
    event = security(event_id, {**SUBJECT, "TargetUserName": "jo@CORP", "TargetDomainName": "CORP"})
    assert (event["user.name"], event["user.domain"], event.get("user.id")) == ("jo", "CORP", None)
    assert event["related.user"] == ["SERVER2$", "jo"]


@pytest.mark.parametrize(
    ("provider", "channel"), [("Some-Provider", "Some/Channel"), ("X", "System"), ("X", "Application")]
)
def test_the_subject_is_the_user_in_other_channels_too(provider: str, channel: str) -> None:
    event = to_ecs(MACHINE.record((provider, channel, ""), 17, SUBJECT, "0x0"))
    wanted = {name: value for name, value in USER.items() if name.startswith(("user.", "related."))}
    assert {name: event.get(name) for name in wanted} == wanted


@given(
    st.text(max_size=40)
    | st.sampled_from(
        ("<a/>", "<!DOCTYPE a><a/>", "<Task><Triggers><BootTrigger>x</BootTrigger></Triggers></Task>")
    )
)
def test_no_definition_of_a_task_is_a_reason_to_fail(text: str) -> None:
    assert all(part(name)(text) is None for name in FIELDS)


def test_a_definition_that_never_ends_is_left() -> None:
    assert part("uri")("<a>" * 5000 + "</a>" * 5000) is None


@needs_shared("events/evtx")
@pytest.mark.slow
def test_every_recorded_subject_is_named() -> None:
    seen = 0
    for path in sorted(shared("events/evtx").glob("*.evtx")):
        try:
            for read in evtx.PyEvtxParser(str(path)).records_json():
                event = to_ecs(orjson.loads(read["data"]))
                subject = event.get(DATA + "SubjectUserName", event.get("winlog.user_data.SubjectUserName"))
                if subject is not None:
                    seen += 1
                    assert event["user.name"]
                    assert subject in event["related.user"]
        except RuntimeError:  # damage, which other tests are about
            continue
    assert seen > 1000
