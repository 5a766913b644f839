"""`make bench`: the figures in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import evtx
import pyarrow
import pyarrow.json

from benchmarks.measure import compare, peak_memory
from benchmarks.telemetry import write_logs, write_ndjson
from tocsin.detection.hunt import Hunt
from tocsin.detection.prepare import prepare
from tocsin.rules.load import bundled_rules
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs

OUT = Path("out/bench")
SMALL, LARGE = 20_000, 400_000
LOGS = 100_000


def hunt(path: Path) -> int:
    """Hunt over a file with the reference rule and return the number of alerts."""
    ready, _ = prepare(bundled_rules().rules)
    return len(Hunt(ready).run(find_inputs([str(path)]), Rejects()).alerts)


def drain(path: Path) -> int:
    """Read every record of an EVTX file with the parser alone."""
    parser: Any = evtx.PyEvtxParser(str(path), number_of_threads=1)
    return sum(1 for _ in parser.records_json())


def show(what: str, wall: float, cpu: float, events: int) -> None:
    """Print one measurement."""
    print(f"  {what:<20}{wall:6.2f} s  {events / wall:10,.0f} events/s  cpu {cpu:5.2f} s")


def main() -> None:
    """Make the input and print every figure."""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pyarrow {pyarrow.__version__}"
    )
    ndjson = write_ndjson(OUT / f"process-{LARGE}.ndjson", LARGE)
    few = write_ndjson(OUT / f"process-{SMALL}.ndjson", SMALL)
    logs = write_logs(OUT / f"sysmon-{LOGS}.evtx", LOGS)
    # First, while this process is small: a child starts with the memory of its parent.
    options = ("-q", "-f", "ndjson")
    little, much = (peak_memory(["hunt", str(path), *options]) for path in (few, ndjson))
    print(f"Memory at the peak: {little / 1e6:.0f} MB for {SMALL:,} events, {much / 1e6:.0f} MB for {LARGE:,}")
    print(f"  ratio {much / little:.2f} for {LARGE // SMALL} times the input")
    size = ndjson.stat().st_size / 1e6
    found = compare(lambda: hunt(ndjson), lambda: pyarrow.json.read_json(ndjson))
    print(f"NDJSON, {LARGE:,} events, {size:,.0f} MB, {hunt(ndjson)} alerts")
    print(
        f"  hunt, one rule      {found.ours:6.2f} s  {LARGE / found.ours:10,.0f} events/s  cpu {found.ours_cpu:5.2f} s"
    )
    print(
        f"  pyarrow read_json   {found.theirs:6.2f} s  {LARGE / found.theirs:10,.0f} events/s  cpu {found.theirs_cpu:5.2f} s"
    )
    print(f"  speed of the hunt: {found.speed:.2f} of read_json")
    found = compare(lambda: hunt(logs), lambda: drain(logs))
    print(f"EVTX, {LOGS:,} events, {logs.stat().st_size / 1e6:,.0f} MB, {hunt(logs)} alerts")
    print(
        f"  hunt, one rule      {found.ours:6.2f} s  {LOGS / found.ours:10,.0f} events/s  cpu {found.ours_cpu:5.2f} s"
    )
    print(
        f"  drain the parser    {found.theirs:6.2f} s  {LOGS / found.theirs:10,.0f} events/s  cpu {found.theirs_cpu:5.2f} s"
    )
    print(f"  speed of the hunt: {found.speed:.2f} of draining")


if __name__ == "__main__":
    main()
