"""Hosts that run osquery: 1,000 that poll every ten seconds over TLS, and one live query to all of them.

    python -m benchmarks.hosts [--hosts 1000] [--seconds 60]

The service is a process of its own; its CPU time is that of the kernel's account of it. Hosts are coroutines of
this process, each with one connection that it keeps, as osquery's `tls_session_reuse` has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import ssl
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.certificates import make_certificates
from tests.serving import Serve, tocsin

API = "/api/v1/osquery"
ROWS = [{"name": f"name{number}.example", "type": "A", "flags": "0"} for number in range(20)]


@dataclass
class Host:
    """A host with one connection."""

    port: int
    context: ssl.SSLContext
    secret: str
    number: int
    node_key: str = ""
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    latencies: list[float] = field(default_factory=list)
    connections: int = 0
    answered: int = 0

    async def post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Send a request, over a new connection where the former one was closed."""
        body = json.dumps(document).encode()
        head = f"POST {API}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(5):
            try:
                if self.writer is None:
                    self.reader, self.writer = await asyncio.open_connection(
                        "127.0.0.1", self.port, ssl=self.context
                    )
                    self.connections += 1
                assert self.reader is not None
                self.writer.write(head.encode() + body)
                answer_head = await self.reader.readuntil(b"\r\n\r\n")
                length = int(answer_head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                result: dict[str, Any] = json.loads(await self.reader.readexactly(length))
                return result
            except (OSError, asyncio.IncompleteReadError):
                self.writer = None
        raise RuntimeError("the service does not answer")

    async def enroll(self) -> None:
        """Enrol."""
        name = f"host-{self.number:05}"
        details = {
            "system_info": {"hostname": name, "uuid": str(uuid.uuid4())},
            "os_version": {"platform": "windows"},
        }
        document = {"enroll_secret": self.secret, "host_identifier": name, "host_details": details}
        self.node_key = (await self.post("enroll", document))["node_key"]

    async def poll(self, until: float, interval: float) -> None:
        """Ask for queries again and again, and answer them."""
        await asyncio.sleep(random.uniform(0, interval))
        while time.perf_counter() < until:
            begun = time.perf_counter()
            queries = (await self.post("distributed/read", {"node_key": self.node_key})).get("queries", {})
            self.latencies.append(time.perf_counter() - begun)
            if queries:
                document = {
                    "node_key": self.node_key, "queries": dict.fromkeys(queries, ROWS),
                    "statuses": dict.fromkeys(queries, 0),
                }  # fmt: skip
                await self.post("distributed/write", document)
                self.answered += len(queries)
            await asyncio.sleep(max(0.0, interval - (time.perf_counter() - begun)))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(
    port: int, pid: int, secret: str, authority: Path, data: Path, count: int, seconds: float
) -> None:
    """Enrol hosts, let them poll, ask them, and print the figures."""
    context = ssl.create_default_context(cafile=str(authority))
    hosts = [Host(port, context, secret, number) for number in range(count)]
    begun, cpu = time.perf_counter(), cpu_seconds(pid)
    gate = asyncio.Semaphore(50)

    async def enroll(host: Host) -> None:
        async with gate:
            await host.enroll()

    await asyncio.gather(*(enroll(host) for host in hosts))
    print(f"{count:,} enrolments: {time.perf_counter() - begun:.1f} s, {cpu_seconds(pid) - cpu:.1f} s of CPU")

    until, cpu, begun = time.perf_counter() + seconds, cpu_seconds(pid), time.perf_counter()
    polling = [asyncio.create_task(host.poll(until, 10.0)) for host in hosts]
    await asyncio.sleep(seconds / 3)
    idle_cpu, idle_seconds = cpu_seconds(pid) - cpu, time.perf_counter() - begun
    idle = sorted(latency for host in hosts for latency in host.latencies)
    asked = time.perf_counter()
    sql = "SELECT * FROM dns_cache"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tocsin", "hosts", "query", sql, "--all", "--timeout", "60", "--format", "ndjson",
        "--data", str(data),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, said = await process.communicate()
    took = time.perf_counter() - asked
    await asyncio.gather(*polling)
    rows = output.count(b"\n")
    print(f"polling: {idle_cpu / idle_seconds * 100:.0f} % of one core, {len(idle) / idle_seconds:.0f} polls/s")
    print(
        f"latency of a poll: median {statistics.median(idle) * 1000:.1f} ms, "
        f"99 % {idle[int(len(idle) * 0.99)] * 1000:.1f} ms, longest {idle[-1] * 1000:.0f} ms"
    )
    print(
        f"a live query to all: {took:.1f} s until its rows were printed; {said.decode().strip().splitlines()[-1]}"
    )
    print(f"rows: {rows:,} of {count * len(ROWS):,}; answers of hosts: {sum(host.answered for host in hosts):,}")
    print(f"connections: {sum(host.connections for host in hosts):,} of {count:,} hosts")
    assert rows == count * len(ROWS), "rows were lost"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        certificates = make_certificates(Path(folder) / "certificates")
        environment = {
            "TOCSIN_TLS_CERTIFICATE": str(certificates.certificate),
            "TOCSIN_TLS_KEY": str(certificates.key),
        }
        with Serve(data, env=environment) as serve:
            secret = tocsin("hosts", "secret", data=data).stdout.strip()
            port = int(serve.url.rpartition(":")[2])
            asyncio.run(
                measure(
                    port, serve.process.pid, secret, certificates.authority, data, options.hosts, options.seconds
                )
            )


if __name__ == "__main__":
    main()
