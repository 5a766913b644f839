"""`tocsin` as torture runs it: with a clock that is off, always putting slices together, dying where it is told.

`python -m tests.torture.process FOLDER serve …`. `FOLDER/offset` says by how many seconds the system clock is
off, and may change while the service runs, as a clock does that somebody sets. `FOLDER/death` names one of
`DEATHS`: the process kills itself the next time that it comes there.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tocsin.api import service
from tocsin.cli.main import main
from tocsin.management.settings import lake_settings
from tocsin.scheduler import execution, execution_records
from tocsin.scheduler.execution_writer import ExecutionWriter
from tocsin.store.clock import ArrivalClock
from tocsin.store.lake import keeper
from tocsin.store.lake.ids import ChosenIds
from tocsin.store.lake.journal.journal import Segment
from tocsin.store.lake.tables.table import IndexTable
from tocsin.store.records.high_water import HighWaterMark

# What is called there, by its name in a module or a class, and whether it has been done when the process dies.
DEATHS: Mapping[str, tuple[Any, str, bool]] = {
    "a frame is in the journal": (Segment, "append", True),
    "ids are written": (ChosenIds, "settle", True),
    "events are committed": (IndexTable, "commit", True),
    "a segment is closed": (Segment, "close", True),
    "a slice is put together": (IndexTable, "order", True),
    "old files are removed": (IndexTable, "clean", True),
    "an execution has found something": (execution, "stored_alerts", False),
    "an execution is written": (execution_records, "write", True),
    "executions are committed": (ExecutionWriter, "write", True),
    "how far records are is noted": (HighWaterMark, "note", False),
    "a file is replaced": (Path, "replace", False),
}


def _set(owner: Any, name: str, value: object) -> None:
    setattr(owner, name, value)


def _dying(folder: Path, moment: str, do: Callable[..., Any], *, done: bool) -> Callable[..., Any]:
    death = folder / "death"

    def die_if_told() -> None:
        try:
            told = death.read_text()
        except FileNotFoundError:
            return
        if told == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(do)
    def doing(*arguments: Any, **named: Any) -> Any:
        if not done:
            die_if_told()
        result = do(*arguments, **named)
        if done:
            die_if_told()
        return result

    return doing


def run() -> None:
    """Run a command."""
    folder = Path(sys.argv.pop(1))

    def wall() -> int:
        return time.time_ns() + int((folder / "offset").read_text()) * 1_000_000_000

    _set(service, "ArrivalClock", lambda: ArrivalClock(wall=wall))
    settings = lake_settings
    _set(service, "lake_settings", lambda config: replace(settings(config), maintain_every=0.5, quiet=1.0))
    _set(keeper.Load, "share", lambda load: 0.0)  # never too busy
    for moment, (owner, name, done) in DEATHS.items():
        _set(owner, name, _dying(folder, moment, getattr(owner, name), done=done))
    main()


if __name__ == "__main__":
    run()
