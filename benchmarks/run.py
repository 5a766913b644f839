"""`make bench`: the figures in docs/benchmarks.md."""

# ruff: noqa: E501 (a printed line reads better than it wraps)

from __future__ import annotations

import gc
import os
import platform
import statistics
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import evtx
import pyarrow
import pyarrow.json

from benchmarks import engine, peers, sequences, sources
from benchmarks.chart import write_chart
from benchmarks.fleet import write_fleet
from benchmarks.measure import compare, peak_memory
from benchmarks.rulesets import public_rules, variants
from benchmarks.telemetry import write_logs, write_ndjson
from tocsin.cli.main import COLLECT_AFTER
from tocsin.detection.compile import prepare
from tocsin.detection.hunt import Hunt
from tocsin.rules.load import bundled_rules
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs

OUT = Path("out/bench")
CHART = Path("docs/benchmarks.svg")
SMALL, LARGE = 20_000, 400_000
LOGS = RECORDS = 100_000
RENDERED = 20_000
FLEET = 1_000_000


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


def measure_sources(log: Path) -> None:
    """Print for each source how fast raw records are hunted through, and become every field that rules read.

    Then the same for records of a log in other formats, beside draining the log.
    """
    ruleset = public_rules()
    fields = None if ruleset is None else Hunt(ruleset.ready).wanted(ruleset.plan.program).fields
    print(f"Sources, {RECORDS:,} raw records of all kinds each")
    for name, path in sources.write_records(OUT / "sources", RECORDS).items():
        print(f" {name}, {path.stat().st_size / RECORDS:,.0f} bytes a record")
        found = compare(partial(hunt, path), partial(pyarrow.json.read_json, path))
        show("hunt, one rule", found.ours, found.ours_cpu, RECORDS)
        show("pyarrow read_json", found.theirs, found.theirs_cpu, RECORDS)
        if fields is not None:
            whole = compare(partial(sources.read_all, path, fields), partial(pyarrow.json.read_json, path))
            show(f"all {len(fields)} fields", whole.ours, whole.ours_cpu, RECORDS)
            print(f"  speed: {found.speed:.2f} of read_json with one rule, {whole.speed:.2f} with all fields")
    for name, path in sources.write_renderings(log, OUT / "sources", RENDERED).items():
        print(f" {name}, {path.stat().st_size / RENDERED:,.0f} bytes a record")
        found = compare(partial(hunt, path), partial(drain, log), 3)
        show("hunt, one rule", found.ours, found.ours_cpu, RENDERED)
        show("drain the log", found.theirs, found.theirs_cpu, LOGS)
        if fields is not None:
            whole = compare(partial(sources.read_all, path, fields), partial(drain, log), 3)
            show(f"all {len(fields)} fields", whole.ours, whole.ours_cpu, RENDERED)


def measure_rules(path: Path, events: int) -> None:
    """Print what a whole rule set costs: beside reading, one rule, thousands of rules, small batches, python-eql."""
    ruleset = public_rules()
    if ruleset is None:
        print("Rule sets: skipped; name a folder of rules, as in RULES=detection-rules/rules/windows make bench")
        return
    ready = ruleset.ready
    tables = engine.read_tables(path, ready)
    reference, _ = prepare(bundled_rules().rules)
    one_tables = engine.read_tables(path, reference)
    everything = compare(lambda: engine.evaluate(ruleset.plan, tables), lambda: pyarrow.json.read_json(path))
    one = compare(
        lambda: engine.evaluate(ruleset.plan, tables),
        lambda: engine.evaluate(engine.plan_of(reference), one_tables),
        3,
    )
    print(f"Rules: {len(ready)}, {events:,} mixed events, {path.stat().st_size / 1e6:,.0f} MB")
    show("evaluate all", everything.ours, everything.ours_cpu, events)
    show("pyarrow read_json", everything.theirs, everything.theirs_cpu, events)
    print(
        f"  CPU an event: {everything.ours_cpu / events * 1e6:.2f} us; {everything.ours_cpu / everything.theirs_cpu:.2f} of read_json's"
    )
    single = engine.single_rules(ready, tables)
    print(
        f"  all cost {one.ours_cpu / one.theirs_cpu:.1f} times the reference rule, {everything.ours_cpu / single:.1f} times the median rule alone"
    )
    small = engine.small_batches(ruleset.plan, tables)
    print(f"  500 events: median {statistics.median(small) * 1e3:.1f} ms, longest {max(small) * 1e3:.1f} ms")
    wrong = engine.differences(ready, tables)
    print(f"  rules that match otherwise alone than together: {len(wrong)} {wrong[:3]}")
    many = list(variants(ready, 5_000))
    plan = engine.plan_of(many)
    part = engine.Tables(tables.batches[:8], sum(rows for _, rows in tables.batches[:8]))
    thousands = compare(lambda: engine.evaluate(plan, part), lambda: engine.evaluate(ruleset.plan, part), 3)
    print(f"  {len(many):,} rules: {thousands.ours_cpu / part.events * 1e6:.2f} us of CPU an event")
    able, speed = peers.python_eql(ready, path, 1_000)
    same = engine.plan_of(able)
    mine = compare(lambda: engine.evaluate(same, tables), lambda: None, 3)
    bars = [
        ("reference rule", one.theirs_cpu / events, True),
        (f"{len(ready)} rules", everything.ours_cpu / events, True),
        (f"{len(many):,} rules", thousands.ours_cpu / part.events, True),
        ("pyarrow.json.read_json, no rule", everything.theirs_cpu / events, False),
        (f"python-eql, {len(able)} rules", 1 / speed, False),
    ]
    title = f"CPU an event, {events:,} mixed events (logarithmic)"
    write_chart(CHART, title, [(label, seconds * 1e6, ours) for label, seconds, ours in bars])
    print(
        f"  python-eql, {len(able)} rules: {speed:,.0f} events/s; tocsin, the same: {events / mine.ours_cpu:,.0f}, {events / mine.ours_cpu / speed:,.0f} times"
    )


def measure_hunts(path: Path, events: int) -> None:
    """Print hunts beside DuckDB with the reference rule written as SQL."""
    found = compare(lambda: hunt(path), lambda: peers.duckdb_reference(path), 3)
    print(f"Reference rule over the same file, {hunt(path)} and {peers.duckdb_reference(path)} matches")
    show("hunt, one rule", found.ours, found.ours_cpu, events)
    show("DuckDB, SQL by hand", found.theirs, found.theirs_cpu, events)


def main() -> None:
    """Make the input and print every figure."""
    gc.set_threshold(COLLECT_AFTER)  # as the command does
    versions = f"Python {platform.python_version()}, pyarrow {pyarrow.__version__}, evtx {version('evtx')}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {versions}")
    few = write_ndjson(OUT / f"process-{SMALL}.ndjson", SMALL)
    many = write_ndjson(OUT / f"process-{LARGE}.ndjson", LARGE)
    # First, while this process is small: a child starts with the memory of its parent.
    measure_memory(few, many)
    measure_ndjson(many)
    log = write_logs(OUT / f"sysmon-{LOGS}.evtx", LOGS)
    measure_evtx(log)
    measure_sequences()
    measure_sources(log)
    fleet = write_fleet(OUT / f"fleet-{FLEET}.ndjson", FLEET)
    measure_hunts(fleet, FLEET)
    measure_rules(fleet, FLEET)


if __name__ == "__main__":
    main()
