"""Times that bound the scheduler."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.moments import SECOND


@dataclass(frozen=True)
class SchedulerSettings:
    """Times are in nanoseconds."""

    every: int = 3 * SECOND // 2  # how often new events are read, at least: those left at a tick delay it
    catch_up: int = 24 * 3600 * SECOND  # ticks missed longer ago stay a gap
    late: int = 24 * 3600 * SECOND  # how late an event may arrive for its windows to be run again
    longest_wait: int = 5 * SECOND  # how long other rules wait for one execution of a rule
    loading_wait: int = SECOND // 2  # how long they wait for the earlier events that one needs
    history: int | None = (
        None  # how long executions, filled gaps and delivered messages are kept; None is for ever
    )
    margin: int = 600 * SECOND  # how far before their windows buffers reach, for events that arrive a little late
