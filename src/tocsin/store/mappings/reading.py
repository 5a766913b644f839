"""Mappings as clients write them, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tocsin.date_formats import date_format
from tocsin.ecs import FieldType, default_schema
from tocsin.store.mappings.index_mapping import IndexMapping, dynamic_in
from tocsin.store.mappings.merging import merged_field
from tocsin.store.mappings.types import FAMILIES, OBJECTS, MappingError, conflict

_DYNAMIC = ("true", "false", "strict", "runtime")
_DEEPEST, _MOST = 20, 10_000  # as `index.mapping.depth.limit`; of one mapping, fields


def read_mapping(body: Any, settings: Any = None, *, complete: bool = True) -> IndexMapping:
    """Return a mapping as a client writes it, with its index's settings. Raises MappingError.

    One that is not `complete` becomes part of another, which may have what aliases refer to.
    """
    given = settings if isinstance(settings, Mapping) else {}
    if body is None:
        return IndexMapping({}, given)
    if not isinstance(body, Mapping):
        raise MappingError("Failed to parse mapping: a mapping is an object")
    wrapped = body.get("_doc")
    if isinstance(wrapped, Mapping) and len(body) == 1:
        body = wrapped
    read = {name: deepcopy(about) for name, about in body.items() if name != "properties"}
    _check_dynamic(read, "_doc")
    properties = body.get("properties")
    if properties is not None:
        read["properties"] = _properties(properties, "", 0)
    mapping = IndexMapping(read, given)
    if complete:
        check_paths(mapping)
    if complete and len(mapping.fields) > _MOST:
        raise conflict(f"Limit of total fields [{_MOST}] has been exceeded")
    return mapping


def _properties(given: Any, prefix: str, depth: int) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise MappingError(
            f"Failed to parse mapping: Expected map for property [properties] on [{prefix or '_doc'}]"
        )
    if depth > _DEEPEST:
        raise MappingError(f"Limit of mapping depth [{_DEEPEST}] has been exceeded")
    tree: dict[str, Any] = {}
    for name, about in given.items():
        path = f"{prefix}{name}"
        if not name or any(not part.strip() for part in str(name).split(".")):
            raise MappingError(f"Failed to parse mapping: field name cannot be an empty string, in [{path}]")
        if not isinstance(about, Mapping):
            raise MappingError(f"Failed to parse mapping: Expected map for property [fields] on field [{path}]")
        head, *rest = str(name).split(".")
        if rest:
            about = {"properties": {".".join(rest): about}}
            path = f"{prefix}{head}"
        made = _property(about, path, depth)
        tree[head] = made if head not in tree else merged_field(tree[head], made, path, overlaid=True)
    return tree


def _property(about: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
    kind = about.get("type", "object" if "properties" in about or not about else None)
    if kind is None and set(about) & {"dynamic", "enabled", "subobjects"}:
        kind = "object"
    if kind is None:
        raise MappingError(f"Failed to parse mapping: No type specified for field [{path.rpartition('.')[2]}]")
    if not isinstance(kind, str) or (kind not in FAMILIES and kind not in OBJECTS and kind != "alias"):
        leaf = path.rpartition(".")[2]
        raise MappingError(
            f"Failed to parse mapping: The mapper type [{kind}] declared on field [{leaf}] does not exist. "
            f"It might have been created within a future version or requires a plugin to be installed. "
            f"Check the documentation."
        )
    made = {name: deepcopy(value) for name, value in about.items() if name not in ("properties", "fields")}
    if kind in OBJECTS:
        _check_dynamic(made, path)
        if kind == "object":
            made.pop("type", None)
        made["properties"] = _properties(about.get("properties", {}), f"{path}.", depth + 1)
        return made
    made["type"] = kind
    if kind == "alias":
        if not isinstance(about.get("path"), str):
            raise MappingError(
                f"Failed to parse mapping: The [path] property must be specified for field [{path}]."
            )
        return made
    if "format" in about and FAMILIES[kind] is FieldType.DATE:
        try:
            date_format(str(about["format"]))
        except ValueError as error:
            raise MappingError(f"Failed to parse mapping: {error}") from None
    several = about.get("fields")
    if several is not None:
        if not isinstance(several, Mapping) or not all(
            isinstance(subfield, Mapping) for subfield in several.values()
        ):
            raise MappingError(f"Failed to parse mapping: expected map for property [fields] on field [{path}]")
        made["fields"] = {str(n): _property(subfield, f"{path}.{n}", depth + 1) for n, subfield in several.items()}
    return made


def _check_dynamic(about: Mapping[str, Any], path: str) -> None:
    if "dynamic" in about and dynamic_in(about) not in _DYNAMIC:
        raise MappingError(f"Failed to parse mapping: unknown [dynamic] value [{about['dynamic']}] on [{path}]")


def check_paths(mapping: IndexMapping) -> None:
    """Raise MappingError for an alias that refers to nothing."""
    for name, about in mapping.leaves():
        if about.get("type") != "alias":
            continue
        path = about["path"]
        target = mapping.find(path) or default_schema().find(path)
        wrong = (
            "an alias cannot refer to itself"
            if path == name
            else "an alias cannot refer to another alias"
            if target is not None and target.mapped is not None and target.mapped.type == "alias"
            else "an alias must refer to an existing field in the mappings"
            if target is None or path in mapping.object_names
            else ""
        )
        if wrong:
            raise MappingError(f"Invalid [path] value [{path}] for field alias [{name}]: {wrong}.")
