"""The values of a document as a mapping has them: nulls, constants and subfields filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tocsin.ecs import Field, Schema
from tocsin.sources.batch import flatten
from tocsin.store.mappings.index_mapping import IndexMapping


def with_null_values(document: Mapping[str, Any], flat: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """Return a flat document with `null_value` in the place of nulls."""
    return _with_nulls(document, flat, schema.with_null_value)


def mapped_values(document: Mapping[str, Any], mapping: IndexMapping) -> dict[str, Any]:
    """Return a document's values as an index has them, with `null_value` and constant keywords filled in."""
    flat = flatten(document)
    if not mapping.by_rows:
        return flat
    fields = mapping.fields.values()
    flat = _with_nulls(document, flat, [f for f in fields if f.mapped and f.mapped.null_value is not None])
    for known in fields:
        if known.mapped is not None and known.mapped.value is not None:
            flat[known.name] = known.mapped.value
    for known in mapping.own_columns:
        assert known.mapped is not None
        source = known.mapped.path or ""
        if known.name not in flat and flat.get(source) is not None:
            flat[known.name] = flat[source]
    for root in mapping.prefixes:
        below = [value for name, value in flat.items() if name.startswith(f"{root}.")]
        if below:
            flat[root] = [str(item) for value in below for item in (value if isinstance(value, list) else [value])]
    return flat


def _with_nulls(document: Mapping[str, Any], flat: dict[str, Any], fields: Iterable[Field]) -> dict[str, Any]:
    for known in fields:
        assert known.mapped is not None
        name, meant = known.name, known.mapped.null_value
        source = known.mapped.path or name
        value = flat.get(source)
        if isinstance(value, list) and None in value:
            flat[name] = [meant if item is None else item for item in value]
        elif value is None and source not in flat and has_null(document, source):
            flat[name] = meant
    return flat


def has_null(document: Any, name: str) -> bool:
    """Return whether a document has null under a name, dotted or nested."""
    if not isinstance(document, Mapping):
        return isinstance(document, list) and any(has_null(item, name) for item in document)
    if name in document:
        return document[name] is None
    head, dot, rest = name.partition(".")
    while dot:
        if head in document and has_null(document[head], rest):
            return True
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return False
