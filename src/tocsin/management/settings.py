"""The configuration as settings of the store and the scheduler."""

from __future__ import annotations

from tocsin.config import Config
from tocsin.moments import DAY, HOUR
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.store.lake.lake import LakeSettings


def lake_settings(config: Config) -> LakeSettings:
    """Return how the store keeps events."""
    return LakeSettings(
        flush_after=config.flush_after,
        keep_days=config.keep_days,
        keep_size=config.keep_size,
        reserve=config.disk_reserve,
    )


def scheduler_settings(config: Config) -> SchedulerSettings:
    """Return the times that bound the scheduler."""
    history = None if config.history_days is None else config.history_days * DAY
    return SchedulerSettings(catch_up=config.catch_up_hours * HOUR, history=history)
