"""What the desk calls kinds of evidence and what happens in cases, and the detail of an entry in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tocsin.desk.shown import visible
from tocsin.desk.translations import N_

KIND_WORDS: Mapping[str, str] = {
    "alert": N_("alert"), "event": N_("event"), "file": N_("file"), "query_result": N_("query result"),
    "picture": N_("picture"), "action": N_("action"), "indicator": N_("indicator"), "note": N_("note"),
}  # fmt: skip
# By the type and action of an entry of the activity log; by the type alone where its actions are one to readers.
ACTIVITY_WORDS: Mapping[str, str] = {
    "create_case": N_("made the case"),
    "delete_case": N_("removed the case"),
    "title": N_("changed the title"),
    "description": N_("changed the description"),
    "severity": N_("changed the severity"),
    "status": N_("changed the status"),
    "tags": N_("changed the tags"),
    "assignees": N_("changed the assignees"),
    "owner": N_("changed the owner"),
    "category": N_("changed the category"),
    "settings": N_("changed the settings"),
    "follow_up": N_("changed the reminder"),
    "alerts.create": N_("added alerts:"),
    "alerts.delete": N_("took alerts off:"),
    "comment.create": N_("said"),
    "comment.update": N_("changed a comment"),
    "comment.delete": N_("removed a comment"),
    "task.add": N_("added a task"),
    "task": N_("changed a task"),
    "task.delete": N_("removed a task"),
    "step": N_("changed a step"),
    "step.delete": N_("removed a step"),
    "evidence": N_("added evidence"),
    "observables.add": N_("added an observable"),
    "observables": N_("removed an observable"),
    "link.add": N_("linked a case"),
    "link": N_("removed a link"),
    "merge.add": N_("took over a case"),
    "merge": N_("merged the case into another"),
}


def activity_word(type_: str, action: str, payload: str) -> str:
    """Return what an entry is called, to be translated where it is shown; its type where it has no name."""
    kind = "alerts" if '"alerts":' in payload and type_ == "comment" and '"count":' in payload else type_
    return ACTIVITY_WORDS.get(f"{kind}.{action}") or ACTIVITY_WORDS.get(kind, type_)


def activity_detail(type_: str, payload: str) -> str:
    """Return what an entry is about, in a line."""
    values: dict[str, Any] = orjson.loads(payload)
    if "alerts" in values and "count" in values:
        return f"{values['count']:,}"
    if "comment" in values:
        return visible(values["comment"])
    if type_ in values and "before" in values:
        after, before = values[type_], values["before"]
        reason = f" ({values['reason']})" if values.get("reason") else ""
        return f"{visible(before) or '–'} → {visible(after) or '–'}{visible(reason)}"
    if type_ in ("link", "merge"):
        return f"#{values.get('number', '')} {visible(values.get('title', ''))}"
    if type_ == "evidence":
        return f"{visible(values.get('title'))} · SHA-256 {visible(values.get('sha256'))}"
    if "done" in values:
        return f"{'☑' if values['done'] else '☐'} {visible(values.get('text'))}"
    return visible(values.get("text") or values.get("value") or values.get("title") or "")
