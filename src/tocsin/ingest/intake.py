"""One record for the store: an ECS document stays as it is, any other record becomes one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from time import time_ns
from typing import Any

import orjson

from tocsin.date_formats import DEFAULT, DEFAULT_NANOSECONDS, nanoseconds_of
from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.ingest.conformity import misfit
from tocsin.moments import is_doubtful, iso, read_moment
from tocsin.nesting import TOO_DEEP, is_too_deep
from tocsin.sources.batch import Event, flatten, unflatten
from tocsin.sources.document import Documents
from tocsin.sources.event_time import other_time, readable
from tocsin.sources.markers import package_of_index
from tocsin.sources.products.product import dig
from tocsin.sources.unseen import Reason, Unseen, known_objects, lacks_values
from tocsin.sources.windows.recognise import PACKAGES, form_of
from tocsin.sources.windows.unfinished import is_unfinished
from tocsin.sources.wrappers import body_of, unwrapped
from tocsin.store.events import ID, RESERVED, Document
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.patterns import ALERTS, name_error

LARGEST = 16 << 20  # bytes of one document
OTHER = "logs-generic-default"  # the index of events that name none


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a document cannot be stored, in the words that Elasticsearch's clients know."""

    kind: str
    reason: str
    status: int = 400


_USUAL = (None, DEFAULT, DEFAULT_NANOSECONDS)


class Intake:
    """Makes documents of records, and remembers what records say about the hosts and users of later ones."""

    def __init__(
        self,
        documents: Documents | None = None,
        mapping_of: Callable[[str, Mapping[str, Any]], IndexMapping] = lambda name, flat: NO_MAPPING,
        now: Callable[[], int] = time_ns,
    ) -> None:
        self._documents, self._mapping_of, self._now = documents or Documents(), mapping_of, now
        self.unseen = Unseen()  # documents that are stored and that no rule could see, by index

    def take(self, index: str, id_: str | None, source: bytes) -> Document | Refused:
        """Return the document of a record, or why it is refused.

        A document that Winlogbeat or Elastic Agent meant for a pipeline gets its ECS fields here, and stays in the
        index that it was sent to. A raw record of a known product becomes a document of that index if the index is
        one of the product's, and of the product's own index if the index is of no product. In an index of another
        product it is not taken for a raw record.
        """
        if len(source) > LARGEST:
            return Refused(
                "illegal_argument_exception", f"document of {len(source):,} bytes, at most {LARGEST:,}", 413
            )
        try:
            record = orjson.loads(source)
        except orjson.JSONDecodeError as error:
            return Refused("document_parsing_exception", f"failed to parse: {error}")
        if not isinstance(record, dict):
            return Refused("document_parsing_exception", "failed to parse: a document is a JSON object")
        if is_too_deep(record, source):
            return Refused("document_parsing_exception", f"failed to parse: the document is {TOO_DEEP}")
        try:
            if is_unfinished(record):
                return self._normalised(record, index, id_, source, keeps=False)
            packages = self._packages_of(record)
            sent_to = package_of_index(index)
            if packages and (sent_to is None or sent_to in packages):
                return self._normalised(record, index if sent_to else None, id_, source)
        except (ValueError, RecursionError) as error:
            return Refused("document_parsing_exception", f"failed to parse: {error}")
        objects = _outermost(tuple(record))
        if not objects.isdisjoint(RESERVED):
            reserved = next(name for name in record if name.partition(".")[0] in RESERVED)
            reason = f"Field [{reserved}] is a metadata field and cannot be added inside a document"
            return Refused("document_parsing_exception", f"{reason}; rename it before it is sent")
        mapping = self._mapping_of(index, record)
        wrong = misfit(record, mapping)
        if wrong is not None:
            return Refused(*wrong)
        if record.get(TIMESTAMP) is None:
            record[TIMESTAMP] = self._time_without_timestamp(flatten(record), index)
            source = orjson.dumps(record)
        document = _document(index, id_, record[TIMESTAMP], source, mapping.formatted.get(TIMESTAMP))
        if isinstance(document, Document) and known_objects().isdisjoint(objects):
            self.unseen.add(Reason.UNKNOWN, index)
        elif isinstance(document, Document) and lacks_values(partial(_field, record)):
            self.unseen.add(Reason.NO_VALUES, index)
        return document

    def _time_without_timestamp(self, event: Event, index: str) -> str:
        """Return the time of an event without `@timestamp`, from another field, else that of its arrival.

        Elastic's pipelines for logs set the latter: elastic/elasticsearch, `logs@default-pipeline.json`.
        """
        time = other_time(event, _clearly)
        if time is not None:
            return time
        self.unseen.add(Reason.ARRIVED, index)
        return iso(self._now())

    def _packages_of(self, record: Mapping[str, Any]) -> Collection[str]:
        """Return the packages of a raw record, also of one inside another; none for an ECS document.

        The record itself is not a shipped document that is unfinished; one inside it may be.
        """
        if (within := unwrapped(record)) is not None:
            inner = body_of(within.record)
            return PACKAGES if is_unfinished(inner) else self._packages_of(inner)
        if form_of(record) is not None:
            return PACKAGES
        product = self._documents.product_of(record)
        return product[0].packages if product else ()

    def _normalised(
        self, record: Mapping[str, Any], index: str | None, id_: str | None, original: bytes, *, keeps: bool = True
    ) -> Document | Refused:
        """Return the document of a raw record; it `keeps` the record, always so if a member has no place in it."""
        event = self._documents.normalise(record)
        index = index or index_of(event)
        left_out = {name for name in event if name.partition(".")[0] in RESERVED}
        event = {name: value for name, value in event.items() if name not in left_out}
        # The index is not lost, as the document goes there; nor is the id of a hit.
        lost = left_out - ({INDEX, ID} if record.keys() & {"_source", "fields"} else {INDEX} - record.keys())
        if lost:
            self.unseen.add(Reason.RESERVED, index)
        if keeps or lost:
            event.setdefault("event.original", original.decode())
        if event.get(TIMESTAMP) is None:
            event[TIMESTAMP] = self._time_without_timestamp(flatten(record), index)
        text = orjson.dumps(unflatten(event), default=str)
        self._mapping_of(index, {})  # a new index begins with the mapping of templates
        document = _document(index, id_, event.get(TIMESTAMP), text)
        if isinstance(document, Document) and lacks_values(event.get):
            self.unseen.add(Reason.NO_VALUES, index)
        return document


