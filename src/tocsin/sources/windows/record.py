"""One Windows event record, as the `evtx` parser renders it in JSON, -> the fields of an ECS event."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import orjson

from tocsin.ecs import INDEX
from tocsin.sources.mapping import DATASETS, Dataset
from tocsin.sources.readers import ConstantReader, Reader, Readers, constants_of
from tocsin.sources.values import EMPTY, guid
from tocsin.sources.windows import powershell, security, sysmon, system
from tocsin.sources.windows.data import (
    NO_PEEK,
    TOO_DEEP,
    Peek,
    event_data,
    holds_guid,
    is_user_data,
    text_of,
    with_context,
)
from tocsin.sources.windows.head import (
    BY_PROVIDER,
    HEAD,
    OF_DATASET,
    attribute,
    check_head,
    provider_of,
    rendered_message,
    whole_number,
)
from tocsin.sources.windows.manifest import has_known_name, with_names
from tocsin.sources.windows.rendered_message import OF_LOGS, values_in_message
from tocsin.sources.windows.security.descriptors import EVENTS as DESCRIPTOR_EVENTS
from tocsin.sources.windows.security.descriptors import with_descriptors

Record = Mapping[str, Any]
Event = dict[str, Any]

WINLOGBEAT_INDEX = "winlogbeat-default"
FORWARDED_INDEX = "logs-windows.forwarded-default"

# Names of channels are alike whatever their capitals: collectors write what they subscribed to.
_BY_CHANNEL: dict[str, Dataset] = {
    "microsoft-windows-sysmon/operational": sysmon.SYSMON,
    "security": security.SECURITY,
    "system": system.SYSTEM,
    "application": system.APPLICATION,
    "microsoft-windows-powershell/operational": powershell.OPERATIONAL,
    "powershellcore/operational": powershell.OPERATIONAL,
    "windows powershell": powershell.CLASSIC,
}


def dataset_of(provider: str, channel: str) -> Dataset:
    """Return the mapping for a record: by its provider, which survives forwarding, then by its channel."""
    return BY_PROVIDER.get(provider) or _BY_CHANNEL.get(channel.lower()) or system.OTHER


class MalformedRecord(ValueError):
    """A record without what every Windows event has."""


_TASK = re.compile(r'"Task":(\d+)')


class WindowsRecord:
    """A record that gives ECS fields one at a time, each worked out when it is asked for.

    Rules read few fields of most records, so nothing is mapped that no rule reads, and a record that was given
    as text with its provider, channel and event id is parsed only when something needs more than a peek.
    `forwarded` says that the record was in a collector's log, `dataset` which mapping it is read by; without one,
    its provider and channel decide. Raises MalformedRecord.
    """

    __slots__ = ("_data", "_peek", "_record", "_text", "dataset", "event_id", "forwarded", "kind", "provider")

    def __init__(self, record: Record, *, forwarded: bool = False, dataset: Dataset | None = None) -> None:
        try:
            event = record["Event"]
            head = event["System"]
            event_id = head["EventID"]
            if not isinstance(event_id, int):
                event_id = int(event_id["#text"] if isinstance(event_id, dict) else event_id)
            check_head(head)
            provider = attribute(head, "Provider", "Name") or ""
            channel = head.get("Channel") or ""
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            raise MalformedRecord(f"not a Windows event: {_what_is_wrong(record)}") from None
        self._set(
            provider, dataset or dataset_of(provider, channel), event_id, forwarded or "RenderingInfo" in event
        )
        self._record: Record | None = record
        self._text = ""
        self._peek: Peek | None = None

    @classmethod
    def unparsed(
        cls, text: str, provider: str, dataset: Dataset, event_id: int, *, forwarded: bool
    ) -> WindowsRecord:
        """Return a record from its JSON, whose head is known already."""
        self = cls.__new__(cls)
        self._set(provider, dataset, event_id, forwarded or '"RenderingInfo":' in text)
        self._record = None
        self._text = text
        self._peek = None
        return self

    def _set(self, provider: str, dataset: Dataset, event_id: int, forwarded: bool) -> None:
        self.provider, self.dataset, self.event_id, self.forwarded = provider, dataset, event_id, forwarded
        self.kind = _readers(dataset.name, event_id, forwarded)
        self._data: Mapping[str, Any] | None = None

    def get(self, field: str, /) -> Any:
        """Return a field's value, a list of values, or None."""
        reader = self.kind[field]
        return None if reader is None else reader(self)

    def source(self) -> bytes:
        """Return the record as JSON."""
        return self._text.encode() if self._text else orjson.dumps(self._record)

    @property
    def event(self) -> Mapping[str, Any]:
        """The record's `Event`."""
        if self._record is None:
            self._record = orjson.loads(self._text)
        event: Mapping[str, Any] = self._record["Event"]
        return event

    @property
    def head(self) -> Mapping[str, Any]:
        """The record's `System`."""
        head: Mapping[str, Any] = self.event["System"]
        return head

    @property
    def channel(self) -> str:
        """The log that the record was written to."""
        return self.head.get("Channel") or ""

    @property
    def task(self) -> int | None:
        """The number of the record's task."""
        if self._record is None:
            # A quote in a value is escaped and the head comes first, so that this is the head's.
            match = _TASK.search(self._text)
            return int(match[1]) if match else None
        return whole_number(self.head.get("Task"))

    @property
    def data(self) -> Mapping[str, Any]:
        """The event data or user data by name."""
        if self._data is None:
            data = self._named()
            more = _more_data(self.dataset, self.event_id)
            self._data = more(data) if more else data
        return self._data

    def _named(self) -> Mapping[str, Any]:
        """Return the data by the names that the provider gives them, or what the message says of them."""
        event, provider = self.event, provider_of(self)
        data = with_names(event_data(event), provider, self.event_id)
        if has_known_name(data, provider, self.event_id):
            return data
        if message := rendered_message(event):
            values = values_in_message(provider, self.event_id, message)
            if values:
                if provider == OF_LOGS:  # whose events have user data
                    self._record = {"Event": {**event, "UserData": {"EventXML": values}}}
                return {**data, **values}
        return with_names(data, provider, self.event_id, exactly=False)

    def value(self, name: str) -> Any:
        """Return a value of the event data as it is in the record."""
        if self._data is not None:
            return self._data.get(name)
        if self._record is None:
            if self._peek is None:
                self._peek = NO_PEEK if _more_data(self.dataset, self.event_id) else Peek.into(self._text)
            peeked = self._peek.find(name)
            if peeked is not TOO_DEEP:
                return peeked
        return self.data.get(name)

    def text(self, name: str) -> str | None:
        """Return a value of the event data as text, or None where Windows has nothing to say."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            value = text_of(value)
        elif len(value) == 36 and value[8] == "-" and holds_guid(name, value):
            value = guid(value)
        return None if value in EMPTY else value

    def fields(self) -> Event:
        """Return the whole event, flat."""
        data = self.data
        prefix = "winlog.user_data." if is_user_data(self.event) else "winlog.event_data."
        names = dict.fromkeys((*self.kind.targets, *(prefix + name for name in data)))
        return {name: value for name in names if (value := self.get(name)) is not None}


def _what_is_wrong(record: Record) -> str:
    """Say which value of a record's head no program writes in a Windows event."""
    part: Any = record
    for name in ("Event", "System", "EventID"):
        if not isinstance(part, dict):
            return f"what holds {name} is no object"
        if name not in part:
            return f"it has no {name}"
        head, part = part, part[name]
    try:
        check_head(head)
    except TypeError as error:
        return str(error)
    return f"its EventID is {str(part)[:40]!r}, and no number"


