"""The head of a Windows record (`System`): what it may hold, and the ECS fields that every record has from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tocsin.ecs import TIMESTAMP
from tocsin.sources.mapping import Dataset
from tocsin.sources.readers import ConstantReader, Reader
from tocsin.sources.values import guid
from tocsin.sources.windows import powershell, security, sysmon
from tocsin.sources.windows.forms.elements import MESSAGE
from tocsin.sources.windows.tasks import AUDIT_FAILURE, AUDIT_SUCCESS, keyword_names, opcode_name, task_name

_LEVELS = {0: "information", 1: "critical", 2: "error", 3: "warning", 4: "information", 5: "verbose"}
# Providers that determine the dataset, whatever channel a record is in.
BY_PROVIDER: dict[str, Dataset] = {
    dataset.provider: dataset
    for dataset in (sysmon.SYSMON, security.SECURITY, powershell.OPERATIONAL, powershell.CLASSIC)
}
_PROVIDER_OF = {dataset.name: provider for provider, dataset in BY_PROVIDER.items()}


# PowerShell 7 writes the same events under a name of its own.
_SAME_AS = {"PowerShellCore": "Microsoft-Windows-PowerShell"}
# Events of a dataset that another provider writes.
_OF_OTHERS = {
    ("system.security", 1102): "Microsoft-Windows-Eventlog",
    ("system.system", 7045): "Service Control Manager",
}


class Headed(Protocol):
    """A Windows record, as far as its head goes."""

    provider: str
    dataset: Dataset
    event_id: int

    @property
    def event(self) -> Mapping[str, Any]:
        """The record's `Event`."""

    @property
    def head(self) -> Mapping[str, Any]:
        """The record's `System`."""

    @property
    def channel(self) -> str:
        """The log that the record was written to."""

    @property
    def task(self) -> int | None:
        """The number of the record's task."""

    def value(self, name: str) -> Any:
        """Return a value of the event data as it is in the record."""


def provider_of(record: Headed) -> str:
    """Return the provider that tables list a record's event under; its dataset's where the record names none."""
    if record.provider:
        return _SAME_AS.get(record.provider, record.provider)
    return _OF_OTHERS.get((record.dataset.name, record.event_id)) or _PROVIDER_OF.get(record.dataset.name, "")


# The values of a record's head that have attributes, and the types of those that are plain.
_WITH_ATTRIBUTES = ("Provider", "TimeCreated", "Correlation", "Execution", "Security")
_PLAIN: dict[str, tuple[type, ...]] = {
    "Channel": (str,),
    "Computer": (str,),
    "EventRecordID": (int, str),
    "Keywords": (int, str),
    "Level": (int, str),
    "Version": (int, str),
}


def check_head(head: Mapping[str, Any]) -> None:
    """Raise TypeError for a value that no program writes in a Windows event, so that readers need not check."""
    for name, types in _PLAIN.items():
        value = head.get(name)
        if value is not None and not isinstance(value, types):
            raise TypeError(f"{name} is {_kind(value)}")
    for name in _WITH_ATTRIBUTES:
        value = head.get(name)
        attributes = value.get("#attributes") if isinstance(value, dict) else None
        if attributes is None:
            continue
        if not isinstance(attributes, dict):
            raise TypeError(f"the attributes of {name} are {_kind(attributes)}")
        for key, inner in attributes.items():
            if inner is not None and not isinstance(inner, (str, int)):
                raise TypeError(f"{key} of {name} is {_kind(inner)}")
    named = attribute(head, "Provider", "Name")
    if named is not None and not isinstance(named, str):
        raise TypeError(f"the provider's name is {_kind(named)}")


