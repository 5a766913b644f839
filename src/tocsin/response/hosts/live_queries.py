"""Live queries: asked of hosts, and what becomes of them. The intent is in records before anything is sent.

A host is asked when it comes for its queries (`query_delivery.py`). What was under way when the service was
killed goes on after its start: hosts come again, and an answer counts once.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.investigation.guides.osquery import Checked, Verdict, checked_query
from tocsin.printable import printable_line
from tocsin.store.records.access import Actor, record
from tocsin.store.records.database import chunks
from tocsin.store.records.hosts import LiveQueryHost, LiveQueryRows, OsqueryHost, StoredLiveQuery

MOST_TARGETS = 10_000  # hosts of a query
MOST_QUERY = 20_000  # characters
SHORTEST, LONGEST, USUAL = timedelta(seconds=10), timedelta(days=1), timedelta(minutes=5)


class QueryState(StrEnum):
    """What has become of a query at a host."""

    WAITING = "waiting"
    SENT = "sent"
    ANSWERED = "answered"
    FAILED = "failed"
    NO_ANSWER = "no answer"
    CANCELLED = "cancelled"


OPEN = (QueryState.WAITING.value, QueryState.SENT.value)


@dataclass(frozen=True)
class NewLiveQuery:
    """A query as somebody asks it. `unchecked` sends it also where it does not fit osquery's tables."""

    query: str
    host_ids: Sequence[str]
    name: str = ""
    lasts: timedelta = USUAL
    alert_id: str | None = None
    case_id: str | None = None
    action_id: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    unchecked: bool = False


@dataclass(frozen=True)
class QueryProgress:
    """How far a query has come: hosts by their state, and rows."""

    hosts: Mapping[str, int]
    rows: int
    kept_rows: int
    size: int

    @property
    def total(self) -> int:
        """How many hosts it is for."""
        return sum(self.hosts.values())

    @property
    def open(self) -> int:
        """How many hosts have neither answered nor been given up."""
        return sum(self.hosts.get(state, 0) for state in OPEN)

    @property
    def is_running(self) -> bool:
        """Whether rows may still come."""
        return self.open > 0


def create_live_query(session: Session, actor: Actor, new: NewLiveQuery) -> StoredLiveQuery:
    """Have hosts asked. A host on whose platform the query cannot run is given up at once, and says so.

    Raises InvalidError, also where it can run on none of them, and NotFoundError.
    """
    _check_limits(new)
    hosts = _hosts(session, new.host_ids)
    checks = {platform: checked_query(new.query, platform) for platform in {host.platform for host in hosts}}
    fitting = {
        name: check for name, check in checks.items() if new.unchecked or check.verdict is not Verdict.WRONG
    }
    if not fitting:
        raise InvalidError(f"[query] {next(iter(checks.values())).reason}", hint="it was sent to nobody")
    sent_query = new.query if new.unchecked else next(iter(fitting.values())).query
    now = datetime.now(UTC)
    kept = StoredLiveQuery(
        id=str(uuid.uuid4()), action_id=new.action_id or str(uuid.uuid4()), query=sent_query,
        name=printable_line(new.name.strip())[:200], remarks=list(dict.fromkeys(_remarks(fitting.values()))),
        alert_id=new.alert_id, case_id=new.case_id, about=dict(new.about), created=now,
        created_by=actor.name[:160], expires=now + new.lasts, cancelled=None, cancelled_by=None, ended=None,
    )  # fmt: skip
    session.add(kept)
    session.flush()
    for host in hosts:
        wrong = host.platform not in fitting
        session.add(
            LiveQueryHost(
                query_id=kept.id, host_id=host.id, host_name=host.name, attempts=0, rows=0, kept_rows=0, size=0,
                state=QueryState.FAILED.value if wrong else QueryState.WAITING.value, sent=None, answered=None,
                reason=f"not sent: {checks[host.platform].reason}" if wrong else "",
            )
        )  # fmt: skip
    record(
        session, actor, "live_query.send", kept.id, query=sent_query[:2_000], hosts=len(hosts),
        names=[host.name for host in hosts[:20]], alert=new.alert_id,
    )  # fmt: skip
    return kept


def _check_limits(new: NewLiveQuery) -> None:
    if not new.query.strip() or len(new.query) > MOST_QUERY:
        raise InvalidError(f"[query] has 1 to {MOST_QUERY:,} characters")
    if not SHORTEST <= new.lasts <= LONGEST:
        raise InvalidError("[timeout] is between 10 seconds and a day")
    if not new.host_ids:
        raise InvalidError("[hosts] names no host", hint="`tocsin hosts list` shows those that have enrolled")
    if len(new.host_ids) > MOST_TARGETS:
        raise InvalidError(f"[hosts] names more than {MOST_TARGETS:,} hosts")


def _hosts(session: Session, ids: Sequence[str]) -> list[OsqueryHost]:
    wanted = list(dict.fromkeys(ids))
    hosts: dict[str, OsqueryHost] = {}
    for some_ids in chunks(wanted):
        query = select(OsqueryHost).where(OsqueryHost.id.in_(some_ids))
        hosts |= {host.id: host for host in session.scalars(query)}
    for id_ in wanted:
        if id_ not in hosts:
            raise NotFoundError(f"there is no host {id_}")
        if hosts[id_].revoked is not None:
            raise InvalidError(f"the host {hosts[id_].name} is revoked: it is asked nothing")
    return [hosts[id_] for id_ in wanted]


