"""What has been done waits here to be written down: many executions that found nothing share a transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from tocsin.detection.schedule import span
from tocsin.scheduler import execution_records as ledger
from tocsin.scheduler.execution_records import ExecutionResult, LostTickError
from tocsin.scheduler.rule_state import State
from tocsin.store.clock import ArrivalClock
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

log = logging.getLogger(__name__)
_BATCH = 200  # executions without alerts that share a transaction


@dataclass
class ExecutionLog:
    """Writes to records what ticks have come to. `started` is when the watch began.

    `raised` is told of alerts when they are written, `lost` of a rule that somebody else has run or changed.
    """

    records: Records
    clock: ArrivalClock
    started: int
    raised: Callable[[Sequence[StoredAlert]], None]
    lost: Callable[[State], None]
    _waiting: list[tuple[ExecutionResult, int, State]] = field(default_factory=list)

    def note(self, state: State, done: ExecutionResult, previous: int) -> bool:
        """Write down what was done, at once where there are alerts; tell whether the rule goes on."""
        self._waiting.append((done, previous, state))
        if done.alerts or done.grown or len(self._waiting) >= _BATCH:
            return self.write(state)
        return True

    def write(self, asking: State | None = None) -> bool:
        """Write down what waits; tell whether the rule that asks may go on."""
        waiting, self._waiting = self._waiting, []
        raised: list[StoredAlert] = []
        lost: list[State] = []
        with self.records.transaction() as session:
            for done, previous, state in waiting:
                if state in lost:
                    continue
                try:
                    state.last = ledger.write(session, done, previous, state.last)
                except LostTickError:
                    log.warning("%s was run by another service, or changed", state.entry.name)
                    lost.append(state)
                    continue
                self._note_gap(session, state, done)
                raised += done.alerts
        for state in lost:
            self.lost(state)
        if raised:
            self.raised(raised)
        return asking not in lost

    def _note_gap(self, session: Session, state: State, done: ExecutionResult) -> None:
        interval = state.schedule.interval
        if done.failure:
            ledger.note_gap(session, done.rule, done.first_tick, done.last_tick, "failed", interval)
            return
        # Missed is what was not run before the next tick was due.
        missed = min(done.last_tick, (done.last_tick + done.late) // interval * interval - interval)
        if missed >= done.first_tick:
            cause = self._cause(missed)
            new = ledger.note_gap(session, done.rule, done.first_tick, missed, cause, interval, filled_by="tocsin")
            if new:
                log.warning("%s runs %s late: %s", state.entry.name, span(done.late), cause)

    def _cause(self, missed: int) -> str:
        """Return why ticks up to one were not run before the next was due."""
        before, after = self.clock.stepped
        if before <= missed < after:
            return "clock set forward"
        return "service down" if missed <= self.started else "overload"
