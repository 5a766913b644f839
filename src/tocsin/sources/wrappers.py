"""What shippers, queues and query tools put around a record, and the record within.

A wrapper is a member that holds one record: as an object, or as text in JSON or XML. An envelope is a member that
holds a list of records. Both are opened only where what they hold is a record that is known, and where the
document round it is none itself: a document of somebody's own may have a member of any name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import orjson

from tocsin.ecs import INDEX, TIMESTAMP, default_schema
from tocsin.engine.table import EventRow
from tocsin.sources.batch import flatten, unflatten
from tocsin.sources.markers import is_categorised
from tocsin.sources.otlp import log_records
from tocsin.sources.products.product import Path, dig, recognised, telltales
from tocsin.sources.row_lists import MEMBERS, rows_in
from tocsin.sources.windows.recognise import MARKS, form_of, says_what_happened
from tocsin.sources.windows.record import MalformedRecord
from tocsin.sources.windows.shipped import ShippedKind, kind_of_shipped
from tocsin.sources.windows.unfinished import is_unfinished
from tocsin.sources.windows.xml import record_of

Record = Mapping[str, Any]
R = TypeVar("R", bound=EventRow)

# Where a document holds a record, and who writes it so. The first that holds a known one counts.
WRAPPERS: dict[Path, str] = {
    ("document", "data"): "Chainsaw's hunt",
    ("data",): "evtx's parser and its Python package, Wazuh (`data.win`), Chainsaw's aggregates",
    ("body",): "OpenTelemetry's logs, Graylog",
    ("body", "structured"): "OpenTelemetry in Elasticsearch",
    ("body", "text"): "OpenTelemetry in Elasticsearch, raw events",
    ("body_structured",): "OpenTelemetry in Elasticsearch, older",
    ("Body",): "OpenTelemetry in Elasticsearch, mapping `none`",
    ("result",): "Splunk's export",
    ("_raw",): "Splunk, Cribl",
    ("event", "original"): "Elastic Agent and Filebeat with `preserve_original_event`",
    ("event",): "Splunk's HTTP Event Collector",
    ("message",): "Filebeat, Logstash, Vector, CloudWatch, syslog",
    ("Message",): "collectors of syslog, Azure",
    ("value",): "Kafka's consumers",
    ("log",): "Fluent Bit, Docker",
    ("log", "original"): "Beats, before `event.original`",
    ("full_log",): "Wazuh's archives",
    ("payload",): "queues",
    ("record",): "queues",
    ("raw",): "collectors of syslog",
    ("Event",): "tables with the event's XML",
    ("EventXml",): "tables with the event's XML",
    ("xml",): "tables with the event's XML",
    ("Xml",): "tables with the event's XML, made with PowerShell",
    ("xml_string",): "plaso's `json_line`",
    ("json",): "Filebeat's and Logstash's decoders of JSON",
    ("winlogbeat",): "Logstash, decoders with this target",
    ("content", "attributes"): "Datadog",
}
# Those that hold a record as text alone: as an object the document itself is one.
_TEXTS = frozenset((("Event",),))


@dataclass(frozen=True)
class Envelope:
    """A member that holds a list of records, and a function that makes these of the list's items."""

    path: Path
    opened: Callable[[Iterable[Any]], Iterable[Any]] = list


ENVELOPES = (
    Envelope(("hits", "hits")),  # Elasticsearch
    Envelope(("hits",)),
    Envelope(("responses",)),  # Elasticsearch's `_msearch`
    Envelope(("resourceLogs",), log_records),  # OpenTelemetry
    Envelope(("records",)),  # Azure's Event Hubs and diagnostic settings
    Envelope(("Records",)),  # AWS
    Envelope(("value",)),  # Microsoft's OData
    Envelope(("results",)),  # Splunk, Defender's advanced hunting
    Envelope(("Results",)),  # Defender's older interface
    Envelope(("result",)),
    Envelope(("logEvents",)),  # CloudWatch, subscriptions
    Envelope(("events",)),  # CloudWatch, `filter-log-events`
    Envelope(("documents",)),  # Chainsaw's aggregates
    Envelope(("data",)),
    Envelope(("items",)),
)
# Members that tables and queues hold as JSON text, each of which is a part of a record.
_PARTS = ("Event", "System", "EventData", "UserData", "winlog", "_source")
# The outermost names of flat documents in which a wrapper's members have dots.
_DOTTED = ("data.win.system.eventID", "win.system.eventID", "body.system_time", "Body.system_time")
_DEPTH = 5  # wrappers within one another
_NAMES = frozenset((*(path[0] for path in WRAPPERS), *(".".join(path) for path in WRAPPERS), *_DOTTED, *_PARTS))
OUTERMOST = _NAMES  # the columns of tables whose rows may hold another record
_LISTS = frozenset(envelope.path[0] for envelope in ENVELOPES) | MEMBERS
_ELEMENT = re.compile(r"<((?:[\w.-]+:)?)Event(?=[\s>])")

