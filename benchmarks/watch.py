"""How late alerts are while events come in, and how long a round of all rules takes: `python -m benchmarks.watch`.

A real `tocsin serve` with the rules of RULES enabled takes what this process sends over HTTP, at a rate. Both
share the machine. Events bear the moment of sending. Then the watch is started on what has been stored, so that it
has to read the look-back of every rule, and runs a round.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from benchmarks.ingest import cpu_seconds, prepare, resident, serve

_EVENTS = 2_000  # a request
STAMP = b"2000-01-01T00:00:00.000Z"  # in requests as they are made; the moment of sending takes its place


class Pace:
    """Lets senders go on at a rate, in events a second."""

    def __init__(self, rate: float) -> None:
        self.rate, self.started, self.sent = rate, time.time(), 0
        self.refused = 0
        self.lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the next request is due."""
        with self.lock:
            due = self.started + self.sent / self.rate
            self.sent += _EVENTS
        time.sleep(max(0.0, due - time.time()))


def send(port: str, key: str, requests: Iterator[Path], until: float, pace: Pace) -> None:
    """Send requests one behind the other, each with the moment in its events."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=120)
    headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/x-ndjson"}
    for path in requests:
        pace.wait()
        if time.time() > until:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = path.read_bytes().replace(STAMP, now.encode())
        while True:
            connection.request("POST", "/_bulk?filter_path=errors", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 429:
                break
            pace.refused += 1
            time.sleep(0.5)
        assert answer.status == 200, text
        assert b"false" in text, text


def watch_alerts(database: Path, stop: threading.Event, seen: dict[str, tuple[float, float]]) -> None:
    """Note when each alert can first be read, beside the moment at which its rule was due."""
    connection = sqlite3.connect(database, timeout=30)
    rules = connection.execute("SELECT id, document FROM rules")
    intervals = {id_: seconds(json.loads(document).get("interval", "5m")) for id_, document in rules}
    while not stop.wait(0.5):
        now = time.time()
        for id_, created, rule in connection.execute("SELECT id, created, rule_uuid FROM alerts"):
            if id_ not in seen:
                seen[id_] = now, created // 10**9 // intervals[rule] * intervals[rule]
    connection.close()


def seconds(interval: str) -> int:
    """Return how long an interval such as 5m is."""
    return int(interval[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[interval[-1]]


def live(data: Path, made: Path, rate: float, seconds: int) -> None:
    """Send at a rate while rules run, and print how late alerts and executions are."""
    service, port, key = serve(data)
    try:
        pace, until = Pace(rate), time.time() + seconds
        requests = cycle(sorted(made.iterdir(), key=lambda path: path.name.partition("-")[::-1]))
        stop, seen = threading.Event(), dict[str, tuple[float, float]]()
        threads = [threading.Thread(target=send, args=(port, key, requests, until, pace)) for _ in range(3)]
        poll = threading.Thread(target=watch_alerts, args=(data / "records.db", stop, seen))
        used = cpu_seconds(service.pid)
        for thread in (*threads, poll):
            thread.start()
        before, last = 0, time.time()
        while time.time() < until and any(thread.is_alive() for thread in threads):
            time.sleep(min(30, max(0.1, until - time.time())))
            now = time.time()
            print(
                f"{now - pace.started:6.0f} s {(pace.sent - before) / (now - last):9,.0f} events/s "
                f"{resident(service.pid):6,} MiB  {len(seen):,} alerts",
                flush=True,
            )
            before, last = pace.sent, now
        for thread in threads:
            thread.join()
        taken = time.time() - pace.started
        print(f"{pace.sent:,} events in {taken:.0f} s: {pace.sent / taken:,.0f} events/s; {pace.refused} of 429")
        print(f"the service used {(cpu_seconds(service.pid) - used) / pace.sent * 1e6:.1f} µs of CPU an event")
        time.sleep(15)
        stop.set()
        poll.join()
        late = sorted(first - due for first, due in seen.values())
        if late:
            print(
                f"{len(late):,} alerts, to be read {late[0]:.1f} to {late[-1]:.1f} s behind the moment at which "
                f"their rule was due, the median {late[len(late) // 2]:.1f} s"
            )
        executions(data)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def executions(data: Path) -> None:
    """Print how long behind their ticks executions were written."""
    connection = sqlite3.connect(data / "records.db")
    rows = connection.execute("SELECT last_tick, max(late), count(*) FROM executions GROUP BY 1")
    for tick, late, count in rows:
        moment = datetime.fromtimestamp(tick / 1e9, UTC)
        print(f"due {moment:%H:%M:%S}: {count} records, begun {late / 1e9:.1f} s later at most")


def one_round(data: Path) -> None:
    """Read the look-back of every rule from the store, run them, and print how long that takes."""
    from tocsin.scheduler.scheduler import Scheduler
    from tocsin.store.clock import ArrivalClock
    from tocsin.store.lake.lake import LakeSettings, LakeStore
    from tocsin.store.records.database import Records

    records = Records(f"sqlite:///{data}/records.db")
    lake = LakeStore(data, LakeSettings(maintain_every=1e9), ArrivalClock())
    lake.flush()
    last = max(info.last or 0 for info in lake.indices())
    interval = 300_000_000_000
    due = last // interval * interval  # the last tick whose window is full of events
    connection = sqlite3.connect(data / "records.db")
    connection.execute(f"UPDATE rules SET done_to = {due - interval}, watched_from = {due - interval}")
    connection.commit()
    connection.close()
    gc.set_threshold(100_000)  # as in the service
    lake.clock = ArrivalClock(0, lambda: due + 1_000_000, lambda: 0)  # and stays there
    started, used = time.time(), time.process_time()
    scheduler = Scheduler(lake, records)
    scheduler.turn()
    while any(state.next_tick <= due for state in scheduler.states.values()):
        scheduler.turn()
        time.sleep(0.05)
    taken = time.time() - started
    states = scheduler.states.values()
    rows = sum(state.buffer.rows for state in states if state.buffer)
    print(
        f"a round of {len(states):,} rules over {scheduler.event_counts.total:,} events: {taken:.1f} s, "
        f"{time.process_time() - used:.1f} s of CPU; {rows:,} rows remembered, {resident(os.getpid()):,} MiB"
    )
    lake.close()


def enable(data: Path, rules: Sequence[str]) -> None:
    """Take rules in and enable them."""
    command = [sys.executable, "-m", "tocsin", "rules", "import", *rules, "--enable", "--data", str(data)]
    subprocess.run(command, check=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=840)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument(
        "--events", type=int, default=4_000_000, help="made before, 1.2 kB each, and sent again when all are sent"
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only-round", action="store_true")
    chosen = parser.parse_args()
    rules = os.environ.get("RULES", "../shared/rules/elastic-windows")
    if not Path(rules).exists():
        parser.error(f"there are no rules in {rules}: name some, as in RULES=detection-rules/rules/windows")
    with tempfile.TemporaryDirectory() as temporary:
        made = (chosen.folder or Path(temporary)) / "requests"
        data = chosen.data or Path(temporary) / "data"
        if not chosen.only_round:
            prepare(made, chosen.events, STAMP.decode())
            data.mkdir(parents=True, exist_ok=True)
            enable(data, [rules])
            live(data, made, chosen.rate, chosen.seconds)
        one_round(data)
