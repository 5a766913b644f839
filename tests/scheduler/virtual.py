"""A watch in virtual time: a clock that the test moves, events that come in, services that come and go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
from sqlalchemy import select

from tests.store.memory import MemoryStore
from tocsin.scheduler.scheduler import Scheduler
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.scheduler.thread import set_forward
from tocsin.store.clock import ArrivalClock
from tocsin.store.events import Document, EventStore
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records
from tocsin.store.records.encryption import Cipher
from tocsin.store.records.models import Execution, Gap, StoredAlert, StoredRule
from tocsin.store.records.rules import add_rule

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = 1_767_571_200 * SECOND  # Monday, 2026-01-05
ROOT = local_actor("root")


def rule(rule_id="r", query='process where process.name == "bad.exe"', **more):
    return {
        "rule_id": rule_id, "name": rule_id, "description": "d", "type": "eql", "language": "eql",
        "severity": "low", "risk_score": 21, "index": ["logs-*"], "interval": "5m", "from": "now-9m",
        "query": query, **more,
    }  # fmt: skip


CIPHER = Cipher(["a key of tests, which is long enough"])


class Office:
    """A store and records that stay, and a service over them that may be stopped and started."""

    def __init__(self, folder: Path, rules=(), settings=None, now=START, url=None):
        self.now, self.steady = now, 0
        self.clock = self.new_clock()
        self.stopped = False
        self.store = MemoryStore(self.clock)
        self.seen: EventStore = self.store  # what the watch reads
        self.records = Records(url or f"sqlite:///{folder}/records.db", CIPHER)
        self.records.upgrade()
        self.settings = settings or SchedulerSettings(longest_wait=60 * MINUTE, loading_wait=60 * MINUTE)
        self.scheduler: Scheduler | None = None
        self.rules = list(rules)
        for document in rules:
            self.add(document)

    def add(self, document, enabled=True):
        moment = datetime.fromtimestamp(self.now / 1e9, UTC)
        with self.records.transaction() as session:
            return add_rule(session, ROOT, document, enabled=enabled, now=moment).id

    def pass_(self, nanoseconds, step=0):
        self.steady += nanoseconds
        self.now += nanoseconds + step

    def until(self, moment):
        self.pass_(moment - self.now)

    def new_clock(self):
        return ArrivalClock(0, lambda: self.now, lambda: self.steady)

    def start(self):
        """Begin anew as a service does: of the clock before nothing is left but what the store and records say."""
        self.stopped = False
        self.clock = self.store.clock = self.new_clock()
        self.clock.never_before(max((arrived for _, arrived in self.store.arrivals()), default=0))
        set_forward(self.clock, self.records)

    def event(self, time=None, index="logs-a", id_=None, **fields):
        if self.stopped:
            self.start()
        source = orjson.dumps({"@timestamp": iso_exact(self.now if time is None else time), **fields})
        self.store.add([Document(index, self.now if time is None else time, source, id_)])

    def turn(self):
        if self.stopped:
            self.start()
        if self.scheduler is None:
            self.scheduler = Scheduler(self.seen, self.records, self.settings, clock=self.clock)
        self.scheduler.turn()

    def stop(self):
        self.scheduler, self.stopped = None, True

    def names(self):
        with self.records.transaction() as session:
            return {row.id: row.rule_id for row in session.scalars(select(StoredRule))}

    def named_alerts(self):
        names = self.names()
        return [(names[alert.rule_uuid], alert.id) for alert in self.alerts()]

    def alerts(self):
        with self.records.transaction() as session:
            return list(session.scalars(select(StoredAlert).order_by(StoredAlert.created, StoredAlert.id)))

    def documents(self):
        return [orjson.loads(alert.document) for alert in self.alerts()]

    def executions(self):
        with self.records.transaction() as session:
            return list(session.scalars(select(Execution).order_by(Execution.id)))

    def gaps(self):
        with self.records.transaction() as session:
            return list(session.scalars(select(Gap).order_by(Gap.id)))


def iso_exact(nanoseconds):
    micro = nanoseconds // 1000
    moment = datetime.fromtimestamp(micro // 1_000_000, UTC).replace(microsecond=micro % 1_000_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


BAD = {"event": {"category": "process"}, "process": {"name": "bad.exe"}}
