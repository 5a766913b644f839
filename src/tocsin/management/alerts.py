"""The workflow of alerts: their status, tags, assignees and notes, with the history of who changed what."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.investigation.guide import note_of, read_guide
from tocsin.moments import iso
from tocsin.store.records.access import Actor, record
from tocsin.store.records.alerts import find_alerts, keep_document
from tocsin.store.records.models import AlertChange, StoredAlert

STATUSES = ("open", "acknowledged", "closed")
_NAMED = 1000  # alerts that an entry of the audit log names
# Kibana's reasons for closing; another text is taken too.
REASONS = ("false_positive", "duplicate", "true_positive", "benign_positive", "automated_closure", "other")
_STATUS, _REASON = "kibana.alert.workflow_status", "kibana.alert.workflow_reason"
_TAGS, _ASSIGNEES, _NOTES = (
    "kibana.alert.workflow_tags",
    "kibana.alert.workflow_assignee_ids",
    "tocsin.notes",
)
STEPS = "tocsin.guide_steps"


def newest_alerts(
    session: Session,
    size: int,
    status: str | None = None,
    rule: str | None = None,
    *,
    building_blocks: bool = False,
) -> list[dict[str, Any]]:
    """Return the documents of at most `size` alerts, the newest first.

    `status` and `rule` (a part of a rule's name) select alerts; building blocks are left out by default.
    """
    query = select(StoredAlert).order_by(StoredAlert.created.desc(), StoredAlert.time.desc(), StoredAlert.id)
    if status:
        query = query.where(StoredAlert.status == status)
    if not building_blocks:
        query = query.where(StoredAlert.building_block.is_(False))
    documents: list[dict[str, Any]] = []
    for alert in session.scalars(query):
        document: dict[str, Any] = orjson.loads(alert.document)
        if rule is None or rule.lower() in str(document["kibana.alert.rule.name"]).lower():
            documents.append(document)
        if len(documents) >= size:
            break
    return documents


def set_status(
    session: Session, actor: Actor, ids: Collection[str], status: str, reason: str | None = None
) -> int:
    """Open, acknowledge or close alerts; return how many are changed. Raises InvalidError."""
    if status == "in-progress":  # the word of older clients
        status = "acknowledged"
    if status not in STATUSES:
        raise InvalidError(f"[status] is one of {', '.join(STATUSES)}, not `{status}`")
    changed: list[str] = []
    for alert in find_alerts(session, ids):
        document = orjson.loads(alert.document)
        new = {_STATUS: status}
        if status == "closed" and reason:
            new[_REASON] = reason
        before = {name: document.get(name) for name in (_STATUS, _REASON)}
        if before[_STATUS] == status and (not reason or before[_REASON] == reason):
            continue
        if status != "closed":
            document.pop(_REASON, None)
        document.update(new)
        document["kibana.alert.workflow_status_updated_at"] = iso(time.time_ns())
        alert.status = status
        _change(session, actor, alert, "status", before[_STATUS], status)
        if before[_REASON] != document.get(_REASON):
            _change(session, actor, alert, "reason", before[_REASON], document.get(_REASON))
        keep_document(session, alert, document)
        changed.append(alert.id)
    if changed:
        record(session, actor, "alerts.status", status, alerts=len(changed), reason=reason, ids=changed[:_NAMED])
    return len(changed)


def set_tags(
    session: Session, actor: Actor, ids: Collection[str], add: Sequence[str], remove: Sequence[str]
) -> int:
    """Add tags to alerts and remove others; return how many are changed."""
    return _set_names(session, actor, ids, _TAGS, "tags", add, remove)


def set_assignees(
    session: Session, actor: Actor, ids: Collection[str], add: Sequence[str], remove: Sequence[str]
) -> int:
    """Add assignees to alerts and remove others; return how many are changed."""
    return _set_names(session, actor, ids, _ASSIGNEES, "assignees", add, remove)


def add_note(session: Session, actor: Actor, id_: str, text: str) -> None:
    """Add a note to an alert. Raises InvalidError, and NotFoundError."""
    if not text.strip():
        raise InvalidError("[note] is empty")
    alert = session.get(StoredAlert, id_)
    if alert is None:
        raise NotFoundError(f"there is no alert {id_}")
    document = orjson.loads(alert.document)
    note = {"text": text, "created_by": actor.name, "created_at": iso(time.time_ns())}
    document[_NOTES] = [*document.get(_NOTES, []), note]
    _change(session, actor, alert, "note", None, text)
    keep_document(session, alert, document)
    record(session, actor, "alerts.note", id_)


def set_step(session: Session, actor: Actor, id_: str, number: int, *, done: bool) -> dict[str, Any] | None:
    """Tick a step of an alert's guide, by its number, or say that it is not done.

    Return the step as the alert's document has it: its number, its text, who did it, and when; None where it is
    not done. Raises NotFoundError. Whoever ticked it first stays.
    """
    alert = session.get(StoredAlert, id_)
    if alert is None:
        raise NotFoundError(f"there is no alert {id_}")
    document = orjson.loads(alert.document)
    step = next((step for step in read_guide(note_of(document), {}).steps if step.number == number), None)
    if step is None:
        raise NotFoundError(f"the guide of this alert has no step {number}")
    steps: dict[int, dict[str, Any]] = {int(kept["number"]): kept for kept in document.get(STEPS, [])}
    before = steps.pop(number, None)
    if (before is not None) == done:
        return before
    if done:
        made = {"number": number, "text": step.text, "done_by": actor.name, "done_at": iso(time.time_ns())}
        steps[number] = made
    document[STEPS] = [steps[place] for place in sorted(steps)]
    _change(session, actor, alert, "step", None if done else step.text, step.text if done else None)
    keep_document(session, alert, document)
    record(session, actor, "alerts.step", id_, step=number, done=done)
    return steps.get(number)


def history(session: Session, id_: str) -> list[dict[str, Any]]:
    """Return the changes of an alert, the oldest first."""
    changes = session.scalars(select(AlertChange).where(AlertChange.alert_id == id_).order_by(AlertChange.id))
    return [
        {
            "time": change.time, "actor": change.actor, "field": change.field, "old": change.old[0],
            "new": change.new[0],
        }
        for change in changes
    ]  # fmt: skip


def _set_names(
    session: Session,
    actor: Actor,
    ids: Collection[str],
    field: str,
    shown: str,
    add: Sequence[str],
    remove: Sequence[str],
) -> int:
    changed: list[str] = []
    for alert in find_alerts(session, ids):
        document = orjson.loads(alert.document)
        before = document.get(field, [])
        after = [name for name in dict.fromkeys((*before, *add)) if name not in remove]
        if after != before:
            document[field] = after
            _change(session, actor, alert, shown, before, after)
            keep_document(session, alert, document)
            changed.append(alert.id)
    if changed:
        names = {"added": list(add), "removed": list(remove)}
        record(session, actor, f"alerts.{shown}", shown, alerts=len(changed), ids=changed[:_NAMED], **names)
    return len(changed)


def _change(session: Session, actor: Actor, alert: StoredAlert, field: str, old: Any, new: Any) -> None:
    session.add(
        AlertChange(alert_id=alert.id, time=datetime.now(UTC), actor=actor.name, field=field, old=[old], new=[new])
    )
