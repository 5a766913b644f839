"""Where a rule on the watch stands."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

import pyarrow as pa

from tocsin.detection.rule_buffer import RuleBuffer
from tocsin.detection.schedule import Schedule
from tocsin.scheduler.execution_records import ExecutionResult, Last
from tocsin.scheduler.stored_rules import Entry


@dataclass
class State:
    """A rule on the watch."""

    entry: Entry
    done_to: int
    memory: RuleBuffer | None = None
    loading: bool = False  # whether what it needs of the past is still being read
    last: Last | None = None
    running: Future[ExecutionResult] | None = None  # an execution that takes long
    slow: bool = False  # the last one took so long that nobody waits for the next

    def remember(self, parts: Iterable[pa.Table]) -> None:
        """Remember rows of events that fit it."""
        if self.memory is not None:
            for part in parts:
                self.memory.add(part)

    @property
    def schedule(self) -> Schedule:
        """When the rule is due; a rule that cannot be read is due every five minutes, to tell so."""
        return self.entry.schedule or Schedule(300_000_000_000, "now-6m")

    @property
    def next_tick(self) -> int:
        """The tick that it is to be run for next."""
        interval = self.schedule.interval
        return self.done_to // interval * interval + interval