def _kind(value: Any) -> str:
    """Name the type of a value as JSON has it."""
    kinds = ((bool, "true or false"), ((int, float), "a number"), (str, "a text"), (list, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "an object")


def attribute(head: Mapping[str, Any], element: str, name: str) -> Any:
    """Return an attribute of an element of the head; None if there is no such attribute."""
    content = head.get(element)
    attributes = content.get("#attributes") if isinstance(content, dict) else None
    return attributes.get(name) if attributes else None


_BEFORE_SYSMON = "1990"


def _timestamp(record: Headed) -> str | None:
    """Sysmon says when a thing happened; the record's own time is when it was written."""
    if record.dataset is sysmon.SYSMON:
        happened = record.value("UtcTime")
        if isinstance(happened, str) and len(happened) == 23 and happened >= _BEFORE_SYSMON:  # 1601 is none
            return f"{happened[:10]}T{happened[11:]}Z"
    return _created(record)


def _created(record: Headed) -> str | None:
    time = attribute(record.head, "TimeCreated", "SystemTime")
    return time if isinstance(time, str) else None


def _computer(record: Headed) -> str | None:
    return record.head.get("Computer") or None


def _host_id(record: Headed) -> str | None:
    # A log does not hold the machine's id, so its name identifies it.
    name = _computer(record)
    return name.lower() if name else None


def _keywords(record: Headed) -> int:
    keywords = record.head.get("Keywords")
    try:
        return int(keywords, 16) if isinstance(keywords, str) else int(keywords or 0)
    except ValueError:
        return 0


def _outcome(record: Headed) -> str | None:
    bits = _keywords(record)
    if bits & AUDIT_FAILURE:
        return "failure"
    return "success" if bits & AUDIT_SUCCESS else None


def _opcode(record: Headed) -> str | None:
    number = whole_number(record.head.get("Opcode"))
    name = None if number is None else opcode_name(number)
    return name or _rendered(record, "Opcode")


def _task(record: Headed) -> str | None:
    """Return the task's name in English where it is known, which rules ask for, or else as rendered."""
    task = record.task
    if task is not None:
        for provider in (record.provider, _PROVIDER_OF.get(record.dataset.name, "")):
            if name := task_name(provider, task):
                return name
    return _rendered(record, "Task") or ("None" if task == 0 else None)


def rendered_message(event: Mapping[str, Any]) -> str | None:
    """Return what Windows rendered of an event, as a writer or a collector kept it."""
    info = event.get("RenderingInfo")
    for message in (event.get(MESSAGE), info.get(MESSAGE) if isinstance(info, dict) else None):
        if isinstance(message, str) and message:
            return message
    return None


def _rendered(record: Headed, name: str) -> str | None:
    """Return what a collector or exporter wrote of a value, in its own language."""
    info = record.event.get("RenderingInfo")
    for value in (info.get(name) if isinstance(info, dict) else None, record.head.get(f"{name}DisplayName")):
        if isinstance(value, str) and value:
            return value
    return None


def whole_number(value: Any) -> int | None:
    """Return the number of a task, an opcode and the like, None for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _user_id(record: Headed) -> Any:
    return None if record.dataset is security.SECURITY else attribute(record.head, "Security", "UserID")


def _guid_of(element: str, name: str) -> Reader:
    def read(record: Headed) -> Any:
        value = attribute(record.head, element, name)
        return guid(value) if isinstance(value, str) else None

    return read


def _account_part(name: str) -> Reader:
    """Return a reader of the account that a collector looked up for the writer's security identifier."""

    def read(record: Headed) -> Any:
        value = attribute(record.head, "Security", name)
        return value if isinstance(value, str) and value else None

    return read


HEAD: dict[str, Reader] = {
    TIMESTAMP: _timestamp,
    "event.action": _task,
    "event.created": _created,
    "event.outcome": _outcome,
    "event.provider": lambda r: r.provider or None,
    "host.hostname": lambda r: (_computer(r) or "").partition(".")[0] or None,
    "host.id": _host_id,
    "host.name": _computer,
    "host.os.family": ConstantReader("windows"),
    "host.os.platform": ConstantReader("windows"),
    "host.os.type": ConstantReader("windows"),
    "log.level": lambda r: _LEVELS.get(r.head.get("Level") or 0),
    "user.id": _user_id,
    "winlog.activity_id": _guid_of("Correlation", "ActivityID"),
    "winlog.api": ConstantReader("wineventlog"),
    "winlog.channel": lambda r: r.channel or None,
    "winlog.computer_name": _computer,
    "winlog.keywords": lambda r: keyword_names(_keywords(r)),
    "winlog.opcode": _opcode,
    "winlog.outcome": _outcome,
    "winlog.process.pid": lambda r: attribute(r.head, "Execution", "ProcessID"),
    "winlog.process.thread.id": lambda r: attribute(r.head, "Execution", "ThreadID"),
    "winlog.provider_guid": _guid_of("Provider", "Guid"),
    "winlog.provider_name": lambda r: r.provider or None,
    "winlog.record_id": lambda r: str(r.head["EventRecordID"]) if "EventRecordID" in r.head else None,
    "winlog.task": _task,
    "winlog.user.domain": _account_part("Domain"),
    "winlog.user.identifier": lambda r: attribute(r.head, "Security", "UserID"),
    "winlog.user.name": _account_part("Name"),
    "winlog.version": lambda r: r.head.get("Version"),
}

# Further fields that a dataset's events have from their head: PowerShell writes its log as the user who runs it.
OF_DATASET: dict[str, dict[str, Reader]] = {
    powershell.OPERATIONAL.name: {
        "process.pid": HEAD["winlog.process.pid"],
        "user.domain": HEAD["winlog.user.domain"],
        "user.name": HEAD["winlog.user.name"],
        "related.user": HEAD["winlog.user.name"],
        "related.hosts": HEAD["winlog.user.domain"],
    },
}
