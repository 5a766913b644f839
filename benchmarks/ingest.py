"""How fast events come in through `_bulk`, for how long, and what they take: `python -m benchmarks.ingest`.

A real `tocsin serve` takes what this process sends over HTTP; both share the machine. The requests are made before
and lie on disk; none repeats.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

from benchmarks.fleet import Fleet, take_index

_EVENTS = 2_000  # a request
_SAMPLE = 200  # requests whose events are stored in several ways, to compare what they take


def serve(data: Path, *options: str) -> tuple[subprocess.Popen[str], str, str]:
    """Start the service; return it, its port and a key."""
    environment = {**os.environ, "TOCSIN_DATA": str(data), "TOCSIN_LOG_LEVEL": "warning"}
    program = [sys.executable, "-m", "tocsin"]
    scopes = ["--scope", "ingest", "--scope", "read", "--scope", "respond"]
    made = subprocess.run(
        [*program, "keys", "add", f"bench {time.time_ns()}", *scopes],
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


def make_bodies(seed: int, count: int, folder: Path, stamp: str | None) -> None:
    """Write bulk requests of a fleet's events, one a file: making them is not to be measured.

    `stamp` takes the place of each event's time.
    """
    fleet = Fleet(seed)
    for number in range(count // _EVENTS):
        lines = []
        for event in fleet.events(_EVENTS):
            if stamp is not None:
                event["@timestamp"] = stamp
            index = take_index(event)
            lines.append(b'{"create":{"_index":"%s"}}\n%s\n' % (index.encode(), orjson.dumps(event)))
        (folder / f"{seed}-{number:06}").write_bytes(b"".join(lines))


def prepare(folder: Path, count: int, stamp: str | None = None) -> None:
    """Write requests with so many events, in two processes, unless they are there; see `make_bodies`."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    makers = [
        multiprocessing.Process(target=make_bodies, args=(seed, count // 2, folder, stamp)) for seed in (1, 2)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()


def send(port: str, key: str, requests: Iterator[Path], until: float, told: list[int]) -> None:
    """Send requests one behind the other, and count what was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=120)
    headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/x-ndjson"}
    for path in requests:
        body = path.read_bytes()
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
        told[1] += sum(len(line) + 1 for line in body.split(b"\n")[1::2])
        if time.time() > until:
            return


def resident(pid: int) -> int:
    """Return the resident memory of a process in MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) >> 10 if found else 0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far."""
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def run(data: Path, made: Path, seconds: int, senders: int) -> None:
    """Send for some time, and print what came of it."""
    service, port, key = serve(data)
    until = time.time() + seconds
    requests = iter(sorted(made.iterdir(), key=lambda path: path.name.partition("-")[::-1]))
    told = [0, 0, 0]
    threads = [threading.Thread(target=send, args=(port, key, requests, until, told)) for _ in range(senders)]
    started = time.time()
    for thread in threads:
        thread.start()
    last, before = started, 0
    while time.time() < until and any(thread.is_alive() for thread in threads):
        time.sleep(min(30, max(0.1, until - time.time())))
        now = time.time()
        rate = (told[0] - before) / (now - last)
        print(f"{now - started:6.0f} s  {rate:9,.0f} events/s  {resident(service.pid):6,} MiB", flush=True)
        last, before = now, told[0]
    for thread in threads:
        thread.join()
    taken = time.time() - started
    used = cpu_seconds(service.pid)
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


def sizes(requests: Path, folder: Path) -> None:
    """Print what the events of some requests take in a store, in plain Parquet, and in DuckDB's own format."""
    import duckdb
    import pyarrow.parquet as pq

    from tocsin.ingest.bulk import parse
    from tocsin.ingest.intake import Intake
    from tocsin.store.columns.documents import to_table
    from tocsin.store.columns.fields import IndexFields
    from tocsin.store.events import Document
    from tocsin.store.lake.journal.journal import Entry
    from tocsin.store.lake.lake import LakeSettings, LakeStore

    documents: list[Document] = []
    for path in sorted(requests.iterdir())[:_SAMPLE]:
        for action in parse(path.read_bytes(), None):
            found = Intake().take(action.index or "", None, action.source or b"")
            assert isinstance(found, Document)
            documents.append(found)
    text = sum(len(document.source) + 1 for document in documents)
    lake = LakeStore(folder / "store", LakeSettings(maintain_every=1e9, clean_after=0, quiet=0))
    for start in range(0, len(documents), _EVENTS):
        lake.add(documents[start : start + _EVENTS])
    lake.flush()
    lake.maintain(clean=True)
    lake.close()
    by_index: dict[str, list[Entry]] = {}
    for number, (index, at, source, _) in enumerate(documents):
        by_index.setdefault(index, []).append(Entry(index, str(number), False, at, at, source))
    (folder / "plain").mkdir()
    connection = duckdb.connect(str(folder / "events.duckdb"))
    for index, entries in by_index.items():
        columns = to_table(entries, IndexFields())
        pq.write_table(columns, folder / "plain" / f"{index}.parquet", compression="zstd")
        connection.execute(f'CREATE TABLE "{index}" AS SELECT * FROM columns')
    connection.close()
    for name in ("store", "plain", "events.duckdb"):
        path = folder / name
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        print(f"{name}: {size / len(documents):,.0f} bytes an event, {size / text:.1%} of the NDJSON")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--senders", type=int, default=3)
    parser.add_argument("--events", type=int, default=16_000_000, help="made before, 1.2 kB each")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        prepare(folder / "requests", given.events)
        sizes(folder / "requests", Path(made))
        run(folder / "data", folder / "requests", given.seconds, given.senders)
