"""Two mappings made into one, and a mapping held against fields that events have."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tocsin.ecs import TIMESTAMP, Field, FieldType
from tocsin.store.mappings.index_mapping import IndexMapping, format_of
from tocsin.store.mappings.types import OBJECTS, conflict, name_of_type

_FIXED = ("format", "null_value", "value", "index", "doc_values", "store", "scaling_factor")  # never changed


def merged(old: IndexMapping, new: IndexMapping, *, overlaid: bool = False) -> IndexMapping:
    """Return a mapping with the fields of both; where `overlaid`, as with templates, the new one wins.

    Raises MappingError where they do not fit: a field's type is never changed.
    """
    body = {**old.body, **{name: about for name, about in new.body.items() if name != "properties"}}
    properties = deepcopy(dict(old.body.get("properties", {})))
    for name, about in new.body.get("properties", {}).items():
        known = properties.get(name)
        properties[name] = about if known is None else merged_field(known, about, name, overlaid=overlaid)
    if properties:
        body["properties"] = properties
    return IndexMapping(body, {**old.settings, **new.settings})


def merged_field(old: Mapping[str, Any], new: Mapping[str, Any], path: str, *, overlaid: bool) -> dict[str, Any]:
    """Return the mapping of one field or object, of two that are given for it; see `merged`."""
    before, after = old.get("type", "object"), new.get("type", "object")
    if before in OBJECTS and after in OBJECTS:
        if before != after and not overlaid and "type" in new:
            raise conflict(f"can't merge a {before} mapping [{path}] with a {after} mapping")
        made = {**old, **{name: about for name, about in new.items() if name != "properties"}}
        properties = dict(old.get("properties", {}))
        for name, about in new.get("properties", {}).items():
            known = properties.get(name)
            below = f"{path}.{name}"
            properties[name] = about if known is None else merged_field(known, about, below, overlaid=overlaid)
        return {**made, "properties": properties}
    if overlaid:
        return dict(new)
    if before in OBJECTS:
        raise conflict(f"can't merge an object mapping [{path}] with a non object mapping")
    if after in OBJECTS:
        raise conflict(f"can't merge a non object mapping [{path}] with an object mapping")
    if before != after:
        raise conflict(f"mapper [{path}] cannot be changed from type [{before}] to [{after}]")
    for name in _FIXED:
        if name in old and name in new and old[name] != new[name] and name != "path":
            raise conflict(
                f"Mapper for [{path}] conflicts with existing mapper:\n\t"
                f"Cannot update parameter [{name}] from [{old[name]}] to [{new[name]}]"
            )
        if name in new and name not in old and name in ("format", "null_value"):
            raise conflict(
                f"Mapper for [{path}] conflicts with existing mapper:\n\t"
                f"Cannot update parameter [{name}] from [{_standard(name, old)}] to [{new[name]}]"
            )
    fields = dict(old.get("fields", {}))
    for name, about in new.get("fields", {}).items():
        known = fields.get(name)
        fields[name] = about if known is None else merged_field(known, about, f"{path}.{name}", overlaid=False)
    return {**old, **new, **({"fields": fields} if fields else {})}


def _standard(name: str, about: Mapping[str, Any]) -> str:
    return str(format_of(about) if name == "format" else None).replace("None", "null")


def check_seen(new: IndexMapping, old: IndexMapping, seen: Mapping[str, Field]) -> None:
    """Hold a mapping against the fields that events of the index have already. Raises MappingError."""
    for name, made in new.fields.items():
        known = seen.get(name)
        if known is None or name in old.fields or made.mapped is None:
            continue
        if (
            made.mapped.type == "alias"
            or known.type is not made.type
            or (made.type is FieldType.DATE and made.mapped.type != name_of_type(known) and name != TIMESTAMP)
        ):
            raise conflict(
                f"mapper [{name}] cannot be changed from type [{name_of_type(known)}] to [{made.mapped.type}]"
            )
