"""The ECS fields that the values of Security events become."""

from __future__ import annotations

import re

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Derived, rows
from tocsin.sources.windows.security import (
    audit_policy,
    certificates,
    codes,
    descriptors,
    identifiers,
    messages,
    scheduled_task,
)
from tocsin.sources.windows.security.kinds import KINDS

_COMMA = re.compile(r"(?<!\\),")  # one that is not part of a name
_ESCAPED = re.compile(r"\\([0-9A-Fa-f]{2}|.)")


def _words(value: str) -> list[str] | None:
    return value.split() or None


def _without_class(part: str, letters: str) -> str:
    return part.replace(f"{letters}=", "").replace(f"{letters.lower()}=", "")


def _member_name(value: str) -> str | None:
    """Return the first name of a distinguished name."""
    return _without_class(_COMMA.split(value)[0], "CN") or None


def _member_domain(value: str) -> str | None:
    """Return the fourth part of a distinguished name, which the integration takes for the domain."""
    parts = _COMMA.split(value)
    return _without_class(parts[3], "DC") if len(parts) > 3 else None


def _group_domain(value: str) -> str:
    return _without_class(value, "DC")


def _client(value: str) -> str | None:
    """Return the address of a session's client, which is called LOCAL at the machine itself."""
    return "127.0.0.1" if value == "LOCAL" else v.address(value)


def _service_outcome(value: str) -> str | None:
    return "Success" if value == "0x0" else None


# ---- kinds of events, by who and what they are about

# The account that these events are about acts itself: it is `user`.
_LOGONS = (4624, 4625, 4634, 4647, 4768, 4769, 4770, 4771, 4772, 4773, 4776, 4777, 4800, 4801, 4802, 4803, 4964)
# The same holds for these where no other account is named.
_ON_LOGONS = (4627, 4675)
_SESSION = (4778, 4779)
_ON_USER = (4670, 4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4767, 4797, 4798, 4817, 4907)
_ON_RIGHTS = (4704, 4705)
_ON_GROUP = tuple(number for number, kind in KINDS.items() if "group" in kind.type and number != 4964)
_ON_COMPUTER = (4741, 4742, 4743)
_AS_ANOTHER = (4648, 4688, *_ON_LOGONS)
_SHARE = (5140, 5145)
_FIREWALL = (5031, *range(5150, 5160))
_TASK = (4698, 4699, 4700, 4701, 4702)
_KERBEROS = (4768, 4769, 4770, 4771)
_CREDENTIALS = (4625, 4776)
_KEYS = (4656, 4658, 4660, 4661, 4662, 4663)  # of which some are about the registry
_FILES = (4656, 4659, 4663)

_ACCOUNTS = (
    *rows("TargetSid", "user.id", events=(*_LOGONS, *_ON_LOGONS)),
    *rows("TargetUserSid", "user.id", events=(*_LOGONS, *_ON_LOGONS)),
    *rows("TargetUserName", ("user.name", v.before_at), events=(*_LOGONS, *_ON_LOGONS)),
    *rows("TargetDomainName", "user.domain", events=(*_LOGONS, *_ON_LOGONS)),
    *rows("SubjectUserSid", "user.id", but_for=_LOGONS),
    *rows("SubjectUserName", "user.name", but_for=_LOGONS),
    *rows("SubjectDomainName", "user.domain", but_for=_LOGONS),
    *rows("AccountName", "user.name", "related.user", events=_SESSION),
    *rows("AccountDomain", "user.domain", events=_SESSION),
    *rows("SubjectUserName", "related.user"),
    *rows("TargetUserName", ("related.user", v.before_at), but_for=(*_ON_GROUP, *_ON_COMPUTER)),
    *rows("TargetUserSid", "user.effective.id", events=_AS_ANOTHER),
    *rows("TargetUserName", ("user.effective.name", v.before_at), events=_AS_ANOTHER),
    *rows("TargetDomainName", "user.effective.domain", events=_AS_ANOTHER),
    *rows("TargetSid", "user.target.id", events=(*_ON_USER, *_ON_RIGHTS)),
    *rows("TargetUserName", ("user.target.name", v.before_at), events=(*_ON_USER, *_ON_LOGONS)),
    *rows("TargetDomainName", "user.target.domain", events=(*_ON_USER, *_ON_LOGONS)),
    *rows("OldTargetUserName", "user.target.name", "related.user"),
    *rows("NewTargetUserName", "user.changes.name", "related.user"),
    *rows("TargetLogonId", "winlog.logon.id", events=(4634, 4647, 4964)),
    *rows("SubjectLogonId", "winlog.logon.id"),
    *rows("LogonID", "winlog.logon.id", events=_SESSION),
    *rows("LogonType", ("winlog.logon.type", v.lookup(codes.LOGON_TYPES))),
)

