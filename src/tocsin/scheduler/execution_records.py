"""Executions in records, with their alerts, executions and gaps; each tick of a rule in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from tocsin.actions.outbox import queue_actions
from tocsin.detection.alerts.alert import Alert
from tocsin.detection.alerts.documents import describe_suppression
from tocsin.detection.alerts.suppression import Group
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.schedule import Window
from tocsin.scheduler.buffer.event_counts import EventCounts, fitting_none
from tocsin.store.events import SetAside
from tocsin.store.patterns import takes
from tocsin.store.records.alerts import keep_document
from tocsin.store.records.database import chunks
from tocsin.store.records.models import Delivery, Execution, Gap, Run, StoredAlert, StoredRule

# Tables rather than entities, put together once: every tick of every rule writes these.
_RULES: Any = StoredRule.__table__
_EXECUTIONS: Any = Execution.__table__
_MOVE = (
    update(_RULES)
    .where(_RULES.c.id == bindparam("rule"), _RULES.c.done_to == bindparam("previous"))
    .values(done_to=bindparam("upto"))
)
_GO_ON = (
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
_BEGIN = insert(_EXECUTIONS)
_GAPS: Any = Gap.__table__
_LAST_GAP = (
    select(_GAPS.c.id, _GAPS.c.last_tick, _GAPS.c.filled_by)
    .where(_GAPS.c.rule_uuid == bindparam("rule"), _GAPS.c.cause == bindparam("why"))
    .order_by(_GAPS.c.id.desc())
    .limit(1)
)
_WIDEN = update(_GAPS).where(_GAPS.c.id == bindparam("gap")).values(last_tick=bindparam("upto"))
_GAP = insert(_GAPS)


@dataclass
class ExecutionResult:
    """What came of one tick of a rule, or of several in a row that found nothing."""

    rule: str  # its uuid
    first_tick: int
    last_tick: int
    ticks: int
    window: Window
    kind: str = "scheduled"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    late: int = 0
    events: int = 0
    matches: int = 0
    duplicates: int = 0
    suppressed: int = 0
    durations: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)  # what is shown and is no reason to warn
    failure: str | None = None
    alerts: list[StoredAlert] = field(default_factory=list)
    new_alerts: list[Alert] = field(default_factory=list)  # of which these are made
    written: int = 0
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    updated_groups: list[Group] = field(default_factory=list)  # groups whose alerts stand for more than before

    @property
    def status(self) -> str:
        """How it went."""
        return "failed" if self.failure else "warning" if self.messages else "succeeded"

    @property
    def all_messages(self) -> list[str]:
        """Its failure, its warnings and its notices."""
        return [*([self.failure] if self.failure else []), *self.messages, *self.notices]


def add_messages(
    result: ExecutionResult,
    rule: CompiledRule,
    window: Window,
    event_counts: EventCounts,
    names: Iterable[str],
    set_aside: Iterable[SetAside] = (),
) -> None:
    """Add to an execution how many events there were, what of them is set aside, and patterns that fit no index.

    As Kibana has it, that is a warning where no pattern of the rule fits one, so that it can see no event; most
    rules name the indices of several products, of which few are there.
    """
    patterns = rule.index
    result.events = event_counts.count(patterns, window, by_arrival=rule.by_arrival)
    for item in set_aside:
        if item.index is not None and takes(patterns, item.index):
            result.messages.append(f"{item.name} is set aside, and the events in it are not seen: {item.reason}")
    missing = fitting_none(patterns, tuple(names))
    if missing and len(missing) == sum(not pattern.startswith("-") for pattern in patterns):
        result.messages.insert(
            0, f"no index fits any pattern of the rule, so that it sees no event: {_list(missing)}"
        )
    elif missing:
        result.notices.append(f"no index fits the pattern {_list(missing)}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


class TickConflictError(Exception):
    """The rule stands elsewhere: another service has run this tick, or the rule was changed."""


@dataclass
class WrittenExecution:
    """The last execution of a rule, to which what comes next may be added."""

    id: int
    status: str
    messages: list[str]
    last_tick: int
    matches: int
    kind: str = "scheduled"


def known_alerts(session: Session, ids: Collection[str]) -> set[str]:
    """Return those of some alert ids that there are."""
    found: set[str] = set()
    for some in chunks(ids):
        found.update(session.scalars(select(StoredAlert.id).where(StoredAlert.id.in_(some))))
    return found


def write(
    session: Session, result: ExecutionResult, previous: int | None, last: WrittenExecution | None
) -> WrittenExecution:
    """Write an execution with its alerts. `previous` is where the rule stood; None for a run by hand.

    Raises TickConflictError when the rule stands elsewhere by now, and nothing is written then.
    """
    if previous is not None:
        asked = {"rule": result.rule, "previous": previous, "upto": result.last_tick}
        moved = session.connection().execute(_MOVE, asked)
        if moved.rowcount != 1:
            raise TickConflictError(result.rule)
    session.add_all(result.alerts)
    _update_groups(session, result)
    if result.alerts:
        rule = session.get(StoredRule, result.rule)
        if rule is not None:
            newest = max(alert.created for alert in result.alerts)  # by the clock of arrivals
            queue_actions(session, rule, result.alerts, datetime.fromtimestamp(newest // 1000 / 1e6, UTC))
    result.written = len(result.alerts)
    if _continues(result, last):
        assert last is not None
        session.connection().execute(
            _GO_ON,
            {
                "execution": last.id, "upto": result.last_tick, "more": result.ticks, "late_by": result.late,
                "start": result.window.start, "end": result.window.end, "seen": result.events,
            },
        )  # fmt: skip
        return WrittenExecution(last.id, last.status, last.messages, result.last_tick, 0, last.kind)
    values = {
        "uuid": result.uuid, "rule_uuid": result.rule, "kind": result.kind, "status": result.status,
        "first_tick": result.first_tick, "last_tick": result.last_tick, "ticks": result.ticks,
        "started": result.started, "late": result.late,
        "window_start": result.window.start or 0, "window_end": result.window.end or 0, "events": result.events,
        "matches": result.matches, "written": result.written, "duplicates": result.duplicates,
        "suppressed": result.suppressed, "messages": result.all_messages,
        "durations": {name: round(seconds, 6) for name, seconds in result.durations.items()},
    }  # fmt: skip
    made = session.connection().execute(_BEGIN, values).inserted_primary_key
    assert made is not None
    return WrittenExecution(
        made[0], result.status, result.all_messages, result.last_tick, result.matches, result.kind
    )


def _update_groups(session: Session, result: ExecutionResult) -> None:
    """Update alerts with what they have suppressed since."""
    for group in result.updated_groups:
        alert = session.get(StoredAlert, group.id)
        if alert is None:
            continue
        document = orjson.loads(alert.document)
        describe_suppression(document, group.start, group.counted_to, group.added)
        alert.counted_to = group.counted_to
        keep_document(session, alert, document)


def last_of_groups(session: Session, rule: str, keys: Iterable[str]) -> dict[str, Group]:
    """Return the last alert of each of some groups that has one."""
    found: dict[str, Group] = {}
    for some in chunks(keys):
        asked = select(StoredAlert).where(StoredAlert.rule_uuid == rule, StoredAlert.group_key.in_(some))
        for alert in session.scalars(asked.order_by(StoredAlert.time)):
            counted = alert.time if alert.counted_to is None else alert.counted_to
            found[str(alert.group_key)] = Group(alert.id, alert.time, counted, alert.status == "closed")
    return found


def _continues(result: ExecutionResult, last: WrittenExecution | None) -> bool:
    return (
        last is not None
        and result.kind == last.kind
        and not (result.matches or result.updated_groups)
        and not last.matches
        and (result.status, result.all_messages) == (last.status, last.messages)
    )


def record_gap(
    session: Session,
    rule: str,
    first: int,
    final: int,
    cause: str,
    interval: int,
    *,
    filled_by: str | None = None,
) -> bool:
    """Record ticks that were missed; `filled_by` says who has run them after all. Neighbours become one gap.

    Returns whether this is a new one.
    """
    now, connection = datetime.now(UTC), session.connection()
    before = connection.execute(_LAST_GAP, {"rule": rule, "why": cause}).first()
    if before is not None and before.last_tick + interval == first and before.filled_by == filled_by:
        connection.execute(_WIDEN, {"gap": before.id, "upto": final})
        return False
    values = {
        "rule_uuid": rule, "first_tick": first, "last_tick": final, "cause": cause, "found": now,
        "filled": now if filled_by else None, "filled_by": filled_by,
    }  # fmt: skip
    connection.execute(_GAP, values)
    return True


def fill_gaps(session: Session, rule: str, first: int, final: int, by: str) -> int:
    """Record that every tick from one to another has been run; return how many gaps that fills."""
    inside = (Gap.rule_uuid == rule, Gap.filled.is_(None), Gap.first_tick >= first, Gap.last_tick <= final)
    filled = session.execute(update(Gap).where(*inside).values(filled=datetime.now(UTC), filled_by=by))
    return int(filled.rowcount)  # type: ignore[attr-defined]


def delete_older(session: Session, before: int) -> int:
    """Delete what was done before a moment: executions, filled gaps, messages, runs that were asked for.

    Alerts stay, and so do gaps that nobody has filled. Return how many records have gone.
    """
    moment = datetime.fromtimestamp(before / 1e9, UTC)
    statements = (
        # An execution that covers many ticks goes by the last of them: the one to which more are added stays.
        delete(Execution).where(Execution.last_tick < before),
        delete(Gap).where(Gap.filled < moment),
        delete(Delivery).where(Delivery.done < moment),
        delete(Run).where(Run.done < moment),
    )
    deleted: list[Any] = [session.execute(statement) for statement in statements]
    return sum(outcome.rowcount for outcome in deleted)


def skip(session: Session, rule: str, previous: int | None, upto: int) -> None:
    """Let a rule go on behind a tick without running what came before."""
    session.execute(
        update(StoredRule).where(StoredRule.id == rule, StoredRule.done_to.is_not_distinct_from(previous))
        .values(done_to=upto)
    )  # fmt: skip


def counted_to(session: Session, rule: str, groups: Iterable[str]) -> Mapping[str, int]:
    """Return, for groups of a rule's events, up to which time alerts have counted them."""
    found: dict[str, int] = {}
    for some in chunks(groups):
        rows: Any = session.execute(
            select(StoredAlert.group_key, StoredAlert.counted_to).where(
                StoredAlert.rule_uuid == rule, StoredAlert.group_key.in_(some)
            )
        )
        for key, upto in rows:
            if upto is not None:
                found[key] = max(found.get(key, upto), upto)
    return found
