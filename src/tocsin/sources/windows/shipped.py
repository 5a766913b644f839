"""A document of Winlogbeat or Elastic Agent that no pipeline has made ECS of -> an ECS event."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP
from tocsin.eql.functions import to_string
from tocsin.sources.mapping import Dataset
from tocsin.sources.readers import Readers, gathered
from tocsin.sources.windows.forms.shipped import EVENT_DATA, USER_DATA, record_of
from tocsin.sources.windows.record import WindowsRecord
from tocsin.sources.windows.tasks import is_task_name
from tocsin.sources.windows.unfinished import listed

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
# Fields in which a document with a category has its own values and the tables', so that no rule misses it.
_ADDED_TO = frozenset((CATEGORY, "event.type"))
# What an index of a data stream says of itself, and no pipeline.
_OF_THE_INDEX = frozenset(("data_stream.dataset", "data_stream.type", "data_stream.namespace"))
_KEPT = (EVENT_DATA, USER_DATA)


class ShippedKind:
    """What shipped events of one kind have in common: less than records have, as their fields may be anything."""

    def __init__(self, readers: Readers, given: tuple[str, ...] = ()) -> None:
        self._readers, self._given = readers, given

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories of every event of this kind: those that its documents had, and the table's."""
        return tuple(dict.fromkeys((*self._given, *self._readers.categories)))

    def constant(self, field: str, /) -> tuple[bool, Any]:
        """Return whether every event of this kind has the same value in a field, and which."""
        if field != CATEGORY:
            return False, None
        same, value = self._readers.constant(field)
        return same, gathered((list(self._given), value)) if same else None


@lru_cache(maxsize=4096)  # categories may be anything
def kind_of_shipped(readers: Readers, given: tuple[str, ...] = ()) -> ShippedKind:
    """Return what shipped events of a kind whose documents have categories have in common: one object a kind."""
    return ShippedKind(readers, given)


class ShippedEvent:
    """A document that gives ECS fields one at a time: its own, and what the tables make of the rest.

    One that has categories keeps them and its types beside the tables', and its action if that is no task's name.
    It lies in `index`, or where a record of its channel would. Raises MalformedRecord.
    """

    __slots__ = ("_document", "_given", "_index", "_keeps_action", "_record", "kind")

    def __init__(self, document: Event, *, index: Any, dataset: Dataset | None = None) -> None:
        self._document = document
        self._record = WindowsRecord(record_of(document), dataset=dataset)
        self._index = self._record.get(INDEX) if index is None else index
        self._given = _texts(document.get(CATEGORY))
        action = _only(document.get("event.action"))
        self._keeps_action = bool(self._given and action) and not (
            is_task_name(str(action)) or action in (document.get("winlog.task"), self._record.get("winlog.task"))
        )
        self.kind = kind_of_shipped(self._record.kind, self._given)

    def get(self, field: str, /) -> Any:
        """Return a field's value, a list of values, or None."""
        if field == INDEX:
            return self._index
        own = None if field.startswith(_KEPT) else self._document.get(field)
        if field.startswith("related."):
            return gathered((own, self._record.get(field)))
        if field in _ADDED_TO and self._given:
            return gathered((list(_texts(own)), self._record.get(field)))
        if own is not None and (field not in SET_BY_PIPELINES or (self._keeps_action and field == "event.action")):
            return own
        mapped = None if field in _OF_THE_INDEX else self._record.get(field)
        return own if mapped is None else mapped

    def fields(self) -> Event:
        """Return the whole event, flat."""
        own = (name for name in self._document if not name.startswith(_KEPT))
        names = dict.fromkeys((*own, INDEX, *self._record.fields()))
        return {name: value for name in names if (value := self.get(name)) is not None}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item if isinstance(item, str) else to_string(item) for item in listed(value))


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
