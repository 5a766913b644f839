"""Windows events as EvtxECmd writes them, a line of CSV or JSON each: the head in columns, the data in `Payload`.

`Payload` is the event's data as its XML in JSON; `PayloadData1` to `PayloadData6`, `ExecutableInfo` and the like
are what a map made of it, and are not needed. Times are in UTC. `Keywords` and `Level` are names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.sources.windows.forms.elements import (
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
from tocsin.sources.windows.forms.errors import CutOffError

Record = Mapping[str, Any]

_MARKS = frozenset(("MapDescription", "ChunkNumber", "PayloadData1", "HiddenRecord", "ExtraDataOffset", "Payload"))


def is_evtxecmd(record: Record) -> bool:
    """Return whether a record is a row of EvtxECmd, with the head's columns and one that no other tool writes."""
    return "EventId" in record and "Channel" in record and not record.keys().isdisjoint(_MARKS)


def record_of(record: Record) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it. Raises CutOffError."""
    head = {
        "Provider": attributes(Name=record.get("Provider")),
        "EventID": whole(record["EventId"]),
        "Level": level(record.get("Level")),
        "Keywords": keywords(record.get("Keywords")),
        "TimeCreated": attributes(SystemTime=moment(record.get("TimeCreated"))),
        "EventRecordID": whole(record.get("EventRecordId", record.get("RecordNumber"))),
        "Execution": attributes(ProcessID=whole(record.get("ProcessId")), ThreadID=whole(record.get("ThreadId"))),
        "Channel": record["Channel"],
        "Computer": record.get("Computer"),
        "Security": attributes(UserID=record.get("UserId")),
    }
    payload = record.get("Payload")
    content = parsed_object(payload) if isinstance(payload, str) else payload
    if not isinstance(content, dict):
        what = "is cut off or no JSON" if payload else "is missing"
        raise CutOffError(f"the event's data are in the column `Payload`, which {what}; run EvtxECmd anew")
    if content.get("UserData"):
        return assembled(head, user_data_of(content["UserData"]), of_user=True)
    return assembled(head, data_of(content.get("EventData", content)) or {})