# What is kept of a document around a record: objects of ECS that say where it came from, and their other names.
_KEPT = frozenset(("agent", "cloud", "container", "host", "labels", "observer", "organization", "tags"))
_TIMES = (TIMESTAMP, "timestamp", "_time", "time", "Timestamp", "ingestionTime")
_HOSTS = ("host.name", "host.hostname", "hostname", "host", "ComputerName", "agent.name")


@dataclass(frozen=True)
class Unwrapped:
    """The record that a document holds, and what the document says besides: the host, the agent, the time."""

    record: dict[str, Any]
    beside: Mapping[str, Any]


def body_of(record: Record) -> Record:
    """Return the document that a hit of a search holds, or the record itself."""
    source = record.get("_source")
    if isinstance(source, dict):
        return source
    fields = record.get("fields")
    return fields if isinstance(fields, dict) and INDEX in record else record


def is_known(record: Any) -> bool:
    """Return whether tocsin has a mapping for a record or the document of a hit, or it says that it is in ECS."""
    if not isinstance(record, dict):
        return False
    body = body_of(record)
    return is_unfinished(body) or form_of(body) is not None or is_categorised(body) or _is_of_a_product(body)


def _is_of_a_product(record: Record) -> bool:
    try:
        return recognised(record) is not None
    except ValueError:  # one of a product, which lacks its values
        return True


def may_hold_record(line: bytes, *, categorised: bool = False) -> bool:
    """Return whether a line of JSON may hold a record within another; False for most that hold none.

    Where a line is `categorised`, the name of that field is no sign of another record.
    """
    return any(sign in line for sign in _signs() if not (categorised and sign == _CATEGORY_SIGN))


_CATEGORY_SIGN = b'"category"'


@cache
def _signs() -> tuple[bytes, ...]:
    """Return what JSON has where a member holds another record: XML or JSON as text, or members of records."""
    members = ("winlog", "_source", "category", "resourceLogs", *MARKS, *(path[-1] for path in telltales()))
    in_text = ("<Event", "\\u003cEvent", '{\\"', '{ \\"')
    return tuple(sign.encode() for sign in (*in_text, *(f'"{name}"' for name in members)))


def unwrapped(record: Record) -> Unwrapped | None:
    """Return the known record that a document holds; None where it holds none, or is itself one in ECS.

    A category alone, which a pipeline or a shipper's settings may add, does not make it one.

    Raises MalformedRecord for a document of a Windows event whose XML cannot be read.
    """
    if record.keys().isdisjoint(_NAMES) or (_has_category(record) and says_what_happened(record)):
        return None
    if is_unfinished(record) or form_of(record) is not None or _is_of_a_product(record):
        return None
    inner = _within(record, _DEPTH)
    if inner is None:
        return None
    return Unwrapped(inner, _beside(record))


def _has_category(record: Record) -> bool:
    event = record.get("event")
    return bool(record.get("event.category")) or (isinstance(event, dict) and bool(event.get("category")))


def _within(record: Record, depth: int) -> dict[str, Any] | None:
    if not record.keys().isdisjoint(_DOTTED):
        record = unflatten(record)
    parsed = _with_parts(record)
    if parsed is not None and is_known(parsed):
        return parsed
    for path in WRAPPERS:
        held = _held(record, path)
        if held is None or (isinstance(held, dict) and (path in _TEXTS or _is_in_ecs(path, record))):
            continue
        inner = held if isinstance(held, dict) else _read(held, whole=not is_categorised(record))
        if inner is None:
            continue
        if is_known(inner):
            return inner
        if depth and (deeper := _within(inner, depth - 1)) is not None:
            return deeper
    return None


def _is_in_ecs(path: Path, record: Record) -> bool:
    """Return whether an `event` is ECS' object, and no record."""
    return path == ("event",) and is_categorised(record)


def _held(record: Record, path: Path) -> dict[str, Any] | str | None:
    content = dig(record, path)
    if content is None and len(path) > 1:
        content = record.get(".".join(path))
    if isinstance(content, list) and len(content) == 1:  # as the `fields` of a search have it
        content = content[0]
    return content if isinstance(content, (dict, str)) else None


def _with_parts(record: Record) -> dict[str, Any] | None:
    """Return a record with the parts that are JSON text as objects, None where no part is."""
    parts: dict[str, Any] = {}
    for name in _PARTS:
        text = record.get(name)
        if isinstance(text, str) and (part := _object_in(text)) is not None:
            parts[name] = part
    return {**record, **parts} if parts else None


def _read(text: str, *, whole: bool) -> dict[str, Any] | None:
    """Return the record that a text holds in XML or JSON, after the header of a syslog daemon if there is one.

    Raises MalformedRecord for a text that is the XML of an event and cannot be read, where it is the whole record.
    """
    start = _ELEMENT.search(text)
    if start is not None:
        end = text.rfind(f"</{start[1]}Event>")
        if end >= 0 or whole:
            try:
                return record_of(text[start.start() : end + len(start[1]) + 8 if end >= 0 else None])
            except MalformedRecord:
                if whole and not text[: start.start()].strip("\ufeff \t\r\n"):
                    raise
    return _object_in(text)


