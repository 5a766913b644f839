"""One Windows event record, as the `evtx` parser renders it in JSON, -> a flat ECS event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tocsin.ecs import CATEGORY, ECS_VERSION, INDEX, TIMESTAMP
from tocsin.eql.functions import to_string
from tocsin.sources.windows import powershell, security, sysmon, system
from tocsin.sources.windows.mapping import Dataset, apply
from tocsin.sources.windows.values import EMPTY, guid

Record = Mapping[str, Any]
Event = dict[str, Any]

WINLOGBEAT_INDEX = "winlogbeat-default"
FORWARDED_INDEX = "logs-windows.forwarded-default"

_BY_CHANNEL: dict[str, Dataset] = {
    "Microsoft-Windows-Sysmon/Operational": sysmon.SYSMON,
    "Security": security.SECURITY,
    "System": system.SYSTEM,
    "Application": system.APPLICATION,
    "Microsoft-Windows-PowerShell/Operational": powershell.OPERATIONAL,
    "PowerShellCore/Operational": powershell.OPERATIONAL,
    "Windows PowerShell": powershell.CLASSIC,
}
_BY_PROVIDER: dict[str, Dataset] = {
    "Microsoft-Windows-Sysmon": sysmon.SYSMON,
    "Microsoft-Windows-Security-Auditing": security.SECURITY,
    "Microsoft-Windows-PowerShell": powershell.OPERATIONAL,
    "PowerShell": powershell.CLASSIC,
}
_LEVELS = {0: "information", 1: "critical", 2: "error", 3: "warning", 4: "information", 5: "verbose"}
_AUDIT_SUCCESS, _AUDIT_FAILURE = 0x20000000000000, 0x10000000000000


def dataset_of(provider: str, channel: str) -> Dataset:
    """Return the mapping for a record: by its provider, which survives forwarding, then by its channel."""
    return _BY_PROVIDER.get(provider) or _BY_CHANNEL.get(channel) or system.OTHER


class MalformedRecord(ValueError):
    """A record without what every Windows event has."""


def to_ecs(record: Record, wanted: frozenset[str] | None = None, *, forwarded: bool = False) -> Event:
    """Map a record to a flat event (dotted name -> value or list); with `wanted`, to those fields alone.

    `forwarded` says that the record lay in a collector's log. Raises MalformedRecord.
    """
    try:
        event = record["Event"]
        head = event["System"]
        event_id = head["EventID"]
        if not isinstance(event_id, int):
            event_id = int(event_id["#text"] if isinstance(event_id, dict) else event_id)
        provider = _attribute(head, "Provider", "Name") or ""
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedRecord(f"not a Windows event: {type(error).__name__} {error}") from None
    channel = head.get("Channel") or ""
    dataset = dataset_of(provider, channel)
    data = event_data(event, dataset, event_id)
    kind = dataset.kinds.get(event_id, dataset.default)
    mapped = apply(dataset, event_id, data, wanted)
    context = _Context(record, head, event_id, provider, channel, dataset, forwarded or "RenderingInfo" in event)
    if wanted is None:
        user_data = _is_user_data(event)
        prefix = "winlog.user_data." if user_data else "winlog.event_data."
        for name, value in data.items():
            if value not in EMPTY:
                mapped.setdefault(prefix + name, value)
        for field, read in _SYSTEM_FIELDS.items():
            if field not in mapped and (value := read(context)) is not None:
                mapped[field] = value
    else:
        for field in wanted:
            if field in mapped:
                continue
            system_field = _SYSTEM_FIELDS.get(field)
            found = system_field(context) if system_field else _raw_field(field, data)
            if found is not None:
                mapped[field] = found
    for field, values in ((CATEGORY, kind.category), ("event.type", kind.type)):
        if values and (wanted is None or field in wanted):
            mapped[field] = list(values)
    if kind.action and (wanted is None or "event.action" in wanted):
        mapped["event.action"] = kind.action
    _finish(mapped, event_id, dataset)
    return mapped


def _finish(mapped: Event, event_id: int, dataset: Dataset) -> None:
    """Apply what needs several fields at once."""
    if dataset is security.SECURITY and event_id in (5140, 5145) and "file.directory" in mapped:
        name = mapped.get("file.name")
        if name:
            mapped.setdefault("file.path", f"{mapped['file.directory']}\\{name}")


def _raw_field(field: str, data: Mapping[str, str]) -> str | None:
    for prefix in ("winlog.event_data.", "winlog.user_data."):
        if field.startswith(prefix):
            value = data.get(field[len(prefix) :])
            return None if value is None or value in EMPTY else value
    return None


# ---- event data


def event_data(event: Mapping[str, Any], dataset: Dataset, event_id: int) -> dict[str, str]:
    """Return a record's event data or user data as name -> text; unnamed values are param1, param2, …"""
    found = event.get("EventData") or event.get("ProcessingErrorData") or event.get("UserData") or {}
    if not isinstance(found, dict):
        return {"param1": to_string(found)}
    if _is_user_data(event):
        found = next((v for v in found.values() if isinstance(v, dict)), found)
    data: dict[str, str] = {}
    for name, value in found.items():
        if name == "#attributes" or value is None:
            continue
        if name == "Data":
            _unnamed(value, data)
        elif isinstance(value, dict | list):
            data[name] = _text_of(value)
        else:
            text = value if isinstance(value, str) else to_string(value)
            data[name] = guid(text) if len(text) == 36 and text[8] == "-" else text
    if dataset is powershell.CLASSIC or event_id == 4103:
        _context_info(data)
    return data


