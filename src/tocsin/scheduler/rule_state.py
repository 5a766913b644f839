"""The state of an enabled rule in the scheduler: its third form, beside its document and the compiled rule."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

import pyarrow as pa

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_buffer import RuleBuffer
from tocsin.detection.schedule import Schedule
from tocsin.scheduler.execution_records import WrittenExecution
from tocsin.scheduler.execution_result import ExecutionResult


@dataclass(eq=False)
class RuleState:
    """An enabled rule as it was read from records, and how far the scheduler has run it.

    Moments are in nanoseconds.
    """

    uuid: str
    changed: int  # the number of its changes
    name: str
    schedule: Schedule
    enabled_from: int
    recorded_to: int | None  # the last tick that was run, from records; None before the first
    rule: CompiledRule | None = None  # None when it cannot be compiled, or not yet
    failure: str | None = None  # why not
    expires: int | None = None  # when its first exception expires, and it has to be read again
    waits: str | None = None  # the message about a field that no event has had yet

    done_to: int = 0  # the last tick that was run
    buffer: RuleBuffer | None = None
    loading: bool = False  # whether earlier events that it needs are still being read
    last: WrittenExecution | None = None
    running: Future[ExecutionResult] | None = None  # an execution that takes long
    slow: bool = False  # the last execution took so long that a turn does not wait for the next

    def add_rows(self, parts: Iterable[pa.Table]) -> None:
        """Add rows of events that fit the rule to its buffer."""
        if self.buffer is not None:
            for part in parts:
                self.buffer.add(part)

    @property
    def next_tick(self) -> int:
        """The next tick that it is run for."""
        interval = self.schedule.interval
        return self.done_to // interval * interval + interval
