"""Torture the service: `python -m tests.torture --kills 50`."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path

from tests.postgresql import cluster
from tests.torture.rounds import drawn, torture

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--kills", type=int, default=50)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--first", type=int, default=0, help="leave out the rounds before this one")
parser.add_argument("--postgresql", action="store_true", help="keep records in PostgreSQL")
parser.add_argument("--tls", action="store_true", help="serve over TLS")
parser.add_argument("--folder", help="an empty folder, in which everything stays")
given = parser.parse_args()
with contextlib.ExitStack() as stack:
    folder = given.folder or stack.enter_context(tempfile.TemporaryDirectory())
    database = stack.enter_context(cluster()) if given.postgresql else None
    began = time.monotonic()
    rounds = drawn(given.kills, given.seed)[given.first :]
    done = torture(Path(folder) / "data", rounds, given.seed, database, tls=given.tls, tell=print)
for end, count in done.ends.most_common():
    print(f"ended {count:3} times: {end}")
print(
    f"{len(rounds)} rounds in {time.monotonic() - began:,.0f} s: {done.acknowledged:,} events and "
    f"{done.changes:,} changes acknowledged, {done.stored:,} events stored, none missing, none twice; the clock "
    f"was set {done.steps} times, {len(done.damages)} files were damaged in copies;"
)
print("every event that fits a rule has its alert once, and every tick its execution")
