"""In which form a tool wrote a Windows event, if a record is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tocsin.ecs import default_schema
from tocsin.sources.markers import is_categorised, lies_elsewhere
from tocsin.sources.unseen import known_objects
from tocsin.sources.windows.forms import evtxecmd, exported, flat, nested, opentelemetry, wazuh
from tocsin.sources.windows.record import MalformedRecord

Record = Mapping[str, Any]
# The packages and Beats whose indices Windows events lie in.
PACKAGES = frozenset(("system", "windows", "winlog", "winlogbeat"))


@dataclass(frozen=True)
class RecordForm:
    """One way to write Windows events: how to recognise it, and how to render it as the `evtx` parser would.

    `marks` are members of the root. Each record of this form has one of them; hardly any other document does.
    """

    marks: tuple[str, ...]
    recognises: Callable[[Record], bool]
    record_of: Callable[[Record], Record]


FORMS = (
    RecordForm(("Event", "System", "Event.System.Channel", "System.Channel"), nested.is_nested, nested.record_of),
    RecordForm(("Channel",), evtxecmd.is_evtxecmd, evtxecmd.record_of),
    RecordForm(("Channel", "log_name", "string_inserts"), flat.is_flat, flat.record_of),
    RecordForm(("_Channel",), flat.is_in_gelf, flat.record_of_gelf),
    RecordForm(("EventLog",), flat.is_azures, flat.record_of_azures),
    RecordForm(("LogName",), exported.is_exported, exported.record_of),
    RecordForm(("EntryType",), exported.is_entry, exported.record_of_entry),
    RecordForm((opentelemetry.MARK,), opentelemetry.is_body, opentelemetry.record_of),
    RecordForm((wazuh.MARK,), wazuh.is_alert, wazuh.record_of),
)
MARKS = tuple(dict.fromkeys(mark for form in FORMS for mark in form.marks))


def rendered(record: Record, form: RecordForm) -> Record:
    """Return a record as the `evtx` parser would render it. Raises MalformedRecord, CutOffError."""
    try:
        return form.record_of(record)
    except KeyError as error:
        raise MalformedRecord(f"not a Windows event: it has no {error.args[0]}") from None
    except (AttributeError, OverflowError, TypeError):
        raise MalformedRecord("not a Windows event: it has a value of a type that no tool writes") from None


def form_of(record: Record) -> RecordForm | None:
    """Return the form of a Windows event; None for a document of another kind, or one that is in ECS.

    What a shipper's settings or a pipeline put below `event`, a category for instance, does not make a record ECS:
    in a document in ECS, other fields say what happened.
    """
    if record.keys().isdisjoint(MARKS):
        return None
    for form in FORMS:
        if form.recognises(record):
            in_ecs = is_categorised(record) and says_what_happened(record)
            return None if in_ecs or lies_elsewhere(record, PACKAGES) else form
    return None


def says_what_happened(record: Record) -> bool:
    """Return whether a document has a field of ECS that says what happened, outside the object `event`."""
    return any(_may_say_what_happened(name) and _has_known_value(name, value) for name, value in record.items())


@lru_cache(maxsize=4096)  # documents of a kind have the same names
def _may_say_what_happened(name: str) -> bool:
    outermost = name.partition(".")[0]
    return outermost != "event" and outermost in known_objects()


def _has_known_value(name: str, value: Any) -> bool:
    """Return whether a value, or one below it, is that of a field of ECS; it ends with the first."""
    if isinstance(value, dict):
        return any(_has_known_value(f"{name}.{inner}", content) for inner, content in value.items())
    if isinstance(value, list) and any(isinstance(content, dict) for content in value):
        return any(_has_known_value(name, content) for content in value)
    return value not in (None, "", []) and _is_known(name)


@lru_cache(maxsize=4096)
def _is_known(name: str) -> bool:
    return default_schema().find(name) is not None
