"""How long the service takes for each page of the desk: `python -m benchmarks.desk [--rate 2000]`.

A real `tocsin serve` on 10 million events of the last 30 days and 100,000 alerts is asked as browsers ask, by one
reader, while events come in at a rate. Among the events are chains of processes; a rule raises an alert for the
last process of each. The columns of a sample are written again and again with other times and entity ids.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import itertools
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from tests.scenario import DEFENDER

from benchmarks import alerts
from benchmarks.fleet import Fleet, take_index
from benchmarks.ingest import prepare, serve
from benchmarks.watch import STAMP, Pace, send
from tocsin.ecs import TIMESTAMP
from tocsin.moments import to_nanoseconds
from tocsin.rules.load import bundled_folder
from tocsin.store.columns.documents import to_table
from tocsin.store.columns.layout import MOMENT
from tocsin.store.events import SOURCE
from tocsin.store.lake.journal.journal import Entry
from tocsin.store.lake.tables.slices import order_slice
from tocsin.store.lake.tables.table import IndexTable
from tocsin.store.records import access
from tocsin.store.records.database import Records

Event = dict[str, Any]

_SAMPLE, _DAYS = 170_000, 30
_MARK = "e0000-"  # what entity ids begin with; each copy of the sample has another number
_IDS = ("process.entity_id", "process.parent.entity_id")
_USER, _PASSWORD = "bench", "a password of the benchmark"
_GENERATIONS = 12
_MEANWHILE = 20.0  # seconds for which the service is watched without pages
_KINDS: tuple[tuple[str, Event], ...] = (
    ("network", {"destination": {"ip": "203.0.113.7", "port": 443}}),
    ("file", {"file": {"path": "C:\\Users\\Public\\a.txt"}}),
    ("registry", {"registry": {"path": "HKCU\\Software\\Run\\a", "data": {"strings": ["a.exe"]}}}),
    ("library", {"dll": {"path": "C:\\Windows\\System32\\a.dll"}}),
)


def sample() -> dict[str, list[Entry]]:
    """Return a fleet's events by index, their entity ids with a mark."""
    entries: dict[str, list[Entry]] = {}
    for number, event in enumerate(Fleet(5).events(_SAMPLE)):
        index = take_index(event)
        at = to_nanoseconds(event[TIMESTAMP])
        entries.setdefault(index, []).append(Entry(index, f"{number:020}", False, at, at, _marked(event)))
    return entries


def _marked(event: Event) -> bytes:
    process = event["process"]
    marked = {**process, "entity_id": f"{_MARK}{process['entity_id']}"}
    if parent := process.get("parent"):
        marked["parent"] = {**parent, "entity_id": f"{_MARK}{parent['entity_id']}"}
    return orjson.dumps({**event, "process": marked})