def _remarks(checks: Sequence[Checked] | Any) -> list[str]:
    remarks: list[str] = []
    for check in checks:
        if check.mended:
            remarks.append(f"quotes were lost and are put back round: {', '.join(check.mended)}")
        remarks += check.hints
        if check.verdict is Verdict.NOT_CHECKED:
            remarks.append(f"not checked against osquery's tables: {check.reason}")
    return remarks


def find_live_query(session: Session, id_: str) -> StoredLiveQuery:
    """Return a live query. Raises NotFoundError."""
    kept = session.get(StoredLiveQuery, id_)
    if kept is None:
        raise NotFoundError(f"there is no live query {id_}")
    return kept


def live_queries(
    session: Session, *, size: int = 50, start: int = 0, host_id: str = ""
) -> Sequence[StoredLiveQuery]:
    """Return live queries, the newest first; with `host_id` those that were for a host."""
    query = (
        select(StoredLiveQuery)
        .order_by(StoredLiveQuery.created.desc(), StoredLiveQuery.id)
        .limit(size)
        .offset(start)
    )
    if host_id:
        query = query.join(LiveQueryHost, LiveQueryHost.query_id == StoredLiveQuery.id).where(
            LiveQueryHost.host_id == host_id
        )
    return session.scalars(query).all()


def queries_of_action(session: Session, action_id: str) -> Sequence[StoredLiveQuery]:
    """Return the queries that were asked together, in their order. Raises NotFoundError."""
    query = (
        select(StoredLiveQuery)
        .where(StoredLiveQuery.action_id == action_id)
        .order_by(StoredLiveQuery.created, StoredLiveQuery.id)
    )
    queries = session.scalars(query).all()
    if not queries:
        raise NotFoundError(f"there is no live query {action_id}")
    return queries


def queries_of_alert(session: Session, alert_id: str) -> dict[str, StoredLiveQuery]:
    """Return the newest live query of each SQL text that was asked for an alert."""
    query = select(StoredLiveQuery).where(StoredLiveQuery.alert_id == alert_id).order_by(StoredLiveQuery.created)
    return {kept.query: kept for kept in session.scalars(query)}


def targets_of(session: Session, id_: str, *, size: int = 1_000, start: int = 0) -> Sequence[LiveQueryHost]:
    """Return the hosts that a query is for, by their names."""
    query = select(LiveQueryHost).where(LiveQueryHost.query_id == id_)
    query = query.order_by(LiveQueryHost.host_name, LiveQueryHost.host_id)
    return session.scalars(query.limit(size).offset(start)).all()


def progress_of(session: Session, id_: str) -> QueryProgress:
    """Return how far a query has come."""
    columns = (
        LiveQueryHost.state, func.count(), func.sum(LiveQueryHost.rows), func.sum(LiveQueryHost.kept_rows),
        func.sum(LiveQueryHost.size),
    )  # fmt: skip
    query = select(*columns).where(LiveQueryHost.query_id == id_).group_by(LiveQueryHost.state)
    rows = session.execute(query).all()
    totals = [sum(int(row[column] or 0) for row in rows) for column in (2, 3, 4)]
    return QueryProgress({row[0]: row[1] for row in rows}, *totals)


def cancel_live_query(session: Session, actor: Actor, id_: str) -> StoredLiveQuery:
    """Ask no more hosts, and take no more answers. Rows that are there stay. Raises NotFoundError."""
    kept = find_live_query(session, id_)
    if kept.cancelled is None and kept.ended is None:
        kept.cancelled, kept.cancelled_by = datetime.now(UTC), actor.name[:160]
        session.execute(
            update(LiveQueryHost)
            .where(LiveQueryHost.query_id == id_, LiveQueryHost.state.in_(OPEN))
            .values(state=QueryState.CANCELLED.value)
        )
        record(session, actor, "live_query.cancel", id_)
    return kept


def end_live_queries(session: Session, now: datetime) -> int:
    """Give up hosts whose time is over, and end queries that wait for nobody; return how many have ended."""
    late = select(StoredLiveQuery.id).where(StoredLiveQuery.ended.is_(None), StoredLiveQuery.expires <= now)
    session.execute(
        update(LiveQueryHost)
        .where(LiveQueryHost.state.in_(OPEN), LiveQueryHost.query_id.in_(late))
        .values(state=QueryState.NO_ANSWER.value, reason="no answer in time")
    )
    waits = select(LiveQueryHost.query_id).where(LiveQueryHost.state.in_(OPEN))
    ended = session.execute(
        update(StoredLiveQuery)
        .where(StoredLiveQuery.ended.is_(None), StoredLiveQuery.id.not_in(waits))
        .values(ended=now)
        .returning(StoredLiveQuery.id)
    )
    return len(ended.all())


def has_open_queries(session: Session) -> bool:
    """Tell whether there is a query that has not ended."""
    return session.scalar(select(StoredLiveQuery.id).where(StoredLiveQuery.ended.is_(None)).limit(1)) is not None


def remove_old_queries(session: Session, before: datetime, most: int = 100) -> int:
    """Remove some queries that ended before a time, with their rows; return how many."""
    old = (
        select(StoredLiveQuery.id)
        .where(StoredLiveQuery.ended < before)
        .order_by(StoredLiveQuery.ended)
        .limit(most)
    )
    ids = list(session.scalars(old))
    for table in (LiveQueryRows, LiveQueryHost):
        session.execute(delete(table).where(table.query_id.in_(ids)))
    session.execute(delete(StoredLiveQuery).where(StoredLiveQuery.id.in_(ids)))
    return len(ids)