def _is_user_data(event: Mapping[str, Any]) -> bool:
    return not event.get("EventData") and bool(event.get("UserData"))


def _text_of(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_text_of(item) for item in value)
    if isinstance(value, dict):
        if "#text" in value:
            return _text_of(value["#text"])
        return ", ".join(f"{k}={_text_of(v)}" for k, v in value.items() if k != "#attributes")
    return "" if value is None else to_string(value)


def _unnamed(value: Any, data: dict[str, str]) -> None:
    inner = value.get("#text") if isinstance(value, dict) else value
    for number, item in enumerate(inner if isinstance(inner, list) else [inner], 1):
        if item is not None:
            data[f"param{number}"] = _text_of(item)


def _context_info(data: dict[str, str]) -> None:
    """Read the `Key=Value` lines that PowerShell writes into one value of its event data."""
    for source in ("ContextInfo", "param3", "param2"):
        for line in data.get(source, "").splitlines():
            key, equals, value = line.strip().partition("=")
            name = key.strip().replace(" ", "")
            if equals and name and value.strip():
                data.setdefault(name, value.strip())


# ---- the head of a record


class _Context:
    """What the readers of system fields look at."""

    __slots__ = ("channel", "dataset", "event_id", "forwarded", "head", "provider", "record")

    def __init__(
        self,
        record: Record,
        head: Mapping[str, Any],
        event_id: int,
        provider: str,
        channel: str,
        dataset: Dataset,
        forwarded: bool,
    ) -> None:
        self.record, self.head, self.event_id = record, head, event_id
        self.provider, self.channel, self.dataset, self.forwarded = provider, channel, dataset, forwarded


def _attribute(head: Mapping[str, Any], element: str, name: str) -> Any:
    found = head.get(element)
    attributes = found.get("#attributes") if isinstance(found, dict) else None
    return attributes.get(name) if attributes else None


def _timestamp(context: _Context) -> str | None:
    """Sysmon says when a thing happened; the record's own time is when it was written."""
    created = _created(context)
    if context.dataset is sysmon.SYSMON:
        data = context.record["Event"].get("EventData") or {}
        happened = data.get("UtcTime") if isinstance(data, dict) else None
        if isinstance(happened, str) and len(happened) == 23:
            return f"{happened[:10]}T{happened[11:]}Z"
    return created


def _created(context: _Context) -> str | None:
    time = _attribute(context.head, "TimeCreated", "SystemTime")
    return time if isinstance(time, str) else None


def _computer(context: _Context) -> str | None:
    return context.head.get("Computer") or None


def _outcome(context: _Context) -> str | None:
    keywords = context.head.get("Keywords")
    try:
        bits = int(keywords, 16) if isinstance(keywords, str) else int(keywords or 0)
    except ValueError:
        return None
    if bits & _AUDIT_FAILURE:
        return "failure"
    return "success" if bits & _AUDIT_SUCCESS else None


def _host_id(context: _Context) -> str | None:
    # A log file does not tell the machine's id; its name is what distinguishes it here.
    name = _computer(context)
    return name.lower() if name else None


def _user_id(context: _Context) -> Any:
    return None if context.dataset is security.SECURITY else _attribute(context.head, "Security", "UserID")


def _index(context: _Context) -> list[str]:
    own = [FORWARDED_INDEX] if context.forwarded else []
    return [*own, context.dataset.index, WINLOGBEAT_INDEX]


def _guid_attribute(element: str, name: str) -> Callable[[_Context], Any]:
    def read(context: _Context) -> Any:
        value = _attribute(context.head, element, name)
        return guid(value) if isinstance(value, str) else None

    return read


_SYSTEM_FIELDS: dict[str, Callable[[_Context], Any]] = {
    TIMESTAMP: _timestamp,
    INDEX: _index,
    "ecs.version": lambda c: ECS_VERSION,
    "event.code": lambda c: str(c.event_id),
    "event.created": _created,
    "event.dataset": lambda c: c.dataset.name,
    "event.kind": lambda c: "event",
    "event.module": lambda c: c.dataset.module,
    "event.outcome": _outcome,
    "event.provider": lambda c: c.provider or None,
    "data_stream.dataset": lambda c: c.dataset.name,
    "host.hostname": lambda c: (_computer(c) or "").partition(".")[0] or None,
    "host.id": _host_id,
    "host.name": _computer,
    "host.os.family": lambda c: "windows",
    "host.os.platform": lambda c: "windows",
    "host.os.type": lambda c: "windows",
    "log.level": lambda c: _LEVELS.get(c.head.get("Level") or 0),
    "user.id": _user_id,
    "winlog.activity_id": _guid_attribute("Correlation", "ActivityID"),
    "winlog.api": lambda c: "wineventlog",
    "winlog.channel": lambda c: c.channel or None,
    "winlog.computer_name": _computer,
    "winlog.event_id": lambda c: str(c.event_id),
    "winlog.outcome": _outcome,
    "winlog.process.pid": lambda c: _attribute(c.head, "Execution", "ProcessID"),
    "winlog.process.thread.id": lambda c: _attribute(c.head, "Execution", "ThreadID"),
    "winlog.provider_guid": _guid_attribute("Provider", "Guid"),
    "winlog.provider_name": lambda c: c.provider or None,
    "winlog.record_id": lambda c: str(c.head["EventRecordID"]) if "EventRecordID" in c.head else None,
    "winlog.user.identifier": lambda c: _attribute(c.head, "Security", "UserID"),
    "winlog.version": lambda c: c.head.get("Version"),
}
