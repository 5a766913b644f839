"""How fast events come in through `_bulk`, for how long, and what they take: `python -m benchmarks.ingest`.

A real `tocsin serve` takes what this process sends over HTTP; both share the machine. Events are made on the way,
so that none repeats.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import multiprocessing.queues
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import orjson

from benchmarks.fleet import Fleet

_EVENTS = 2_000  # a request
Requests = multiprocessing.queues.Queue[tuple[bytes, int]]


def serve(data: Path, *options: str) -> tuple[subprocess.Popen[str], str, str]:
    """Start the service; return it, its port and a key."""
    environment = {**os.environ, "TOCSIN_DATA": str(data), "TOCSIN_LOG_LEVEL": "warning"}
    program = [sys.executable, "-m", "tocsin"]
    made = subprocess.run(
        [*program, "keys", "add", "bench", "--scope", "ingest", "--scope", "read"],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    key = made.stdout.split("encoded: ")[1].strip()
    service = subprocess.Popen(
        [*program, "serve", "--port", "0", *options], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert service.stderr is not None
    for line in service.stderr:
        found = re.search(r"on http://127\.0\.0\.1:(\d+)", line)
        if found:
            threading.Thread(target=service.stderr.read, daemon=True).start()
            return service, found[1], key
    raise RuntimeError("the service did not start")


def bodies(seed: int, out: Requests, until: float) -> None:
    """Make bulk requests of a fleet's events."""
    fleet = Fleet(seed)
    while time.time() < until:
        lines = []
        size = 0
        for event in fleet.events(_EVENTS):
            stream = event.get("data_stream")
            index = event.pop("_index", None) or (
                f"logs-{stream['dataset']}-default" if stream else f"{event['agent']['type']}-default"
            )
            text = orjson.dumps(event)
            size += len(text) + 1
            lines.append(b'{"create":{"_index":"%s"}}\n%s\n' % (index.encode(), text))
        out.put((b"".join(lines), size))


def send(
    port: str, key: str, source: multiprocessing.Queue[tuple[bytes, int]], until: float, told: list[int]
) -> None:
    """Send requests one behind the other, and count what was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=120)
    headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/x-ndjson"}
    while time.time() < until:
        try:
            body, size = source.get(timeout=1)
        except queue.Empty:
            continue
        while True:
            connection.request("POST", "/_bulk?filter_path=errors", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 429:
                break
            told[2] += 1
            time.sleep(0.5)
        assert answer.status == 200, text
        assert b"false" in text, text
        told[0] += _EVENTS
        told[1] += size


def resident(pid: int) -> int:
    """Return the resident memory of a process in MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) >> 10 if found else 0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far."""
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def run(data: Path, seconds: int, senders: int) -> None:
    """Send for some time, and print what came of it."""
    service, port, key = serve(data)
    until = time.time() + seconds
    source: Requests = multiprocessing.Queue(maxsize=4)
    maker = multiprocessing.Process(target=bodies, args=(1, source, until), daemon=True)
    maker.start()
    told = [0, 0, 0]
    threads = [threading.Thread(target=send, args=(port, key, source, until, told)) for _ in range(senders)]
    started = time.time()
    for thread in threads:
        thread.start()
    last, before = started, 0
    while time.time() < until:
        time.sleep(min(30, max(0.1, until - time.time())))
        now = time.time()
        rate = (told[0] - before) / (now - last)
        print(f"{now - started:6.0f} s  {rate:9,.0f} events/s  {resident(service.pid):6,} MiB", flush=True)
        last, before = now, told[0]
    for thread in threads:
        thread.join()
    taken = time.time() - started
    used = cpu_seconds(service.pid)
    maker.terminate()
    rate = told[0] / taken
    print(f"{told[0]:,} events in {taken:.0f} s: {rate:,.0f} events/s; {told[2]} answers of 429", flush=True)
    print(f"the service used {used / told[0] * 1e6:.1f} µs of CPU an event", flush=True)
    service.send_signal(signal.SIGTERM)
    service.wait()
    print(f"NDJSON: {told[1]:,} bytes, {told[1] / told[0]:,.0f} an event")
    settle(data, told[1], told[0])


def settle(data: Path, size: int, sent: int) -> None:
    """Bring everything into ordered tables, and print what they take."""
    from tocsin.store.lake.lake import LakeSettings, LakeStore

    lake = LakeStore(data, LakeSettings(maintain_every=1e9, clean_after=0, quiet=0))
    lake.flush()
    lake.maintain(clean=True)
    assert sum(info.events for info in lake.indices()) == sent
    lake.close()
    disk = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    print(f"disk: {disk:,} bytes, {disk / sent:,.0f} an event, {disk / size:.1%} of the NDJSON")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--senders", type=int, default=3)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        run(given.data or Path(made), given.seconds, given.senders)
