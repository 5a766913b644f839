"""Where a rule on the watch stands."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from tocsin.detection.schedule import Schedule
from tocsin.watch.ledger import Done, Last
from tocsin.watch.memory import Memory
from tocsin.watch.ruleset import Entry


@dataclass
class State:
    """A rule on the watch."""

    entry: Entry
    done_to: int
    memory: Memory | None = None
    last: Last | None = None
    running: Future[Done] | None = None  # an execution that takes long
    slow: bool = False  # the last one took so long that nobody waits for the next

    @property
    def schedule(self) -> Schedule:
        """When the rule is due; a rule that cannot be read is due every five minutes, to tell so."""
        return self.entry.schedule or Schedule(300_000_000_000, "now-6m")

    @property
    def next_tick(self) -> int:
        """The tick that it is to be run for next."""
        interval = self.schedule.interval
        return self.done_to // interval * interval + interval
