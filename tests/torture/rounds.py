"""`kill -9` while events come in and rules run, files damaged between kill and start, and a clock that is set.

Kills fall at random moments, at the ticks of rules, and while slices of tables are put together. Every
acknowledged event has to be there once, none twice, and the store has to open each time without help. Every event
that is stored and fits a rule has to have its alert, once, and every tick of a rule its execution.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import itertools
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from benchmarks.fleet import Fleet
from sqlalchemy import create_engine, text

from tests.torture.damage import HOW, KINDS, check_damage
from tests.torture.look import look
from tocsin.store.events import Scan
from tocsin.store.lake.lake import LakeSettings, LakeStore

_SENDERS, _EVENTS = 3, 40  # events a request, beside those that are planted
_INDICES = 5
_INTERVAL = 5 * 10**9  # nanoseconds
_RULE = {
    "description": "d", "severity": "low", "risk_score": 1, "index": ["logs-*"], "interval": "5s",
    "from": "now-9s",
    "timestamp_override": "event.ingested", "max_signals": 1_000_000, "enabled": True,
}  # fmt: skip
_PAIR = '[process where process.name == "torture-a"] [process where process.name == "torture-b"]'
# A rule of each kind. Each request plants a pair of events that has an entity id and a user of its own.
RULES: list[dict[str, Any]] = [
    {**_RULE, "type": "eql", "language": "eql", "query": 'process where process.name == "torture-a"'},
    {**_RULE, "type": "eql", "language": "eql", "query": f"sequence by process.entity_id with maxspan=1m {_PAIR}"},
    {
        **_RULE, "type": "threshold", "language": "kuery", "query": "process.name: torture*",
        "threshold": {"field": ["user.name"], "value": 2},
    },
    {
        **_RULE, "type": "new_terms", "language": "kuery", "query": "process.name: torture-b",
        "new_terms_fields": ["user.name"], "history_window_start": "now-1h",
    },
]  # fmt: skip


class Service:
    """A `tocsin serve` that is killed and started again."""

    def __init__(self, data: Path, database: str = "", *, tls: bool = False) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data, self.offset = data, data.with_name("offset")
        self.context = _certificate(data.parent) if tls else None
        self.set_clock(0)
        self.environment = {
            **os.environ,
            "TOCSIN_DATA": str(data),
            **({"TOCSIN_DATABASE_URL": database} if database else {}),
            "TOCSIN_FLUSH_AFTER": "0.3",  # so that commits are under way at most moments
            "TOCSIN_LOG_LEVEL": "warning",
        }
        made = self._run("keys", "add", "torture", "--scope", "ingest", "--scope", "read")
        self.key = made.split("encoded: ")[1].strip()
        drop = data / "drop"  # where `look` watches too
        drop.mkdir()
        (drop / "dropped.ndjson").write_text('{"@timestamp":"2026-01-01T00:00:00Z","message":"dropped"}\n')
        self.environment["TOCSIN_WATCH"] = str(drop)
        rules = data.with_name("rules.ndjson")
        lines = ({"rule_id": f"r{n}", "name": f"r{n}", **rule} for n, rule in enumerate(RULES))
        rules.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self._run("rules", "import", str(rules))
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "tocsin", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def set_clock(self, seconds: int) -> None:
        """Let the system clock be off by so much."""
        new = self.offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.offset)

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to it."""
        if self.context is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.context)

    def map_indices(self) -> None:
        """Give each index a mapping, so that there are files of them."""
        headers = {"Authorization": f"ApiKey {self.key}", "Content-Type": "application/json"}
        body = orjson.dumps({"mappings": {"properties": {"user": {"properties": {"name": {"type": "keyword"}}}}}})
        for number in range(_INDICES):
            connection = self.connection()
            connection.request("PUT", f"/logs-{number}-default", body, headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()

    def is_ordering(self) -> bool:
        """Tell whether a slice of a table is being put together."""
        try:
            with (self.data / "ordering.lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def start(self) -> None:
        """Start it; it has to get ready by itself."""
        command = [sys.executable, "-m", "tests.torture.stepped", str(self.offset), "serve", "--port", "0"]
        if self.context is not None:
            folder = self.data.parent
            command += ["--tls-certificate", f"{folder}/certificate.pem", "--tls-key", f"{folder}/key.pem"]
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        told = []
        for line in self.process.stderr:
            told.append(line)
            found = re.search(r"on https?://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise AssertionError(f"the service did not start: {''.join(told)}")

    def kill(self) -> None:
        """Kill it."""
        assert self.process is not None
        self.port = 0
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate of this machine, and return what trusts it."""
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", private, "-out", certificate,
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return ssl.create_default_context(cafile=str(certificate))


def planted(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a pair of events for the rules to find."""
    return [
        (
            f"{name}-{letter}",
            {
                "@timestamp": f"2026-01-01T00:00:0{second}Z",
                "event": {"category": ["process"]},
                "process": {"name": f"torture-{letter}", "entity_id": name},
                "user": {"name": name},
            },
        )
        for second, letter in enumerate("ab")
    ]


class Sender(threading.Thread):
    """Sends events under ids of its own, each until it is acknowledged."""

    def __init__(self, service: Service, number: int) -> None:
        super().__init__(daemon=True)
        self.service, self.number = service, number
        self.acknowledged: set[str] = set()
        self.stopped = False

    def run(self) -> None:
        """Send until stopped."""
        fleet = Fleet(self.number)
        turn = 0
        while not self.stopped:
            turn += 1
            events = [(f"{self.number}-{turn}-{n}", event) for n, event in enumerate(fleet.events(_EVENTS))]
            events += planted(f"{self.number}-{turn}")
            body = b"".join(
                orjson.dumps({"create": {"_index": f"logs-{len(id_) % _INDICES}-default", "_id": id_}})
                + b"\n"
                + orjson.dumps({name: value for name, value in event.items() if name != "_index"})
                + b"\n"
                for id_, event in events
            )
            while not self.stopped and not self._sent(body):
                time.sleep(0.05)

    def _sent(self, body: bytes) -> bool:
        headers = {"Authorization": f"ApiKey {self.service.key}", "Content-Type": "application/x-ndjson"}
        try:
            connection = self.service.connection()
            connection.request("POST", "/_bulk", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        if answer.status != 200:
            return False
        for item in orjson.loads(text)["items"]:
            told = item["create"]
            assert told["status"] in (201, 409), told  # 409: stored before an answer that was cut off
            self.acknowledged.add(told["_id"])
        return True


@dataclass
class Tortured:
    """What came of it: events acknowledged and stored, how often the clock was set, what damages have come to."""

    acknowledged: int = 0
    stored: int = 0
    steps: int = 0
    damages: list[str] = field(default_factory=list)


_STEPS = (-7200, -60, 0, 60, 3600)  # seconds that the clock may be off
_DAMAGE_EVERY, _STEP_EVERY = 2, 2  # kills


def torture(data: Path, kills: int, seed: int = 1, database: str = "", *, tls: bool = False) -> Tortured:
    """Kill a service many times, set its clock, and damage copies of its folder.

    Raises AssertionError when an event or an alert is missing or there twice, or when damage is not named.
    """
    rng, done, offset, furthest = random.Random(seed), Tortured(), 0, 0
    service = Service(data, database, tls=tls)
    service.start()
    service.map_indices()
    senders = [Sender(service, number) for number in range(1, _SENDERS + 1)]
    for sender in senders:
        sender.start()
    kinds = [(kind, how) for kind in KINDS for how in HOW]
    rng.shuffle(kinds)
    for number in range(kills):
        until_a_moment(service, rng, offset)
        service.kill()
        if number % _DAMAGE_EVERY and not database:
            done.damages.append(damage_a_copy(data, *kinds[number // _DAMAGE_EVERY % len(kinds)], rng))
        if number % _STEP_EVERY == 0:
            offset = rng.choice([step for step in _STEPS if step != offset])
            furthest = max(furthest, offset)
            service.set_clock(offset)
            done.steps += 1
        service.start()
    time.sleep(1)
    for sender in senders:
        sender.stopped = True
    for sender in senders:
        sender.join()
    url = database or f"sqlite:///{data}/records.db"
    until_all_is_run(url, time.time_ns() + furthest * 10**9)
    service.kill()
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    found = check_events(data, acknowledged)
    check_alerts(url, found)
    done.acknowledged, done.stored = len(acknowledged), len(found)
    return done


def until_a_moment(service: Service, rng: random.Random, offset: int) -> None:
    """Wait for a moment to kill at: any, one in which rules run, or one in which a table is put in order."""
    what = rng.choice(["any", "rules", "ordering"])
    time.sleep(rng.uniform(0.1, 2.5))
    if what == "rules":
        past = (time.time_ns() + offset * 10**9) % _INTERVAL
        time.sleep((_INTERVAL - past) / 1e9 + rng.uniform(0, 0.5))
    elif what == "ordering":
        end = time.monotonic() + 5
        while time.monotonic() < end and not service.is_ordering():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))


def damage_a_copy(data: Path, kind: str, how: str, rng: random.Random) -> str:
    """Damage a file of a kind in a copy of the folder of a service that was killed; return what is told of it."""
    with tempfile.TemporaryDirectory() as made:
        whole = Path(made) / "data"
        shutil.copytree(data, whole)
        alerts = alerts_in(f"sqlite:///{whole}/records.db")  # before rules are run for what came in last
        before = replace(look(whole), alerts=alerts)
    assert not before.set_aside, f"what nobody damaged is set aside: {before.set_aside}"
    return check_damage(data, before, kind, how, rng)


def alerts_in(url: str) -> list[str]:
    """Return the ids of the alerts in records."""
    engine = create_engine(_driver(url))
    with engine.connect() as connection:
        found = list(connection.execute(text("SELECT id FROM alerts")).scalars())
    engine.dispose()
    return found


def check_events(data: Path, acknowledged: set[str]) -> set[str]:
    """Return the ids of what is stored. Raises AssertionError when one is missing, or there twice."""
    lake = LakeStore(data, LakeSettings(maintain_every=1e9, quiet=0))
    found: Counter[str] = Counter()
    for settled in (False, True):
        if settled:
            lake.flush()
            lake.maintain(clean=True)
        found = Counter()
        for batch in lake.scan(Scan(["*"])):
            found.update(batch.ids(range(batch.rows)))
        missing = acknowledged - found.keys()
        assert not missing, f"{len(missing)} acknowledged events are missing, {min(missing)} for one"
        twice = [id_ for id_, count in found.items() if count > 1]
        assert not twice, f"{len(twice)} events are there twice, {twice[0]} for one"
    assert not lake.set_aside()
    lake.close()
    return set(found)


def until_all_is_run(url: str, moment: int, seconds: float = 240.0) -> None:
    """Wait until every rule has been run for everything that had come in by a moment."""
    end, engine = time.monotonic() + seconds, create_engine(_driver(url))
    while time.monotonic() < end:
        with engine.connect() as connection:
            done = connection.execute(text("SELECT min(done_to) FROM rules")).scalar() or 0
        if done > moment:
            engine.dispose()
            return
        time.sleep(0.5)
    raise AssertionError("the rules were not run to the end")


def _driver(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:")


def check_alerts(url: str, stored: set[str]) -> None:
    """Compare the alerts with what is stored, and the executions with the clock. Raises AssertionError."""
    pairs = {id_[:-2] for id_ in stored if id_.endswith("-a")}
    engine = create_engine(_driver(url))
    with contextlib.closing(engine.connect()) as connection:
        asked = "SELECT r.rule_id, a.document FROM alerts a JOIN rules r ON r.id = a.rule_uuid"
        asked += " WHERE NOT a.building_block"
        found: dict[str, Counter[str]] = {f"r{number}": Counter() for number in range(len(RULES))}
        for rule, source in connection.execute(text(asked)):
            document = orjson.loads(source)
            found[rule][str(document["user"]["name"])] += 1
        ticks: dict[str, list[tuple[int, int, int]]] = {}
        for rule, *run in connection.execute(
            text("SELECT rule_uuid, first_tick, last_tick, ticks FROM executions ORDER BY id")
        ):
            ticks.setdefault(rule, []).append((run[0], run[1], run[2]))
    for rule, names in found.items():
        assert set(names) == pairs, f"{rule}: {len(names)} alerts for {len(pairs)} pairs of events"
        twice = [name for name, count in names.items() if count > 1]
        assert not twice, f"{rule}: {len(twice)} alerts are there twice"
    for rule, runs in ticks.items():
        for before, after in itertools.pairwise(runs):
            assert after[0] == before[1] + _INTERVAL, f"{rule}: between two executions ticks are missing, or twice"
        assert all(count == (last - first) // _INTERVAL + 1 for first, last, count in runs), rule
