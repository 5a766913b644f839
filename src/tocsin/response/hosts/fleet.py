"""The hosts of a service while it runs: who they are, what waits for them, and what is done from time to time."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from cachetools import TTLCache
from sqlalchemy.orm import Session

from tocsin.backoff import pause_after
from tocsin.errors import TocsinError
from tocsin.response.hosts.carves import CarveFolder
from tocsin.response.hosts.grouped_transactions import GroupedTransactions
from tocsin.response.hosts.host_registry import HostRegistry
from tocsin.response.hosts.live_queries import end_live_queries, has_open_queries, remove_old_queries
from tocsin.response.hosts.packs import configuration, pack_queries, packs_state
from tocsin.response.hosts.query_delivery import QueryDelivery
from tocsin.response.hosts.result_logs import Queries
from tocsin.store.records.access import Actor, record
from tocsin.store.records.database import Records
from tocsin.worker_thread import WorkerThread

log = logging.getLogger(__name__)
# Seconds between looks for what commands have changed, writes of when hosts were seen, and removals.
_LOOK, _WRITE, _CLEAN = 1.0, 30.0, 600.0
_LONGEST_PAUSE = 30.0
_REMEMBERED, _NOTED_EVERY = 1_024, 300.0  # addresses that were refused, and seconds


class Fleet:
    """Hosts that run osquery, as the service knows them. `problem` says why their records cannot be read."""

    def __init__(self, records: Records, folder: Path, result_days: int | None) -> None:
        self.changes = GroupedTransactions(records)
        self.registry = HostRegistry()
        self.delivery = QueryDelivery(self.changes)
        self.carves = CarveFolder(folder)
        self.problem: str | None = None
        self.configuration: bytes = b"{}"
        self.pack_queries: Queries = {}
        self._records, self._result_days = records, result_days
        self._packs: Any = None
        self._refused: TTLCache[str, str] = TTLCache(_REMEMBERED, _NOTED_EVERY)
        self._wake = threading.Event()
        self._worker = WorkerThread("hosts", self._work, wake=self._wake.set)

    def start(self) -> None:
        """Begin: with what records say, so that the first host that comes is known."""
        with self._records.transaction() as session:
            self._look(session)
        self.changes.start()
        self._worker.start()

    def close(self) -> None:
        """Write what is not written, and end."""
        self._worker.close()
        self.changes.close()

    def read_registry(self) -> None:
        """Know a host that has just enrolled."""
        with self._records.transaction() as session:
            self.registry.refresh(session)

    def note_refusal(self, address: str, identifier: str, reason: str) -> None:
        """Note in the audit log that a host may not enrol: of an address once in a while, for it tries again."""
        if address in self._refused:
            return
        self._refused[address] = reason
        actor = Actor("osquery", frozenset(), address)
        self.changes.submit(
            lambda session: record(session, actor, "host.refused", identifier[:256], reason=reason)
        )

    def wake(self) -> None:
        """Look soon for what has changed: a query was asked, a host revoked, a pack saved."""
        self._wake.set()

    def _work(self, closing: threading.Event) -> None:
        written = cleaned = time.monotonic()
        failures = 0
        while not closing.is_set():
            self._wake.wait(_LOOK if not failures else pause_after(failures, _LOOK, _LONGEST_PAUSE))
            self._wake.clear()
            try:
                with self._records.transaction() as session:
                    self._look(session)
                    is_any_open = has_open_queries(session)
                if is_any_open:
                    self.changes.submit(lambda session: end_live_queries(session, _now())).result()
                now = time.monotonic()
                if now - written > _WRITE or closing.is_set():
                    self.changes.submit(self.registry.write).result()
                    written = now
                if now - cleaned > _CLEAN:
                    self.changes.submit(self._clean).result()
                    cleaned = now
                failures, self.problem = 0, None
            except TocsinError as error:
                failures += 1
                self.problem = str(error)
                log.warning("the hosts' records cannot be used: %s", error)
        try:
            self.changes.submit(self.registry.write).result()
        except TocsinError as error:
            log.warning("when hosts were seen last is not written: %s", error)

    def _look(self, session: Session) -> None:
        """Read what others have changed."""
        self.registry.refresh(session)
        state = packs_state(session)
        if state != self._packs:
            self.configuration = orjson.dumps(configuration(session))
            self.pack_queries = pack_queries(session)
            self._packs = state
        self.delivery.refresh(session)

    def _clean(self, session: Session) -> None:
        self.carves.remove_stale(session, _now())
        if self._result_days is not None:
            remove_old_queries(session, _now() - timedelta(days=self._result_days))


def _now() -> datetime:
    return datetime.now(UTC)
