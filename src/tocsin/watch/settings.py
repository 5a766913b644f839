"""What bounds the watch."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.detection.schedule import SECOND


@dataclass(frozen=True)
class WatchSettings:
    """Times are in nanoseconds."""

    every: int = 4 * SECOND  # how often new events are looked at, at least
    catch_up: int = 24 * 3600 * SECOND  # ticks that were missed longer ago are left as a gap
    late: int = 24 * 3600 * SECOND  # how late an event may come and have its windows run again
    kept: int = 600 * SECOND  # what is remembered beyond windows, for events that come a little late
