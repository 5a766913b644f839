"""Windows events as one object each: the head flat, and the event data beside it or in a member of its own.

nxlog's `im_msvistalog` names the head (`EventTime`, `Hostname`, `SourceName`, `ExecutionProcessID`, …) and leaves
the event data's names as they are, also when Graylog or Logstash had it in between; exports made with PowerShell
name it alike, with `TimeCreated` for the time, and so does the table `SecurityEvent` of Azure Monitor. Rows of
Velociraptor's artifacts (`Windows.EventLogs.Evtx`, `EvtxHunter`), Azure Monitor's `WindowsEvent` and documents of
Winlogbeat 6 and older keep the data in a member (`EventData`, `event_data`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.sources.windows.forms.elements import (
    as_logged,
    assembled,
    attributes,
    data_of,
    keywords,
    level,
    moment,
    parsed_object,
    user_data_of,
    whole,
)
from tocsin.sources.windows.forms.told import told

Flat = Mapping[str, Any]

# What the elements of a head are called, the first that is there counts.
_NAMES: dict[str, tuple[str, ...]] = {
    "provider": ("SourceName", "ProviderName", "Provider", "EventSourceName", "source_name"),
    "guid": ("ProviderGuid", "provider_guid"),
    "event_id": ("EventID", "EventId", "event_id"),
    "version": ("Version", "version"),
    "level": ("Level", "EventLevel", "level"),
    "task": ("Task", "TaskValue"),
    "task_name": ("Category", "task"),
    "opcode": ("OpcodeValue",),
    "keywords": ("Keywords", "keywords"),
    # nxlog's `EventTime` is the writer's local time and does not say of which zone.
    "time": ("TimeCreated", "@timestamp", "TimeGenerated", "EventTime", "timestamp"),
    "record_id": ("RecordNumber", "EventRecordID", "EventRecordId", "RecordId", "record_number"),
    "activity_id": ("ActivityID", "Correlation", "activity_id"),
    "pid": ("ExecutionProcessID", "SystemProcessId", "process_id"),
    "thread": ("ExecutionThreadID", "ThreadID", "SystemThreadId", "thread_id"),
    "channel": ("Channel", "log_name"),
    "computer": ("Hostname", "Computer", "ComputerName", "MachineName", "computer_name"),
    "user": ("UserID", "UserSID", "SystemUserId"),
}
_DATA, _USER_DATA = ("EventData", "event_data"), ("UserData", "user_data")
# What is not event data, either: what nxlog derives from the head, and what shippers, Graylog and Azure add.
_BESIDE = frozenset(
    (
        "@metadata", "@version", "AccountName", "AccountType", "Category", "Domain", "EventReceivedTime",
        "EventTimeWritten", "Message", "Opcode", "OpcodeValue", "RelatedActivityID", "Severity", "SeverityValue",
        "SourceModuleName", "SourceModuleType", "Task", "_id", "agent", "data_stream", "ecs", "event", "facility",
        "full_message", "gl2_message_id", "gl2_remote_ip", "gl2_remote_port", "gl2_source_input",
        "gl2_source_node", "host", "input", "log", "message", "port", "short_message", "source", "streams",
        "tags", "type",
    )
)  # fmt: skip
# What Azure Monitor adds to a row of one of its tables, of which some are event data elsewhere.
_AZURE_TABLES = frozenset(("Event", "SecurityEvent", "WindowsEvent"))
_BESIDE_IN_AZURE = frozenset(
    (
        "Account", "AccountType", "Activity", "ManagementGroupName", "Process", "SourceComputerId", "SourceSystem",
        "TenantId", "Type", "_ResourceId",
    )
)  # fmt: skip
# Elements of the head whose names event data may have as well, where the head goes by another.
_SHARED = ("provider", "computer", "user", "level", "activity_id")
_HEAD = _BESIDE | {name for element, names in _NAMES.items() if element not in _SHARED for name in names}
# Only together do these tell an event from a record of something else that has channels and ids.
_TELLING = frozenset(
    (
        "Computer", "EventData", "EventRecordID", "EventTime", "ExecutionProcessID", "Hostname", "Keywords",
        "Opcode", "OpcodeValue", "Provider", "ProviderGuid", "ProviderName", "RecordNumber", "SeverityValue",
        "SourceName", "Task", "TimeCreated", "TimeGenerated",
    )
)  # fmt: skip
_OF_OLD_BEATS = frozenset(("log_name", "source_name", "event_id", "computer_name"))
_KNOWN_CHANNELS = frozenset(
    ("Security", "System", "Application", "Windows PowerShell", "ForwardedEvents", "Setup")
)
# nxlog's own values of EventType; anything else under that name is event data (Sysmon's registry events have it).
_EVENT_TYPES = frozenset(
    ("INFO", "WARNING", "ERROR", "CRITICAL", "VERBOSE", "DEBUG", "AUDIT_SUCCESS", "AUDIT_FAILURE")
)
# nxlog's severities, where a record has no level: Windows' levels run the other way.
_SEVERITIES = {"CRITICAL": 1, "ERROR": 2, "WARNING": 3, "INFO": 4, "DEBUG": 5}


def is_flat(record: Flat) -> bool:
    """Tell a flat Windows event: it names its channel, its event id, and some more of a head."""
    if record.keys() >= _OF_OLD_BEATS:
        return True
    event_id = record.get("EventID")
    if "Channel" not in record or not isinstance(whole(event_id), int) or isinstance(event_id, bool):
        return False
    told = len(record.keys() & _TELLING)
    return told > 1 or (told == 1 and _is_of_windows(record))


def _is_of_windows(record: Flat) -> bool:
    channel, provider = str(record["Channel"]), str(_named(record, "provider"))
    return channel in _KNOWN_CHANNELS or "Microsoft-Windows-" in (channel + provider)


def record_of(record: Flat) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it: `Event` with `System` and `EventData`."""
    provider, event_id = _named(record, "provider"), whole(_named(record, "event_id"))
    user = _named(record, "user")
    if user is None and isinstance(record.get("user"), dict) and "log_name" in record:
        user = record["user"].get("identifier")
    head = {
        "Provider": attributes(Name=provider, Guid=_named(record, "guid")),
        "EventID": event_id,
        "Version": whole(_named(record, "version")),
        "Level": _level(record),
        "Task": whole(_named(record, "task")),
        "TaskDisplayName": _named(record, "task_name"),
        "Opcode": whole(_named(record, "opcode")),
        "Keywords": keywords(_named(record, "keywords")),
        "TimeCreated": attributes(SystemTime=_time(record)),
        "EventRecordID": _named(record, "record_id"),
        "Correlation": attributes(ActivityID=_named(record, "activity_id")),
        "Execution": attributes(ProcessID=whole(_named(record, "pid")), ThreadID=whole(_named(record, "thread"))),
        "Channel": _named(record, "channel"),
        "Computer": _named(record, "computer"),
        "Security": attributes(UserID=user, Name=_text(record, "AccountName"), Domain=_text(record, "Domain")),
    }
    data, of_user = _data(record)
    if not data:
        data, of_user = told(provider, event_id, record.get("Message"))
    if isinstance(data, dict) and not of_user:
        data = {name: as_logged(value, name, provider, event_id) for name, value in data.items()}
    return assembled(head, data, of_user=of_user)


