"""A document of Winlogbeat or Elastic Agent that no pipeline has made ECS of -> an ECS event."""

from __future__ import annotations

from functools import cache
from typing import Any

from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP
from tocsin.sources.mapping import Dataset
from tocsin.sources.readers import Readers, gathered
from tocsin.sources.windows.forms.shipped import EVENT_DATA, USER_DATA, record_of
from tocsin.sources.windows.record import WindowsRecord

Event = dict[str, Any]

# What the pipelines set whatever a shipper wrote there: it has a task's name for an action, and the time at which
# a record was written where Sysmon says when a thing happened.
SET_BY_PIPELINES = frozenset(
    (
        TIMESTAMP,
        CATEGORY,
        "event.action",
        "event.code",
        "event.kind",
        "event.outcome",
        "event.type",
        "winlog.record_id",
    )
)
# What an index of a data stream says of itself, and no pipeline.
_OF_THE_INDEX = frozenset(("data_stream.dataset", "data_stream.type", "data_stream.namespace"))
_KEPT = (EVENT_DATA, USER_DATA)


class ShippedKind:
    """What shipped events of one kind have in common: less than records have, for their fields may be anything."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories of every event of this kind."""
        return self._readers.categories

    def constant(self, field: str, /) -> tuple[bool, Any]:
        """Tell whether every event of this kind has the same value in a field, and which."""
        return self._readers.constant(field) if field == CATEGORY else (False, None)


@cache
def kind_of_shipped(readers: Readers) -> ShippedKind:
    """Return what shipped events of a kind have in common: one object a kind."""
    return ShippedKind(readers)


class ShippedEvent:
    """A document that gives ECS fields one at a time: its own, and what the tables make of the rest.

    It lies in `index`, or where a record of its channel would. Raises MalformedRecord.
    """

    __slots__ = ("_document", "_index", "_record", "kind")

    def __init__(self, document: Event, *, index: Any, dataset: Dataset | None = None) -> None:
        self._document = document
        self._record = WindowsRecord(record_of(document), dataset=dataset)
        self._index = self._record.get(INDEX) if index is None else index
        self.kind = kind_of_shipped(self._record.kind)

    def get(self, field: str, /) -> Any:
        """Return a field's value, a list of values, or None."""
        if field == INDEX:
            return self._index
        own = None if field.startswith(_KEPT) else self._document.get(field)
        if field.startswith("related."):
            return gathered((own, self._record.get(field)))
        if own is not None and field not in SET_BY_PIPELINES:
            return own
        found = None if field in _OF_THE_INDEX else self._record.get(field)
        return own if found is None else found

    def fields(self) -> Event:
        """Return the whole event, flat."""
        own = (name for name in self._document if not name.startswith(_KEPT))
        names = dict.fromkeys((*own, INDEX, *self._record.fields()))
        return {name: value for name in names if (value := self.get(name)) is not None}
