"""Windows events as OpenTelemetry's Windows Event Log receiver writes them, in the body of a log record.

The body's members are those that the collector's `pkg/stanza/operator/input/windows/xml.go` makes of the XML. Its
versions write `event_data` as an object, or as a list of objects of one value each (`data`), in which a value
without a name has an empty one. Keywords, level and task are names where the collector could render them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.sources.windows.forms.elements import (
    as_logged,
    assembled,
    attributes,
    keywords,
    level,
    moment,
    parsed_object,
    user_data_of,
    whole,
)

Body = Mapping[str, Any]

MARK = "system_time"


def is_body(record: Body) -> bool:
    """Return whether a record is the body that the receiver writes for an event."""
    return MARK in record and "channel" in record and "event_id" in record


def record_of(record: Body) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it."""
    provider, event_id = _members(record, "provider", "name"), _members(record, "event_id", "id")
    execution, security = _members(record, "execution", "process_id"), _members(record, "security", "user_id")
    task = whole(record.get("task"))
    number = whole(event_id.get("id"))
    head = {
        "Provider": attributes(Name=provider.get("name"), Guid=provider.get("guid")),
        "EventID": number,
        "Version": whole(record.get("version")),
        "Level": level(record.get("level")),
        "Task": task if isinstance(task, int) else None,
        "TaskDisplayName": task if isinstance(task, str) and task else None,
        "Keywords": keywords(_only(record.get("keywords"))),
        "TimeCreated": attributes(SystemTime=moment(record[MARK])),
        "EventRecordID": whole(record.get("record_id")),
        "Correlation": attributes(ActivityID=_members(record, "correlation", "activity_id").get("activity_id")),
        "Execution": attributes(
            ProcessID=whole(execution.get("process_id")), ThreadID=whole(execution.get("thread_id"))
        ),
        "Channel": record["channel"],
        "Computer": record.get("computer"),
        "Security": attributes(UserID=security.get("user_id")),
    }
    if record.get("user_data") and not record.get("event_data"):
        user_data = record["user_data"]
        bare = isinstance(user_data, dict) and not all(isinstance(value, dict) for value in user_data.values())
        return assembled(head, user_data_of({"EventXML": user_data} if bare else user_data), of_user=True)
    return assembled(head, as_logged(_data(record.get("event_data")), provider.get("name"), number))


def _members(record: Body, name: str, of_text: str) -> Mapping[str, Any]:
    """Return the object that a member holds; a member that is none becomes the value of `of_text` in one."""
    content = record.get(name)
    return content if isinstance(content, dict) else {of_text: content}


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _data(event_data: Any) -> dict[str, Any]:
    if isinstance(event_data, str):
        event_data = parsed_object(event_data)
    if not isinstance(event_data, dict):
        return {}
    listed = event_data.get("data")
    if not isinstance(listed, list) or not all(isinstance(member, dict) for member in listed):
        return dict(event_data)
    data = {name: value for member in listed for name, value in member.items() if name and value is not None}
    unnamed = [member[""] for member in listed if "" in member]
    return data | ({"Data": {"#text": unnamed}} if unnamed else {})
