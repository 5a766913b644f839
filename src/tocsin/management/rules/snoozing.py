"""Snoozed rules: their actions are held back for a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.store.records.access import Actor, record
from tocsin.store.records.models import StoredRule

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


def read_until(given: Any) -> datetime:
    """Return the moment until which actions are held back; without a zone it is UTC. Raises InvalidError."""
    try:
        until = datetime.fromisoformat(str(given))
    except ValueError:
        raise InvalidError("[until] is a moment, as in 2027-01-01T00:00:00Z") from None
    return until if until.tzinfo else until.replace(tzinfo=UTC)


def snooze_rule(session: Session, actor: Actor, rule: StoredRule, until: datetime | None) -> None:
    """Hold a rule's actions back until a moment; None ends it."""
    rule.muted_until = until
    record(session, actor, "rule.snoozed", rule.rule_id, until=str(until))