def _more_data(dataset: Dataset, event_id: int) -> Callable[[Mapping[str, Any]], Mapping[str, Any]] | None:
    """Return what adds to event data the values that one of them contains; None if this kind of event has none."""
    if dataset is powershell.CLASSIC or (dataset is powershell.OPERATIONAL and event_id == 4103):
        return with_context
    return with_descriptors if dataset is security.SECURITY and event_id in DESCRIPTOR_EVENTS else None


def to_ecs(record: Record, *, forwarded: bool = False) -> Event:
    """Map a record to a flat event (dotted name -> value or list). Raises MalformedRecord."""
    return WindowsRecord(record, forwarded=forwarded).fields()


# ---- how a field is read


def _kept(field: str) -> Reader | None:
    for prefix in ("winlog.event_data.", "winlog.user_data."):
        if field.startswith(prefix):
            return _kept_value(field.removeprefix(prefix), of_user=prefix == "winlog.user_data.")
    return None


def _kept_value(name: str, *, of_user: bool) -> Reader:
    def read(record: WindowsRecord) -> str | None:
        value = record.text(name)
        # Few records have the value, so few are parsed to see which kind of data holds it.
        return value if value is not None and is_user_data(record.event) == of_user else None

    return read


@cache
def _readers(dataset: str, event_id: int, forwarded: bool) -> Readers:
    known = DATASETS[dataset]
    constants = constants_of(known, event_id) | {
        INDEX: [*([FORWARDED_INDEX] if forwarded else []), known.index, WINLOGBEAT_INDEX],
        "event.code": str(event_id),
        "winlog.event_id": str(event_id),
    }
    head = HEAD | OF_DATASET.get(dataset, {}) | {name: ConstantReader(value) for name, value in constants.items()}
    return Readers(known, event_id, head, _kept)