_GROUPS_AND_COMPUTERS = (
    *rows(
        "MemberName",
        ("user.target.name", _member_name),
        ("user.target.domain", _member_domain),
        ("related.user", _member_name),
        events=_ON_GROUP,
    ),
    *rows("TargetUserSid", "group.id", events=(*_ON_GROUP, *_ON_LOGONS)),
    *rows("TargetSid", "group.id", events=_ON_GROUP),
    *rows("TargetUserName", "group.name", events=(*_ON_GROUP, *_ON_LOGONS)),
    *rows("TargetDomainName", ("group.domain", _group_domain), events=(*_ON_GROUP, *_ON_LOGONS)),
    *rows("TargetSid", "winlog.computerObject.id", events=_ON_COMPUTER),
    *rows("TargetUserName", "winlog.computerObject.name", events=(*_ON_COMPUTER, 4675)),
    *rows("TargetDomainName", "winlog.computerObject.domain", events=(*_ON_COMPUTER, 4675)),
)

_DESCRIPTIONS = (
    *rows("NewUacValue", ("winlog.event_data.NewUACList", codes.account_control)),
    *rows("AccessMask", ("winlog.event_data.AccessMaskDescription", messages.access_mask)),
    *rows("AccessList", ("winlog.event_data.AccessListDescription", messages.access_list)),
    *rows("AuditPolicyChanges", ("winlog.event_data.AuditPolicyChangesDescription", messages.audit_changes)),
    *rows(
        "SubcategoryGuid",
        ("winlog.event_data.SubCategory", audit_policy.subcategory),
        ("winlog.event_data.Category", audit_policy.category),
    ),
    *rows("LayerName", ("winlog.event_data.LayerNameDescription", messages.message)),
    *rows("PrivilegeList", ("winlog.event_data.PrivilegeList", _words)),
    *rows("EnabledPrivilegeList", ("winlog.event_data.EnabledPrivilegeList", _words)),
    *rows("FailureReasons", ("winlog.event_data.FailureReasonsOutcome", _service_outcome)),
    *rows("FailureReason", ("winlog.logon.failure.reason", messages.described)),
    *rows("Status", ("winlog.logon.failure.status", codes.in_any_case(codes.LOGON_FAILURES)), events=_CREDENTIALS),
    *rows(
        "SubStatus",
        ("winlog.logon.failure.sub_status", codes.in_any_case(codes.LOGON_FAILURES)),
        events=_CREDENTIALS,
    ),
    *rows(
        "Status",
        ("winlog.event_data.StatusDescription", codes.in_any_case(codes.KERBEROS_STATES)),
        events=_KERBEROS,
    ),
    *rows("TicketOptions", ("winlog.event_data.TicketOptionsDescription", codes.ticket_options)),
    *rows(
        "TicketEncryptionType",
        ("winlog.event_data.TicketEncryptionTypeDescription", codes.in_any_case(codes.ENCRYPTION_TYPES)),
    ),
    *rows("SidList", ("winlog.event_data.SidListDesc", identifiers.names), events=(4908,)),
    *rows("RemoteMachineID", ("winlog.event_data.RemoteMachineDescription", identifiers.well_known)),
    *rows("RemoteUserID", ("winlog.event_data.RemoteUserDescription", identifiers.well_known)),
    *(
        row
        for value in descriptors.VALUES
        for row in rows(value, ("related.user", descriptors.accounts), events=descriptors.EVENTS)
    ),
    *rows("TdoType", ("winlog.trustType", v.lookup(codes.TRUST_TYPES))),
    *rows("TdoDirection", ("winlog.trustDirection", v.lookup(codes.TRUST_DIRECTIONS))),
    *rows("TdoAttributes", ("winlog.trustAttribute", v.lookup(codes.TRUST_ATTRIBUTES))),
)

_PROCESSES = (
    *rows("ProcessId", ("process.pid", v.number), but_for=(4688,)),
    *rows("ProcessName", "process.executable", ("process.name", v.base_name), but_for=(4688,)),
    *rows("NewProcessId", ("process.pid", v.number), events=(4688,)),
    *rows("NewProcessName", "process.executable", ("process.name", v.base_name), events=(4688,)),
    *rows("ProcessId", ("process.parent.pid", v.number), events=(4688,)),
    *rows("ParentProcessName", "process.parent.executable", ("process.parent.name", v.base_name), events=(4688,)),
    *rows("CommandLine", *t.command_line("process"), events=(4688,)),
)

