"""What people have done with alerts since a moment: who closed how many, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from tocsin.management.alert_changes import STATUSES
from tocsin.store.records.models import AlertChange, StoredAlert

_LAST = 10  # alerts closed last that are listed
_REASON_OF = 3  # seconds between the change of a status and that of its reason, which are made together


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
    """Return what each person did with alerts between two moments, those who did most first."""
    people: dict[str, ActorActivity] = {}
    between = (AlertChange.time >= since, AlertChange.time < until)
    new = cast(AlertChange.new, String)
    statuses = select(AlertChange.actor, new, func.count(), func.max(AlertChange.time)).where(
        AlertChange.field == "status", *between
    )
    names = {f'["{status}"]': status for status in STATUSES}
    for actor, value, count, last in session.execute(statuses.group_by(AlertChange.actor, new)):
        activity = people.setdefault(actor, ActorActivity(actor))
        status = names.get(value.replace(" ", ""))
        if status is not None:
            activity.statuses[status] = activity.statuses.get(status, 0) + count
        activity.last = max(last, activity.last or last)
    others = select(AlertChange.actor, func.count(), func.max(AlertChange.time)).where(
        AlertChange.field.not_in(("status", "reason")), *between
    )
    for actor, count, last in session.execute(others.group_by(AlertChange.actor)):
        activity = people.setdefault(actor, ActorActivity(actor))
        activity.others, activity.last = count, max(last, activity.last or last)
    return sorted(people.values(), key=lambda activity: (-sum(activity.statuses.values()), activity.actor))


def closed_since(session: Session, since: datetime, until: datetime) -> Sequence[ClosedAlert]:
    """Return the alerts that were closed last between two moments, the newest first."""
    query = (
        select(AlertChange, StoredAlert.rule_uuid, StoredAlert.severity)
        .join(StoredAlert, StoredAlert.id == AlertChange.alert_id)
        .where(AlertChange.field == "status", AlertChange.time >= since, AlertChange.time < until)
        .where(cast(AlertChange.new, String) == '["closed"]')
        .order_by(AlertChange.id.desc())
        .limit(_LAST)
    )
    rows = session.execute(query).all()
    ids = [change.alert_id for change, *_ in rows]
    reasons: dict[str, list[AlertChange]] = {}
    of_reason = select(AlertChange).where(AlertChange.alert_id.in_(ids), AlertChange.field == "reason")
    for change in session.scalars(of_reason):
        reasons.setdefault(change.alert_id, []).append(change)

    def reason(closing: AlertChange) -> str | None:
        beside = [
            change.new[0]
            for change in reasons.get(closing.alert_id, ())
            if abs((change.time - closing.time).total_seconds()) < _REASON_OF
        ]
        return str(beside[-1]) if beside and beside[-1] is not None else None

    return [
        ClosedAlert(change.alert_id, uuid, severity, change.actor, change.time, reason(change))
        for change, uuid, severity in rows
    ]
