"""What people have done with alerts since a moment: who closed how many, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import String, case, cast, func, select
from sqlalchemy.orm import Session

from tocsin.management.alert_changes import STATUSES
from tocsin.management.alert_workflows import alert_workflows
from tocsin.moments import to_datetime
from tocsin.store.records.models import AlertChange, StoredAlert

_LAST = 10  # alerts closed last that are listed


@dataclass
class ActorActivity:
    """What somebody has done: how many alerts went to each status, and how many other changes they made."""

    actor: str
    statuses: dict[str, int] = field(default_factory=dict)
    others: int = 0
    last: datetime | None = None


@dataclass(frozen=True)
class ClosedAlert:
    """An alert that was closed: of which rule, by whom, when, and for what reason, if one was given."""

    id: str
    rule_uuid: str
    severity: str
    actor: str
    time: datetime
    reason: str | None


def activity_since(session: Session, since: datetime, until: datetime) -> list[ActorActivity]:
    """Return what each person did with alerts between two moments, those who did most first.

    What they took back counts as not done.
    """
    people: dict[str, ActorActivity] = {}
    between = (AlertChange.time >= since, AlertChange.time < until)
    # To take a change back writes its value where the change had the one before.
    value = case((AlertChange.undoes, cast(AlertChange.old, String)), else_=cast(AlertChange.new, String))
    number, last = func.sum(case((AlertChange.undoes, -1), else_=1)), func.max(AlertChange.time)
    statuses = select(AlertChange.actor, value, number, last).where(AlertChange.field == "status", *between)
    names = {f'["{status}"]': status for status in STATUSES}
    for actor, text, count, moment in session.execute(statuses.group_by(AlertChange.actor, value)):
        activity = people.setdefault(actor, ActorActivity(actor))
        status = names.get(text.replace(" ", ""))
        if status is not None and count > 0:
            activity.statuses[status] = activity.statuses.get(status, 0) + count
        activity.last = max(moment, activity.last or moment)
    others = select(AlertChange.actor, number, last).where(
        AlertChange.field.not_in(("status", "reason")), *between
    )
    for actor, count, moment in session.execute(others.group_by(AlertChange.actor)):
        activity = people.setdefault(actor, ActorActivity(actor))
        activity.others, activity.last = max(0, count), max(moment, activity.last or moment)
    return sorted(people.values(), key=lambda activity: (-sum(activity.statuses.values()), activity.actor))


def closed_since(session: Session, since: datetime, until: datetime) -> Sequence[ClosedAlert]:
    """Return the alerts that were closed last between two moments and still are, the newest first."""
    query = (
        select(StoredAlert.id, StoredAlert.rule_uuid, StoredAlert.severity)
        .join(AlertChange, StoredAlert.id == AlertChange.alert_id)
        .where(AlertChange.field == "status", AlertChange.time >= since, AlertChange.time < until)
        .where(cast(AlertChange.new, String) == '["closed"]', AlertChange.undoes.is_(False))
        .where(StoredAlert.status == "closed")
        .group_by(StoredAlert.id, StoredAlert.rule_uuid, StoredAlert.severity)
        .order_by(func.max(AlertChange.id).desc())
        .limit(_LAST)
    )
    rows = session.execute(query).all()
    workflows = alert_workflows(session, [id_ for id_, *_ in rows])
    closed = [
        ClosedAlert(id_, uuid, severity, closing.actor, to_datetime(closing.time), closing.reason)
        for id_, uuid, severity in rows
        if (closing := workflows[id_].closing) is not None
    ]
    return sorted(closed, key=lambda alert: alert.time, reverse=True)
