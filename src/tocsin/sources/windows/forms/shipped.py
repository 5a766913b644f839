"""Documents of Winlogbeat and Elastic Agent that are meant for an ingest pipeline.

Since version 8 these programs send an event as it is (`winlog.event_data.*`, `winlog.user_data.*`), and pipelines
in Elasticsearch make ECS fields of it: elastic/beats x-pack/winlogbeat/module/*/ingest, elastic/integrations
packages `system` and `windows`. Through Logstash, Kafka or a file they come with `@metadata`, and without a
pipeline. Graylog writes `_` for the dots of their names. Where the event's data are missing, its XML may be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tocsin.ecs import TIMESTAMP, default_schema
from tocsin.sources.batch import flatten
from tocsin.sources.windows.forms.elements import MESSAGE, assembled, attributes, level, whole
from tocsin.sources.windows.record import MalformedRecord
from tocsin.sources.windows.tasks import AUDIT_FAILURE, AUDIT_SUCCESS
from tocsin.sources.windows.xml import record_of as record_of_xml

Document = Mapping[str, Any]

EVENT_DATA, USER_DATA = "winlog.event_data.", "winlog.user_data."
# Members at the root that show a document of Windows events, nested or with dots.
_DOTTED = ("winlog.channel", "winlog.provider_name", "winlog.event_id")
_OF_WINLOG = ("channel", "provider_name", "event_data", "user_data")
_UNDERSCORED = ("winlogbeat_winlog_event_id", "winlog_event_id")
MARKS = (_DOTTED[0], *_UNDERSCORED)
_BEYOND_THE_SCHEMA = ("winlog.user.identifier", "winlog.user.name", "winlog.user.domain", "winlog.user.type")
# Where shippers keep the event's XML (`include_xml`), also without reading it.
_XML = ("event.original", "winlog.xml", "xml", "message")
# Some make an object of the number, as .NET's provider of events does.
_EVENT_IDS = ("winlog.event_id", "event.code", "winlog.event_id.value", "winlog.event_id.Value")
_OUTCOMES = {"success": hex(AUDIT_SUCCESS), "failure": hex(AUDIT_FAILURE)}


def winlog_of(document: Document) -> bool | None:
    """Return True if a document has `winlog` fields, False if it has them as Graylog renames them, else None."""
    winlog = document.get("winlog")
    if isinstance(winlog, dict):
        return True if not winlog.keys().isdisjoint(_OF_WINLOG) or _has_data(winlog) else None
    if not document.keys().isdisjoint(_DOTTED):
        return True
    return None if document.keys().isdisjoint(_UNDERSCORED) else False


def _has_data(winlog: Document) -> bool:
    return any(name.startswith(("event_data.", "user_data.")) for name in winlog)


def flat_document(document: Document) -> dict[str, Any]:
    """Return a shipped document flat, its names those of ECS; a host that is a name is `host.name`."""
    flat = _dotted(document) if winlog_of(document) is False else flatten(document)
    host = flat.get("host")
    if host is not None:
        del flat["host"]
        flat.setdefault("host.name", host)
    return flat


def _dotted(document: Document) -> dict[str, Any]:
    """Return what Graylog made of a document under its names in ECS, as far as these can be recovered."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        plain = name.removeprefix("winlogbeat_")
        kept = next((kept for kept in (EVENT_DATA, USER_DATA) if plain.startswith(kept.replace(".", "_"))), None)
        flat[_ecs_names().get(plain, plain) if kept is None else kept + plain[len(kept) :]] = value
    if TIMESTAMP not in flat and "timestamp" in flat:
        flat[TIMESTAMP] = flat["timestamp"]
    return flat


@cache
def _ecs_names() -> dict[str, str]:
    return {name.replace(".", "_"): name for name in (*default_schema().fields, *_BEYOND_THE_SCHEMA)}


def record_of(flat: Document) -> dict[str, Any]:
    """Return the record as the `evtx` parser would render it, as far as a document holds it."""

    def first(*names: str) -> Any:
        return next((_single(flat[name]) for name in names if flat.get(name) is not None), None)

    head = {
        "Provider": attributes(
            Name=first("winlog.provider_name", "event.provider"), Guid=first("winlog.provider_guid")
        ),
        "EventID": whole(first(*_EVENT_IDS)),
        "Version": whole(first("winlog.version")),
        "Level": level(first("log.level", "winlog.level")),
        "TaskDisplayName": first("winlog.task", "event.action"),
        "Keywords": _OUTCOMES.get(str(first("event.outcome", "winlog.outcome"))),
        "TimeCreated": attributes(SystemTime=_text(first("winlog.time_created", "@timestamp"))),
        "EventRecordID": _whole_or_text(first("winlog.record_id")),
        "Correlation": attributes(ActivityID=first("winlog.activity_id")),
        "Execution": attributes(
            ProcessID=whole(first("winlog.process.pid")), ThreadID=whole(first("winlog.process.thread.id"))
        ),
        "Channel": first("winlog.channel"),
        "Computer": first("winlog.computer_name", "host.name"),
        "Security": attributes(
            UserID=first("winlog.user.identifier"),
            Name=_text(first("winlog.user.name")),
            Domain=_text(first("winlog.user.domain")),
        ),
    }
    message = first("message", "winlog.message")
    data = _below(flat, EVENT_DATA) or _listed(flat.get(EVENT_DATA[:-1]))
    if data:
        return assembled(head, data, message=message)
    user_data = _below(flat, USER_DATA)
    if user_data:
        return assembled(head, {str(user_data.get("xml_name") or "EventXML"): user_data}, of_user=True)
    event = next((event for name in _XML if (event := _original(first(name))) is not None), None)
    if event is not None:
        system = {name: value for name, value in head.items() if value is not None}
        return {"Event": {MESSAGE: message, **event, "System": {**event["System"], **system}}}
    return assembled(head, {}, message=message)


def _listed(values: Any) -> dict[str, Any]:
    """Return values that have no names, as a log holds such values."""
    return {"Data": {"#text": values}} if isinstance(values, list) and values else {}


def _original(text: Any) -> dict[str, Any] | None:
    """Return the event that a text holds in XML, None for any other text."""
    start = text.find("<Event") if isinstance(text, str) else -1
    if start < 0:
        return None
    try:
        event: dict[str, Any] = record_of_xml(text[start:].strip())["Event"]
    except MalformedRecord:
        return None
    return event if isinstance(event["System"], dict) else None


def _below(flat: Document, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): _single(value) for name, value in flat.items() if name.startswith(prefix)}


def _single(value: Any) -> Any:
    """Return a value that the `fields` of a search wrap in a list."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole_or_text(value: Any) -> Any:
    """Return a number: some tools make a fraction of it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
