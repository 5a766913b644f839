"""A Windows event in XML -> the same record as the `evtx` parser renders it in JSON.

Collectors, `wevtutil`, Event Viewer and `Get-WinEvent`'s `ToXml()` write one `Event` element for each event, after
the event schema (http://schemas.microsoft.com/win/2004/08/events/event).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from tocsin.sources.windows.forms.elements import as_logged, head_of
from tocsin.sources.windows.record import MalformedRecord

# XML 1.0 has no place for control characters, and Windows writes them all the same, raw or as a reference.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
_ROOT = re.compile(r"<[\w.:-]+")
_USUAL_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_DECLARED = re.compile(r"\sxmlns:([\w.-]+)\s*=")
# The prefix of an element's name, or of an attribute's.
_PREFIX = re.compile(r"""(?:<|\s(?=[\w.:-]+\s*=\s*["']))(?!xmlns:|xml:)([A-Za-z_][\w.-]*):(?=[A-Za-z_])""")
_NUMBERS = frozenset(("EventID", "EventRecordID", "Version", "Level", "Task", "Opcode", "ProcessID", "ThreadID"))


def record_of(text: str) -> dict[str, Any]:
    """Return the record that one `Event` element holds.

    The text starts at the element, so that no document type, and no entity of one, can stand before it.
    Raises MalformedRecord.
    """
    try:
        event = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        try:
            event = ElementTree.fromstring(_legal(_declared(text)))
        except ElementTree.ParseError as error:
            raise MalformedRecord(f"malformed XML: {error}") from None
    parts: dict[str, Any] = {}
    for part in event:
        name = _name(part)
        if name == "System":
            parts[name] = {_name(child): _head_value(child) for child in part}
        elif name == "EventData":
            parts[name] = _event_data(part)
        else:
            parts[name] = _tree(part)
    if "System" not in parts:
        raise MalformedRecord("not a Windows event: it has no System")
    return {"Event": _as_parsed(parts)}


def _as_parsed(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event whose head and data are written as the `evtx` parser writes them: ids without braces."""
    system, data = event["System"], event.get("EventData")
    if not isinstance(system, dict):
        return event
    if not _is_usual_head(system):
        event["System"] = system = {name: value for name, value in head_of(system).items() if value is not None}
    if isinstance(data, dict):
        provider, event_id = system.get("Provider"), system.get("EventID")
        name = provider.get("#attributes", {}).get("Name") if isinstance(provider, dict) else None
        as_logged(data, name, event_id.get("#text") if isinstance(event_id, dict) else event_id)
    return event


def _is_usual_head(system: dict[str, Any]) -> bool:
    """Return whether the level, the keywords and the time are written as the `evtx` parser writes them."""
    level, keywords, created = system.get("Level"), system.get("Keywords"), system.get("TimeCreated")
    moment = created.get("#attributes", {}).get("SystemTime") if isinstance(created, dict) else None
    return (
        (level is None or isinstance(level, int))
        and (keywords is None or (isinstance(keywords, str) and keywords.startswith("0x")))
        and isinstance(moment, str)
        and _USUAL_MOMENT.fullmatch(moment) is not None
    )


def _declared(text: str) -> str:
    """Declare the prefixes that the root element around an event would declare, which is not in the text."""
    start = text.find(">")
    declared = set(_DECLARED.findall(text[:start]))
    prefixes = dict.fromkeys(prefix for prefix in _PREFIX.findall(text) if prefix not in declared)
    name = _ROOT.match(text)
    if name is None or not prefixes:
        return text
    added = "".join(f' xmlns:{prefix}="{prefix}"' for prefix in prefixes)
    return f"{name[0]}{added}{text[name.end() :]}"


def _legal(text: str) -> str:
    """Return a text with the replacement character for each that XML cannot hold."""

    def reference(match: re.Match[str]) -> str:
        number = int(match[1], 16) if match[1] else int(match[2])
        legal = number < 0x110000 and not 0xD800 <= number < 0xE000 and not _CONTROL.match(chr(number))
        return match[0] if legal else "\ufffd"

    return _CONTROL.sub("\ufffd", _REFERENCE.sub(reference, text))


def _name(element: ElementTree.Element) -> str:
    return _local(element.tag)


@lru_cache(maxsize=4096)  # each event has the same names
def _local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str | None:
    """Return an element's text; blank text between a start and an end tag on lines of their own is layout."""
    text = element.text
    return None if text is None or ("\n" in text and not text.strip()) else text


def _head_value(element: ElementTree.Element) -> Any:
    name, text = _name(element), _text(element)
    value = None if text is None else _number(name, text)
    attributes = element.items()
    if not attributes:
        return value
    content: dict[str, Any] = {"#attributes": {_local(key): _number(key, held) for key, held in attributes}}
    if value is not None:
        content["#text"] = value
    return content


def _number(name: str, text: str) -> str | int:
    return int(text) if name in _NUMBERS and text.isascii() and text.isdigit() else text


def _event_data(element: ElementTree.Element) -> dict[str, Any] | str | None:
    """Return named values by their name, those without a name as the list `Data`."""
    data: dict[str, Any] = {}
    unnamed: list[Any] = []
    for child in element:
        tag = _name(child)
        name = child.get("Name") if tag == "Data" else tag
        value = _tree(child)
        if name is None:
            unnamed.append(value or None)
        else:
            _put(data, name, value)
    if unnamed:
        data["Data"] = {"#text": unnamed}
    return data or _text(element)


def _tree(element: ElementTree.Element) -> Any:
    if not len(element):
        return _text(element) or ""
    tree: dict[str, Any] = {}
    for child in element:
        _put(tree, _name(child), _tree(child))
    return tree


def _put(members: dict[str, Any], name: str, value: Any) -> None:
    """Set a value; several of one name become a list."""
    if name in members:
        before = members[name]
        value = [*(before if isinstance(before, list) else [before]), value]
    members[name] = value
