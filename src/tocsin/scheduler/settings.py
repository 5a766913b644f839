"""What bounds the watch."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.detection.schedule import SECOND


@dataclass(frozen=True)
class SchedulerSettings:
    """Times are in nanoseconds."""

    every: int = 3 * SECOND // 2  # how often new events are looked at, at least: what is left at a tick delays it
    catch_up: int = 24 * 3600 * SECOND  # ticks that were missed longer ago are left as a gap
    late: int = 24 * 3600 * SECOND  # how late an event may come and have its windows run again
    patience: int = 5 * SECOND  # how long other rules wait for one execution of a rule
    loading: int = SECOND // 2  # how long they wait for what one needs of the past; then it is read beside them
    history: int | None = None  # how long executions, filled gaps and delivered messages are told of; for ever
    kept: int = 600 * SECOND  # what is remembered beyond windows, for events that come a little late
