"""The tables of cases: what is done about alerts, with what was seen and who did it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.store.records.models import Base, Signed


def _of_case() -> Any:
    return mapped_column(String(36), ForeignKey("cases.id", ondelete="CASCADE"))


class StoredCase(Signed, Base):
    """A case. `revision` grows with every change of it or of what belongs to it.

    `owner` is the person who answers for it. `merged_into` is the case that took over what this one had.
    `activity_length` is the number of entries of its activity log, `activity_hash` the hash of the last one.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index("cases_status", "status", "updated"),
        Index("cases_follow_up", "follow_up"),
        {"sqlite_autoincrement": True},  # a number is given once, also when its case is removed
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    title: Mapped[str] = mapped_column(String(160))
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str | None] = mapped_column(String(160))
    category: Mapped[str | None] = mapped_column(String(50))
    tags: Mapped[list[str]]
    assignees: Mapped[list[str]]
    sync_alerts: Mapped[bool] = mapped_column(Boolean)
    follow_up: Mapped[datetime | None]
    follow_up_note: Mapped[str | None] = mapped_column(String(500))
    closed: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(160))
    close_reason: Mapped[str | None] = mapped_column(String(255))
    merged_into: Mapped[str | None] = mapped_column(String(36))
    revision: Mapped[int]
    activity_length: Mapped[int]
    activity_hash: Mapped[str] = mapped_column(String(64))


class CaseAlert(Base):
    """An alert that belongs to a case; it may belong to several."""

    __tablename__ = "case_alerts"
    __table_args__ = (Index("case_alerts_alert", "alert_id"),)

    case_id: Mapped[str] = mapped_column(String(36), ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)  # by which Kibana's interface calls the attachment
    rule_uuid: Mapped[str] = mapped_column(String(36))
    rule_name: Mapped[str] = mapped_column(Text)
    added: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(160))


class CaseTask(Base):
    """Something to do: a step of the checklist (`kind` is step), or what somebody has added (task).

    `depth` is that of the step in the list that it comes from, `rule_name` the rule whose guide has it.
    """

    __tablename__ = "case_tasks"
    __table_args__ = (Index("case_tasks_case", "case_id", "position"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_id: Mapped[str] = _of_case()
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    depth: Mapped[int]
    rule_name: Mapped[str | None] = mapped_column(Text)
    assignee: Mapped[str | None] = mapped_column(String(160))
    due: Mapped[datetime | None]
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(160))
    done: Mapped[datetime | None]
    done_by: Mapped[str | None] = mapped_column(String(160))


class CaseComment(Signed, Base):
    """What somebody says of a case; `mentions` are the names of users whom it calls."""

    __tablename__ = "case_comments"
    __table_args__ = (Index("case_comments_case", "case_id", "created"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_id: Mapped[str] = _of_case()
    text: Mapped[str] = mapped_column(Text)
    mentions: Mapped[list[str]]
    author_id: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int]


class CaseEvidence(Base):
    """What was seen: a copy of it, and the SHA-256 of the copy's bytes."""

    __tablename__ = "case_evidence"
    __table_args__ = (Index("case_evidence_case", "case_id", "added"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_id: Mapped[str] = _of_case()
    kind: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    added: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(160))


class CaseObservable(Base):
    """A value that a case is about: of one of its alerts, or added by somebody. `type` is that of observables."""

    __tablename__ = "case_observables"
    __table_args__ = (Index("case_observables_case", "case_id"), Index("case_observables_key", "key"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_id: Mapped[str] = _of_case()
    type: Mapped[str] = mapped_column(String(32))
    value: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(String(64))  # SHA-256 of the type and of the value in small letters
    description: Mapped[str | None] = mapped_column(String(500))
    added: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(160))


class CaseLink(Base):
    """Two cases that belong together; `case_id` is the smaller of their ids."""

    __tablename__ = "case_links"
    __table_args__ = (Index("case_links_other", "other_id"),)

    case_id: Mapped[str] = mapped_column(String(36), ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    other_id: Mapped[str] = mapped_column(String(36), ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    added: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(160))


class CaseActivity(Base):
    """One thing that was done in a case. Entries are added, and the database refuses to change or remove them.

    `type` and `action` are those of Kibana's user actions, where it has such. `hash` is the SHA-256 of the entry
    and of the hash of the one before it. An entry stays when its case is removed.
    """

    __tablename__ = "case_activity"
    __table_args__ = (Index("case_activity_case", "case_id", "sequence", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    case_id: Mapped[str] = mapped_column(String(36))
    sequence: Mapped[int]
    time: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    actor_id: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(16))
    payload: Mapped[str] = mapped_column(Text)  # JSON, as it was hashed
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
