"""Rows of tables of indicators, and JSON objects like them -> the fields of indicators.

A column is known by its name: ECS's own, one of a value beside one of its type (`indicator`, `type`), or one that
says what its values are (`sha256`). The names are those of abuse.ch, AlienVault OTX, MISP and the like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tocsin.moments import written_moment
from tocsin.sources.batch import Event
from tocsin.sources.threat_intel.values import (
    NotTakenError,
    kind_named,
    kind_of,
    normalised,
    refanged,
    typed_fields,
)

_VALUES = frozenset(
    ("value", "indicator", "ioc", "ioc-value", "indicator-value", "observable", "observable-value")
)
_TYPES = frozenset(("type", "ioc-type", "indicator-type", "observable-type", "kind"))
# Kinds that only go with another value.
_BESIDE = frozenset(("port",))
_ECS = ("threat.indicator.", "threatintel.indicator.")


def confidence_of(value: Any) -> str | None:
    """Return a confidence in ECS's words; numbers are of STIX's scale from 0 to 100."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value if isinstance(value, str) and value else None
    bounds = ((0, "None"), (29, "Low"), (69, "Medium"), (100, "High"))
    return next((name for bound, name in bounds if 0 <= number <= bound), "Not Specified")


def moment_of(value: Any) -> str | None:
    """Return a moment in ISO 8601, None for what is none."""
    try:
        return written_moment(value)
    except ValueError:
        return None


def many(value: Any) -> list[Any]:
    """Return the values of a list; none of what is no list."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str | list[str] | None:
    """Return a text, or the texts of a list; None for anything else, and for no text."""
    if isinstance(value, list):
        return [text for text in value if isinstance(text, str) and text] or None
    return value if isinstance(value, str) and value else None


def tags_of(value: Any) -> list[str]:
    """Return the names of tags: of a list of names or of objects that have one, or of a text with commas."""
    if isinstance(value, str):
        value = value.split(",")
    names = [str(tag.get("name", "") if isinstance(tag, dict) else tag).strip() for tag in many(value)]
    return [name for name in names if name]


def _marking(value: Any) -> str | None:
    return str(value).lower().removeprefix("tlp:").upper() if isinstance(value, str) and value else None


# What a row says about an indicator: names -> the field, and how its value is read.
_ABOUT: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("description", "comment"), ("threat.indicator.description", text_of)),
    **dict.fromkeys(("first-seen", "first-seen-utc", "firstseen", "dateadded", "date-added", "valid-from"),
                    ("threat.indicator.first_seen", moment_of)),
    **dict.fromkeys(("last-seen", "last-seen-utc", "lastseen"), ("threat.indicator.last_seen", moment_of)),
    **dict.fromkeys(("modified", "modified-at", "updated"), ("threat.indicator.modified_at", moment_of)),
    **dict.fromkeys(("confidence", "confidence-level"), ("threat.indicator.confidence", confidence_of)),
    **dict.fromkeys(("valid-until", "expires", "expires-at", "expiry", "expiration", "expiration-date"),
                    ("stix.valid_until", moment_of)),
    **dict.fromkeys(("reference", "references", "urlhaus-link", "urlhaus-reference"),
                    ("threat.indicator.reference", text_of)),
    **dict.fromkeys(("provider", "source", "reporter"), ("threat.indicator.provider", text_of)),
    **dict.fromkeys(("feed", "feed-name"), ("threat.feed.name", text_of)),
    **dict.fromkeys(("tags", "tag", "labels"), ("tags", lambda value: tags_of(value) or None)),
    **dict.fromkeys(("tlp", "marking"), ("threat.indicator.marking.tlp", _marking)),
}  # fmt: skip


def is_ecs(names: Mapping[str, Any]) -> bool:
    """Return whether a flat document has an indicator's fields, also under the names from before ECS 8."""
    return any(name.startswith(_ECS) for name in names)


def is_named(name: str) -> bool:
    """Return whether a column of this name holds indicators' values."""
    return name.strip().startswith(_ECS) or normalised(name) in _VALUES or kind_named(name) is not None


def ecs_fields(row: Mapping[str, Any]) -> Event:
    """Return a flat ECS document with ECS 8's names."""
    event = {
        f"threat.indicator.{name.removeprefix('threatintel.indicator.')}"
        if name.startswith("threatintel.indicator.")
        else name: value
        for name, value in row.items()
    }
    # Elastic's rules leave out what a transform copies to another index. A file is read for itself.
    event.pop("labels.is_ioc_transform_source", None)
    return event


def row_fields(row: Mapping[str, Any]) -> Event:
    """Return the fields of the indicator that a row holds. Raises NotTakenError."""
    named = {normalised(name): value for name, value in row.items() if value not in (None, "", [])}
    value = next((named[name] for name in named if name in _VALUES), None)
    if isinstance(value, (dict, list)):
        raise NotTakenError("object that is no indicator")
    if value is not None:
        if str(named.get("to-ids")).lower() in ("false", "0"):
            raise NotTakenError("attribute of MISP that is not for detection (`to_ids`)")
        type_ = next((str(named[name]) for name in named if name in _TYPES), "")
        fields = typed_fields(type_, str(value))
    else:
        fields = _of_columns(named)
    for name, given in named.items():
        if name in _ABOUT:
            field, read = _ABOUT[name]
            if (content := read(given)) is not None:
                fields.setdefault(field, content)
    if "name" in named and isinstance(named["name"], str):
        fields["threat.indicator.name"] = named["name"]
    return fields


def _of_columns(named: Mapping[str, Any]) -> Event:
    """Return what the columns named for kinds of values say. Raises NotTakenError where there is none."""
    fields: Event = {}
    reason: NotTakenError | None = None
    kinds = {name: kind for name in named if (kind := kind_named(name)) is not None}
    for name in sorted(kinds, key=lambda name: kinds[name] in _BESIDE):
        if isinstance(named[name], (dict, list)) or (kinds[name] in _BESIDE and not fields):
            continue
        try:
            fields = {**typed_fields(name, str(named[name])), **fields}
        except NotTakenError as error:
            reason = reason or error
    if not fields:
        raise reason or NotTakenError("object that is no indicator")
    return fields


def value_fields(value: str) -> Event:
    """Return the fields of a bare value, as lists of indicators have them. Raises NotTakenError."""
    if kind_of(refanged(value)) is None:
        raise NotTakenError("value of no known kind")
    return typed_fields("", value)
