"""The audit log, as people read it: newest first, a page at a time, or all that a filter lets through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from tocsin.moments import iso
from tocsin.store.records.database import Records
from tocsin.store.records.models import AuditEntry

_AT_ONCE = 1_000  # entries of an export that one transaction reads
_LOOKED_AT = 20_000  # newest entries whose actions are offered


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are wanted.

    `actor` and `target` are parts of names, in any case; `action` is a whole action, or with a dot at its end all
    of a kind, as `user.`; `since` is within, `until` is not; `actor_id` is that of one actor.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    since: datetime | None = None
    until: datetime | None = None
    actor_id: str = ""

    def apply(self, query: Select[Any]) -> Select[Any]:
        """Return a query of entries that asks for those that fit."""
        for column, text in ((AuditEntry.actor, self.actor), (AuditEntry.target, self.target)):
            if text:
                query = query.where(func.lower(column).contains(text.lower(), autoescape=True))
        if self.action.endswith("."):
            query = query.where(AuditEntry.action.startswith(self.action, autoescape=True))
        elif self.action:
            query = query.where(AuditEntry.action == self.action)
        if self.actor_id:
            query = query.where(AuditEntry.actor_id == self.actor_id)
        if self.since is not None:
            query = query.where(AuditEntry.time >= self.since)
        if self.until is not None:
            query = query.where(AuditEntry.time < self.until)
        return query


def audit_entries(
    session: Session, wanted: AuditFilter, size: int, before: int | None = None
) -> Sequence[AuditEntry]:
    """Return the newest entries that a filter lets through, of those older than the one with the id `before`."""
    query = wanted.apply(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(size))
    return session.scalars(query if before is None else query.where(AuditEntry.id < before)).all()


def recent_actions(session: Session) -> list[str]:
    """Return the actions of the newest entries, by their names."""
    newest = select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(_LOOKED_AT).subquery()
    return sorted(session.scalars(select(newest.c.action).distinct()))


def audit_document(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as a document."""
    return {
        "@timestamp": iso(entry.time), "actor": entry.actor, "actor_id": entry.actor_id, "address": entry.address,
        "action": entry.action, "target": entry.target, "detail": entry.detail,
    }  # fmt: skip


def exported_entries(records: Records, wanted: AuditFilter) -> Iterator[list[dict[str, Any]]]:
    """Yield all entries that a filter lets through, the oldest first, some at a time."""
    last = 0
    while True:
        with records.transaction() as session:
            query = wanted.apply(select(AuditEntry).where(AuditEntry.id > last).order_by(AuditEntry.id))
            entries = session.scalars(query.limit(_AT_ONCE)).all()
            documents = [audit_document(entry) for entry in entries]
            last = entries[-1].id if entries else last
        if not documents:
            return
        yield documents
