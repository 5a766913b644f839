"""The workflow of alerts: their status, tags, assignees and notes, with the history of who changed what."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.investigation.guides.guide import note_of, read_guide
from tocsin.management.alert_changes import HistoryEntries, NamesChange, WorkflowChange, change_alerts
from tocsin.moments import iso
from tocsin.store.records.access import Actor, Scope, as_actor, record
from tocsin.store.records.alerts import find_alert, keep_document
from tocsin.store.records.models import AlertChange, StoredAlert, User

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
    return len(change_alerts(session, actor, ids, WorkflowChange(status, reason)).alerts)


def set_tags(
    session: Session, actor: Actor, ids: Collection[str], add: Sequence[str], remove: Sequence[str]
) -> int:
    """Add tags to alerts and remove others; return how many are changed."""
    return len(change_alerts(session, actor, ids, WorkflowChange(tags=NamesChange(add, remove))).alerts)


def set_assignees(
    session: Session, actor: Actor, ids: Collection[str], add: Sequence[str], remove: Sequence[str]
) -> int:
    """Add assignees to alerts and remove others; return how many are changed."""
    return len(change_alerts(session, actor, ids, WorkflowChange(assignees=NamesChange(add, remove))).alerts)


def assignable_users(session: Session) -> list[str]:
    """Return the names of the users whom alerts can be assigned to: those who may respond to them."""
    users = session.scalars(select(User).where(User.enabled).order_by(User.name))
    return [user.name for user in users if as_actor(user, "").may(Scope.RESPOND)]


def add_note(session: Session, actor: Actor, id_: str, text: str) -> None:
    """Add a note to an alert. Raises InvalidError, and NotFoundError."""
    if not text.strip():
        raise InvalidError("[note] is empty")
    if change_alerts(session, actor, [id_], WorkflowChange(note=text)).unknown:
        raise NotFoundError(f"there is no alert {id_}")


def set_step(session: Session, actor: Actor, id_: str, number: int, *, done: bool) -> dict[str, Any] | None:
    """Tick a step of an alert's guide, by its number, or say that it is not done.

    Return the step as the alert's document has it: its number, its text, who did it, and when; None where it is
    not done. Raises NotFoundError. Whoever ticked it first stays.
    """
    alert = find_alert(session, id_)
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
    written = HistoryEntries(session, actor)
    written.note(id_, "step", None if done else step.text, step.text if done else None)
    written.write()
    keep_document(session, alert, document)
    record(session, actor, "alerts.step", id_, step=number, done=done)
    return steps.get(number)


@dataclass(frozen=True, slots=True)
class AlertHistoryEntry:
    """A change of one field of an alert: when, by whom, and the value before and after."""

    time: datetime
    actor: str
    field: str
    old: Any
    new: Any


def history(session: Session, id_: str) -> list[AlertHistoryEntry]:
    """Return the changes of an alert, the oldest first."""
    changes = session.scalars(select(AlertChange).where(AlertChange.alert_id == id_).order_by(AlertChange.id))
    return [
        AlertHistoryEntry(change.time, change.actor, change.field, change.old[0], change.new[0])
        for change in changes
    ]
