"""Cases of records as Kibana's interface shows them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.api.kibana.cases.models import (
    Attachment,
    CaseAnswer,
    CaseSettings,
    CaseUser,
    ShownAssignee,
    ShownObservable,
    UserAction,
)
from tocsin.errors import ConflictError
from tocsin.investigation.observables import ADDRESS, DOMAIN, HASH, URL
from tocsin.moments import iso
from tocsin.response.cases.case_alerts import attachments, count_alerts
from tocsin.response.cases.comments import comments_of
from tocsin.response.cases.fields import OWNER
from tocsin.response.cases.observables import observables_of
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.cases import CaseActivity, CaseAlert, CaseComment, CaseObservable, StoredCase

_TYPES: Mapping[str, str] = {
    HASH: "observable-type-file-hash", DOMAIN: "observable-type-domain", URL: "observable-type-url",
}  # fmt: skip
# What Kibana has of the types of entries; others are tocsin's own and stay out of its interface.
USER_ACTION_TYPES = (
    "create_case", "delete_case", "title", "description", "severity", "status", "tags", "assignees", "category",
    "settings", "comment", "observables",
)  # fmt: skip


def written_version(revision: int) -> str:
    """Return a revision as Kibana writes versions."""
    return base64.b64encode(f"[{revision},1]".encode()).decode()


def read_version(version: str) -> int:
    """Return the revision that a version is of. Raises ConflictError for a version that was never given."""
    try:
        revision, _ = orjson.loads(base64.b64decode(version, validate=True))
        return int(revision)
    except (ValueError, TypeError, binascii.Error):
        raise ConflictError(f"the version `{version}` is none of the case's") from None


def user(name: str | None) -> CaseUser:
    """Return somebody by their name."""
    return CaseUser(username=name)


def case_answer(session: Session, case: StoredCase, *, with_comments: bool = False) -> CaseAnswer:
    """Return a case, with its comments and alerts where they are asked for."""
    comment_count = session.scalar(
        select(func.count()).select_from(CaseComment).where(CaseComment.case_id == case.id)
    )
    is_changed = case.updated > case.created
    return CaseAnswer(
        id=case.id,
        incremental_id=case.number,
        version=written_version(case.revision),
        title=case.title,
        description=case.description,
        status=case.status,  # type: ignore[arg-type]
        severity=case.severity,  # type: ignore[arg-type]
        owner=OWNER,
        tags=case.tags,
        category=case.category,
        assignees=[ShownAssignee(uid=name) for name in case.assignees],
        settings=CaseSettings(syncAlerts=case.sync_alerts),
        observables=[_observable(kept) for kept in observables_of(session, case.id)],
        duration=int((case.closed - case.created).total_seconds()) if case.closed else None,
        created_at=iso(case.created),
        created_by=user(case.created_by),
        updated_at=iso(case.updated) if is_changed else None,
        updated_by=user(case.updated_by) if is_changed else None,
        closed_at=iso(case.closed) if case.closed else None,
        closed_by=user(case.closed_by) if case.closed else None,
        totalComment=comment_count or 0,
        totalAlerts=count_alerts(session, [case.id]).get(case.id, 0),
        comments=all_attachments(session, case.id) if with_comments else [],
    )


def all_attachments(session: Session, case_id: str) -> list[Attachment]:
    """Return the comments and alerts of a case, the oldest first."""
    dated: list[tuple[datetime, Attachment]] = [
        *((kept.created, comment_attachment(kept)) for kept in comments_of(session, case_id)),
        *((kept.added, _alert_attachment(kept)) for kept in attachments(session, case_id)),
    ]
    return [attachment for _, attachment in sorted(dated, key=lambda pair: pair[0])]


def comment_attachment(comment: CaseComment) -> Attachment:
    """Return a comment of a user."""
    is_changed = comment.revision > 1
    return Attachment(
        id=comment.id,
        version=written_version(comment.revision),
        type="user",
        owner=OWNER,
        comment=comment.text,
        alertId=None,
        index=None,
        rule=None,
        created_at=iso(comment.created),
        created_by=user(comment.created_by),
        updated_at=iso(comment.updated) if is_changed else None,
        updated_by=user(comment.updated_by) if is_changed else None,
    )


def user_actions(entries: Sequence[CaseActivity]) -> list[UserAction]:
    """Return entries of an activity log, those of the kinds that Kibana has."""
    return [_user_action(entry) for entry in entries if entry.type in USER_ACTION_TYPES]


def _alert_attachment(alert: CaseAlert) -> Attachment:
    return Attachment(
        id=alert.id,
        version=written_version(1),
        type="alert",
        owner=OWNER,
        comment=None,
        alertId=[alert.alert_id],
        index=[ALERTS_INDEX],
        rule={"id": alert.rule_uuid, "name": alert.rule_name},
        created_at=iso(alert.added),
        created_by=user(alert.added_by),
        updated_at=None,
        updated_by=None,
    )


def _observable(kept: CaseObservable) -> ShownObservable:
    address = "observable-type-ipv4"
    if kept.type == ADDRESS and ip_address(kept.value).version == 6:
        address = "observable-type-ipv6"
    return ShownObservable(
        id=kept.id,
        typeKey=_TYPES.get(kept.type, address),
        value=kept.value,
        description=kept.description,
        createdAt=iso(kept.added),
    )


def _user_action(entry: CaseActivity) -> UserAction:
    payload: dict[str, Any] = orjson.loads(entry.payload)
    return UserAction(
        id=str(entry.id),
        version=written_version(entry.sequence),
        type=entry.type,
        action=entry.action,
        owner=OWNER,
        payload=_payload(entry.type, payload),
        comment_id=payload.get("id") if entry.type == "comment" else None,
        created_at=iso(entry.time),
        created_by=user(entry.actor),
    )


def _payload(type_: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry holds in Kibana's form."""
    if type_ == "comment" and "alerts" in payload:
        alerts = {"type": "alert", "alertId": payload["alerts"], "index": [ALERTS_INDEX], "owner": OWNER}
        return {"comment": alerts}
    if type_ == "comment":
        return {"comment": {"type": "user", "comment": payload.get("comment", ""), "owner": OWNER}}
    shown = {name: value for name, value in payload.items() if name not in ("before", "reason", "responsible")}
    if "assignees" in shown:
        shown["assignees"] = [{"uid": name} for name in shown["assignees"]]
    return shown
