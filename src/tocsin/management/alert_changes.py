"""Changes of the workflow of alerts, many at once: status, reason, tags, assignees, a note; and the way back.

Each change is noted in the history of its alert, and together they are an entry of the audit log. What is taken
back is a change too.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import insert
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.moments import iso
from tocsin.store.records.access import Actor, record
from tocsin.store.records.alerts import find_alerts, keep_documents
from tocsin.store.records.models import AlertChange, StoredAlert

STATUSES = ("open", "acknowledged", "closed")
# Kibana's reasons for closing; another text is taken too.
REASONS = ("false_positive", "duplicate", "true_positive", "benign_positive", "automated_closure", "other")
STATUS, REASON = "kibana.alert.workflow_status", "kibana.alert.workflow_reason"
TAGS, ASSIGNEES = "kibana.alert.workflow_tags", "kibana.alert.workflow_assignee_ids"
NOTES = "tocsin.notes"
_UPDATED = "kibana.alert.workflow_status_updated_at"
_NAMED = 1000  # alerts that an entry of the audit log names
# What the history calls the fields of a document that are changed.
_HISTORY_NAMES = {STATUS: "status", REASON: "reason", TAGS: "tags", ASSIGNEES: "assignees"}


@dataclass(frozen=True)
class NamesChange:
    """What becomes of names that an alert has: some are added, some are removed, or all of the others are."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    remove_others: bool = False

    def __bool__(self) -> bool:
        """Tell whether it changes anything at all."""
        return bool(self.add or self.remove or self.remove_others)

    def applied(self, names: Sequence[str]) -> list[str]:
        """Return the names that an alert has after it."""
        held = () if self.remove_others else names
        return [name for name in dict.fromkeys((*held, *self.add)) if name not in self.remove]


@dataclass(frozen=True)
class WorkflowChange:
    """What is to become of alerts. A reason belongs to those that are closed; an empty note is none."""

    status: str | None = None
    reason: str | None = None
    note: str = ""
    tags: NamesChange = field(default_factory=NamesChange)
    assignees: NamesChange = field(default_factory=NamesChange)


@dataclass(frozen=True)
class ChangedAlert:
    """What of an alert was changed: values of its document by their fields, None where it has none; a new note."""

    id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    note: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ChangedAlerts:
    """Alerts that were changed, and ids of which there is no alert."""

    alerts: Sequence[ChangedAlert]
    unknown: Sequence[str]


@dataclass(frozen=True)
class UndoneChanges:
    """How many alerts have again what they had, and of how many something was changed since, which stays."""

    restored: int
    changed_since: int


@dataclass
class HistoryEntries:
    """What somebody changes of alerts, or takes back of their changes, written into their history together."""

    session: Session
    actor: Actor
    undoes: bool = False
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def note(self, id_: str, name: str, old: Any, new: Any) -> None:
        """Add a change of a field of an alert."""
        row = {"alert_id": id_, "time": datetime.now(UTC), "actor": self.actor.name, "field": name}
        self._rows.append({**row, "old": [old], "new": [new], "undoes": self.undoes})

    def write(self) -> None:
        """Write what has been added."""
        if self._rows:
            self.session.execute(insert(AlertChange), self._rows)
            self._rows = []


def change_alerts(session: Session, actor: Actor, ids: Collection[str], change: WorkflowChange) -> ChangedAlerts:
    """Change alerts; those that are so already are left alone. Raises InvalidError."""
    status = "acknowledged" if change.status == "in-progress" else change.status  # the word of older clients
    if status is not None and status not in STATUSES:
        raise InvalidError(f"[status] is one of {', '.join(STATUSES)}, not `{status}`")
    made_at, changed, known = iso(time.time_ns()), list[ChangedAlert](), set[str]()
    written = HistoryEntries(session, actor)

    def documents() -> Iterator[tuple[StoredAlert, dict[str, Any]]]:
        for alert in find_alerts(session, ids):
            known.add(alert.id)
            document = orjson.loads(alert.document)
            after = dict(_changes(document, status, change))
            note = None
            if change.note:
                note = {"text": change.note, "created_by": actor.name, "created_at": made_at}
            if after or note:
                before = {name: document.get(name) for name in after}
                _set(written, alert, document, after, made_at)
                if note:
                    document[NOTES] = [*document.get(NOTES, []), note]
                    written.note(alert.id, "note", None, change.note)
                changed.append(ChangedAlert(alert.id, before, after, note))
                yield alert, document

    keep_documents(session, documents())
    written.write()
    _record(session, actor, changed, status, change)
    return ChangedAlerts(changed, [id_ for id_ in dict.fromkeys(ids) if id_ not in known])


