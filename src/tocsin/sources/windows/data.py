"""The event data of a Windows record, as the `evtx` parser renders it in JSON -> name and text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

import orjson

from tocsin.eql.functions import to_string
from tocsin.sources.windows.context import context_values


def event_data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record's event data or user data by name; unnamed values are param1, param2, and so on."""
    element = event.get("EventData") or event.get("ProcessingErrorData") or event.get("UserData") or {}
    if not isinstance(element, dict):
        return {"param1": element}
    if is_user_data(event):
        element = next((value for value in element.values() if isinstance(value, dict)), element)
    if "Data" not in element and "#attributes" not in element:
        return element
    data = {name: value for name, value in element.items() if name not in ("#attributes", "Data")}
    if "Data" in element:
        data |= _unnamed(element["Data"])
    return data


def with_context(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return event data with the `Key=Value` lines that PowerShell writes into one value."""
    texts = {name: text_of(data[name]) for name in ("ContextInfo", "param2", "param3") if name in data}
    return {**context_values(texts), **data} if texts else data


_DATA = '"EventData":{'
_SCALAR = re.compile(r"-?[0-9.eE+-]+|true|false|null")
_PEEKS = 4  # after so many, parsing the record whole is cheaper

TOO_DEEP: Final = object()


class Peek:
    """Single values of plain event data straight from a record's JSON.

    Inside a JSON text a quote that is part of a string is escaped, so `"Name":` can only be a key.
    """

    __slots__ = ("_left", "_start", "_text")

    def __init__(self, text: str, start: int, left: int) -> None:
        self._text, self._start, self._left = text, start, left

    @classmethod
    def into(cls, text: str) -> Peek:
        """Return a peek into a record; it finds nothing where event data may hold more than plain values."""
        start = text.find(_DATA) + len(_DATA)
        return cls(text, start, _PEEKS) if start >= len(_DATA) and text.find("{", start) < 0 else NO_PEEK

    def find(self, name: str) -> Any:
        """Return a value, None when there is none, or TOO_DEEP when the record should be parsed."""
        if not self._left:
            return TOO_DEEP
        self._left -= 1
        key = f'"{name}":'
        at = self._text.find(key, self._start)
        if at < 0:
            return None
        at += len(key)
        if self._text[at] == '"':
            return scanstring(self._text, at + 1)[0]
        scalar = _SCALAR.match(self._text, at)
        return orjson.loads(scalar[0]) if scalar else TOO_DEEP


NO_PEEK: Final = Peek("", 0, 0)


def is_user_data(event: Mapping[str, Any]) -> bool:
    """Return whether a record carries user data instead of event data."""
    return not event.get("EventData") and bool(event.get("UserData"))


def holds_guid(name: str, value: str) -> bool:
    """Return whether a GUID's text without braces is a value of that type, which Windows renders in braces.

    A text that only looks like a GUID has no braces (script blocks and runspaces of PowerShell). Values of the
    type have names that say so, or are ids in capitals, as the `evtx` parser renders the type.
    """
    lowered = name.lower()
    if lowered.endswith(("guid", "uuid")):
        return True
    return lowered.endswith(("id", "key")) and value == value.upper()


def text_of(value: Any) -> str:
    """Return any value of event data as text."""
    if isinstance(value, list):
        return "\n".join(text_of(item) for item in value)
    if isinstance(value, dict):
        if "#text" in value:
            return text_of(value["#text"])
        return ", ".join(f"{k}={text_of(v)}" for k, v in value.items() if k != "#attributes")
    return "" if value is None else to_string(value)


def _unnamed(value: Any) -> dict[str, Any]:
    inner = value.get("#text") if isinstance(value, dict) else value
    items = inner if isinstance(inner, list) else [inner]
    return {f"param{number}": item for number, item in enumerate(items, 1) if item is not None}
