"""No request holds the service: each of a table of hostile ones, with everybody else going on beside it.

The service is a process as it runs in earnest. While requests run, `/healthz` is asked by a thread of its own,
events come in, and a rule raises alerts. The longest wait is printed; only a service that stands
still fails the test.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.api.hostile_changes import CHANGES
from tests.api.hostile_searches import SEARCHES, Hostile
from tests.conftest import PRINTED
from tests.serving import Serve, key
from tests.waiting import eventually

LIMIT = 4  # seconds that a search may take here
FROZEN = 5.0  # seconds without an answer to `/healthz` after which the service stands still
RULE = {
    "rule_id": "beside", "name": "Beside", "description": "x", "type": "eql", "language": "eql", "interval": "2s",
    "query": 'any where event.action == "beside"', "index": ["logs-beside-*"], "severity": "low", "risk_score": 1,
    "from": "now-10m", "enabled": True,
}  # fmt: skip


@contextmanager
def served(folder, **settings) -> Iterator[tuple[Serve, httpx.Client]]:
    environment = {f"TOCSIN_{name.upper()}": str(value) for name, value in settings.items()}
    api_key = key(folder, "ingest", "read", "write_rules", "respond")
    with Serve(folder, env=environment) as service, client_of(service.url, api_key) as client:
        yield service, client


def client_of(url: str, api_key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"ApiKey {api_key}"}, trust_env=False, timeout=120)


def bulk(client: httpx.Client, index: str, events: list[dict[str, Any]]) -> None:
    lines = [line for event in events for line in (b'{"create":{}}', orjson.dumps(event))]
    headers = {"content-type": "application/x-ndjson"}
    answer = client.post(f"/{index}/_bulk", content=b"\n".join(lines) + b"\n", headers=headers).json()
    assert not answer["errors"]


def planted(client: httpx.Client) -> None:
    """Store events whose command lines are bad for whoever tries again and again."""
    now = datetime.now(UTC).isoformat()
    for start in range(0, 20_000, 5_000):
        bulk(client, "logs-hostile-default", [
            {
                "@timestamp": now, "event": {"category": "process"}, "host": {"id": f"h{n % 3}"},
                "process": {"pid": n, "command_line": "a" * 40 + f" {n}"},
            }
            for n in range(start, start + 5_000)
        ])  # fmt: skip


class Beside:
    """What goes on beside requests, in threads of its own."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.waits: list[float] = []
        self.stored = 0
        self.faults: list[str] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._again, args=(each,)) for each in (self._health, self._ingest)
        ]

    def __enter__(self) -> Beside:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _again(self, each: Callable[[httpx.Client], None]) -> None:
        with httpx.Client(base_url=self._client.base_url, headers=self._client.headers, trust_env=False) as client:
            while not self._stop.wait(0.05):
                try:
                    each(client)
                except (httpx.HTTPError, AssertionError) as error:
                    self.faults.append(f"{each.__name__}: {error!r}")

    def _health(self, client: httpx.Client) -> None:
        began = time.perf_counter()
        status = client.get("/healthz", timeout=FROZEN).status_code
        self.waits.append(time.perf_counter() - began)
        assert status == 200

    def _ingest(self, client: httpx.Client) -> None:
        event = {"@timestamp": datetime.now(UTC).isoformat(), "event": {"action": "beside", "category": "process"}}
        bulk(client, "logs-beside-default", [event])
        self.stored += 1

    def has_stored(self, events: int) -> bool:
        """Tell whether so many events have come in."""
        return self.stored >= events

    def has_alerted(self, alerts: int) -> bool:
        """Tell whether the rule has raised so many alerts."""
        return self.alerts() >= alerts

    def alerts(self) -> int:
        """Return how many alerts the rule has raised."""
        query = {"query": {"term": {"kibana.alert.rule.rule_id": "beside"}}, "size": 0}
        found = self._client.post("/api/detection_engine/signals/search", json=query, headers={"kbn-xsrf": "1"})
        return int(found.json()["hits"]["total"]["value"])


def fired(client: httpx.Client, hostile: Hostile) -> tuple[int, float]:
    """Send a request; return the status of its answer, and after how many seconds it came."""
    body = hostile.body if isinstance(hostile.body, bytes | None) else orjson.dumps(hostile.body)
    headers = {"content-type": "application/json", **hostile.headers}
    began = time.perf_counter()
    answer = client.request(hostile.method, hostile.path, content=body, headers=headers)
    return answer.status_code, time.perf_counter() - began


@pytest.mark.slow
def test_no_request_holds_the_service(tmp_path, record_property):
    told = []
    with served(tmp_path, search_timeout=LIMIT, search_memory=256 << 20) as (_, client):
        planted(client)
        assert client.post("/api/detection_engine/rules", json=RULE, headers={"kbn-xsrf": "1"}).status_code == 200
        with Beside(client) as beside:
            eventually(lambda: beside.alerts() > 0)
            for hostile in (*SEARCHES, *CHANGES):
                stored, longest = beside.stored, len(beside.waits)
                status, seconds = fired(client, hostile)
                wait = max(beside.waits[longest:], default=0.0)
                told.append(
                    f"{hostile.name}: {status} after {seconds:.1f} s, /healthz waited {1000 * wait:.0f} ms"
                )
                assert status < 500, told[-1]
                eventually(partial(beside.has_stored, stored + 1))
            alerts = beside.alerts()
            eventually(partial(beside.has_alerted, alerts + 1))
    record_property(PRINTED, "\n".join(told))
    assert not beside.faults


def worked(service: int) -> dict[int, int]:
    """Return how many ticks of the processor the processes of searches have had, by their ids."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            found[int(path.parent.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    forking = {pid for pid, (parent, _) in found.items() if parent == service}
    return {pid: ticks for pid, (parent, ticks) in found.items() if parent in forking}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_searches_end_with_their_client_and_with_the_service(tmp_path):
    conditions = (f'concat(process.command_line, "{n}") : "*b*a*c*"' for n in range(900))
    endless = {"query": "any where " + " or ".join(conditions)}

    with served(tmp_path, search_timeout=600) as (service, client):
        planted(client)

        def working(idle: dict[int, int]) -> set[int]:
            """Return the processes of searches that have taken time of the processor since they were idle."""
            return {pid for pid, ticks in worked(service.process.pid).items() if ticks > idle.get(pid, 0) + 20}

        def asked() -> socket.socket:
            """Return a connection over which the search was asked for."""
            request = client.build_request("POST", "/logs-*/_eql/search", json=endless)
            head = [
                b"POST %b HTTP/1.1" % request.url.raw_path,
                *(b"%b: %b" % line for line in request.headers.raw),
            ]
            connection = socket.create_connection((request.url.host, request.url.port or 0))
            connection.sendall(b"\r\n".join([*head, b"", request.content]))
            return connection

        idle = worked(service.process.pid)
        with asked():
            busy = eventually(partial(working, idle))
        eventually(lambda: not busy & worked(service.process.pid).keys())  # one that goes on keeps its process

        idle = worked(service.process.pid)
        with asked():
            eventually(partial(working, idle))
            service.process.send_signal(signal.SIGTERM)
            service.process.wait(60)  # as long as service managers have patience
