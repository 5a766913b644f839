"""The database of records, for commands that work on it, also while the service runs."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tocsin.store.records.access import Actor
    from tocsin.store.records.database import Records


@contextmanager
def open_records(config: Any, data: Any) -> Iterator[Records]:
    """Open the database of records, and bring it up to date."""
    from tocsin.config import load_config
    from tocsin.store.records.database import Records

    loaded = load_config(config, {"data": data})
    loaded.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    records = Records(loaded.records_url)
    records.upgrade()
    try:
        yield records
    finally:
        records.close()


@contextmanager
def in_records(config: Any, data: Any) -> Iterator[tuple[Session, Actor]]:
    """Open the database of records in a transaction, with the user of this machine as the one who asks."""
    from tocsin.store.records.access import local_actor

    with open_records(config, data) as records, records.transaction() as session:
        yield session, local_actor(getpass.getuser())
