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

from benchmarks import sequences
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


def measure_memory(few: Path, many: Path) -> None:
    """Print the peaks of a small and a large hunt."""
    little, much = (peak_memory(["hunt", str(path), "-q", "-f", "ndjson"]) for path in (few, many))
    print(f"Memory at the peak: {little / 1e6:.0f} MB for {SMALL:,} events, {much / 1e6:.0f} MB for {LARGE:,}")
    print(f"  ratio {much / little:.2f} for {LARGE // SMALL} times the input")


def measure_ndjson(path: Path) -> None:
    """Print a hunt over NDJSON beside Arrow's reader alone."""
    found = compare(lambda: hunt(path), lambda: pyarrow.json.read_json(path))
    print(f"NDJSON, {LARGE:,} events, {path.stat().st_size / 1e6:,.0f} MB, {hunt(path)} alerts")
    show("hunt, one rule", found.ours, found.ours_cpu, LARGE)
    show("pyarrow read_json", found.theirs, found.theirs_cpu, LARGE)
    print(f"  speed of the hunt: {found.speed:.2f} of read_json")


def measure_evtx(path: Path) -> None:
    """Print a hunt over EVTX beside the parser alone."""
    found = compare(lambda: hunt(path), lambda: drain(path))
    print(f"EVTX, {LOGS:,} events, {path.stat().st_size / 1e6:,.0f} MB, {hunt(path)} alerts")
    show("hunt, one rule", found.ours, found.ours_cpu, LOGS)
    show("drain the parser", found.theirs, found.theirs_cpu, LOGS)
    print(f"  speed of the hunt: {found.speed:.2f} of draining")


def measure_sequences() -> None:
    """Print a two-step sequence beside its two step filters, and how memory goes with what no step matches."""
    made = sequences.columns()
    found = compare(lambda: sequences.sequences(made), lambda: sequences.filters(made))
    print(
        f"Sequence of two steps, {sequences.EVENTS:,} events, {sequences.KEYS:,} keys, "
        f"{sequences.filters(made):,} candidates, {sequences.sequences(made)} found"
    )
    show("sequence", found.ours, found.ours_cpu, sequences.EVENTS)
    show("its two filters", found.theirs, found.theirs_cpu, sequences.EVENTS)
    print(f"  the sequence costs {found.ours / found.theirs:.2f} times its filters")
    kept = sequences.kept_bytes(made), sequences.kept_bytes(sequences.with_noise(made))
    print(
        f"  kept for matching: {kept[0] / 1e6:.1f} MB; "
        f"with as many events again that fit no step, {kept[1] / 1e6:.1f} MB"
    )


def main() -> None:
    """Make the input and print every figure."""
    versions = f"Python {platform.python_version()}, pyarrow {pyarrow.__version__}, evtx {version('evtx')}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {versions}")
    few = write_ndjson(OUT / f"process-{SMALL}.ndjson", SMALL)
    many = write_ndjson(OUT / f"process-{LARGE}.ndjson", LARGE)
    # First, while this process is small: a child starts with the memory of its parent.
    measure_memory(few, many)
    measure_ndjson(many)
    measure_evtx(write_logs(OUT / f"sysmon-{LOGS}.evtx", LOGS))
    measure_sequences()


if __name__ == "__main__":
    main()