_NETWORK = (
    *rows("IpAddress", ("source.ip", v.address), ("related.ip", v.address)),
    *rows("IpPort", ("source.port", v.number)),
    *rows("WorkstationName", "source.domain"),
    *rows("ClientAddress", ("source.ip", _client), ("related.ip", _client), events=_SESSION),
    *rows("ClientName", "source.domain", events=_SESSION),
    *rows("SourceAddress", ("source.ip", v.address), ("related.ip", v.address), events=_FIREWALL),
    *rows("SourcePort", ("source.port", v.number), events=_FIREWALL),
    *rows("DestAddress", ("destination.ip", v.address), ("related.ip", v.address), events=_FIREWALL),
    *rows("DestPort", ("destination.port", v.number), events=_FIREWALL),
    *rows("Direction", ("network.direction", messages.in_small_letters)),
    *rows("Protocol", "network.iana_number", ("network.transport", v.lookup(codes.PROTOCOLS)), events=_FIREWALL),
    *rows("Application", "process.executable", ("process.name", v.base_name), events=_FIREWALL),
    *rows("ProcessID", ("process.pid", v.number), events=_FIREWALL),
)

_OBJECTS = (
    *rows("ServiceName", "service.name"),
    *rows("ServiceType", ("service.type", v.lookup(codes.SERVICE_TYPES))),
    *rows("RelativeTargetName", "file.name", ("file.extension", v.extension), events=_SHARE),
    *rows("ShareLocalPath", "file.directory", events=_SHARE),
    *rows("FileName", "file.path", events=(4664,)),
    *rows("ObjectName", "registry.path", events=(4657,)),
    *rows("ObjectValueName", "registry.value", events=(4657,)),
    *rows("NewValue", ("registry.data.strings", v.registry_strings), events=(4657,)),
    *rows("OperationType", "event.reason", events=(5136,)),
    *rows("TaskName", "winlog.scheduled_task.name", events=_TASK),
    *(
        row
        for source, events in (("TaskContent", _TASK[:-1]), ("TaskContentNew", _TASK[-1:]))
        for field in scheduled_task.FIELDS
        for row in rows(source, (f"winlog.scheduled_task.{field}", scheduled_task.part(field)), events=events)
    ),
)

ROWS = (
    *certificates.REQUESTERS,
    *_ACCOUNTS,
    *_GROUPS_AND_COMPUTERS,
    *_DESCRIPTIONS,
    *_PROCESSES,
    *_NETWORK,
    *_OBJECTS,
    *certificates.ROWS,
)


# ---- fields that take several values


def _below(folder: str | None, name: str | None) -> str | None:
    return f"{folder}\\{name}" if folder and name else None


def _of_member(member: str | None, value: str | None) -> str | None:
    """Return what a group is called where the event names a member of it."""
    return value if member else None


def _domain_of_member(member: str | None, domain: str | None) -> str | None:
    return _group_domain(domain) if member and domain else None


def _registry_path(kind: str | None, name: str | None) -> str | None:
    return name if name and (kind == "Key" or name.upper().startswith("\\REGISTRY\\")) else None


def _file_path(kind: str | None, name: str | None) -> str | None:
    return name if kind == "File" else None


def _common_name(distinguished: str | None) -> str | None:
    """Return the first CN of a distinguished name, unescaped (RFC 4514)."""
    _before, marker, rest = (distinguished or "").replace("cn=", "CN=").partition("CN=")
    if not marker:
        return None

    def unescaped(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if len(match[1]) == 2 else match[1]

    return _ESCAPED.sub(unescaped, _COMMA.split(rest)[0]).strip() or None


def _changed_user(kind: str | None, distinguished: str | None) -> str | None:
    return _common_name(distinguished) if "user" in (kind or "").lower() else None


def _changed_group(kind: str | None, distinguished: str | None) -> str | None:
    kind = (kind or "").lower()
    return _common_name(distinguished) if "group" in kind and "user" not in kind else None


def _changed(kind: str | None, distinguished: str | None) -> str | None:
    return _changed_user(kind, distinguished) or _changed_group(kind, distinguished)


_DIRECTORY = ("ObjectClass", "ObjectDN")
_OBJECT = ("ObjectType", "ObjectName")
_ON_GROUPS = frozenset(_ON_GROUP)

DERIVED = (
    Derived("file.path", ("ShareLocalPath", "RelativeTargetName"), _below, frozenset(_SHARE)),
    Derived("file.target_path", ("ShareName", "RelativeTargetName"), _below, frozenset(_SHARE)),
    Derived("file.path", _OBJECT, _file_path, frozenset(_FILES)),
    Derived("registry.path", _OBJECT, _registry_path, frozenset(_KEYS)),
    Derived("user.target.group.id", ("MemberName", "TargetSid"), _of_member, _ON_GROUPS),
    Derived("user.target.group.name", ("MemberName", "TargetUserName"), _of_member, _ON_GROUPS),
    Derived("user.target.group.domain", ("MemberName", "TargetDomainName"), _domain_of_member, _ON_GROUPS),
    Derived("user.target.name", _DIRECTORY, _changed_user, frozenset((5136,))),
    Derived("group.name", _DIRECTORY, _changed_group, frozenset((5136,))),
    Derived("related.user", _DIRECTORY, _changed, frozenset((5136,))),
)
