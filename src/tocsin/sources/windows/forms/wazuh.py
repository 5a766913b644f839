"""Windows events as Wazuh's eventchannel decoder writes them: `win.system`, `win.eventdata`, and user data.

The decoder (wazuh/wazuh, src/analysisd/decoders/winevtchannel.c) makes each name's first letter small, and leaves
values as they stood in the agent's JSON: backslashes and quotes behind a backslash (wazuh/wazuh#4509).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tocsin.sources.windows.forms.elements import (
    as_logged,
    assembled,
    attributes,
    keywords,
    level,
    moment,
    whole,
)

Alert = Mapping[str, Any]

MARK = "win"
_AS_IT_IS = re.compile(r"param\d+")  # names that begin with a small letter in the log
_BACKSLASHES = re.compile(r'\\+(?!["\\])')
_ESCAPED = re.compile(r'\\([\\"])')


def is_alert(record: Alert) -> bool:
    """Return whether a record is an alert or an archived event of Wazuh about a Windows event."""
    win = record.get(MARK)
    system = win.get("system") if isinstance(win, dict) else None
    return isinstance(system, dict) and "eventID" in system and ("channel" in system or "providerName" in system)


def record_of(record: Alert) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it."""
    win = record[MARK]
    system = {name: _unescaped(value) for name, value in win["system"].items()}
    provider, event_id = system.get("providerName"), whole(system["eventID"])
    head = {
        "Provider": attributes(Name=provider, Guid=system.get("providerGuid")),
        "EventID": event_id,
        "Version": whole(system.get("version")),
        "Level": level(system.get("level")),
        "Task": whole(system.get("task")),
        "Opcode": whole(system.get("opcode")),
        "Keywords": keywords(system.get("keywords")),
        "TimeCreated": attributes(SystemTime=moment(system.get("systemTime"))),
        "EventRecordID": whole(system.get("eventRecordID")),
        "Execution": attributes(ProcessID=whole(system.get("processID")), ThreadID=whole(system.get("threadID"))),
        "Channel": system.get("channel"),
        "Computer": system.get("computer"),
        "Security": attributes(UserID=system.get("userID") or system.get("security UserID")),
    }
    data = win.get("eventdata")
    if isinstance(data, dict) and data:
        return assembled(head, as_logged(_named(data), provider, event_id))
    others = ((name, value) for name, value in win.items() if name not in ("system", "eventdata"))
    of_user = next(((name, value) for name, value in others if isinstance(value, dict)), None)
    if of_user is None:
        return assembled(head, {})
    return assembled(head, {_as_logged_name(of_user[0]): _named(of_user[1])}, of_user=True)


def _named(data: Alert) -> dict[str, Any]:
    named = {_as_logged_name(name): _unescaped(value) for name, value in data.items()}
    if isinstance(unnamed := named.get("Data"), str):
        named["Data"] = {"#text": [unnamed]}
    return named


def _as_logged_name(name: str) -> str:
    return name if _AS_IT_IS.fullmatch(name) else name[:1].upper() + name[1:]


def _unescaped(value: Any) -> Any:
    """Return a value as it was logged: what is not escaped throughout is not escaped at all."""
    if not isinstance(value, str) or "\\" not in value:
        return value
    if any(len(run) % 2 for run in _BACKSLASHES.findall(value)):
        return value
    return _ESCAPED.sub(r"\1", value)