def _text(record: Flat, name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) and value else None


def _named(record: Flat, element: str) -> Any:
    for name in _NAMES[element]:
        value = record.get(name)
        if value is not None and value != "":
            return value
    return None


def _data(record: Flat) -> tuple[Any, bool]:
    """Return the event data, and whether it is user data."""
    for names, of_user in ((_DATA, False), (_USER_DATA, True)):
        for name in names:
            found = record.get(name)
            found = (parsed_object(found) or found) if isinstance(found, str) else found
            if found and isinstance(found, (dict, list)):
                if not of_user:
                    return data_of(found), False
                return user_data_of(_wrapped(found)), True
    head = _HEAD | {next((name for name in _NAMES[element] if name in record), "") for element in _SHARED}
    if "TimeGenerated" in record and record.get("Type") in _AZURE_TABLES:
        head |= _BESIDE_IN_AZURE
    data = {name: value for name, value in record.items() if name not in head and value is not None}
    if data.get("EventType") in _EVENT_TYPES:
        del data["EventType"]
    for name in (*_DATA, *_USER_DATA):
        if not isinstance(data.get(name), str):
            data.pop(name, None)
    return data, False


def _wrapped(found: Any) -> Any:
    """Return user data within the element that stands round them."""
    bare = isinstance(found, dict) and not all(isinstance(value, dict) for value in found.values())
    return {"EventXML": found} if bare else found


def _level(record: Flat) -> int | None:
    found = level(_named(record, "level"))
    return found if isinstance(found, int) else _SEVERITIES.get(str(record.get("Severity")))


def _time(record: Flat) -> Any:
    for name in _NAMES["time"]:
        value = record.get(name)
        if value and (found := moment(value)) is not None:
            return found
    return None
