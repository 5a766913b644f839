"""The database of records, for commands that work on it, also while the service runs."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tocsin.config import Config
    from tocsin.store.records.access import Actor
    from tocsin.store.records.database import Records
    from tocsin.store.records.models import ApiKey, StoredAlert

_Record = TypeVar("_Record", "ApiKey", "StoredAlert")
_HINT = "name the service's folder with --data; `tocsin serve` makes a new one"


@contextmanager
def open_records(config: Any, data: Any, *, new: bool = False) -> Iterator[Records]:
    """Open the database of records, and bring it up to date. One that is not there is made where it may be `new`.

    Raises TocsinError where there is none, and leaves the folder as it is.
    """
    from tocsin.config import load_config
    from tocsin.store.records.database import Records
    from tocsin.store.records.encryption import cipher_of
    from tocsin.store.records.high_water import HIGH_WATER

    loaded = load_config(config, {"data": data})
    if new:
        loaded.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    else:
        _refuse_missing(loaded)
    records = Records(loaded.records_url, cipher_of(loaded), loaded.data / HIGH_WATER)
    try:
        if not new and records.is_empty():
            raise TocsinError(f"{records.name} holds no records of a service", hint=_HINT)
        records.upgrade()
        yield records
    finally:
        records.close()


def _refuse_missing(config: Config) -> None:
    if config.database_url is not None:
        return
    if not config.data.is_dir():
        raise TocsinError(f"there is no folder {config.data}", hint=_HINT)
    if not (config.data / "records.db").is_file():
        raise TocsinError(f"{config.data} holds no records of a service", hint=_HINT)


@contextmanager
def in_records(config: Any, data: Any, *, new: bool = False) -> Iterator[tuple[Session, Actor]]:
    """Open the database of records in a transaction, with the user of this machine as the one who asks."""
    from tocsin.store.records.access import local_actor

    with open_records(config, data, new=new) as records, records.transaction() as session:
        yield session, local_actor(getpass.getuser())


def beginning_with(
    session: Session, kind: type[_Record], ids: Sequence[str], noun: str, hint: str
) -> list[_Record]:
    """Return the records that ids, or their beginnings, stand for, each once. Raises TocsinError."""
    from sqlalchemy import select

    records: dict[str, _Record] = {}
    for begins in ids:
        asked = select(kind).where(kind.id.startswith(begins, autoescape=True)).limit(2)
        matches = list(session.scalars(asked))
        if len(matches) != 1 or not begins:
            what = f"no {noun} has an id that begins" if not matches else f"several {noun}s have ids that begin"
            raise TocsinError(f"{what} with `{begins}`", hint=hint)
        records[matches[0].id] = matches[0]
    return list(records.values())
