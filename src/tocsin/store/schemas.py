"""The schema of several indices: what a field is where their mappings and their events say different things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from tocsin.ecs import Field, FieldType, Schema, default_schema
from tocsin.query_dsl.context import TEXT_TYPES
from tocsin.store.mappings.index_mapping import IndexMapping

_NUMBERS = frozenset({FieldType.LONG, FieldType.DOUBLE})


class _Fields(Protocol):
    """What is known of the fields of one index."""

    @property
    def dynamic(self) -> Mapping[str, FieldType]:
        """The types of those that its events brought along."""

    @property
    def seen(self) -> set[str]:
        """The names of those that its events have."""

    @property
    def mapping_of(self) -> Callable[[], IndexMapping]:
        """Returns the index's mapping."""


def common_schema(indices: Iterable[tuple[str, _Fields]]) -> Schema:
    """Return the known fields with those of some indices.

    A field that indices have in different types has that of ECS if one of them has it, `double` where all are
    numbers, and is a text otherwise.
    """
    ecs = default_schema()
    fields_by_name: dict[str, list[Field]] = {}
    prefixes: dict[str, Field] = {}
    every = list(indices)
    for _, index_fields in every:
        mapping = index_fields.mapping_of()
        prefixes.update(mapping.prefixes)
        for name, known in mapping.fields.items():
            fields_by_name.setdefault(name, []).append(known)
        for name, kind in list(index_fields.dynamic.items()):
            if name not in mapping.fields:
                fields_by_name.setdefault(name, []).append(Field(name, kind))
    for name, fields in fields_by_name.items():
        default = ecs.find(name)
        if default is not None and any(name in f.seen and name not in f.mapping_of().fields for _, f in every):
            fields.append(default)
    schema = ecs.extended(_common(name, fields) for name, fields in fields_by_name.items())
    return Schema(schema.fields, {**schema.prefixes, **prefixes}) if prefixes else schema


def joined_schemas(stores: Sequence[tuple[Schema, Mapping[str, Mapping[str, Field]]]]) -> Schema:
    """Return the schema of several stores: of their schemas, each with the fields of the store's indices.

    Where they disagree about a field, it has the type that `common_schema` would find.
    """
    ecs = default_schema()
    fields_by_name: dict[str, list[Field]] = {}
    prefixes: dict[str, Field] = {}
    for schema, _ in stores:
        prefixes.update(schema.prefixes)
        for name, known in schema.fields.items():
            if known is not ecs.fields.get(name):
                fields_by_name.setdefault(name, []).append(known)
    for name, fields in fields_by_name.items():
        default = ecs.find(name)
        if default is not None and any(of.get(name) is default for _, all_ in stores for of in all_.values()):
            fields.append(default)
    schema = ecs.extended(_common(name, fields) for name, fields in fields_by_name.items())
    return Schema(schema.fields, prefixes) if prefixes else schema


def fields_by_type(indices: Mapping[str, Mapping[str, Field]]) -> dict[str, dict[FieldType, list[str]]]:
    """Return the fields of indices that can be searched for, with their types and, for each type, the indices."""
    types: dict[str, dict[FieldType, list[str]]] = {}
    for index, fields in indices.items():
        for name, known in fields.items():
            if known.type is not FieldType.OBJECT:
                types.setdefault(name, {}).setdefault(known.type, []).append(index)
    return types


def _common(name: str, fields: list[Field]) -> Field:
    """Return one field for those of several indices."""
    searched = [field for field in fields if field.type is not FieldType.OBJECT] or fields
    families = {field.type for field in searched}
    if len(families) == 1:
        return min(searched, key=_plainness)
    ecs = default_schema().find(name)
    if ecs is not None and ecs.type in families:
        return next((field for field in searched if field.type is ecs.type and _plainness(field) == 0), ecs)
    kind = FieldType.DOUBLE if families <= _NUMBERS else FieldType.KEYWORD
    return Field(name, kind, any(field.many for field in searched))


def _plainness(field: Field) -> int:
    """Put fields with a mapping first, and texts that are cut into words last."""
    if field.mapped is None:
        return 1
    return 2 if field.mapped.type in TEXT_TYPES else 0