def undo_changes(session: Session, actor: Actor, changed: Sequence[ChangedAlert]) -> UndoneChanges:
    """Give alerts again what they had before a change, but for what somebody has changed since."""
    by_id = {alert.id: alert for alert in changed}
    now, restored, changed_since = iso(time.time_ns()), list[str](), len(by_id)
    written = HistoryEntries(session, actor, undoes=True)

    def documents() -> Iterator[tuple[StoredAlert, dict[str, Any]]]:
        nonlocal changed_since
        for alert in find_alerts(session, list(by_id)):
            document, made = orjson.loads(alert.document), by_id[alert.id]
            again = {n: made.before[n] for n, value in made.after.items() if document.get(n) == value}
            notes = [note for note in document.get(NOTES, ()) if note != made.note]
            takes_note = made.note is not None and len(notes) < len(document.get(NOTES, ()))
            changed_since -= len(again) == len(made.after) and (takes_note or made.note is None)
            if not again and not takes_note:
                continue
            _set(written, alert, document, again, now)
            if made.note is not None and takes_note:
                document[NOTES] = notes
                written.note(alert.id, "note", made.note["text"], None)
            restored.append(alert.id)
            yield alert, document

    keep_documents(session, documents())
    written.write()
    if restored:
        record(session, actor, "alerts.undo", "undo", alerts=len(restored), ids=restored[:_NAMED])
    return UndoneChanges(len(restored), changed_since)


def _changes(document: Mapping[str, Any], status: str | None, change: WorkflowChange) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a document that a change gives another value, with it."""
    reason = change.reason if status == "closed" else None
    same = document.get(STATUS) == status and (not change.reason or document.get(REASON) == change.reason)
    if status is not None and not same:
        if document.get(STATUS) != status:
            yield STATUS, status
        if document.get(REASON) != (after := reason or (document.get(REASON) if status == "closed" else None)):
            yield REASON, after
    for name, names_change in ((TAGS, change.tags), (ASSIGNEES, change.assignees)):
        before = document.get(name) or []
        if names_change and (names := names_change.applied(before)) != before:
            yield name, names


def _set(
    written: HistoryEntries, alert: StoredAlert, document: dict[str, Any], values: Mapping[str, Any], now: str
) -> None:
    """Give fields of a document other values, and note each in the history."""
    for name, value in values.items():
        written.note(alert.id, _HISTORY_NAMES[name], document.get(name), value)
        if value is None:
            document.pop(name, None)
        else:
            document[name] = value
    if STATUS in values or REASON in values:
        document[_UPDATED] = now
    alert.status = document.get(STATUS, alert.status)


def _record(
    session: Session, actor: Actor, changed: Sequence[ChangedAlert], status: str | None, change: WorkflowChange
) -> None:
    """Note a change in the audit log: an entry for each thing that became of alerts."""

    def note(action: str, target: str, alerts: Iterable[ChangedAlert], **detail: Any) -> None:
        ids = [alert.id for alert in alerts]
        if ids:
            record(session, actor, action, target, alerts=len(ids), ids=ids[:_NAMED], **detail)

    if status is not None:
        of_status = (alert for alert in changed if STATUS in alert.after or REASON in alert.after)
        note("alerts.status", status, of_status, reason=change.reason)
    for name, names_change in ((TAGS, change.tags), (ASSIGNEES, change.assignees)):
        shown = _HISTORY_NAMES[name]
        detail: dict[str, Any] = {"added": list(names_change.add), "removed": list(names_change.remove)}
        if names_change.remove_others:
            detail["removed_others"] = True
        note(f"alerts.{shown}", shown, (alert for alert in changed if name in alert.after), **detail)
    noted = [alert for alert in changed if alert.note is not None]
    note("alerts.note", noted[0].id if len(noted) == 1 else "note", noted)
