"""Where rules did not see everything since a moment: executions that failed, and gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.moments import datetime_nanoseconds
from tocsin.store.records.database import chunks
from tocsin.store.records.models import Execution, Gap, StoredAlert, StoredRule


@dataclass(frozen=True)
class FailedRule:
    """A rule whose executions failed: for how many ticks, the last of them, and what it said."""

    id: str
    name: str
    ticks: int
    last: int
    message: str
    works_again: bool


@dataclass(frozen=True)
class RuleGap:
    """A gap that was noticed, from its first to its last tick, why it is there, and whether it is filled."""

    rule_id: str
    name: str
    first: int
    last: int
    cause: str
    filled: bool


def failed_rules(session: Session, since: datetime) -> list[FailedRule]:
    """Return the rules that failed for a tick since a moment, those that failed last first."""
    failed = (Execution.status == "failed", Execution.last_tick >= datetime_nanoseconds(since))
    newest = (
        select(Execution.rule_uuid, func.max(Execution.id).label("id"), func.sum(Execution.ticks).label("ticks"))
        .where(*failed)
        .group_by(Execution.rule_uuid)
        .subquery()
    )
    query = (
        select(Execution, StoredRule.name, newest.c.ticks)
        .join(newest, newest.c.id == Execution.id)
        .join(StoredRule, StoredRule.id == Execution.rule_uuid)
        .order_by(Execution.last_tick.desc())
    )
    rows = session.execute(query).all()
    later: dict[str, int] = {}
    for ids in chunks([execution.rule_uuid for execution, *_ in rows]):
        of = select(Execution.rule_uuid, func.max(Execution.id)).where(Execution.rule_uuid.in_(ids))
        later |= {row[0]: row[1] for row in session.execute(of.group_by(Execution.rule_uuid))}
    return [
        FailedRule(
            execution.rule_uuid, name, ticks, execution.last_tick, "; ".join(execution.messages),
            works_again=later.get(execution.rule_uuid, 0) > execution.id,
        )
        for execution, name, ticks in rows
    ]  # fmt: skip


def new_gaps(session: Session, since: datetime) -> list[RuleGap]:
    """Return the gaps that were noticed since a moment, those that are not filled first, then the newest."""
    query = (
        select(Gap, StoredRule.name)
        .join(StoredRule, StoredRule.id == Gap.rule_uuid)
        .where(Gap.detected >= since)
        .order_by(Gap.filled.is_not(None), Gap.id.desc())
    )
    return [
        RuleGap(gap.rule_uuid, name, gap.first_tick, gap.last_tick, gap.cause, gap.filled is not None)
        for gap, name in session.execute(query)
    ]


def rules_with_earlier_alerts(session: Session, before: datetime) -> set[str]:
    """Return the ids of the rules that had raised an alert before a moment."""
    earlier = select(StoredAlert.rule_uuid).where(StoredAlert.created < datetime_nanoseconds(before))
    return set(session.scalars(earlier.distinct()))
