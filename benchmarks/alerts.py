"""How quickly an alert is closed and the first page read again: `python -m benchmarks.alerts [NUMBER …]`.

A service takes requests over HTTP on a database of so many alerts, each with a document of about 12 kB. Shown are
seconds, medians of several turns, and the memory of the service's process.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import insert

from benchmarks.ingest import cpu_seconds, resident, serve
from tocsin.moments import iso
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

_SIZE = 12_000  # bytes of a document
_AT_ONCE = 1_000
_SEVERITIES = {"low": 21, "medium": 47, "high": 73, "critical": 99}
_STATUS = "kibana.alert.workflow_status"
_PAGE = {
    "size": 20,
    "sort": [{"@timestamp": "desc"}],
    "query": {"bool": {"filter": [{"term": {_STATUS: "open"}}]}},
    "track_total_hits": True,
}
_COUNTED = (_STATUS, "kibana.alert.severity", "kibana.alert.rule.name")
_COUNTS = {"aggs": {field: {"terms": {"field": field, "size": 20}} for field in _COUNTED}}
_BY_PROCESS = {"bool": {"filter": [{"term": {_STATUS: "open"}}, {"term": {"process.name": "p7.exe"}}]}}
_BY_PID = {"bool": {"filter": [{"term": {_STATUS: "open"}}, {"range": {"process.pid": {"lt": 1000}}}]}}


def documents(count: int) -> Iterator[dict[str, Any]]:
    """Yield alerts as they are kept in records."""
    chance = random.Random(7)
    start = time.time_ns() - count * 1_000_000_000
    severities = [chance.choice([*_SEVERITIES]) for _ in range(200)]
    for number in range(count):
        rule = min(int(chance.expovariate(1 / 30)), 199)
        uuid, name, severity = str(uuid5(NAMESPACE_OID, str(rule))), f"Rule number {rule}", severities[rule]
        id_, made = hashlib.sha256(b"%d" % number).hexdigest(), start + number * 1_000_000_000
        document = {
            "@timestamp": iso(made),
            "kibana.alert.uuid": id_,
            _STATUS: "open",
            "kibana.alert.workflow_tags": [],
            "kibana.alert.workflow_assignee_ids": [],
            "kibana.alert.severity": severity,
            "kibana.alert.risk_score": _SEVERITIES[severity],
            "kibana.alert.depth": 1,
            "kibana.alert.start": iso(made),
            "kibana.alert.rule.uuid": uuid,
            "kibana.alert.rule.name": name,
            "kibana.alert.rule.rule_type_id": "siem.eqlRule",
            "kibana.alert.reason": f"process event with process p{number % 50}.exe created {severity} alert.",
            "kibana.alert.ancestors": [{"id": id_[:20], "index": "logs-windows", "depth": 0, "type": "event"}],
            "kibana.alert.rule.parameters": {
                "description": f"what {name} is about " * 40,
                "note": "how to look into it " * 150,
                "threat": [{"framework": "MITRE ATT&CK", "tactic": {"id": "TA0002", "name": "Execution"}}],
                "query": "process where process.name : \"p*.exe\" " * 20,
            },
            "host": {"name": f"host-{number % 400}", "ip": [f"10.0.{number % 4}.{number % 250}"]},
            "user": {"name": f"user-{number % 900}"},
            "process": {
                "name": f"p{number % 50}.exe", "pid": number % 65_536,
                "command_line": f"p{number % 50}.exe --run {id_}",
            },
            "event": {"category": ["process"], "type": ["start"], "kind": "signal"},
            **{f"winlog.event_data.Field{n}": id_[n : n + 30] for n in range(20)},
        }  # fmt: skip
        missing = _SIZE - len(json.dumps(document))
        document["message"] = (id_ * (missing // 64 + 1))[: max(0, missing)]
        yield {
            "id": id_, "rule_uuid": uuid, "created": made, "time": made, "status": "open", "severity": severity,
            "building_block": False, "group_key": None, "counted_to": None, "changed": made,
            "document": json.dumps(document),
        }  # fmt: skip


def fill(data: Path, count: int) -> None:
    """Put so many alerts into the records of a data folder."""
    records = Records(f"sqlite:///{data}/records.db")
    records.upgrade()
    waiting: list[dict[str, Any]] = []
    for document in documents(count):
        waiting.append(document)
        if len(waiting) == _AT_ONCE:
            _write(records, waiting)
            waiting = []
    if waiting:
        _write(records, waiting)


def _write(records: Records, rows: list[dict[str, Any]]) -> None:
    with records.transaction() as session:
        session.execute(insert(StoredAlert), rows)


class Client:
    """Asks a service over one connection."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/json"}

    def ready(self) -> None:
        """Ask whether the service is ready."""
        self._answer("GET", "/readyz")

    def post(self, path: str, body: Any) -> Any:
        """Return what a request is answered with."""
        return self._answer("POST", path, json.dumps(body))

    def _answer(self, method: str, path: str, body: str | None = None) -> Any:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {text[:500]!r}")
        return json.loads(text)

    def page(self, size: int = 20, **more: Any) -> Any:
        """Return the first page of open alerts."""
        return self.post("/api/detection_engine/signals/search", {**_PAGE, "size": size, **more})

    def close_alert(self, id_: str) -> None:
        """Close an alert."""
        changed = self.post("/api/detection_engine/signals/status", {"status": "closed", "signal_ids": [id_]})
        assert changed["updated"] == 1, changed


