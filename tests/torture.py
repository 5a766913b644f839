"""`kill -9` at random moments while events come in and rules run: `python -m tests.torture --kills 50`.

Every acknowledged event has to be there once, none twice, and the store has to open each time without help. Every
event that is stored and fits a rule has to have its alert, once, and every tick of a rule its execution.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from benchmarks.fleet import Fleet

from tocsin.store.events import Scan
from tocsin.store.lake.lake import LakeSettings, LakeStore

_SENDERS, _EVENTS = 3, 40  # events a request, beside those that are planted
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

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environment = {
            **os.environ,
            "TOCSIN_DATA": str(data),
            "TOCSIN_FLUSH_AFTER": "0.3",  # so that commits are under way at most moments
            "TOCSIN_LOG_LEVEL": "warning",
        }
        made = self._run("keys", "add", "torture", "--scope", "ingest", "--scope", "read")
        self.key = made.split("encoded: ")[1].strip()
        rules = data / "rules.ndjson"
        lines = ({"rule_id": f"r{n}", "name": f"r{n}", **rule} for n, rule in enumerate(RULES))
        rules.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self._run("rules", "import", str(rules))
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "tocsin", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def start(self) -> None:
        """Start it; it has to get ready by itself."""
        command = [sys.executable, "-m", "tocsin", "serve", "--port", "0"]
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        told = []
        for line in self.process.stderr:
            told.append(line)
            found = re.search(r"on http://127\.0\.0\.1:(\d+)", line)
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
                orjson.dumps({"create": {"_index": f"logs-{len(id_) % 5}-default", "_id": id_}})
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
            connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=20)
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


def torture(data: Path, kills: int, seed: int = 1) -> tuple[int, int]:
    """Kill a service many times; return how many events were acknowledged, and how many are stored.

    Raises AssertionError when one is missing, or there twice.
    """
    rng = random.Random(seed)
    service = Service(data)
    service.start()
    senders = [Sender(service, number) for number in range(1, _SENDERS + 1)]
    for sender in senders:
        sender.start()
    for _ in range(kills):
        time.sleep(rng.uniform(0.1, 2.5))
        service.kill()
        service.start()
    time.sleep(1)
    for sender in senders:
        sender.stopped = True
    for sender in senders:
        sender.join()
    until_all_is_run(data)
    service.kill()
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    lake = LakeStore(data, LakeSettings(maintain_every=1e9, quiet=0))
    for settled in (False, True):
        if settled:
            lake.flush()
            lake.maintain(clean=True)
        found: Counter[str] = Counter()
        for batch in lake.scan(Scan(["*"])):
            found.update(batch.ids(range(batch.rows)))
        missing = acknowledged - found.keys()
        assert not missing, f"{len(missing)} acknowledged events are missing, {min(missing)} for one"
        twice = [id_ for id_, count in found.items() if count > 1]
        assert not twice, f"{len(twice)} events are there twice, {twice[0]} for one"
    lake.close()
    check_alerts(data, set(found))
    return len(acknowledged), len(found)


def until_all_is_run(data: Path, seconds: float = 60.0) -> None:
    """Wait until every rule has been run for everything that has come in."""
    now, end = time.time_ns(), time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.closing(sqlite3.connect(data / "records.db", timeout=30)) as connection:
            [(done,)] = connection.execute("SELECT min(done_to) FROM rules")
        if done > now:
            return
        time.sleep(0.5)
    raise AssertionError("the rules were not run to the end")


def check_alerts(data: Path, stored: set[str]) -> None:
    """Compare the alerts with what is stored, and the executions with the clock. Raises AssertionError."""
    pairs = {id_[:-2] for id_ in stored if id_.endswith("-a")}
    with contextlib.closing(sqlite3.connect(data / "records.db", timeout=30)) as connection:
        asked = "SELECT r.rule_id, a.document FROM alerts a JOIN rules r ON r.id = a.rule_uuid"
        asked += " WHERE NOT a.building_block"
        found: dict[str, Counter[str]] = {f"r{number}": Counter() for number in range(len(RULES))}
        for rule, text in connection.execute(asked):
            document = orjson.loads(text)
            found[rule][str(document["user"]["name"])] += 1
        ticks: dict[str, list[tuple[int, int, int]]] = {}
        for rule, *run in connection.execute(
            "SELECT rule_uuid, first_tick, last_tick, ticks FROM executions ORDER BY id"
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        sent, stored = torture(Path(made), given.kills, given.seed)
    print(
        f"killed {given.kills} times: {sent:,} events acknowledged, {stored:,} stored, none missing, none twice;"
    )
    print("every event that fits a rule has its alert once, and every tick its execution")
