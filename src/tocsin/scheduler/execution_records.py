"""Executions in records: each tick of a rule, with its alerts and their messages, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.orm import Session

from tocsin.actions.outbox import queue_actions
from tocsin.detection.alerts.documents import describe_suppression
from tocsin.moments import to_datetime
from tocsin.scheduler.execution_result import ExecutionResult
from tocsin.store.records.alerts import find_alert, keep_document
from tocsin.store.records.models import Delivery, Execution, Gap, Run, StoredRule

# Tables rather than entities, and statements that are made once: every tick of every rule uses them.
_RULES: Any = StoredRule.__table__
_EXECUTIONS: Any = Execution.__table__
_MOVE_ON = (
    update(_RULES)
    .where(_RULES.c.id == bindparam("rule"), _RULES.c.done_to == bindparam("previous"))
    .values(done_to=bindparam("upto"))
)
_WIDEN = (
    update(_EXECUTIONS)
    .where(_EXECUTIONS.c.id == bindparam("execution"))
    .values(
        last_tick=bindparam("upto"),
        ticks=_EXECUTIONS.c.ticks + bindparam("more"),
        late=bindparam("late_by"),
        window_start=bindparam("start"),
        window_end=bindparam("end"),
        events=_EXECUTIONS.c.events + bindparam("seen"),
    )
)
_INSERT = insert(_EXECUTIONS)


class TickConflictError(Exception):
    """Records have another last tick for the rule: another service has run this tick, or the rule was changed."""


@dataclass
class WrittenExecution:
    """The last execution of a rule in records, to which the next ticks may be added."""

    id: int
    status: str
    messages: list[str]
    last_tick: int
    matches: int
    kind: str = "scheduled"


def write(
    session: Session, result: ExecutionResult, previous: int | None, last: WrittenExecution | None
) -> WrittenExecution:
    """Write an execution with its alerts. `previous` is the last tick before it; None for a run by hand.

    Raises TickConflictError when records have another last tick by now; nothing is written then.
    """
    if previous is not None:
        values = {"rule": result.rule, "previous": previous, "upto": result.last_tick}
        moved = session.connection().execute(_MOVE_ON, values)
        if moved.rowcount != 1:
            raise TickConflictError(result.rule)
    session.add_all(result.alerts)
    _update_groups(session, result)
    if result.alerts:
        rule = session.get(StoredRule, result.rule)
        if rule is not None:
            newest = max(alert.created for alert in result.alerts)  # by the clock of arrivals
            queue_actions(session, rule, result.alerts, to_datetime(newest))
    result.written = len(result.alerts)
    if _continues(result, last):
        assert last is not None
        session.connection().execute(
            _WIDEN,
            {
                "execution": last.id, "upto": result.last_tick, "more": result.ticks, "late_by": result.late,
                "start": result.window.start, "end": result.window.end, "seen": result.events,
            },
        )  # fmt: skip
        return WrittenExecution(last.id, last.status, last.messages, result.last_tick, 0, last.kind)
    columns = {
        "uuid": result.uuid, "rule_uuid": result.rule, "kind": result.kind, "status": result.status,
        "first_tick": result.first_tick, "last_tick": result.last_tick, "ticks": result.ticks,
        "started": result.started, "late": result.late,
        "window_start": result.window.start or 0, "window_end": result.window.end or 0, "events": result.events,
        "matches": result.matches, "written": result.written, "duplicates": result.duplicates,
        "suppressed": result.suppressed, "messages": result.all_messages,
        "durations": {name: round(seconds, 6) for name, seconds in result.durations.items()},
    }  # fmt: skip
    key = session.connection().execute(_INSERT, columns).inserted_primary_key
    assert key is not None
    return WrittenExecution(
        key[0], result.status, result.all_messages, result.last_tick, result.matches, result.kind
    )


def _update_groups(session: Session, result: ExecutionResult) -> None:
    """Update alerts with what was suppressed since they were written."""
    for group in result.updated_groups:
        alert = find_alert(session, group.id)
        if alert is None:
            continue
        document = orjson.loads(alert.document)
        describe_suppression(document, group.start, group.counted_to, group.added)
        alert.counted_to = group.counted_to
        keep_document(session, alert, document)


def _continues(result: ExecutionResult, last: WrittenExecution | None) -> bool:
    return (
        last is not None
        and result.kind == last.kind
        and not (result.matches or result.updated_groups)
        and not last.matches
        and (result.status, result.all_messages) == (last.status, last.messages)
    )


def delete_older(session: Session, before: int) -> int:
    """Delete executions, filled gaps, messages and runs by hand that ended before a moment, in nanoseconds.

    Alerts stay, and so do gaps that are not filled. Return how many records were deleted.
    """
    moment = to_datetime(before)
    statements = (
        # An execution that covers many ticks goes by the last of them: the one to which more are added stays.
        delete(Execution).where(Execution.last_tick < before),
        delete(Gap).where(Gap.filled < moment),
        delete(Delivery).where(Delivery.done < moment),
        delete(Run).where(Run.done < moment),
    )
    deletions: list[Any] = [session.execute(statement) for statement in statements]
    return sum(deletion.rowcount for deletion in deletions)
