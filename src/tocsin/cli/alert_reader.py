"""A reader of the data directory's events and alerts, for commands that look at one alert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.store.records.database import Records

_IN_USE = "a service has the events open"


@contextmanager
def alert_reader(records: Records, config: Any, data: Any) -> Iterator[tuple[Any, str]]:
    """Give a reader of events and alerts, or of alerts alone where a service has the events, and why."""
    from tocsin.config import load_config
    from tocsin.management.settings import lake_settings
    from tocsin.store.alerts.alert_index import AlertIndex
    from tocsin.store.composite import CompositeStore
    from tocsin.store.events import StoreError
    from tocsin.store.lake.lake import LakeStore

    alerts, loaded = AlertIndex(records), load_config(config, {"data": data})
    try:
        store = LakeStore(loaded.data, lake_settings(loaded))
    except StoreError:
        yield alerts, _IN_USE
        return
    try:
        yield CompositeStore(store, [alerts]), ""
    finally:
        store.close()
