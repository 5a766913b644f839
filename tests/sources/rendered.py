"""What Windows renders in English of the events of `ten_events`.

The texts are those of the providers' message tables, as recordings of real machines hold them
(OTRF/Security-Datasets).
"""

from __future__ import annotations

from typing import Any

from tocsin.sources.windows.security.messages import message

Record = dict[str, Any]

_SUBJECT = """
Subject:
	Security ID:		{SubjectUserSid}
	Account Name:		{SubjectUserName}
	Account Domain:		{SubjectDomainName}
	Logon ID:		{SubjectLogonId}
"""
_TEXTS = {
    4624: f"""An account was successfully logged on.
{_SUBJECT}
Logon Information:
	Logon Type:		{{LogonType}}
	Restricted Admin Mode:	{{RestrictedAdminMode}}
	Virtual Account:		{{VirtualAccount}}
	Elevated Token:		{{ElevatedToken}}

Impersonation Level:		{{ImpersonationLevel}}

New Logon:
	Security ID:		{{TargetUserSid}}
	Account Name:		{{TargetUserName}}
	Account Domain:		{{TargetDomainName}}
	Logon ID:		{{TargetLogonId}}
	Linked Logon ID:		{{TargetLinkedLogonId}}
	Network Account Name:	{{TargetOutboundUserName}}
	Network Account Domain:	{{TargetOutboundDomainName}}
	Logon GUID:		{{LogonGuid}}

Process Information:
	Process ID:		{{ProcessId}}
	Process Name:		{{ProcessName}}

Network Information:
	Workstation Name:	{{WorkstationName}}
	Source Network Address:	{{IpAddress}}
	Source Port:		{{IpPort}}

Detailed Authentication Information:
	Logon Process:		{{LogonProcessName}}
	Authentication Package:	{{AuthenticationPackageName}}
	Transited Services:	{{TransmittedServices}}
	Package Name (NTLM only):	{{LmPackageName}}
	Key Length:		{{KeyLength}}

This event is generated when a logon session is created. It is generated on the computer that was accessed.

The authentication information fields provide detailed information about this specific logon request.
	- Logon GUID is a unique identifier that can be used to correlate this event with a KDC event.
	- Package name indicates which sub-protocol was used among the NTLM protocols.""",
    4688: f"""A new process has been created.
{_SUBJECT.replace("Subject:", "Creator Subject:")}
Target Subject:
	Security ID:		{{TargetUserSid}}
	Account Name:		{{TargetUserName}}
	Account Domain:		{{TargetDomainName}}
	Logon ID:		{{TargetLogonId}}

Process Information:
	New Process ID:		{{NewProcessId}}
	New Process Name:	{{NewProcessName}}
	Token Elevation Type:	{{TokenElevationType}}
	Mandatory Label:		{{MandatoryLabel}}
	Creator Process ID:	{{ProcessId}}
	Creator Process Name:	{{ParentProcessName}}
	Process Command Line:	{{CommandLine}}

Token Elevation Type indicates the type of token that was assigned to the new process in accordance with User \
Account Control policy.

Type 1 is a full token with no privileges removed or groups disabled.""",
    4698: f"""A scheduled task was created.
{_SUBJECT}
Task Information:
	Task Name: 		{{TaskName}}
	Task Content: 		{{TaskContent}}
""",
    5145: f"""A network share object was checked to see whether client can be granted desired access.
	{_SUBJECT}
Network Information:
	Object Type:		{{ObjectType}}
	Source Address:		{{IpAddress}}
	Source Port:		{{IpPort}}

Share Information:
	Share Name:		{{ShareName}}
	Share Path:		{{ShareLocalPath}}
	Relative Target Name:	{{RelativeTargetName}}

Access Request Information:
	Access Mask:		{{AccessMask}}
	Accesses:		{{AccessList}}
Access Check Results:
	{{AccessReason}}
""",
    4104: """Creating Scriptblock text ({MessageNumber} of {MessageTotal}):
{ScriptBlockText}

ScriptBlock ID: {ScriptBlockId}
Path: {Path}""",
}  # fmt: skip
_TITLES = {
    1: "Process Create", 3: "Network connection detected", 11: "File created", 13: "Registry value set",
    22: "Dns query",
}  # fmt: skip


def message_of(record: Record) -> str:
    """Return the message of a record: numbers of texts stand in full, ids of logons in capitals."""
    event_id, data = record["Event"]["System"]["EventID"], record["Event"]["EventData"]
    values = {name: _rendered(name, value) for name, value in data.items()}
    if event_id in _TITLES:
        text = "\n".join((f"{_TITLES[event_id]}:", *(f"{name}: {value}" for name, value in values.items())))
    else:
        text = _TEXTS[event_id].format_map(values)
    return text.replace("\n", "\r\n")


def _rendered(name: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if name.endswith("LogonId"):
        return text.replace("0x", "").upper().join(("0x", "")) if text.startswith("0x") else text
    if name.lower().endswith("guid") and len(text) == 36:
        return f"{{{text.lower()}}}"
    return (message(text) or text) if text.startswith("%%") and name != "TokenElevationType" else text