def build(data: Path, count: int) -> int:
    """Write a store that ends today; return how many events."""
    repeats = -(-count // (_SAMPLE * _DAYS))
    by_size = sorted(sample().items(), key=lambda item: -len(item[1]))
    with multiprocessing.Pool(2) as pool:
        return sum(pool.starmap(build_index, [(data, *item, repeats) for item in by_size], chunksize=1))


def build_index(data: Path, index: str, entries: list[Entry], repeats: int) -> int:
    """Write one index, `repeats` times its sample on each day; return how many events."""
    rng = np.random.default_rng(len(entries))
    (data / "events").mkdir(parents=True, exist_ok=True)
    table = IndexTable(index, data / "events" / index)
    base = to_table(entries, table.fields)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    written = 0
    for day in range(_DAYS):
        start = int((today - timedelta(days=_DAYS - day)).timestamp() * 1_000_000)
        parts = []
        for repeat in range(repeats):
            times = np.sort(rng.integers(0, 86_400_000_000, base.num_rows)) + start
            part = _replaced(base, TIMESTAMP, pa.array(times, pa.timestamp("us")).cast(MOMENT))
            mark = f"e{day * repeats + repeat + 1:04}-"
            for name in (SOURCE, *(name for name in _IDS if name in base.column_names)):
                part = _replaced(part, name, pc.replace_substring(base.column(name), _MARK, mark))
            parts.append(part)
        for number, part in enumerate(parts):  # a slice of several files is ordered
            table.commit(part, day * repeats + number)
        table.publish(table.current())
        for slice_ in table.to_order(datetime.now(UTC), timedelta()):
            table.publish(table.order(slice_, order_slice))
        written += base.num_rows * repeats
    table.clean(0)
    print(f"{index}: {written:,} events", flush=True)
    return written


def _replaced(table: pa.Table, name: str, column: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


@dataclass(frozen=True)
class Chain:
    """A chain of processes on a host; `named` tells whether they have entity ids, as Sysmon's, or pids alone."""

    number: int
    named: bool

    @property
    def host(self) -> str:
        """Its host, which has other events as well."""
        return f"WS-{self.number:04}"

    def events(self, end: datetime) -> Iterator[Event]:
        """Yield its events: ancestors from three days before, siblings, the alert's process and what that did."""
        began = end - timedelta(days=3)
        for generation in range(_GENERATIONS):
            at = began + (end - timedelta(minutes=30) - began) * generation / _GENERATIONS
            yield self._start(generation, generation - 1, at, f"C:\\Windows\\System32\\step{generation}.exe")
        alert = _GENERATIONS
        for beside in range(15):
            yield self._start(
                100 + beside, alert - 1, end - timedelta(minutes=20, seconds=beside), "C:\\beside.exe"
            )
        fetch = f'"{DEFENDER}" -DownloadFile -url https://example.com/a.txt -path C:\\Users\\Public\\a.txt'
        yield self._start(alert, alert - 1, end, DEFENDER, fetch)
        for below in range(20):
            parent = alert if below < 5 else 200 + below // 5 - 1
            yield self._start(200 + below, parent, end + timedelta(seconds=below + 1), "C:\\below.exe")
        for second, (kind, fields) in itertools.product(range(25), _KINDS):
            yield {**self._of(alert, end + timedelta(seconds=second), kind, "change"), **fields}

    def _start(self, number: int, parent: int, at: datetime, path: str, line: str = "") -> Event:
        event = self._of(number, at, "process", "start")
        name = path.rpartition("\\")[2]
        event["process"] |= {
            "name": name, "executable": path, "command_line": line or f"{path} --number {number}",
            "args": (line or path).replace('"', "").split(" "), "pe": {"original_file_name": name},
            "hash": {"sha256": f"{number:064x}"}, "parent": {**self._ids(parent), "name": ""},
        }  # fmt: skip
        return event

    def _ids(self, number: int) -> Event:
        pid = {"pid": 40_000 + number}
        return {**pid, "entity_id": f"{{chain-{self.number}-{number}}}"} if self.named else pid

    def _of(self, number: int, at: datetime, category: str, type_: str) -> Event:
        index = "logs-windows.sysmon_operational-default" if self.named else "logs-system.security-default"
        return {
            "_index": index, TIMESTAMP: at.isoformat(timespec="milliseconds"),
            "event": {"kind": "event", "category": [category], "type": [type_]},
            "host": {"name": self.host, "os": {"type": "windows", "family": "windows"}},
            "user": {"name": "user7", "domain": "CORP", "id": "S-1-5-21-3623811015-7"},
            "process": self._ids(number),
        }  # fmt: skip


CHAINS = (Chain(1, named=True), Chain(2, named=False))


class Service:
    """A service that is asked over one connection, by key or as a browser."""

    def __init__(self, port: str, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=600)
        self._key, self._cookie = {"Authorization": f"ApiKey {key}"}, {"Accept": "text/html"}

    def post(self, path: str, body: bytes, kind: str = "application/json") -> Any:
        """Return what a client's request is answered with."""
        headers = {**self._key, "Content-Type": kind, "kbn-xsrf": "bench"}
        _, _, text = self._ask("POST", path, body, headers)
        return orjson.loads(text)

    def log_in(self) -> None:
        """Begin a session."""
        form = urlencode({"name": _USER, "password": _PASSWORD}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        _, headers, _ = self._ask("POST", "/login", form, {**self._cookie, **kind})
        self._cookie["Cookie"] = headers["set-cookie"].partition(";")[0]

    def page(self, path: str) -> str:
        """Return a page, or a part of one."""
        status, _, text = self._ask("GET", path, None, self._cookie)
        if status != 200:
            raise SystemExit(f"{path}: {status} {text[:500]!r}")
        return text.decode()

    def file(self, path: str) -> bytes:
        """Return a script or a style."""
        return self._ask("GET", path, None, self._cookie)[2]

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        self._connection.request(method, path, body, dict(headers))
        answer = self._connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def prepare_records(data: Path, count: int) -> None:
    """Put alerts and a user into the records of a data folder."""
    alerts.fill(data, count)
    records = Records(f"sqlite:///{data}/records.db")
    with records.transaction() as session:
        access.add_user(session, access.local_actor("bench"), _USER, "admin", _PASSWORD)


def raise_alerts(service: Service) -> dict[str, str]:
    """Send the chains, have the bundled rule raise an alert for each; return their ids by host."""
    now = datetime.now(UTC) - timedelta(seconds=30)
    lines = []
    for chain in CHAINS:
        for event in chain.events(now):
            index = event.pop("_index")
            lines.append(b'{"create":{"_index":"%s"}}\n%s\n' % (index.encode(), orjson.dumps(event)))
    service.post("/_bulk", b"".join(lines), "application/x-ndjson")
    tests = [
        {"terms": {"host.name": [chain.host for chain in CHAINS]}},
        {"match_phrase": {"kibana.alert.rule.name": "Remote File Download via MpCmdRun"}},
    ]
    query = {"size": 10, "sort": [{TIMESTAMP: "desc"}], "query": {"bool": {"filter": tests}}}
    until = time.time() + 600
    while time.time() < until:
        answer = service.post("/api/detection_engine/signals/search", orjson.dumps(query))
        hits = answer["hits"]["hits"] if "hits" in answer else []  # it is not ready while alerts are read
        by_host = {hit["_source"]["host"]["name"]: str(hit["_id"]) for hit in reversed(hits)}
        if len(by_host) == len(CHAINS):
            return by_host
        time.sleep(1)
    raise SystemExit("no alert was raised for the chains")


def import_rule(data: Path) -> None:
    """Enable the bundled rule, to run every few seconds."""
    (rule,) = bundled_folder().glob("*.toml")
    text = rule.read_text("utf-8").replace('interval = "5m"', 'interval = "5s"')
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / rule.name
        copy.write_text(text, "utf-8")
        program = [sys.executable, "-m", "tocsin", "rules", "import", str(copy)]
        subprocess.run([*program, "--enable", "--overwrite", "--data", str(data)], check=True)


def pages_of(by_host: Mapping[str, str]) -> dict[str, str]:
    """Return what is asked for, by a name."""
    named, pids = (f"/alerts/{by_host[chain.host]}" for chain in CHAINS)
    return {
        "alerts": "/alerts",
        "alerts, by host": "/alerts?query=host.name%3A%22host-7%22",
        "an alert": named,
        "its process tree": f"{named}/tree",
        "its process tree, pids alone": f"{pids}/tree",
        "its process": f"{named}/events",
        "its network events": f"{named}/events?show=network",
        "its network events, pids alone": f"{pids}/events?show=network",
        "its host": f"{named}/events?show=host",
        "its user": f"{named}/events?show=user",
        "prevalence": f"{named}/events?show=prevalence",
        "observables": f"{named}/events?show=observables",
        "counts of its guide": f"{named}/guide/counts",
        "timeline": "/timeline",
        "rules": "/rules",
        "overview": "/overview",
    }


def processor_time(pid: int) -> float:
    """Return the seconds of processor time of a process and those below it, also of those that have ended."""
    own: dict[int, float] = {}
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            numbers = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(numbers[1])
            own[int(path.parent.name)] = sum(map(int, numbers[11:15])) / os.sysconf("SC_CLK_TCK")
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return sum(own.get(process, 0.0) for process in below)


def measure(service: Service, pages: Mapping[str, str], rounds: int, pid: int, meanwhile: float) -> None:
    """Ask for every page so many times in turns, and print how long the service took, and what of its processors.

    `meanwhile` is the part of a processor that it uses without pages: for what comes in.
    """
    taken: dict[str, list[float]] = {name: [] for name in pages}
    used: dict[str, list[float]] = {name: [] for name in pages}
    known = {name: path for name, path in pages.items() if _is_there(service, path)}
    for _ in range(rounds):
        for name, path in known.items():
            before, started = processor_time(pid), time.perf_counter()
            service.page(path)
            seconds = time.perf_counter() - started
            taken[name].append(seconds * 1000)
            used[name].append((processor_time(pid) - before - meanwhile * seconds) * 1000)
    for name in known:
        times = sorted(taken[name])
        last = times[min(len(times) - 1, int(len(times) * 0.95))]
        print(
            f"  {name:32} median {statistics.median(times):7.0f} ms, 95 of 100 within {last:7.0f} ms,"
            f" processor time {statistics.mean(used[name]):7.0f} ms",
            flush=True,
        )


def used_meanwhile(pid: int, seconds: float) -> float:
    """Return the part of a processor that a process uses for some seconds."""
    before, started = processor_time(pid), time.perf_counter()
    time.sleep(seconds)
    return (processor_time(pid) - before) / (time.perf_counter() - started)


def _is_there(service: Service, path: str) -> bool:
    try:
        service.page(path)
    except SystemExit as error:
        print(f"  left out: {error}"[:200])
        return False
    return True


def print_sizes(service: Service) -> None:
    """Print what a page loads beside itself."""
    total = 0
    for path in sorted(
        set(re.findall(r'(?:src|href)="(/desk/static/[^"]+\.(?:js|css)[^"]*)"', service.page("/alerts")))
    ):
        size = len(gzip.compress(service.file(path), 6))
        total += size
        print(f"  {path.partition('?')[0]:32} {size / 1000:7.1f} kB compressed")
    print(f"  {'together':32} {total / 1000:7.1f} kB compressed")


def come_in(folder: Path, port: str, key: str, rate: float, until: float) -> threading.Thread:
    """Send events at a rate until a moment, in a thread."""
    made = folder / "requests"
    prepare(made, 200_000, STAMP.decode())
    requests = itertools.cycle(sorted(made.iterdir()))
    thread = threading.Thread(target=send, args=(port, key, requests, until, Pace(rate)), daemon=True)
    thread.start()
    return thread


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0, help="events a second that come in meanwhile")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    parser.add_argument("--folder", type=Path, help="where the store is kept for the next run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder: Path = given.folder or Path(made)
        data = folder / "data"
        if not data.exists():
            print(f"{build(data, given.events):,} events")
            prepare_records(data, given.alerts)
            import_rule(data)
        process, port, key = serve(data)
        try:
            service = Service(port, key)
            service.log_in()
            pages = pages_of(raise_alerts(service))
            if given.rate:
                come_in(folder, port, key, given.rate, time.time() + 3600)
            asked = {name: path for name, path in pages.items() if given.only in name}
            measure(service, asked, given.rounds, process.pid, used_meanwhile(process.pid, _MEANWHILE))
            print_sizes(service)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
