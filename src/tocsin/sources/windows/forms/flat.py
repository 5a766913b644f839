"""Windows events as one object each: the head flat, and the event data beside it or in a member of its own.

nxlog's `im_msvistalog` names the head (`EventTime`, `Hostname`, `SourceName`, `ExecutionProcessID`, …) and leaves
the event data's names as they are, also after Graylog or Logstash. Exports made with PowerShell have the same
names, with `TimeCreated` for the time, and so has the table `SecurityEvent` of Azure Monitor; its table `Event`,
which the older agents fill, has other ones. Rows of Velociraptor's artifacts (`Windows.EventLogs.Evtx`,
`EvtxHunter`), Azure Monitor's `WindowsEvent` and documents of Winlogbeat 6 and older keep the data in a member
(`EventData`, `event_data`). Fluent Bit (`in_winevtlog`, `in_winlog`) and Fluentd (`windows_eventlog`) write the
values without names, as `StringInserts` or `EventData`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from tocsin.sources.windows.forms.elements import (
    as_logged,
    assembled,
    attributes,
    data_of,
    head_of,
    keywords,
    level,
    moment,
    parsed_object,
    scalar,
    user_data_of,
    whole,
)

Flat = Mapping[str, Any]

# What the elements of a head are called; the first that is present counts.
_NAMES: dict[str, tuple[str, ...]] = {
    "provider": ("SourceName", "ProviderName", "Provider", "EventSourceName", "source_name"),
    "guid": ("ProviderGuid", "ProviderGUID", "provider_guid"),
    "event_id": ("EventID", "EventId", "event_id"),
    "version": ("Version", "version"),
    "level": ("Level", "EventLevel", "level"),
    "task": ("Task", "TaskValue"),
    "task_name": ("Category", "task"),
    "opcode": ("OpcodeValue",),
    "keywords": ("Keywords", "keywords"),
    # nxlog's `EventTime` is the writer's local time and does not say of which zone.
    "time": ("TimeCreated", "@timestamp", "TimeGenerated", "EventTime", "timestamp", "time_generated"),
    "record_id": ("RecordNumber", "EventRecordID", "EventRecordId", "RecordId", "record_number"),
    "activity_id": ("ActivityID", "Correlation", "activity_id"),
    "pid": ("ExecutionProcessID", "SystemProcessId", "process_id"),
    "thread": ("ExecutionThreadID", "ThreadID", "SystemThreadId", "thread_id"),
    "channel": ("Channel", "log_name", "channel"),
    "computer": ("Hostname", "Computer", "ComputerName", "MachineName", "computer_name"),
    "user": ("UserID", "UserSID", "SystemUserId"),
}
# Members that hold the data, and whether these are user data.
_OF_THEIR_OWN = (("EventData", False), ("event_data", False), ("UserData", True), ("user_data", True))
# The rendered message; `RenderedDescription` is that of Azure's `Event`.
_MESSAGES = ("Message", "message", "full_message", "RenderedDescription", "Description")
# Values without names, in the order of the provider's manifest: Fluent Bit's, Fluentd's, and Winlogbeat's of old.
_UNNAMED = ("StringInserts", "string_inserts", "message_inserts")
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
# Only several of these together distinguish an event from another record that has channels and ids.
_MARKS = frozenset(
    (
        "Computer", "EventData", "EventRecordID", "EventTime", "ExecutionProcessID", "Hostname", "Keywords",
        "Opcode", "OpcodeValue", "Provider", "ProviderGuid", "ProviderName", "RecordNumber", "SeverityValue",
        "SourceName", "Task", "TimeCreated", "TimeGenerated",
    )
)  # fmt: skip
_OF_OLD_BEATS = frozenset(("log_name", "source_name", "event_id", "computer_name"))
_OF_OLD_FLUENTD = frozenset(("channel", "source_name", "event_id", "string_inserts"))
# Parts of a head that Fluent Bit and Fluentd write under names that are event data elsewhere; they alone write
# `Qualifiers`.
_OF_FLUENT = "Qualifiers"
_FLUENT_HEAD = frozenset(("Data", "EventCategory", "EventType", "ProcessID", "Qualifiers", "Sid", "TimeWritten"))
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
    """Return whether a record is a flat Windows event: it has a channel, an event id, and more of a head."""
    event_id = scalar(record.get("EventID"))
    if "Channel" not in record or not isinstance(whole(event_id), int) or isinstance(event_id, bool):
        return record.keys() >= _OF_OLD_BEATS or record.keys() >= _OF_OLD_FLUENTD
    marks = _layout(tuple(record)).marks
    return marks > 1 or (marks == 1 and _is_of_windows(record))


def is_in_gelf(record: Flat) -> bool:
    """Return whether a record is a flat event in GELF, whose own names begin with `_` (nxlog's `xm_gelf`)."""
    return "short_message" in record and "_EventID" in record and is_flat(_out_of_gelf(record))


def record_of_gelf(record: Flat) -> dict[str, Any]:
    """Return a record in GELF as the `evtx` parser would render it."""
    return record_of(_out_of_gelf(record))


def _out_of_gelf(record: Flat) -> Flat:
    own = {name.removeprefix("_"): value for name, value in record.items() if name.startswith("_")}
    message, times = (
        record.get("full_message") or record.get("short_message"),
        {"timestamp": record.get("timestamp")},
    )
    return {"Hostname": record.get("host"), "Message": message, **times, **own}


def is_azures(record: Flat) -> bool:
    """Return whether a record is a row of Azure Monitor's `Event`, with `EventLog` and `Source` for its head."""
    return "EventLog" in record and "Source" in record and isinstance(whole(scalar(record.get("EventID"))), int)


def record_of_azures(record: Flat) -> dict[str, Any]:
    """Return a row of that table as the `evtx` parser would render it; its `EventData` is XML in a text."""
    taken = ("EventLog", "Source", "EventData", "ParameterXml", "EventCategory", "EventLevelName", "MG", "Role")
    rest = {name: value for name, value in record.items() if name not in taken}
    data = data_of(record.get("EventData"))
    own_data = {"EventData": data} if isinstance(data, dict) else {}
    return record_of({"Channel": record["EventLog"], "SourceName": record["Source"], **own_data, **rest})


def _is_of_windows(record: Flat) -> bool:
    names = (record["Channel"], *(record.get(name) for name in _NAMES["provider"]))
    return str(record["Channel"]) in _KNOWN_CHANNELS or any("Microsoft-Windows-" in str(name) for name in names)


def record_of(record: Flat) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it: `Event` with `System` and `EventData`."""
    if isinstance(record.get("Provider"), dict):
        return _with_system(record)
    layout = _layout(tuple(record))

    def named(element: str) -> Any:
        for name in layout.head[element]:
            value = record[name]
            if value is not None and value != "":
                return value if isinstance(value, (str, int)) else scalar(value)
        return None

    provider, event_id = named("provider"), whole(named("event_id"))
    user, account, domain = named("user"), _text(record, "AccountName"), _text(record, "Domain")
    if user is None and isinstance(record.get("user"), dict) and "log_name" in record:
        user = record["user"].get("identifier")
    if isinstance(user, str) and "\\" in user:  # Fluent Bit looks it up
        domain, _, account = user.partition("\\")
        user = None
    head = {
        "Provider": attributes(Name=provider, Guid=named("guid")),
        "EventID": event_id,
        "Version": whole(named("version")),
        "Level": _level(record, named("level")),
        "Task": whole(named("task")),
        "TaskDisplayName": named("task_name"),
        "Opcode": whole(named("opcode")),
        "Keywords": keywords(named("keywords")) or keywords(_event_type(record)),
        "TimeCreated": attributes(SystemTime=_time(record, layout)),
        "EventRecordID": named("record_id"),
        "Correlation": attributes(ActivityID=named("activity_id")),
        "Execution": attributes(ProcessID=whole(named("pid")), ThreadID=whole(named("thread"))),
        "Channel": named("channel"),
        "Computer": named("computer"),
        "Security": attributes(UserID=user, Name=account, Domain=domain),
    }
    data, of_user = _data(record, layout)
    if isinstance(data, dict) and not of_user:
        data = as_logged(data, provider, event_id)
    return assembled(head, data, of_user=of_user, message=_message(record))


# The elements of `System`, which Sumo Logic's collector has at the root as the XML has them.
_SYSTEM = (
    "Provider", "EventID", "Version", "Level", "Task", "Opcode", "Keywords", "TimeCreated", "EventRecordID",
    "Correlation", "Execution", "Channel", "Computer", "Security",
)  # fmt: skip


def _with_system(record: Flat) -> dict[str, Any]:
    head = head_of({name: record[name] for name in _SYSTEM if name in record})
    for name in ("Task", "Opcode"):
        if isinstance(head.get(name), str):  # as Windows renders it
            head[f"{name}DisplayName"] = head.pop(name)
    data, of_user = _data(record, _layout(tuple(record)))
    if isinstance(data, dict) and not of_user:
        provider = (head.get("Provider") or {}).get("#attributes", {}).get("Name")
        data = as_logged(data, provider, head.get("EventID"))
    return assembled(head, data, of_user=of_user, message=_message(record))


def _text(record: Flat, name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) and value else None


def _event_type(record: Flat) -> str | None:
    """Return the type of an event, which says the outcome of an audit where there are no keywords."""
    return _text(record, "EventType") or _text(record, "event_type")


def _message(record: Flat) -> str | None:
    return next((text for name in _MESSAGES if (text := _text(record, name)) is not None), None)


class _Layout(NamedTuple):
    """The members of a record: those that an element of the head is read from, and those that may be event data.

    `marks` is how many of them are typical of a Windows event.
    """

    head: Mapping[str, tuple[str, ...]]
    data: tuple[str, ...]
    marks: int


@lru_cache(maxsize=4096)  # events of a kind have the same members
def _layout(members: tuple[str, ...]) -> _Layout:
    there = frozenset(members)
    head = {element: tuple(name for name in names if name in there) for element, names in _NAMES.items()}
    if _OF_FLUENT in there:
        head["pid"] += ("ProcessID",) if "ProcessID" in there else ()
        head["user"] += ("Sid",) if "Sid" in there else ()
    taken = _HEAD.union(_FLUENT_HEAD if _OF_FLUENT in there else (), *(head[element][:1] for element in _SHARED))
    return _Layout(head, tuple(name for name in members if name not in taken), len(there & _MARKS))


def _data(record: Flat, layout: _Layout) -> tuple[Any, bool]:
    """Return the event data, and whether it is user data."""
    for name, of_user in _OF_THEIR_OWN:
        if (member := record.get(name)) is not None:
            member = (parsed_object(member) or member) if isinstance(member, str) else member
            if member and isinstance(member, (dict, list)):
                if not of_user:
                    return data_of(member), False
                return user_data_of(_wrapped(member)), True
    for name in _UNNAMED:
        if isinstance(member := record.get(name), list) and member:
            return {"Data": {"#text": member}}, False
    data = {name: value for name in layout.data if (value := record[name]) is not None}
    if "TimeGenerated" in record and str(record.get("Type")) in _AZURE_TABLES:
        data = {name: value for name, value in data.items() if name not in _BESIDE_IN_AZURE}
    if str(data.get("EventType")) in _EVENT_TYPES:
        del data["EventType"]
    for name in (*(name for name, _ in _OF_THEIR_OWN), *_UNNAMED):
        if name in data and not isinstance(data[name], str):
            del data[name]
    return data, False


def _wrapped(user_data: Any) -> Any:
    """Return user data within an element, as a log has them, also where a tool leaves it out."""
    bare = isinstance(user_data, dict) and not all(isinstance(value, dict) for value in user_data.values())
    return {"EventXML": user_data} if bare else user_data


def _level(record: Flat, written: Any) -> int | None:
    number = level(written)
    return number if isinstance(number, int) else _SEVERITIES.get(str(record.get("Severity")))


def _time(record: Flat, layout: _Layout) -> Any:
    for name in layout.head["time"]:
        value = record[name]
        if value and (time := moment(value)) is not None:
            return time
    return None
