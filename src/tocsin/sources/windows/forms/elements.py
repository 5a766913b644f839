"""The elements of an event's XML, however a tool writes them in JSON, as the `evtx` parser renders them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

import orjson

from tocsin.moments import written_moment
from tocsin.sources.values import guid
from tocsin.sources.windows.tasks import AUDIT_FAILURE, AUDIT_SUCCESS

Record = Mapping[str, Any]

# Elements of the head that have attributes, and which of these a bare value is.
_WITH_ATTRIBUTES = {
    "Provider": "Name",
    "TimeCreated": "SystemTime",
    "Correlation": "ActivityID",
    "Execution": "ProcessID",
    "Security": "UserID",
}
_NUMBERS = frozenset(("EventID", "EventRecordID", "Opcode", "Task", "Version"))
_WITHOUT_ATTRIBUTES = frozenset(("Channel", "Computer"))
# What converters of XML call an element's text, and what they put its attributes in (`$` may be either).
_TEXT = frozenset(
    ("#text", "$", "$t", "$text", "@Value", "@value", "Value", "_", "_text", "_value", "content", "text", "value")
)
_ATTRIBUTES = frozenset(("#attributes", "$", "@attributes", "_attributes", "attributes"))
_SEPARATE = "_attributes"  # `evtx_dump --separate-json-attributes`, Chainsaw: `Provider_attributes`
_LEVELS = {
    "logalways": 0, "critical": 1, "error": 2, "warning": 3, "information": 4, "informational": 4, "info": 4,
    "verbose": 5,
}  # fmt: skip
# Values that the Security log writes as `0x…`, and tools that know their types as numbers.
_HEXADECIMAL = frozenset(
    (
        "AccessMask", "CallerProcessId", "FailureCode", "NewProcessId", "ProcessId", "Status", "SubStatus",
        "TicketEncryptionType", "TicketOptions",
    )
)  # fmt: skip
_OF_TYPE_GUID = frozenset(("AppCorrelationID", "OpCorrelationID", "TransactionId"))  # written as any text
_BOOLEANS = frozenset(("Archived", "DestinationIsIpv6", "Initiated", "IsExecutable", "Signed", "SourceIsIpv6"))
_FIREWALL = range(5150, 5160)  # whose process ids are decimal
_DATA_ELEMENT = re.compile(r"<Data[\s>]")
_MARKUP = re.compile(r"</?(?!Data[\s>/])[A-Za-z][\w.:-]*(?:\s[^<>]*)?>")  # of the elements round `Data`
_LISTED = re.compile(r"(?:\A|; )([A-Z][A-Za-z0-9]*): ")
MESSAGE = "Message"  # what Windows rendered of an event, beside its data
SECURITY_PROVIDER = "Microsoft-Windows-Security-Auditing"


def attributes(**values: Any) -> dict[str, Any] | None:
    """Return an element's attributes as the `evtx` parser renders them, None when there are none."""
    for value in values.values():
        if value is None or value == "":
            values = {name: value for name, value in values.items() if value is not None and value != ""}
            break
    return {"#attributes": values} if values else None


def assembled(head: Record, data: Any, *, of_user: bool = False, message: Any = None) -> dict[str, Any]:
    """Return the record of a head, whose null elements are left out, its event data or user data, and its message.

    The message may hold values that the data lack.
    """
    system = {name: value for name, value in head.items() if value is not None}
    event = {"System": system, "UserData" if of_user else "EventData": data}
    if isinstance(message, str) and message:
        event[MESSAGE] = message
    return {"Event": event}


