"""A scheduled task's definition in XML, as 4698 to 4702 hold it -> the fields below `winlog.scheduled_task`.

The fields are those that Elastic's integration makes of it: who it runs as, what it starts and when. Elements are
read by their name whatever its capitals and namespace, those of one name in their order, kinds of triggers and
actions in the order of the tables here. `definition` has a whole trigger or action in one text, so that the values
of several can be kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

Fields = Mapping[str, list[Any]]

_SEPARATORS = re.compile(r"[%|=\x00-\x1f\x7f]")

_TRIGGERS = {
    "boottrigger": "boot",
    "wnfstatechangetrigger": "wnf_state_change",
    "timetrigger": "time",
    "calendartrigger": "calendar",
    "logontrigger": "logon",
    "registrationtrigger": "registration",
    "sessionstatechangetrigger": "session_state_change",
    "eventtrigger": "event",
    "idletrigger": "idle",
}
_ACTIONS = {"exec": "exec", "comhandler": "com_handler"}
# Of each kind of action, the elements that become fields.
_OF_ACTION = {
    "exec": {"command": "command", "arguments": "arguments", "working_directory": "workingdirectory"},
    "com_handler": {"class_id": "classid"},
}
_OF_PRINCIPAL = {
    "id": "id",
    "user.identifier": "userid",
    "group.identifier": "groupid",
    "logon.type": "logontype",
    "run_level": "runlevel",
}
_ACTION_PARTS = ("type", "context", "command", "arguments", "working_directory", "class_id")
_TRIGGER_PARTS = ("type", "enabled", "interval", "duration", "stop_at_duration_end")

FIELDS = (
    "uri",
    *(f"principals.{name}" for name in _OF_PRINCIPAL),
    "settings.enabled",
    "settings.hidden",
    "triggers.type",
    "triggers.enabled",
    "triggers.repetition.interval",
    "triggers.repetition.duration",
    "triggers.repetition.stop_at_duration_end",
    "triggers.definition",
    *(f"actions.{name}" for name in (*_ACTION_PARTS, "definition")),
)


def part(name: str) -> Callable[[str], Any]:
    """Return a converter of a definition to one of its FIELDS: a list, or one value for what occurs once."""
    once = name == "uri" or name.startswith("settings.")

    def read(xml: str) -> Any:
        values = _read(xml).get(name)
        return values[0] if values and once else values or None

    return read


class _Element:
    """An element by its name in small letters: its text, its attributes and the elements in it."""

    def __init__(self, element: ElementTree.Element) -> None:
        self.text = (element.text or "").strip()
        self.attributes = {_local(name): value for name, value in element.attrib.items()}
        self.inner: dict[str, list[_Element]] = {}
        for child in element:
            self.inner.setdefault(_local(child.tag), []).append(_Element(child))

    def first(self, name: str) -> _Element | None:
        """Return the first element of a name in this one."""
        return next(iter(self.inner.get(name, ())), None)

    def value(self, name: str) -> str | None:
        """Return the text of the element of a name in this one, or an attribute of this one."""
        element = self.first(name)
        return (element.text if element else self.attributes.get(name)) or None


def _local(name: str) -> str:
    return name.rpartition("}")[2].lower()


@lru_cache(maxsize=32)
def _read(xml: str) -> Fields:
    # No document type is read, so that no entity is expanded.
    if "<!DOCTYPE" in xml:
        return {}
    try:
        task = _Element(ElementTree.fromstring(xml))
    except (ElementTree.ParseError, ValueError, RecursionError):  # not well-formed, or not a task by any measure
        return {}
    fields: dict[str, list[Any]] = {}

    def put(name: str, value: Any) -> None:
        if value is not None:
            fields.setdefault(name, []).append(value)

    if info := task.first("registrationinfo"):
        put("uri", info.value("uri"))
    if principals := task.first("principals"):
        for principal in principals.inner.get("principal", ()):
            for name, source in _OF_PRINCIPAL.items():
                put(f"principals.{name}", principal.value(source))
    if settings := task.first("settings"):
        put("settings.enabled", _truth(settings.value("enabled")))
        put("settings.hidden", _truth(settings.value("hidden")))
    if triggers := task.first("triggers"):
        for element, kind in _TRIGGERS.items():
            for trigger in triggers.inner.get(element, ()):
                _put_trigger(put, trigger, kind)
    if actions := task.first("actions"):
        for element, kind in _ACTIONS.items():
            for action in actions.inner.get(element, ()):
                _put_action(put, action, kind, actions.attributes.get("context"))
    return fields


def _put_trigger(put: Callable[[str, Any], None], trigger: _Element, kind: str) -> None:
    if trigger.text and not trigger.inner:
        return  # text alone is no trigger
    repetition = trigger.first("repetition")
    values: dict[str, Any] = {
        "type": kind,
        "enabled": _truth(trigger.value("enabled")) if "enabled" in trigger.inner else True,
    }
    if repetition:
        values["interval"] = repetition.value("interval")
        values["duration"] = repetition.value("duration")
        values["stop_at_duration_end"] = _truth(repetition.value("stopatdurationend"))
    for name, value in values.items():
        above = "triggers" if name in ("type", "enabled") else "triggers.repetition"
        put(f"{above}.{name}", value)
    put("triggers.definition", _definition(values, _TRIGGER_PARTS))


def _put_action(put: Callable[[str, Any], None], action: _Element, kind: str, context: str | None) -> None:
    if not action.inner and not action.attributes:
        return
    values = {"type": kind, "context": context or None}
    values |= {name: action.value(source) for name, source in _OF_ACTION[kind].items()}
    for name, value in values.items():
        put(f"actions.{name}", value)
    put("actions.definition", _definition(values, _ACTION_PARTS))


def _truth(text: str | None) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get((text or "").lower())


def _definition(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return values as `v=1|name=value|…`, with what would be misread there as `%` and two digits."""
    return "|".join(("v=1", *(f"{name}={_escaped(values.get(name))}" for name in names)))


def _escaped(value: Any) -> str:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else value
    return _SEPARATORS.sub(lambda match: f"%{ord(match[0]):02X}", text)
