"""The values of an event that a writer kept in its rendered message alone.

Some collectors leave out values that have no names (nxlog those of the classic PowerShell channel and of a cleared
log), others all values. Windows renders the values of a message in English behind labels, those of the Security
log in sections; `labels.tsv` says what a label's value is called. Sysmon's labels are the names. What PowerShell
writes is recognised by its shape, in any language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from tocsin.sources.windows.manifest import known_names
from tocsin.sources.windows.security.messages import number_of

SYSMON = "Microsoft-Windows-Sysmon"
OF_LOGS = "Microsoft-Windows-Eventlog"
POWERSHELL, CLASSIC_POWERSHELL = "Microsoft-Windows-PowerShell", "PowerShell"

_CONTEXT, _DETAILS = "Context Information:", "Details:"
_COMMAND = re.compile(r"Pipeline execution details for command line: (.*)\.\s*", re.DOTALL)
_SCRIPT = re.compile(
    r"[^\n(]*\((\d+)\D+(\d+)\) ?:\r?\n(.*?)\r?\n\r?\n[^\n:]*: ?([0-9A-Fa-f-]{36})\r?\n[^\n:]*: ?([^\r\n]*)\s*",
    re.DOTALL,
)
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PIPELINE = re.compile(r"(.*?)\r?\n\r?\nContext:\r?\n(.*?)\r?\n\r?\nUser Data:\s*(.*?)\s*", re.DOTALL)
_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]+")
_VALUE = re.compile(r"(\w+): ?(.*)")
_LABEL = re.compile(r"(\s*)([^\s:][^:]{0,48}?) ?:(?:\s+(.*))?")
# Values of several lines, and those that have blank ones.
_OF_LINES = frozenset(
    (
        "AccessList", "AccessMask", "AccessReason", "AttributeValue", "AuditPolicyChanges", "CommandLine",
        "DisabledPrivilegeList", "EnabledPrivilegeList", "GroupMembership", "ImagePath", "NewValue", "OldValue",
        "PrivilegeList", "Properties", "ServiceFileName", "ServicePrincipalNames", "TaskContent", "TaskContentNew",
        "UserAccountControl",
    )
)  # fmt: skip
_LONG = frozenset(("TaskContent", "TaskContentNew"))
# Values that the log holds as numbers of texts (`%%1833`), which a message has in full.
_NUMBERED = frozenset(
    (
        "AccessList", "AccessMask", "AuditPolicyChanges", "DSType", "Direction", "ElevatedToken", "FailureReason",
        "ImpersonationLevel", "KeyType", "LayerName", "NewValueType", "OldValueType", "Operation", "OperationType",
        "ReadOperation", "RemoteCredentialGuard", "RestrictedAdminMode", "VirtualAccount",
    )
)  # fmt: skip
_NO_NUMBER = frozenset(("Object Access", "Query"))  # the types of 4662, which the log has as texts


def values_in_message(provider: str, event_id: int, message: str) -> Mapping[str, str]:
    """Return the values in a message by their names in the log; none if the event is not known."""
    if provider == SYSMON:
        return _of_sysmon(event_id, message.replace("\r\n", "\n"))
    if provider == CLASSIC_POWERSHELL:
        return _of_classic_powershell(event_id, message)
    if provider == POWERSHELL:
        return _of_powershell(event_id, message)
    labels = _labels().get((provider, str(event_id))) or _labels().get((provider, "*"))
    return {} if labels is None else _labelled(labels, message.replace("\r\n", "\n"))


def _of_sysmon(event_id: int, message: str) -> dict[str, str]:
    """Read a title, then a line for each value."""
    names = known_names(SYSMON, event_id)
    data: dict[str, str] = {}
    last = ""
    for line in message.split("\n")[1:]:
        match = _VALUE.fullmatch(line)
        if match and match[1] not in data and (not names or match[1] in names):
            last = match[1]
            data[last] = match[2]
        elif last:  # a value of several lines
            data[last] += "\n" + line
    return {name: _hexadecimal_as_logged(value) for name, value in data.items()}


def _of_classic_powershell(event_id: int, message: str) -> dict[str, str]:
    line_end = "\r\n" if "\r\n" in message else "\n"
    happened, context = _parted(message, _CONTEXT, line_end)
    if not context:
        happened, context = _parted(message, _DETAILS, line_end)
    if not context:
        return {}
    if event_id != 800:
        return {"param3": context}
    command = _COMMAND.fullmatch(happened)
    values = {"param1": command[1].strip() if command else happened}
    invoked, details = _parted(context, _DETAILS, line_end)
    return values | ({"param2": invoked, "param3": details} if details else {"param2": context})


def _parted(text: str, title: str, line_end: str) -> tuple[str, str]:
    """Return what stands before a title with a blank line above it, and what below."""
    before, _, below = text.partition(f"{line_end}{line_end}{title}")
    return before, below.lstrip(" ").removeprefix(line_end)


def _of_powershell(event_id: int, message: str) -> dict[str, str]:
    if event_id in (4105, 4106):
        return dict(zip(("ScriptBlockId", "RunspaceId"), _GUID.findall(message), strict=False))
    pattern, names = _POWERSHELL.get(event_id, (None, ()))
    match = pattern.fullmatch(message) if pattern else None
    return dict(zip(names, match.groups(), strict=True)) if match else {}


_POWERSHELL = {
    4103: (_PIPELINE, ("Payload", "ContextInfo", "UserData")),
    4104: (_SCRIPT, ("MessageNumber", "MessageTotal", "ScriptBlockText", "ScriptBlockId", "Path")),
}


class _Labels(NamedTuple):
    """What labels in sections stand for, and the names of the sections."""

    names: Mapping[tuple[str, str], str]
    sections: frozenset[str]


@cache
def _labels() -> dict[tuple[str, str], _Labels]:
    """Return the labels by provider and event id, `*` for all other events of the provider."""
    text = (resources.files("tocsin.sources.windows") / "labels.tsv").read_text("utf-8")
    read: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            provider, events, sections, label, name = line.split("\t")
            for event in events.split():
                names = read.setdefault((provider, event), {})
                names.update({(section, label): name for section in sections.split("|")})
    labels = {}
    for (provider, event), names in read.items():
        every = read.get((provider, "*"), {}) | names
        labels[provider, event] = _Labels(every, frozenset(section for section, _ in every))
    return labels


def _labelled(labels: _Labels, message: str) -> dict[str, str]:
    """Read labels and their values. The first of a name counts: a later one may be part of a value."""
    values: dict[str, str] = {}
    section = last = ""
    set_in = "\n\t" in message or "\n " in message
    for line in message.split("\n")[1:]:
        if not line.strip():
            last = last if last in _LONG else ""
            continue
        match = _LABEL.fullmatch(line)
        if match:
            outside = not set_in or not match[1]
            if not match[3] and (match[2] in labels.sections or (set_in and not match[1])):
                section, last = match[2], labels.names.get(("", match[2]), "")
                if last:
                    values.setdefault(last, "")
                continue
            name = labels.names.get((section, match[2]))
            if name is None and outside:
                name = labels.names.get(("", match[2]))
            if name is not None:
                last = name if name in _OF_LINES and name not in values else ""
                values.setdefault(name, (match[3] or "").strip())
                continue
        if last:
            values[last] += "\n" + line.strip()
    written = ((name, _as_logged(name, value.strip("\n"))) for name, value in values.items())
    return {name: value for name, value in written if value is not None}


def _as_logged(name: str, value: str) -> str | None:
    """Return a value as the log has it; None for an account's name in place of its security identifier."""
    if name.endswith("Sid"):
        return value if value.startswith("S-1-") or value == "-" else None
    if name in _NUMBERED and value not in _NO_NUMBER:
        codes = [number_of(text.strip(" ,")) for text in re.split(r"\n|, ", value)]
        known = [f"%%{code}" for code in codes if code is not None]
        between = ", " if name == "AuditPolicyChanges" else "\n"
        return between.join(known) if known else _hexadecimal_as_logged(value)
    return _hexadecimal_as_logged(value)


def _hexadecimal_as_logged(value: str) -> str:
    """Return a number in small letters, in which the log has what a message has in capitals."""
    return value.lower() if _HEXADECIMAL.fullmatch(value) else value