def head_of(system: Record) -> dict[str, Any]:
    """Return a head, whatever its attributes and texts are called, as the `evtx` parser renders it."""
    head: dict[str, Any] = {}
    for name in dict.fromkeys(key.removesuffix(_SEPARATE) for key in system if not key.startswith(("@", "#"))):
        text, inner_attributes = _element(system.get(name), system.get(name + _SEPARATE))
        if name in _WITH_ATTRIBUTES:
            if text is not None:
                inner_attributes.setdefault(_WITH_ATTRIBUTES[name], text)
            if name == "TimeCreated":
                inner_attributes["SystemTime"] = moment(inner_attributes.get("SystemTime"))
            elif name == "Execution":
                inner_attributes = {attribute: whole(value) for attribute, value in inner_attributes.items()}
            head[name] = attributes(**inner_attributes)
        elif name == "Level":
            head[name] = level(text)
        elif name == "Keywords":
            head[name] = keywords(text)
        else:
            if text is None and name in _WITHOUT_ATTRIBUTES:
                text = system.get(name)  # an object, which `check_head` reports
            head[name] = whole(scalar(text)) if name in _NUMBERS else scalar(text)
    return head


def scalar(value: Any) -> Any:
    """Return the one value that an object or a list of one holds, however that names it; others as they are."""
    if isinstance(value, list) and len(value) == 1:
        return scalar(value[0])
    if isinstance(value, dict):
        text, _ = _element(value, None)
        return value if text is None else scalar(text)
    return value


def _element(value: Any, separate: Any) -> tuple[Any, dict[str, Any]]:
    """Return the text and the attributes of an element."""
    inner_attributes: dict[str, Any] = dict(separate) if isinstance(separate, dict) else {}
    if not isinstance(value, dict):
        return value, inner_attributes
    text = None
    for name, inner in value.items():
        if name in _ATTRIBUTES and isinstance(inner, dict):
            inner_attributes.update((key.removeprefix("@"), content) for key, content in inner.items())
        elif name in _TEXT:
            text = inner
        else:
            inner_attributes[name.removeprefix("@")] = inner
    return text, inner_attributes


def whole(value: Any) -> Any:
    """Return a whole number that is written as a text, in hexadecimal or with a fraction of zero as a number."""
    if isinstance(value, str) and value.isascii():
        text = value.strip()
        if text.isdecimal():
            return int(text)
        if text[:2].lower() == "0x" and len(text) < 11:
            try:
                return int(text, 16)
            except ValueError:
                return value
        if text.endswith(".0") and text[:-2].isdecimal():
            return int(text[:-2])
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53 else value


def level(value: Any) -> Any:
    """Return a level's number, which tools write as its name."""
    return _LEVELS.get(value.lower(), whole(value)) if isinstance(value, str) else value


def keywords(value: Any) -> Any:
    """Return keywords as one number.

    They are 64 bits, which .NET reads as signed. Where a tool writes names, only an audit's outcome is read.
    """
    if isinstance(value, str) and value.lstrip("-").isdecimal():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value & 0xFFFF_FFFF_FFFF_FFFF
    if isinstance(value, (str, list)):
        names = ",".join(map(str, value)).lower() if isinstance(value, list) else value.lower()
        names = names.replace("_", " ")
        if "audit failure" in names or "failureaudit" in names:
            return hex(AUDIT_FAILURE)
        if "audit success" in names or "successaudit" in names:
            return hex(AUDIT_SUCCESS)
        return value if isinstance(value, str) and names.startswith("0x") else None
    return None


def moment(value: Any) -> Any:
    """Return a moment in ISO 8601, however a tool writes it; any other text as it is."""
    try:
        written = written_moment(value)
        return written[:-6] + "Z" if written.endswith("+00:00") else written
    except ValueError:
        return value if isinstance(value, str) else None


def data_of(element: Any) -> Any:
    """Return event data by name, and values without a name below `Data`, as the `evtx` parser renders them."""
    if isinstance(element, str):
        parsed = parsed_object(element)
        return _in_text(element) if parsed is None else data_of(parsed)
    if isinstance(element, list):
        pairs = [
            pair for pair in element if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
        ]
        element = dict(pairs) if pairs and len(pairs) == len(element) else {"Data": element}
    if not isinstance(element, dict):
        return element
    data = {name: value for name, value in element.items() if name != "Data" and not _is_attribute(name)}
    if "Data" in element:
        named, unnamed = _listed(element["Data"])
        data |= named
        if unnamed:
            data["Data"] = {"#text": unnamed}
    return data


