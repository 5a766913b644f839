"""The documents of alerts: they lie in records, and are read for those who ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import select

from tocsin.store.alerts.cache import SizedCache
from tocsin.store.events import StoreError
from tocsin.store.records.database import Records, chunks
from tocsin.store.records.models import StoredAlert

_CACHED = 8 << 20  # characters of documents


class AlertDocument(NamedTuple):
    """An alert's document, when the alert was changed last and made, and the time of its last event (ns)."""

    id: str
    changed: int
    created: int
    time: int
    text: str


class AlertDocuments:
    """Reads documents of alerts, and keeps some of those that were read last."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._cache = SizedCache[AlertDocument](_CACHED, lambda document: len(document.text))

    def read(self, ids: Iterable[str]) -> Iterator[AlertDocument]:
        """Yield the documents of alerts as they are now, in no order; of an alert that is gone there is none."""
        moments = StoredAlert.changed, StoredAlert.created, StoredAlert.time
        asked = select(StoredAlert.id, *moments, StoredAlert.document)
        for chunk in chunks(ids):
            with self._records.transaction() as session:
                rows = session.execute(asked.where(StoredAlert.id.in_(chunk))).all()
            for row in rows:
                yield AlertDocument(*row)

    def find(self, ids: Sequence[str], changed: Sequence[int]) -> dict[str, AlertDocument]:
        """Return the documents of a few alerts by id. `changed` says when each was changed last, as far as known.

        One that has been changed again is as it is now; of an alert that is gone there is none.
        """
        documents = {}
        for id_, at in zip(ids, changed, strict=True):
            cached = self._cache.get(id_)
            if cached is not None and cached.changed >= at:
                documents[id_] = cached
        for document in self.read([id_ for id_ in ids if id_ not in documents]):
            documents[document.id] = document
            self._cache.put(document.id, document)
        return documents

    def sources(self, ids: Sequence[str], changed: Sequence[int]) -> list[bytes]:
        """Return the texts of documents in the order of their ids; see `find`. Raises StoreError."""
        documents = self.find(ids, changed)
        missing = next((id_ for id_ in ids if id_ not in documents), None)
        if missing is not None:
            raise StoreError(f"the alert {missing} was removed while it was read", hint="ask again")
        return [documents[id_].text.encode() for id_ in ids]

    @property
    def size(self) -> int:
        """How many characters the documents have that are kept."""
        return self._cache.size
