"""Time and memory of one thing beside another, in turns, so that a noisy machine is noisy for both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Compared:
    """Medians in seconds of wall and processor time of two things, and the ratio of the first to the second."""

    ours: float
    theirs: float
    ours_cpu: float
    theirs_cpu: float

    @property
    def speed(self) -> float:
        """How fast ours is against theirs (0.5: half as fast), by wall time."""
        return self.theirs / self.ours


def compare(ours: Callable[[], object], theirs: Callable[[], object], runs: int = 5) -> Compared:
    """Run both `runs` times in turns after one warm-up each."""
    samples: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for run in range(runs + 1):
        for name, function in (("ours", ours), ("theirs", theirs)):
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            if run:
                samples[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    medians = {
        name: [statistics.median(column) for column in zip(*values, strict=True)]
        for name, values in samples.items()
    }
    return Compared(medians["ours"][0], medians["theirs"][0], medians["ours"][1], medians["theirs"][1])


def peak_memory(arguments: Sequence[str]) -> int:
    """Run `tocsin` with arguments and return its peak resident memory in bytes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tocsin", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"tocsin {' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_maxrss * 1024
