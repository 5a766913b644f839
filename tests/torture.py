"""`kill -9` at random moments while events come in: `python -m tests.torture --kills 50`.

Every acknowledged event has to be there once, none twice, and the store has to open each time without help.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import orjson
from benchmarks.fleet import Fleet

from tocsin.store.events import Scan
from tocsin.store.lake.lake import LakeSettings, LakeStore

_SENDERS, _EVENTS = 3, 40  # events a request


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
    return len(acknowledged), len(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        sent, stored = torture(Path(made), given.kills, given.seed)
    print(f"killed {given.kills} times: {sent:,} events acknowledged, {stored:,} stored, none missing, none twice")
