"""The mapping of an index: what a client says of its fields.

The grammar, the types and the words of errors are Elasticsearch's ("Mapping" in its reference;
`ObjectMapper` and `FieldMapper` in its source). docs/serve.md says what has an effect here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tocsin.date_formats import DEFAULT, DEFAULT_NANOSECONDS
from tocsin.ecs import Field, FieldType, Mapped, Schema, default_schema
from tocsin.sources.batch import flatten
from tocsin.store.mappings.types import FAMILIES, OBJECTS


@dataclass(frozen=True)
class IndexMapping:
    """The mapping of an index. `body` is as clients see it, `properties` nested and without dots in names."""

    body: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)  # as they were given

    def __reduce__(self) -> tuple[type[IndexMapping], tuple[Any, ...]]:
        """Pickle the mapping as it was read, without its cached properties."""
        return IndexMapping, (self.body, self.settings)

    @cached_property
    def ignore_malformed(self) -> bool:
        """Whether fields without `ignore_malformed` of their own leave values out that do not fit."""
        settings: Any = flatten(self.settings)
        setting = settings.get("index.mapping.ignore_malformed", settings.get("mapping.ignore_malformed", False))
        return str(setting).lower() == "true"

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The fields that it names: leaves, aliases, and subfields (`fields`)."""
        return {name: made for name, about in self.leaves() for made in (_field(name, about, self),)}

    def leaves(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the fields that it names, each as clients see it, with `path` where it shares values."""
        yield from _leaves(self.body.get("properties", {}), "")

    @cached_property
    def prefixes(self) -> Mapping[str, Field]:
        """The fields below which every member is a keyword (`flattened`)."""
        return {n: f for n, f in self.fields.items() if f.mapped is not None and f.mapped.type == "flattened"}

    @cached_property
    def dynamic(self) -> Mapping[str, str]:
        """What becomes of members that it does not name, by the object that says so; the root's name is empty."""
        dynamic = {"": dynamic_in(self.body)} if "dynamic" in self.body else {}
        for name, about in _objects(self.body.get("properties", {}), ""):
            if about.get("enabled") is False:
                dynamic[name] = "disabled"
            elif "dynamic" in about:
                dynamic[name] = dynamic_in(about)
        return dynamic

    @cached_property
    def by_rows(self) -> bool:
        """Whether documents have to be looked at one by one: for nulls that mean a value, say."""
        return bool(self.prefixes or self.own_columns) or any(
            f.mapped is not None and (f.mapped.null_value is not None or f.mapped.value is not None)
            for f in self.fields.values()
        )

    @cached_property
    def own_columns(self) -> tuple[Field, ...]:
        """The subfields with columns of their own: their type is of another family than their field's."""
        return tuple(
            f
            for f in self.fields.values()
            if f.mapped is not None
            and f.mapped.path is not None
            and f.mapped.type != "alias"
            and not _shares_column(f, self.fields.get(f.mapped.path))
        )

    def find(self, name: str) -> Field | None:
        """Return a field that it names, or one below a `flattened` one."""
        known = self.fields.get(name)
        if known is not None or not self.prefixes:
            return known
        return Schema({}, self.prefixes).find(name)

    def column_of(self, name: str) -> str:
        """Return the field whose column holds the values of one."""
        known = self.fields.get(name)
        if known is None or known.mapped is None or known.mapped.path is None or known in self.own_columns:
            return name
        return self.column_of(known.mapped.path)

    def dynamic_of(self, name: str) -> str:
        """Return what becomes of a field that it does not name: `true`, `false`, `strict` or `disabled`."""
        head = name
        while head:
            head = head.rpartition(".")[0]
            if head in self.dynamic:
                return self.dynamic[head]
        return "true"

    @cached_property
    def checks(self) -> dict[str, Any]:
        """A cache of what checks of documents have found out of each name."""
        return {}

    @cached_property
    def _refusals(self) -> dict[str, str]:
        return {}

    def refusal_of_name(self, name: str) -> str:
        """Return why a document cannot have a field of this name; empty where it can."""
        refusal = self._refusals.get(name)
        if refusal is None:
            refusal = self._refusals[name] = self._judged(name)
        return refusal

    def _judged(self, name: str) -> str:
        known = self.fields.get(name)
        if known is not None and known.mapped is not None:
            if known.mapped.type == "alias":
                return f"failed to parse: Cannot write to a field alias [{name}]."
            if known.mapped.path is not None:
                return f"failed to parse: Cannot write to [{name}], which is a field of [{known.mapped.path}]"
            return ""
        head = name
        while "." in head:
            head = head.rpartition(".")[0]
            above = self.fields.get(head)
            if above is not None and above.mapped is not None and above.type is not FieldType.OBJECT:
                if above.mapped.type == "flattened":
                    return ""
                return (
                    f"failed to parse field [{head}] of type [{above.mapped.type}]: "
                    f"a concrete value is expected, and there is an object with [{name}]"
                )
        if name in self.object_names:
            return (
                f"object mapping for [{name}] tried to parse field [{name}] as object, but found a concrete value"
            )
        return ""

    @cached_property
    def object_names(self) -> frozenset[str]:
        """The names of objects."""
        return frozenset(name for name, _ in _objects(self.body.get("properties", {}), ""))

    @cached_property
    def formatted(self) -> Mapping[str, str]:
        """The formats of fields of dates that name one."""
        return {
            name: f.mapped.format
            for name, f in self.fields.items()
            if f.mapped is not None and f.mapped.format and f.type is FieldType.DATE
        }


NO_MAPPING = IndexMapping()


def _shares_column(subfield: Field, of: Field | None) -> bool:
    if of is None or of.mapped is None or subfield.type is not of.type:
        return False
    mine, other = subfield.mapped, of.mapped
    assert mine is not None
    nanoseconds = {mine.type, other.type} == {"date", "date_nanos"}
    return (mine.format, mine.null_value) == (other.format, other.null_value) and not nanoseconds


def dynamic_in(about: Mapping[str, Any]) -> str:
    """Return what an object says becomes of members that it does not name."""
    dynamic = about["dynamic"]
    return str(dynamic).lower()


def _leaves(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, about in properties.items():
        path = f"{prefix}{name}"
        if about.get("type", "object") in OBJECTS:
            yield from _leaves(about.get("properties", {}), f"{path}.")
            continue
        yield path, about
        for below, subfield in about.get("fields", {}).items():
            yield f"{path}.{below}", {**subfield, "path": path}


def _objects(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, about in properties.items():
        if about.get("type", "object") in OBJECTS:
            yield f"{prefix}{name}", about
            yield from _objects(about.get("properties", {}), f"{prefix}{name}.")


def _field(name: str, about: Mapping[str, Any], mapping: IndexMapping) -> Field:
    kind, path = str(about["type"]), about.get("path")
    ecs = default_schema().find(name)
    many = ecs is not None and ecs.many
    if kind == "alias":
        leaves = dict(mapping.leaves())
        target = leaves.get(str(path))
        target_field = _field(str(path), target, mapping) if target else default_schema().find(str(path))
        family = target_field.type if target_field is not None else FieldType.KEYWORD
        inner = target_field.mapped if target_field is not None else None
        format = inner.format if inner is not None else None
        return Field(name, family, many, Mapped("alias", format, str(path)))
    nulls = about.get("null_value")
    return Field(
        name,
        FAMILIES[kind],
        many,
        Mapped(
            kind,
            format_of(about),
            str(path) if path is not None else None,
            nulls if isinstance(nulls, (bool, int, float, str)) else None,
            str(about["value"]) if kind == "constant_keyword" and about.get("value") is not None else None,
            str(about.get("ignore_malformed", mapping.ignore_malformed)).lower() == "true",
        ),
    )


def format_of(about: Mapping[str, Any]) -> str | None:
    """Return the format of a mapped field of dates, None for one of another type."""
    format = about.get("format")
    if format is not None:
        return str(format)
    return {"date": DEFAULT, "date_nanos": DEFAULT_NANOSECONDS}.get(str(about["type"]))