@lru_cache(maxsize=4096)  # documents of a kind have the same names
def _outermost(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in names)


def _field(record: Mapping[str, Any], name: str) -> Any:
    """Return a field of a document, nested or with dots."""
    return record[name] if name in record else dig(record, _path(name))


@cache
def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def index_of(event: Mapping[str, Any]) -> str:
    """Return the index that an event is stored in: the first of those that it names."""
    index = event.get(INDEX)
    first = index[0] if isinstance(index, list) and index else index
    return first if isinstance(first, str) else OTHER


def _document(
    index: str, id_: str | None, timestamp: Any, source: bytes, format: str | None = None
) -> Document | Refused:
    wrong = name_error(index) or ("it is that of alerts" if index.startswith(ALERTS) else None)
    if wrong:
        return Refused("invalid_index_name_exception", f"Invalid index name [{index}], {wrong}")
    if id_ is not None and not 0 < len(id_.encode("utf-8", "replace")) <= 512:
        return Refused("illegal_argument_exception", "an _id has 1 to 512 bytes")
    try:
        first = timestamp if not isinstance(timestamp, list) else timestamp[0]
        time = _time(first) if format in _USUAL else nanoseconds_of(first, str(format))
    except (TypeError, ValueError, IndexError) as error:
        shown = str(timestamp)[:100]
        reason = f"failed to parse field [@timestamp] of type [date]: {shown!r} is no date ({error})"
        return Refused("document_parsing_exception", reason)
    return Document(index, time, source, id_)


def _clearly(value: Any) -> str | None:
    """Return a moment in ISO 8601, None for a value that is no moment or is ambiguous."""
    return None if isinstance(value, str) and is_doubtful(value) else readable(value)


def _time(timestamp: Any) -> int:
    """Return a document's time. Raises ValueError for one in which day and month could be swapped."""
    if isinstance(timestamp, str) and is_doubtful(timestamp):
        raise ValueError("day and month could be swapped; write it as in 2026-11-24T13:00:00Z")
    return read_moment(timestamp)
