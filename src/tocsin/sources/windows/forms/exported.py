"""Windows events as PowerShell's `Get-WinEvent | ConvertTo-Json` (or `Export-Csv`) and Event Viewer write them.

Such an object has the head under names of its own, and the event's values as `Properties` without names, which the
provider's manifest gives them (`templates.tsv`). PowerShell writes nested objects to a depth of 2 by default, and
then only the name of the class of each property; the message may still hold the values. It may also for
`Get-EventLog`, whose entries name no log, and for "Save all events as CSV" of Event Viewer, which names five
columns in the user's language and leaves the message without a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.sources import values as v
from tocsin.sources.values import guid
from tocsin.sources.windows.forms.elements import assembled, attributes, keywords, level, whole
from tocsin.sources.windows.forms.errors import CutOffError
from tocsin.sources.windows.rendered_message import values_in_message

Exported = Mapping[str, Any]

CUT_OFF = "System.Diagnostics.Eventing.Reader.EventProperty"


# The columns of Event Viewer by what they are called here.
VIEWED = ("Level", "TimeCreated", "ProviderName", "Id", "TaskDisplayName", "Message")
_OF_ENTRIES = frozenset(("EntryType", "InstanceId", "TimeGenerated", "Source"))
_AUDITS = {
    "SuccessAudit": "Audit Success",
    "8": "Audit Success",
    "FailureAudit": "Audit Failure",
    "16": "Audit Failure",
}
# The logs of providers, where a tool does not write them.
_LOGS = {
    "Microsoft-Windows-Security-Auditing": "Security",
    "Microsoft-Windows-Eventlog": "Security",
    "Microsoft-Windows-Sysmon": "Microsoft-Windows-Sysmon/Operational",
    "Microsoft-Windows-PowerShell": "Microsoft-Windows-PowerShell/Operational",
    "PowerShellCore": "PowerShellCore/Operational",
    "PowerShell": "Windows PowerShell",
    "Service Control Manager": "System",
}


def is_exported(record: Exported) -> bool:
    """Return whether a record is an object of `Get-WinEvent`: log, provider and event have the class's names."""
    return "LogName" in record and "ProviderName" in record and "Id" in record


def is_entry(record: Exported) -> bool:
    """Return whether a record is an object of `Get-EventLog`."""
    return record.keys() >= _OF_ENTRIES


def record_of_entry(record: Exported) -> dict[str, Any]:
    """Return an entry's record as the `evtx` parser would render it. Raises CutOffError."""
    event_id = whole(record.get("EventID", record["InstanceId"]))
    strings = record.get("ReplacementStrings")
    provider = str(record["Source"])
    return record_of(
        {
            "LogName": record.get("Log") or _LOGS.get(provider, ""),
            "ProviderName": provider,
            "Id": event_id & 0xFFFF if isinstance(event_id, int) else event_id,
            "TimeCreated": record["TimeGenerated"],
            "MachineName": record.get("MachineName"),
            "RecordId": record.get("Index"),
            "Keywords": _AUDITS.get(str(record["EntryType"])),
            "Message": record.get("Message"),
            "Properties": [{"Value": text} for text in strings] if isinstance(strings, list) else None,
        }
    )


def viewed(columns: Sequence[str], values: Sequence[str]) -> dict[str, Any] | None:
    """Return a row of Event Viewer's as an object of `Get-WinEvent`; None where it has no event id or no time.

    The column before the time is the level, in the Security log the keywords, which in English say the outcome.
    """
    row = dict(zip(VIEWED, values, strict=False))
    if not isinstance(whole(row["Id"]), int) or not any(map(str.isdigit, row["TimeCreated"])):
        return None
    audited = keywords(values[0])
    return {
        **row,
        "LogName": _LOGS.get(row["ProviderName"], ""),
        "Level": None if audited or columns[0] == "Keywords" else row["Level"],
        "Keywords": audited,
    }


def record_of(record: Exported) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it. Raises CutOffError."""
    created = record.get("TimeCreated")
    head = {
        "Provider": attributes(Name=record.get("ProviderName"), Guid=_braced(record.get("ProviderId"))),
        "EventID": whole(record["Id"]),
        "Version": whole(record.get("Version")),
        "Level": level(record.get("Level")),
        "Task": whole(record.get("Task")),
        "TaskDisplayName": record.get("TaskDisplayName"),
        "Opcode": whole(record.get("Opcode")),
        "Keywords": keywords(record.get("Keywords")),
        "TimeCreated": attributes(SystemTime=moment(created) or (created if isinstance(created, str) else None)),
        "EventRecordID": whole(record.get("RecordId")),
        "Correlation": attributes(ActivityID=_braced(record.get("ActivityId"))),
        "Execution": attributes(ProcessID=whole(record.get("ProcessId")), ThreadID=whole(record.get("ThreadId"))),
        "Channel": record["LogName"],
        "Computer": record.get("MachineName"),
        "Security": attributes(UserID=_plain(record.get("UserId"))),
    }
    return assembled(head, _data(record), message=record.get("Message"))


def moment(value: Any) -> str | None:
    """Return a moment as ConvertTo-Json writes it: `/Date(1595374458918)/`, ISO 8601, or an object with either."""
    if isinstance(value, dict):
        value = value.get("value", value.get("DateTime"))
    return v.moment(value) if isinstance(value, str) else None


def _braced(value: Any) -> str | None:
    return guid(value) if isinstance(value, str) else None


def _plain(value: Any) -> Any:
    """Return a value; a security identifier is an object that holds its text."""
    return value.get("Value") if isinstance(value, dict) else value


def _data(record: Exported) -> dict[str, Any]:
    """Return the values without names, as a log holds such values."""
    properties = record.get("Properties")
    if isinstance(properties, dict):  # a list of one
        properties = [properties]
    if properties == []:
        return {}
    # `Export-Csv` leaves the name of the list's class, and `Select-Object` may leave the list out.
    if not isinstance(properties, list) or any(isinstance(value, str) for value in properties):
        return dict(_values_in_message(record))
    return {
        "Data": {
            "#text": [_plain(value.get("Value")) if isinstance(value, dict) else value for value in properties]
        }
    }


def _values_in_message(record: Exported) -> Mapping[str, str]:
    message, event_id = record.get("Message"), whole(record["Id"])
    values: Mapping[str, str] = {}
    if isinstance(message, str) and isinstance(event_id, int):
        values = values_in_message(str(record["ProviderName"]), event_id, message)
    if not values:
        raise CutOffError(
            "the event's values were left out, and its message holds none that can be read; save the log as EVTX, "
            "or export it with `Get-WinEvent … | ConvertTo-Json -Depth 4`"
        )
    return values
