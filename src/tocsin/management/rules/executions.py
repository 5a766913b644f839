"""The executions of rules, and the gaps between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.moments import SECOND
from tocsin.store.records.database import chunks
from tocsin.store.records.models import Execution, Gap, StoredRule


class LastExecution(NamedTuple):
    """The last execution of a rule, and how many seconds late it was; 0 if there was no gap."""

    execution: Execution
    gap: int


def last_executions(session: Session, ids: Iterable[str]) -> dict[str, LastExecution]:
    """Return the last execution of each rule that has had one, by the rules' ids."""
    last: dict[str, LastExecution] = {}
    for chunk in chunks(ids):
        newest = select(func.max(Execution.id)).where(Execution.rule_uuid.in_(chunk)).group_by(Execution.rule_uuid)
        rows = {row.rule_uuid: row for row in session.scalars(select(Execution).where(Execution.id.in_(newest)))}
        within = Execution.last_tick.between(Gap.first_tick, Gap.last_tick)
        joined = select(Gap.rule_uuid).join(Execution, (Execution.rule_uuid == Gap.rule_uuid) & within)
        late = set(session.scalars(joined.where(Execution.id.in_(newest))))
        last.update(
            (uuid, LastExecution(row, row.late // SECOND if uuid in late else 0)) for uuid, row in rows.items()
        )
    return last


@dataclass(frozen=True)
class ExecutionHistory:
    """Executions and gaps, the newest first."""

    executions: list[Execution]
    gaps: list[Gap]


def execution_history(
    session: Session, rule: StoredRule | None = None, *, size: int, filled: bool = True
) -> ExecutionHistory:
    """Return the newest executions and gaps of a rule, or of all, at most `size` of each.

    Filled gaps are left out unless `filled`.
    """
    executions = select(Execution).order_by(Execution.id.desc()).limit(size)
    gaps = select(Gap).order_by(Gap.id.desc()).limit(size)
    if rule is not None:
        executions, gaps = executions.where(Execution.rule_uuid == rule.id), gaps.where(Gap.rule_uuid == rule.id)
    if not filled:
        gaps = gaps.where(Gap.filled.is_(None))
    return ExecutionHistory(list(session.scalars(executions)), list(session.scalars(gaps)))