def _in_text(text: str) -> Any:
    """Return the data that a text holds as XML or as `Name: value; …`; any other text as it is."""
    start = _DATA_ELEMENT.search(text)
    if start is not None:
        try:
            root = ElementTree.fromstring(f"<_>{_MARKUP.sub('', text[start.start() :])}</_>")
        except ElementTree.ParseError:
            return text
        values = [{"Name": element.get("Name"), "#text": element.text or ""} for element in root.iter("Data")]
        return data_of({"Data": values})
    names = list(_LISTED.finditer(text))
    if len(names) < 3 or names[0].start():
        return text
    ends = [*(match.start() for match in names[1:]), len(text)]
    return {match[1]: text[match.end() : end] for match, end in zip(names, ends, strict=True)}


def user_data_of(element: Any) -> Any:
    """Return user data without the attributes of its elements."""
    return _plain(parsed_object(element) if isinstance(element, str) else element)


def _plain(element: Any) -> Any:
    if not isinstance(element, dict):
        return element
    if "#text" in element:
        return element["#text"]
    return {name: _plain(value) for name, value in element.items() if not _is_attribute(name)}


def _is_attribute(name: str) -> bool:
    return name.startswith("@") or name in _ATTRIBUTES or name.endswith(_SEPARATE) or name == "xmlns"


def _listed(values: Any) -> tuple[dict[str, Any], list[Any]]:
    """Return the values of `Data` elements that have names, and those that have none."""
    named: dict[str, Any] = {}
    unnamed: list[Any] = []
    for element in values if isinstance(values, list) else [values]:
        if not isinstance(element, dict):
            unnamed.append(element)
            continue
        text, named_values = _element(element, None)
        name = named_values.pop("Name", named_values.pop("name", None))
        if isinstance(name, str):
            named[name] = text
        elif text is not None:
            unnamed += text if isinstance(text, list) else [text]
        else:  # names and values themselves
            named |= named_values
    return named, unnamed


def parsed_object(value: str) -> dict[str, Any] | None:
    """Return the object that a text holds in JSON, as columns of a CSV do; None for any other text."""
    if not value.lstrip().startswith("{"):
        return None
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def as_logged(data: dict[str, Any], provider: Any, event_id: Any) -> dict[str, Any]:
    """Return event data as a log renders them: ids of logons, and what the Security log writes as `0x…`."""
    in_security = provider == SECURITY_PROVIDER and whole(event_id) not in _FIREWALL
    for name in _rendered_otherwise(tuple(data)):
        data[name] = _as_logged(data[name], name, in_security)
    return data


@lru_cache(maxsize=4096)  # events of a kind have the same names
def _rendered_otherwise(names: tuple[str, ...]) -> tuple[str, ...]:
    known = _HEXADECIMAL | _BOOLEANS | _OF_TYPE_GUID
    return tuple(name for name in names if name in known or name.endswith(("LogonId", "UtcTime")))


def _as_logged(value: Any, name: str, in_security: bool) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        hexadecimal = in_security and name in _HEXADECIMAL
        if not name.endswith("LogonId") and not hexadecimal:
            return value
        return hex(value if value >= 0 else value & 0xFFFF_FFFF)  # .NET and others read 32 bits as signed
    if name in _BOOLEANS and value in ("True", "False"):  # as tables of data frames have them
        return value.lower()
    if isinstance(value, str) and name in _OF_TYPE_GUID:
        return guid(value)
    if isinstance(value, str) and name.endswith("UtcTime"):
        return value.removesuffix("Z").replace("T", " ")
    return value
