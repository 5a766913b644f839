"""How live queries reach hosts, and answers come back: by `distributed/read` and `distributed/write` of osquery.

A host comes every few seconds, and mostly there is nothing for it: that is told from memory. Records decide. What
a host is given is noted as sent before it is; one that comes again without an answer has not got it, or has lost
it, and is given it again, some times. An answer that comes twice is taken once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.printable import printable_line
from tocsin.response.hosts.grouped_transactions import GroupedTransactions
from tocsin.response.hosts.live_queries import OPEN, QueryState
from tocsin.response.hosts.query_rows import PackedRows, keep_rows, packed_rows
from tocsin.store.records.hosts import LiveQueryHost, StoredLiveQuery

MOST_ATTEMPTS = 5
SENT_AGAIN_AFTER = timedelta(seconds=20)
_MOST_OF_READ = 20  # queries that a host is given together
_MOST_ANSWERS = 200  # of one request


@dataclass(frozen=True)
class HostAnswer:
    """What a host answered to a query: its rows, or the status of SQLite and a message."""

    query_id: str
    packed: PackedRows
    status: int = 0
    message: str = ""


@dataclass(frozen=True)
class _Waiting:
    """A query that waits for a host, and from when on it may be given to it."""

    query_id: str
    due: datetime
    expires: datetime


class QueryDelivery:
    """Gives hosts their queries, and takes their answers."""

    def __init__(self, changes: GroupedTransactions) -> None:
        self._changes = changes
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[str, _Waiting]] = {}

    def refresh(self, session: Session) -> int:
        """Read what waits for which host; return how many hosts something waits for."""
        columns = (
            LiveQueryHost.host_id, LiveQueryHost.query_id, LiveQueryHost.sent, LiveQueryHost.attempts,
            StoredLiveQuery.created, StoredLiveQuery.expires,
        )  # fmt: skip
        query = select(*columns).join(StoredLiveQuery, StoredLiveQuery.id == LiveQueryHost.query_id)
        waiting: dict[str, dict[str, _Waiting]] = {}
        for host_id, query_id, sent, attempts, created, expires in session.execute(
            query.where(LiveQueryHost.state.in_(OPEN))
        ):
            if attempts < MOST_ATTEMPTS:
                due = created if sent is None else sent + SENT_AGAIN_AFTER
                waiting.setdefault(host_id, {})[query_id] = _Waiting(query_id, due, expires)
        with self._lock:
            self._waiting = waiting
        return len(waiting)

    def waits(self, host_id: str) -> bool:
        """Tell whether something waits for a host now. It is asked by every poll, and looks into memory alone."""
        waiting = self._waiting.get(host_id)
        if not waiting:
            return False
        now = datetime.now(UTC)
        return any(query.due <= now < query.expires for query in list(waiting.values()))

    def read(self, host_id: str) -> Future[dict[str, str]]:
        """Return the queries that a host is given, by their ids, once they are noted as sent."""
        return self._changes.submit(lambda session: self._take(session, host_id))

    def _take(self, session: Session, host_id: str) -> dict[str, str]:
        now = datetime.now(UTC)
        query = (
            select(LiveQueryHost, StoredLiveQuery.query, StoredLiveQuery.expires)
            .join(StoredLiveQuery, StoredLiveQuery.id == LiveQueryHost.query_id)
            .where(LiveQueryHost.host_id == host_id, LiveQueryHost.state.in_(OPEN), StoredLiveQuery.expires > now)
            .order_by(StoredLiveQuery.created)
        )
        queries: dict[str, str] = {}
        for target, sql, expires in session.execute(query).all():
            is_due = target.sent is None or target.sent + SENT_AGAIN_AFTER <= now
            if not is_due or len(queries) == _MOST_OF_READ:
                continue
            if target.attempts >= MOST_ATTEMPTS or (target.attempts and _collects_files(sql)):
                continue  # it stays sent: an answer may come until its time is over
            target.state, target.sent, target.attempts = QueryState.SENT.value, now, target.attempts + 1
            queries[target.query_id] = sql
            with self._lock:
                self._waiting.get(host_id, {})[target.query_id] = _Waiting(
                    target.query_id, now + SENT_AGAIN_AFTER, expires
                )
        return queries

    def write(self, host_id: str, answers: Iterable[HostAnswer]) -> Future[int]:
        """Keep a host's answers; the result is how many were taken. One that is there already is not."""
        taken = list(answers)
        return self._changes.submit(lambda session: sum(self._keep(session, host_id, answer) for answer in taken))

    def _keep(self, session: Session, host_id: str, answer: HostAnswer) -> bool:
        target = session.get(LiveQueryHost, (answer.query_id, host_id))
        # One that was given up may still answer; its rows are what somebody asked for.
        if target is None or target.state not in (*OPEN, QueryState.NO_ANSWER.value):
            return False
        packed = answer.packed
        target.answered, target.rows, target.kept_rows = datetime.now(UTC), packed.rows, packed.kept_rows
        target.size, target.reason = packed.size, packed.reason
        target.state = QueryState.ANSWERED.value
        if answer.status:
            target.state = QueryState.FAILED.value
            message = printable_line(answer.message)[:2_000] or "osquery gives no reason"
            target.reason = f"SQLite's status {answer.status}: {message}"
        keep_rows(session, answer.query_id, host_id, packed)
        with self._lock:
            self._waiting.get(host_id, {}).pop(answer.query_id, None)
        return True

    def fail_sent(self, host_id: str, reason: str) -> Future[int]:
        """Give up what a host was given, for an answer that could not be taken; the result is how many."""

        def change(session: Session) -> int:
            sent = select(LiveQueryHost).where(
                LiveQueryHost.host_id == host_id, LiveQueryHost.state == QueryState.SENT.value
            )
            targets = session.scalars(sent).all()
            for target in targets:
                target.state, target.reason, target.answered = QueryState.FAILED.value, reason, datetime.now(UTC)
            with self._lock:
                self._waiting.pop(host_id, None)
            return len(targets)

        return self._changes.submit(change)


def answers_in(document: Mapping[str, Any]) -> list[HostAnswer]:
    """Return the answers of the body of a `distributed/write`.

    `queries` has rows by ids, for one that failed also an empty text; `statuses` are numbers, or texts of older
    versions; `messages` say why (osquery/distributed/distributed.cpp, and Fleet's reading of both).
    """
    queries, statuses, messages = (
        value if isinstance(value := document.get(name), Mapping) else {}
        for name in ("queries", "statuses", "messages")
    )
    ids = list(dict.fromkeys([*queries, *statuses]))[:_MOST_ANSWERS]
    return [
        HostAnswer(
            str(id_), packed_rows(queries.get(id_)), _status(statuses.get(id_)), str(messages.get(id_) or "")
        )
        for id_ in ids
    ]


def _status(value: Any) -> int:
    """Return a status as a number: what is none says that something went wrong."""
    if value is None or value is False:
        return 0
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 1


def _collects_files(sql: str) -> bool:
    """Tell whether a query makes a host send files: it is given that once."""
    return "carve" in sql.lower()
