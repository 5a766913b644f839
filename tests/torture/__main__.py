"""Torture the service: `python -m tests.torture --kills 50`."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

from tests.postgresql import cluster
from tests.torture.rounds import torture

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--kills", type=int, default=50)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--postgresql", action="store_true", help="keep records in PostgreSQL")
parser.add_argument("--tls", action="store_true", help="serve over TLS")
given = parser.parse_args()
with contextlib.ExitStack() as stack:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    url = stack.enter_context(cluster()).create("torture") if given.postgresql else ""
    done = torture(Path(folder) / "data", given.kills, given.seed, url, tls=given.tls)
for told in done.damages:
    print(told)
print(
    f"killed {given.kills} times: {done.acknowledged:,} events acknowledged, {done.stored:,} stored, none "
    f"missing, none twice; the clock was set {done.steps} times, {len(done.damages)} files were damaged in copies;"
)
print("every event that fits a rule has its alert once, and every tick its execution")