@contextmanager
def running(data: Path) -> Iterator[tuple[int, Client]]:
    """Run a service on a data folder; give the number of its process, and what asks it."""
    service, port, key = serve(data)
    try:
        yield service.pid, Client(int(port), key)
    finally:
        service.terminate()
        service.wait()


def median(work: Callable[[], object], turns: int) -> float:
    """Return the median of the seconds that something takes."""
    seconds = []
    for _ in range(turns):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and of those that it has started."""
    seconds = cpu_seconds(pid)
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        seconds += sum(map(processor_seconds, map(int, path.read_text().split())))
    return seconds


def measure(folder: Path, turns: int) -> dict[str, float]:
    """Return what was measured of the alerts in a data folder."""
    shown: dict[str, float] = {}
    with running(folder) as (process, client):
        shown["MiB before"] = resident(process)
        shown["is it ready, while rows are read"] = median(client.ready, 3)
        shown["first page after the start"] = median(client.page, 1)
        shown["MiB with the index"] = resident(process)
        shown["first page"] = median(client.page, turns)

        def close_and_read(name: str, **more: Any) -> None:
            hits = client.page(size=turns)["hits"]["hits"]
            times, before = list[tuple[float, float]](), processor_seconds(process)
            for first in [hit["_id"] for hit in hits]:
                started = time.perf_counter()
                client.close_alert(first)
                closed = time.perf_counter()
                page = client.page(**more)["hits"]["hits"]
                times.append((closed - started, time.perf_counter() - closed))
                assert first not in [hit["_id"] for hit in page]
            shown[f"close one ({name})"] = statistics.median(close for close, _ in times)
            shown[f"and read the first page ({name})"] = statistics.median(read for _, read in times)
            shown[f"both, processor time ({name})"] = (processor_seconds(process) - before) / len(times)

        close_and_read("20")
        close_and_read("100", size=100)
        close_and_read("100, counts", size=100, **_COUNTS)
        shown["by a common field, first time"] = median(lambda: client.page(query=_BY_PROCESS), 1)
        shown["by another field, first time"] = median(lambda: client.page(query=_BY_PID), 1)
        shown["by another field, then"] = median(lambda: client.page(query=_BY_PID), turns)
        close_and_read("20 by another field", query=_BY_PID)
        shown["MiB after"] = resident(process)
    return shown


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, default=[20_000, 100_000], metavar="NUMBER")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--data", type=Path, help="a folder in which data of earlier runs may lie")
    chosen = parser.parse_args()
    for number in chosen.numbers:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (chosen.data or Path(temporary)) / f"alerts-{number}"
            if not folder.exists():
                folder.mkdir(parents=True)
                fill(folder, number)
            print(f"{number:,} alerts")
            for name, value in measure(folder, chosen.turns).items():
                print(f"  {name:44} {value:10.3f}" if "MiB" not in name else f"  {name:44} {value:10.0f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
