"""STIX bundles -> the fields of indicators, as Elastic's `ti_custom` integration writes them.

An indicator with values of several types of objects becomes one document a type. What it says about its validity
stays with it (`stix.valid_until`, `stix.revoked`): its reader knows which moment counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tocsin.sources.batch import Event
from tocsin.sources.threat_intel.rows import confidence_of, many, moment_of, text_of
from tocsin.sources.threat_intel.stix_patterns import values_of_pattern
from tocsin.sources.threat_intel.values import NotTakenError, fields_of

# The marking definitions of STIX 2.1 (section 7.2.1.4) and of TLP 2.0, which bundles name without holding them.
_MARKINGS = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "WHITE",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "GREEN",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "AMBER",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "RED",
}
Refuse = Callable[[str], None]  # counts what is not taken, by its reason


def stix_documents(objects: Sequence[Any], refuse: Refuse) -> Iterator[Event]:
    """Yield the fields of the indicators among the objects of a bundle."""
    names = {entry["id"]: entry.get("name") for entry in objects if _is_a(entry, "identity")}
    markings = dict(_MARKINGS)
    for entry in objects:
        if _is_a(entry, "marking-definition"):
            tlp = entry.get("definition", {}).get("tlp") if isinstance(entry.get("definition"), dict) else None
            if isinstance(tlp, str):
                markings[entry["id"]] = tlp.upper()
    for indicator in objects:
        if not _is_a(indicator, "indicator"):
            continue
        pattern = indicator.get("pattern")
        kind = indicator.get("pattern_type", "stix")
        if kind != "stix" or not isinstance(pattern, str):
            refuse(f"pattern of type {str(kind)[:40]}: only STIX patterns name values")
            continue
        about = _about(indicator, names, markings)
        values = values_of_pattern(pattern)
        for reason in values.refused:
            refuse(reason)
        documents: dict[str, Event] = {}
        for value in values.values:
            try:
                fields = fields_of(value.kind, value.value)
            except NotTakenError as error:
                refuse(str(error))
                continue
            _join(documents.setdefault(value.object_type, {}), fields)
        for fields in documents.values():
            yield {**fields, **about}


def _is_a(entry: Any, type_: str) -> bool:
    return isinstance(entry, dict) and entry.get("type") == type_ and isinstance(entry.get("id"), str)


def _about(indicator: Mapping[str, Any], names: Mapping[str, Any], markings: Mapping[str, str]) -> Event:
    links = (ref.get("url") for ref in many(indicator.get("external_references")) if isinstance(ref, dict))
    references = [link for link in links if isinstance(link, str)]
    provider = names.get(str(indicator.get("created_by_ref")))
    marked = [markings[ref] for ref in map(str, many(indicator.get("object_marking_refs"))) if ref in markings]
    fields = {
        "threat.indicator.id": indicator["id"],
        "threat.indicator.name": text_of(indicator.get("name")),
        "threat.indicator.description": text_of(indicator.get("description")),
        "threat.indicator.first_seen": moment_of(indicator.get("valid_from")),
        "threat.indicator.last_seen": moment_of(indicator.get("modified")),
        "threat.indicator.modified_at": moment_of(indicator.get("modified")),
        "threat.indicator.confidence": confidence_of(indicator.get("confidence")),
        "threat.indicator.provider": text_of(provider),
        "threat.indicator.marking.tlp": marked[0] if len(marked) == 1 else marked,
        "threat.indicator.reference": references[0] if references else None,
        "tags": text_of(indicator.get("labels")),
        "stix.id": indicator["id"],
        "stix.created": moment_of(indicator.get("created")),
        "stix.valid_until": moment_of(indicator.get("valid_until")),
        "stix.revoked": indicator.get("revoked") is True or None,
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _join(into: Event, fields: Mapping[str, Any]) -> None:
    """Put fields to those of another value of the same indicator: an event has one of them or another."""
    for name, value in fields.items():
        if name not in into:
            into[name] = value
            continue
        known = into[name] if isinstance(into[name], list) else [into[name]]
        joined = list(dict.fromkeys((*known, *(value if isinstance(value, list) else [value]))))
        into[name] = joined if len(joined) > 1 else joined[0]
