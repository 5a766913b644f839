"""Cases made, changed and removed. Who acts is an argument; each change is an entry of the case's activity log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from tocsin.response.cases.activity import NO_HASH, note
from tocsin.response.cases.case_alerts import AttachedAlerts, alert_ids, attach, detach, sync_alerts
from tocsin.response.cases.checklist import add_default_steps
from tocsin.response.cases.fields import ACTIVITY_TYPES, CLOSED, OPEN, OWNER, checked_fields
from tocsin.response.cases.locking import locked_case
from tocsin.store.records.access import Actor
from tocsin.store.records.alerts import find_alerts
from tocsin.store.records.cases import StoredCase
from tocsin.store.records.database import begin_to_write

_SEVERITY_ORDER = ("low", "medium", "high", "critical")


@dataclass(frozen=True)
class NewCase:
    """What a case begins with. Without a severity it has the highest of its alerts, `low` without any."""

    title: str
    description: str = ""
    severity: str | None = None
    tags: Sequence[str] = ()
    assignees: Sequence[str] = ()
    owner: str | None = None
    category: str | None = None
    sync_alerts: bool = True
    follow_up: datetime | None = None
    follow_up_note: str | None = None
    alerts: Sequence[str] = ()


@dataclass(frozen=True)
class MadeCase:
    """A new case, and what became of the alerts that it was to begin with."""

    case: StoredCase
    alerts: AttachedAlerts


def create_case(session: Session, actor: Actor, new: NewCase) -> StoredCase:
    """Make a case. Raises InvalidError, and NotFoundError where there is none of its alerts."""
    return make_case(session, actor, new).case


def make_case(session: Session, actor: Actor, new: NewCase) -> MadeCase:
    """Make a case, and say which of its alerts are not there. Raises as `create_case`."""
    begin_to_write(session)
    values = checked_fields({
        "title": new.title, "description": new.description, "tags": new.tags, "assignees": new.assignees,
        "owner": new.owner or actor.name[:160], "category": new.category, "sync_alerts": new.sync_alerts,
        "follow_up": new.follow_up, "follow_up_note": new.follow_up_note,
        "severity": new.severity or _severity_of(session, new.alerts),
    })  # fmt: skip
    now, name = datetime.now(UTC), actor.name[:160]
    case = StoredCase(
        id=str(uuid.uuid4()), status=OPEN, revision=0, activity_length=0, activity_hash=NO_HASH, created=now,
        created_by=name, updated=now, updated_by=name, **values,
    )  # fmt: skip
    session.add(case)
    session.flush()
    noted = {field: value for field, value in values.items() if field not in ("follow_up_note", "sync_alerts")}
    settings = {"syncAlerts": case.sync_alerts}
    payload = {**noted, "settings": settings, "owner": OWNER, "responsible": case.owner, "status": OPEN}
    note(session, actor, case, "create_case", "create", payload)
    attached = attach(session, actor, case, new.alerts) if new.alerts else AttachedAlerts((), ())
    add_default_steps(session, actor, case)
    session.flush()
    return MadeCase(case, attached)


def change_case(
    session: Session, actor: Actor, case_id: str, values: Mapping[str, Any], revision: int | None = None
) -> StoredCase:
    """Give fields of a case other values (those of `fields.FIELDS`); what is so already is left alone.

    With `sync_alerts` its alerts take the status of the case, and the reason it is closed for. Raises
    NotFoundError, ConflictError where the case has another revision, and InvalidError.
    """
    case, checked = locked_case(session, case_id, revision), checked_fields(values)
    if checked.get("status", case.status) != CLOSED:
        checked["close_reason"] = None
    changed = {name: value for name, value in checked.items() if getattr(case, name) != value}
    for name, value in changed.items():
        before = getattr(case, name)
        setattr(case, name, value)
        if name == "status":
            _set_closed(case, actor)
        if name != "close_reason":
            payload = {"syncAlerts": value} if name == "sync_alerts" else value
            more = {"reason": case.close_reason} if name == "status" and value == CLOSED else {}
            type_ = ACTIVITY_TYPES.get(name, name)
            note(session, actor, case, type_, "update", {type_: payload, "before": before, **more})
    if case.sync_alerts and ("status" in changed or changed.get("sync_alerts")):
        sync_alerts(session, actor, case)
    session.flush()
    return case


def remove_case(session: Session, actor: Actor, case_id: str) -> None:
    """Remove a case with all that it holds; its activity log stays, and its alerts are in it no more.

    Raises NotFoundError and InvalidError.
    """
    case = locked_case(session, case_id)
    detach(session, actor, case, alert_ids(session, case.id))
    note(session, actor, case, "delete_case", "delete", {"title": case.title, "number": case.number})
    session.flush()
    session.delete(case)
    session.flush()


def _set_closed(case: StoredCase, actor: Actor) -> None:
    is_closed = case.status == CLOSED
    case.closed, case.closed_by = (datetime.now(UTC), actor.name[:160]) if is_closed else (None, None)


def _severity_of(session: Session, ids: Sequence[str]) -> str:
    """Return the highest severity of alerts, the lowest where there are none."""
    held = {alert.severity for alert in find_alerts(session, list(dict.fromkeys(ids))[:1_000])}
    return max(held.intersection(_SEVERITY_ORDER), key=_SEVERITY_ORDER.index, default=_SEVERITY_ORDER[0])