def _object_in(text: str) -> dict[str, Any] | None:
    text = text.strip("\ufeff\0 \t\r\n")
    begin = 0 if text.startswith('"') else text.find("{")
    if begin < 0 or not text.endswith(("}", '"')):
        return None
    try:
        content = orjson.loads(text[begin:])
    except orjson.JSONDecodeError:
        return None
    if isinstance(content, str):  # JSON text in JSON text
        return _object_in(content)
    return content if isinstance(content, dict) else None


# ---- lists of records


def records_of(value: Any, depth: int = _DEPTH) -> list[Any]:
    """Return the records that a value of JSON holds: those of a list or of an envelope, else itself.

    A list without an object is no event, unless it holds texts of events in XML.
    """
    if isinstance(value, list):
        if value and all(isinstance(item, str) and _ELEMENT.search(item) for item in value):
            return [{"xml": item} for item in value]
        if value and not any(isinstance(item, (dict, list)) for item in value):
            return [value]
        return [record for item in value for record in records_of(item, depth - 1)] if depth else [value]
    if not isinstance(value, dict) or value.keys().isdisjoint(_LISTS) or not depth:
        return [value]
    if is_known(value) or _has_category(value):
        return [value]
    if not value.keys().isdisjoint(MEMBERS) and (rows := rows_in(value)) is not None:
        return rows
    for envelope in ENVELOPES:
        held = _list_at(value, envelope.path)
        if held is None:
            continue
        if not held and envelope.path == ("hits", "hits"):
            return []
        records = [record for item in envelope.opened(held) for record in records_of(item, depth - 1)]
        if any(is_known(record) or holds_known(record) for record in records):
            return records
    return [value]


def _list_at(value: Record, path: Path) -> list[Any] | None:
    held = dig(value, path)
    if isinstance(held, str) and held.lstrip().startswith("["):
        try:
            held = orjson.loads(held)
        except orjson.JSONDecodeError:
            return None
    return held if isinstance(held, list) and (not held or isinstance(held[0], dict)) else None


def holds_known(record: Any) -> bool:
    """Return whether a document holds a known record in a wrapper."""
    try:
        return isinstance(record, dict) and unwrapped(body_of(record)) is not None
    except MalformedRecord:
        return True


# ---- what stands beside


def _beside(record: Record) -> dict[str, Any]:
    """Return what a document says of where a record came from, as fields of ECS."""
    stated = flatten({name: value for name, value in record.items() if name.partition(".")[0] in _KEPT})
    resource = record.get("resource")
    if isinstance(resource, dict):
        attributes = resource.get("attributes")
        stated |= flatten(attributes if isinstance(attributes, dict) else resource)
    find = default_schema().find
    fields = {name: v for name, v in stated.items() if name.partition(".")[0] in _KEPT and find(name) is not None}
    nested = record.get("result")
    places = [stated, record, *([nested] if isinstance(nested, dict) else [])]
    for field, names in ((TIMESTAMP, _TIMES), ("host.name", _HOSTS)):
        value = next((place[name] for name in names for place in places if _is_plain(place.get(name))), None)
        if value is not None:
            fields[field] = value
    return fields


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def with_beside(row: R, beside: Mapping[str, Any]) -> R | UnwrappedEvent | dict[str, Any]:
    """Return a row with what its wrapper says and the row does not; nothing is added to its host or agent."""
    named = row.get("host.name") is not None
    agent = any(row.get(name) is not None for name in ("agent.id", "agent.name", "agent.type"))
    kept = {
        name: value
        for name, value in beside.items()
        if not (named and name.startswith("host.")) and not (agent and name.startswith("agent."))
        if row.get(name) is None
    }
    if not kept:
        return row
    return {**kept, **row} if isinstance(row, dict) else UnwrappedEvent(row, kept)


class UnwrappedEvent:
    """A record that was within another document, and what that says where the record says nothing.

    `core` is the record's own row.
    """

    __slots__ = ("_beside", "_row", "core", "kind")

    def __init__(self, row: Any, beside: Mapping[str, Any]) -> None:
        self._row, self._beside = row, beside
        self.core: Any = row.core if isinstance(row, UnwrappedEvent) else row
        self.kind = row.kind if isinstance(row.kind, ShippedKind) else kind_of_shipped(row.kind)

    def get(self, field: str, /) -> Any:
        """Return a field's value, a list of values, or None."""
        value = self._row.get(field)
        return self._beside.get(field) if value is None else value

    def fields(self) -> dict[str, Any]:
        """Return the whole event, flat."""
        return {**self._beside, **self._row.fields()}
