"""Executions wait here to be written: many without findings share a transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from tocsin.detection.schedule import span
from tocsin.scheduler import execution_records
from tocsin.scheduler.execution_records import TickConflictError
from tocsin.scheduler.execution_result import ExecutionResult
from tocsin.scheduler.gaps import record_gap
from tocsin.scheduler.rule_state import RuleState
from tocsin.store.clock import ArrivalClock
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

log = logging.getLogger(__name__)
_BATCH = 200  # executions without alerts that share a transaction


@dataclass
class ExecutionWriter:
    """Writes executions to records. `started` is when the scheduler began.

    It calls `on_alerts` when alerts are written, `on_conflict` for a rule that another service has run or changed.
    """

    records: Records
    clock: ArrivalClock
    started: int
    on_alerts: Callable[[Sequence[StoredAlert]], None]
    on_conflict: Callable[[RuleState], None]
    _waiting: list[tuple[ExecutionResult, int, RuleState]] = field(default_factory=list)

    def add(self, state: RuleState, result: ExecutionResult, previous: int) -> bool:
        """Write an execution, at once where there are alerts; return whether the rule goes on."""
        self._waiting.append((result, previous, state))
        if result.alerts or result.updated_groups or len(self._waiting) >= _BATCH:
            return self.write(state)
        return True

    def write(self, caller: RuleState | None = None) -> bool:
        """Write the executions that wait; return whether the rule of `caller` may go on."""
        waiting, self._waiting = self._waiting, []
        alerts: list[StoredAlert] = []
        conflicts: list[RuleState] = []
        with self.records.transaction() as session:
            for result, previous, state in waiting:
                if state in conflicts:
                    continue
                try:
                    state.last = execution_records.write(session, result, previous, state.last)
                except TickConflictError:
                    log.warning("%s was run by another service, or changed", state.name)
                    conflicts.append(state)
                    continue
                self._record_gap(session, state, result)
                alerts += result.alerts
        for state in conflicts:
            self.on_conflict(state)
        if alerts:
            self.on_alerts(alerts)
        return caller not in conflicts

    def _record_gap(self, session: Session, state: RuleState, result: ExecutionResult) -> None:
        interval = state.schedule.interval
        if result.failure:
            record_gap(session, result.rule, result.first_tick, result.last_tick, "failed", interval)
            return
        # Missed is what was not run before the next tick was due.
        missed = min(result.last_tick, (result.last_tick + result.late) // interval * interval - interval)
        if missed >= result.first_tick:
            cause = self._cause(missed)
            new = record_gap(session, result.rule, result.first_tick, missed, cause, interval, filled_by="tocsin")
            if new:
                log.warning("%s runs %s late: %s", state.name, span(result.late), cause)

    def _cause(self, missed: int) -> str:
        """Return why ticks up to `missed` were not run before the next was due."""
        before, after = self.clock.stepped
        if before <= missed < after:
            return "clock set forward"
        return "service down" if missed <= self.started else "overload"
