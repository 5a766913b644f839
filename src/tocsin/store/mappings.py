"""Mappings of indices: what a client says of an index's fields, read, merged and held against documents.

The grammar, the types and the words of errors are Elasticsearch's ("Mapping" in its reference;
`ObjectMapper` and `FieldMapper` in its source). docs/serve.md says what has an effect here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tocsin.date_formats import DEFAULT, DEFAULT_NANOSECONDS, date_format
from tocsin.ecs import TIMESTAMP, Field, FieldType, Mapped, Schema, default_schema
from tocsin.errors import TocsinError
from tocsin.sources.batch import flatten

_KEYWORDS = ("keyword", "constant_keyword", "wildcard", "counted_keyword", "flattened", "text", "match_only_text",
             "pattern_text", "annotated_text", "search_as_you_type")  # fmt: skip
_LONGS = ("byte", "short", "integer", "long", "unsigned_long")
_DOUBLES = ("half_float", "float", "double", "scaled_float")
OBJECTS = frozenset({"object", "nested", "passthrough"})
# Types whose values are kept in documents, and cannot be searched for.
_UNSEARCHED = (
    "binary", "geo_point", "geo_shape", "point", "shape", "integer_range", "float_range", "long_range",
    "double_range", "date_range", "ip_range", "dense_vector", "sparse_vector", "rank_feature", "rank_features",
    "rank_vectors", "completion", "percolator", "histogram", "exponential_histogram", "join", "murmur3",
    "token_count", "aggregate_metric_double", "semantic_text", "icu_collation_keyword",
)  # fmt: skip
FAMILIES: Mapping[str, FieldType] = {
    **dict.fromkeys(_KEYWORDS, FieldType.KEYWORD),
    **dict.fromkeys(_LONGS, FieldType.LONG),
    **dict.fromkeys(_DOUBLES, FieldType.DOUBLE),
    **dict.fromkeys(_UNSEARCHED, FieldType.OBJECT),
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "date_nanos": FieldType.DATE,
    "ip": FieldType.IP,
    "version": FieldType.VERSION,
}
_OF_FAMILIES = {kind: kind.value for kind in FieldType}
_FIXED = ("format", "null_value", "value", "index", "doc_values", "store", "scaling_factor")  # never changed
_DYNAMIC = ("true", "false", "strict", "runtime")
_DEEPEST, _MOST = 20, 10_000  # as `index.mapping.depth.limit`; of one mapping, fields


class MappingError(TocsinError):
    """A mapping that cannot be, in the words by which Elasticsearch's clients know it."""

    def __init__(self, reason: str, kind: str = "mapper_parsing_exception") -> None:
        super().__init__(reason)
        self.kind = kind


def conflict(reason: str) -> MappingError:
    """Return the error of a mapping that does not fit one that there is."""
    return MappingError(reason, "illegal_argument_exception")


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
        dynamic = {"": _dynamic(self.body)} if "dynamic" in self.body else {}
        for name, about in _objects(self.body.get("properties", {}), ""):
            if about.get("enabled") is False:
                dynamic[name] = "disabled"
            elif "dynamic" in about:
                dynamic[name] = _dynamic(about)
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


def name_of_type(known: Field) -> str:
    """Return a field's type as Elasticsearch calls it."""
    return known.mapped.type if known.mapped is not None else _OF_FAMILIES[known.type]


def _shares_column(field: Field, of: Field | None) -> bool:
    if of is None or of.mapped is None or field.type is not of.type:
        return False
    mine, other = field.mapped, of.mapped
    assert mine is not None
    nanoseconds = {mine.type, other.type} == {"date", "date_nanos"}
    return (mine.format, mine.null_value) == (other.format, other.null_value) and not nanoseconds


# ---- reading


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
        tree[head] = made if head not in tree else _merged_field(tree[head], made, path, overlaid=True)
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
    if "dynamic" in about and _dynamic(about) not in _DYNAMIC:
        raise MappingError(f"Failed to parse mapping: unknown [dynamic] value [{about['dynamic']}] on [{path}]")


def _dynamic(about: Mapping[str, Any]) -> str:
    dynamic = about["dynamic"]
    return str(dynamic).lower()


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
            _format(about),
            str(path) if path is not None else None,
            nulls if isinstance(nulls, (bool, int, float, str)) else None,
            str(about["value"]) if kind == "constant_keyword" and about.get("value") is not None else None,
            str(about.get("ignore_malformed", mapping.ignore_malformed)).lower() == "true",
        ),
    )


def _format(about: Mapping[str, Any]) -> str | None:
    format = about.get("format")
    if format is not None:
        return str(format)
    return {"date": DEFAULT, "date_nanos": DEFAULT_NANOSECONDS}.get(str(about["type"]))


# ---- merging


def merged(old: IndexMapping, new: IndexMapping, *, overlaid: bool = False) -> IndexMapping:
    """Return a mapping with the fields of both; where `overlaid`, as with templates, the new one wins.

    Raises MappingError where they do not fit: a field's type is never changed.
    """
    body = {**old.body, **{name: about for name, about in new.body.items() if name != "properties"}}
    properties = deepcopy(dict(old.body.get("properties", {})))
    for name, about in new.body.get("properties", {}).items():
        known = properties.get(name)
        properties[name] = about if known is None else _merged_field(known, about, name, overlaid=overlaid)
    if properties:
        body["properties"] = properties
    return IndexMapping(body, {**old.settings, **new.settings})


def _merged_field(old: Mapping[str, Any], new: Mapping[str, Any], path: str, *, overlaid: bool) -> dict[str, Any]:
    before, after = old.get("type", "object"), new.get("type", "object")
    if before in OBJECTS and after in OBJECTS:
        if before != after and not overlaid and "type" in new:
            raise conflict(f"can't merge a {before} mapping [{path}] with a {after} mapping")
        made = {**old, **{name: about for name, about in new.items() if name != "properties"}}
        properties = dict(old.get("properties", {}))
        for name, about in new.get("properties", {}).items():
            known = properties.get(name)
            below = f"{path}.{name}"
            properties[name] = about if known is None else _merged_field(known, about, below, overlaid=overlaid)
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
        fields[name] = about if known is None else _merged_field(known, about, f"{path}.{name}", overlaid=False)
    return {**old, **new, **({"fields": fields} if fields else {})}


def _standard(name: str, about: Mapping[str, Any]) -> str:
    return str(_format(about) if name == "format" else None).replace("None", "null")


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


# ---- documents


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
