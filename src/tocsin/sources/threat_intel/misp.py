"""MISP's events, as its feeds publish them -> rows of indicators.

A feed is a folder: `manifest.json` names the events by their UUIDs, each lies in a file `UUID.json`, and
`hashes.csv` has hashes of values for a quick comparison, which are no hashes of files. Source: MISP's core format
(draft-dulaunoy-misp-core-format) and feed generator; the fields are those of Elastic's `ti_misp` integration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tocsin.sources.batch import Event
from tocsin.sources.threat_intel.rows import many, moment_of, row_fields, tags_of, text_of
from tocsin.sources.threat_intel.values import NotTakenError

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HASHES = re.compile(rf"\s*(?:[0-9a-f]{{32}},{_UUID.pattern}\s*)+", re.IGNORECASE)
_DATASET = "ti_misp.threat_attributes"
_TLP = "tlp:"
_MEMBERS_OF_EVENTS = frozenset(("Attribute", "Object"))


class Attribute(NamedTuple):
    """An attribute of an event, with the event and, if it is part of one, its object."""

    attribute: Mapping[str, Any]
    event: Mapping[str, Any]
    object: Mapping[str, Any]


def event_of(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the event that a document of MISP holds; None for any other document."""
    event = value.get("Event", value)
    if not isinstance(event, dict) or "info" not in event:
        return None
    is_event = "Event" in value or not _MEMBERS_OF_EVENTS.isdisjoint(event)
    return event if is_event else None


def manifest_uuids(value: Mapping[str, Any]) -> frozenset[str]:
    """Return the events that the manifest of a feed names; none of what is no manifest."""
    named = value and all(
        isinstance(about, dict) and "info" in about and _UUID.fullmatch(uuid) for uuid, about in value.items()
    )
    return frozenset(map(str.lower, value)) if named else frozenset()


def is_list_of_hashes(text: str) -> bool:
    """Return whether a text is the `hashes.csv` of a feed: MD5 hashes of values, each with its event's UUID."""
    return _HASHES.fullmatch(text) is not None


def attributes_of(event: Mapping[str, Any]) -> Iterator[Attribute]:
    """Yield the attributes of an event, and of its objects."""
    for attribute in many(event.get("Attribute")):
        if isinstance(attribute, dict):
            yield Attribute(attribute, event, {})
    for entry in many(event.get("Object")):
        if isinstance(entry, dict):
            for attribute in many(entry.get("Attribute")):
                if isinstance(attribute, dict):
                    yield Attribute(attribute, event, entry)


def attribute_fields(entry: Attribute) -> Event:
    """Return the fields of the indicator that an attribute is. Raises NotTakenError."""
    attribute, event = entry.attribute, entry.event
    if attribute.get("deleted") is True or entry.object.get("deleted") is True:
        raise NotTakenError("attribute of MISP that was deleted")
    tags = [*tags_of(event.get("Tag")), *tags_of(attribute.get("Tag"))]
    row = {name: value for name, value in attribute.items() if name not in ("Tag", "Event", "timestamp")}
    markings = [tag[len(_TLP) :].upper() for tag in tags if tag.lower().startswith(_TLP)]
    about = {
        "threat.indicator.provider": text_of(_name(event.get("Orgc"))) or "misp",
        "threat.indicator.description": text_of(attribute.get("comment")) or text_of(event.get("info")),
        "threat.indicator.modified_at": moment_of(attribute.get("timestamp") or event.get("timestamp")),
        "threat.indicator.marking.tlp": markings[-1] if markings else None,
        "threat.feed.name": "MISP",
        "tags": list(dict.fromkeys(tags)),
        "misp.event.uuid": text_of(event.get("uuid")),
        "misp.event.info": text_of(event.get("info")),
        "misp.attribute.uuid": text_of(attribute.get("uuid")),
        "misp.attribute.type": text_of(attribute.get("type")),
        "misp.attribute.category": text_of(attribute.get("category")),
        "misp.object.name": text_of(entry.object.get("name")),
        "data_stream.type": "logs",
        "data_stream.dataset": _DATASET,
        "data_stream.namespace": "default",
    }
    return {**row_fields(row), **{name: value for name, value in about.items() if value not in (None, "", [])}}


def _name(organisation: Any) -> Any:
    return organisation.get("name") if isinstance(organisation, dict) else None
