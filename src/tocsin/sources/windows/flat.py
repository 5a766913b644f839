"""Windows events as one flat JSON object each, the event data beside the head, as nxlog and others write them.

nxlog's `im_msvistalog` names the head (`EventTime`, `Hostname`, `SourceName`, `ExecutionProcessID`, …) and leaves
the event data's names as they are; exports made with PowerShell name it alike, with `TimeCreated` for the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.sources.values import moment
from tocsin.sources.windows.data import assembled, attributes

Flat = Mapping[str, Any]

# What is not event data: the head, what nxlog derives from it, and what shippers add.
_HEAD = frozenset(
    (
        "@timestamp", "@version", "AccountName", "AccountType", "ActivityID", "Category", "Channel", "Domain",
        "EventID", "EventReceivedTime", "EventTime", "EventTimeWritten", "ExecutionProcessID",
        "ExecutionThreadID", "Hostname", "Keywords", "Level", "Message", "Opcode", "OpcodeValue",
        "ProviderGuid", "RecordNumber", "RelatedActivityID", "Severity", "SeverityValue", "SourceModuleName",
        "SourceModuleType", "SourceName", "Task", "ThreadID", "TimeCreated", "UserID", "Version", "host", "port",
        "tags",
    )
)  # fmt: skip
_TELLING = frozenset(("SourceName", "ProviderGuid", "TimeCreated", "EventTime"))
# nxlog's own values of EventType; anything else under that name is event data (Sysmon's registry events have it).
_EVENT_TYPES = frozenset(
    ("INFO", "WARNING", "ERROR", "CRITICAL", "VERBOSE", "DEBUG", "AUDIT_SUCCESS", "AUDIT_FAILURE")
)
# nxlog's severities, where a record has no level: Windows' levels run the other way.
_LEVELS = {"CRITICAL": 1, "ERROR": 2, "WARNING": 3, "INFO": 4, "DEBUG": 5}


def is_flat(record: Flat) -> bool:
    """Tell a flat Windows event: it names its channel, its event id, and who wrote it or when, at the top."""
    return "Channel" in record and "EventID" in record and not record.keys().isdisjoint(_TELLING)


def unflattened(record: Flat) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it: `Event` with `System` and `EventData`."""
    head = {
        "Provider": attributes(Name=record.get("SourceName"), Guid=record.get("ProviderGuid")),
        "EventID": record["EventID"],
        "Version": record.get("Version"),
        "Level": _level(record),
        "Task": record.get("Task"),
        "TaskDisplayName": record.get("Category"),
        "Opcode": record.get("OpcodeValue"),
        "Keywords": record.get("Keywords"),
        "TimeCreated": attributes(SystemTime=_time(record)),
        "EventRecordID": record.get("RecordNumber"),
        "Correlation": attributes(ActivityID=record.get("ActivityID")),
        "Execution": attributes(
            ProcessID=record.get("ExecutionProcessID"),
            ThreadID=record.get("ExecutionThreadID", record.get("ThreadID")),
        ),
        "Channel": record["Channel"],
        "Computer": record.get("Hostname"),
        "Security": attributes(UserID=record.get("UserID")),
    }
    data = {name: value for name, value in record.items() if name not in _HEAD}
    if data.get("EventType") in _EVENT_TYPES:
        del data["EventType"]
    return assembled(head, data)


def _level(record: Flat) -> int | None:
    level = record.get("Level", _LEVELS.get(str(record.get("Severity"))))
    return int(level) if isinstance(level, int) or (isinstance(level, str) and level.isdigit()) else None


def _time(record: Flat) -> str | None:
    """`EventTime` is the writer's local time and does not say of which zone, so that others come first."""
    for name in ("TimeCreated", "@timestamp", "EventTime"):
        value = record.get(name)
        found = moment(str(value)) if isinstance(value, (str, int, float)) else None
        if found is not None:
            return found
    return None
