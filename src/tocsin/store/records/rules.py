"""Rules in records: made, changed, enabled, removed; every change is in the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tocsin.errors import ConflictError, NotFoundError
from tocsin.moments import iso, to_nanoseconds
from tocsin.store.records.access import Actor, record
from tocsin.store.records.models import Execution, Gap, RuleVersion, Run, StoredRule
from tocsin.store.records.rule_versions import keep_version


def find_rule(session: Session, *, id_: str | None = None, rule_id: str | None = None) -> StoredRule:
    """Return the rule with an id of records, or a `rule_id`. Raises NotFoundError."""
    wanted = StoredRule.id == id_ if id_ is not None else StoredRule.rule_id == rule_id
    rule = session.scalar(select(StoredRule).where(wanted))
    if rule is None:
        name = f'id: "{id_}"' if id_ is not None else f'rule_id: "{rule_id}"'
        raise NotFoundError(f"{name} not found")
    return rule


def add_rule(
    session: Session, actor: Actor, document: Mapping[str, Any], *, enabled: bool, now: datetime | None = None
) -> StoredRule:
    """Keep a new rule. Raises ConflictError."""
    rule_id = str(document["rule_id"])
    if session.scalar(select(StoredRule.id).where(StoredRule.rule_id == rule_id)):
        raise ConflictError(f'rule_id: "{rule_id}" already exists')
    now = now or datetime.now(UTC)
    rule = StoredRule(
        id=str(uuid.uuid4()), rule_id=rule_id, name=str(document.get("name")), enabled=False,
        document=dict(document), revision=0, changed=1, created=now, created_by=actor.name,
        updated=now, updated_by=actor.name,
    )  # fmt: skip
    session.add(rule)
    session.flush()
    record(session, actor, "rule.created", rule_id, uuid=rule.id, name=rule.name)
    if enabled:
        set_enabled(session, actor, rule, True, now)
    return rule


def change_rule(
    session: Session, actor: Actor, rule: StoredRule, document: Mapping[str, Any], now: datetime | None = None
) -> None:
    """Give a rule another document. The one before stays as a version of the rule."""
    if dict(document) == rule.document:
        return
    changed = sorted(name for name in {*document, *rule.document} if document.get(name) != rule.document.get(name))
    now = now or datetime.now(UTC)
    keep_version(session, actor, rule, now)
    rule.document, rule.name = dict(document), str(document.get("name"))
    rule.revision += 1
    _touch(actor, rule, now)
    record(session, actor, "rule.changed", rule.rule_id, uuid=rule.id, fields=changed)


def set_enabled(
    session: Session, actor: Actor, rule: StoredRule, enabled: bool, now: datetime | None = None
) -> None:
    """Enable a rule from now on, or disable it. Ticks that were due while it was disabled become a gap."""
    if rule.enabled == enabled:
        return
    now = now or datetime.now(UTC)
    rule.enabled = enabled
    rule.watched_from = to_nanoseconds(now) if enabled else None
    _touch(actor, rule, now)
    record(session, actor, "rule.enabled" if enabled else "rule.disabled", rule.rule_id, uuid=rule.id)


def remove_rule(session: Session, actor: Actor, rule: StoredRule) -> None:
    """Remove a rule with its versions and what is known of its runs; its alerts stay."""
    for table in (Execution, Gap, Run, RuleVersion):
        session.execute(delete(table).where(table.rule_uuid == rule.id))
    session.delete(rule)
    record(session, actor, "rule.removed", rule.rule_id, uuid=rule.id, name=rule.name)


def ask_run(session: Session, actor: Actor, rule: StoredRule, kind: str, span: tuple[int, int]) -> Run:
    """Ask for a run of a rule over a span of time, in nanoseconds; the service does it at its next turn."""
    start, end = span
    asked = Run(rule_uuid=rule.id, kind=kind, start=start, end=end, asked=datetime.now(UTC), asked_by=actor.name)
    session.add(asked)
    session.flush()
    about = {"run": asked.id, "start": iso(start), "end": iso(end)}
    record(session, actor, "rule.run", rule.rule_id, uuid=rule.id, kind=kind, **about)
    return asked


def _touch(actor: Actor, rule: StoredRule, now: datetime | None) -> None:
    rule.changed += 1
    rule.updated, rule.updated_by = now or datetime.now(UTC), actor.name
