"""Dynamic templates of a mapping: what a field becomes that a document brings along and the mapping does not name.

Facts are from Elasticsearch's reference ("Dynamic templates"). A field that ECS knows keeps ECS's type unless a
template names it, by `match` or `path_match`: rules count on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from tocsin.ecs import default_schema
from tocsin.linear_regex import RegexError, star_match, whole_match
from tocsin.store.mappings.index_mapping import IndexMapping
from tocsin.store.mappings.reading import read_mapping
from tocsin.store.mappings.types import FAMILIES, MappingError

_KEPT = ("true", "runtime")  # what `dynamic` says where new fields become fields
# As `date_detection` finds them: strict_date_optional_time, or yyyy/MM/dd with a time or none.
_DATE = re.compile(
    r"\d{4}-\d\d(-\d\d)?(T\d\d(:\d\d(:\d\d([.,]\d+)?)?)?(Z|[+-]\d\d:?\d\d)?)?|\d{4}/\d\d/\d\d( \d\d:\d\d:\d\d)?"
)
_DEFAULTS = {"string": "text", "double": "float"}
_NAMES = ("match", "path_match")


def new_fields(flat: Mapping[str, Any], mapping: IndexMapping) -> IndexMapping | None:
    """Return the mapping of those fields of a flat document that dynamic templates make, None for no field."""
    templates = list(_templates(mapping.body))
    if not templates:
        return None
    properties: dict[str, Any] = {}
    for name, value in flat.items():
        about = _made(name, value, mapping, templates)
        if about is not None:
            properties[name] = about
    return read_mapping({"properties": properties}, complete=False) if properties else None


def _templates(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for template in body.get("dynamic_templates") or ():
        yield from template.values()


def _made(
    name: str, value: Any, mapping: IndexMapping, templates: list[Mapping[str, Any]]
) -> dict[str, Any] | None:
    kind = _kind_of(value, mapping)
    if kind is None or mapping.find(name) is not None or mapping.dynamic_of(name) not in _KEPT:
        return None
    if mapping.refusal_of_name(name):
        return None
    key = f"\0{kind}\0{name}"  # beside the other checks of names
    if key not in mapping.checks:
        first = next((template for template in templates if _fits(template, name, kind)), None)
        named = first is not None and any(part in first for part in _NAMES)
        taken = first is not None and (named or default_schema().find(name) is None)
        mapping.checks[key] = _mapping_of(first, name, kind) if first is not None and taken else None
    made: dict[str, Any] | None = mapping.checks[key]
    return made


def _kind_of(value: Any, mapping: IndexMapping) -> str | None:
    """Return what JSON and the detection of dates and numbers take a value for; None for no value."""
    if isinstance(value, list):
        return next((kind for item in value if (kind := _kind_of(item, mapping)) is not None), None)
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "long"
    if isinstance(value, float):
        return "double"
    if not isinstance(value, str):
        return None
    if mapping.body.get("date_detection", True) is not False and _DATE.fullmatch(value):
        return "date"
    if mapping.body.get("numeric_detection") is True and re.fullmatch(r"[+-]?\d+(\.\d+)?", value):
        return "double" if "." in value else "long"
    return "string"


def _fits(template: Mapping[str, Any], name: str, kind: str) -> bool:
    regex = str(template.get("match_pattern", "simple")).lower() == "regex"
    leaf = name.rpartition(".")[2]
    kinds, no_kinds = (_each(template.get(part)) for part in ("match_mapping_type", "unmatch_mapping_type"))
    return (
        (not kinds or "*" in kinds or kind in kinds)
        and kind not in no_kinds
        and _names(template.get("match"), leaf, regex, otherwise=True)
        and not _names(template.get("unmatch"), leaf, regex, otherwise=False)
        and _names(template.get("path_match"), name, regex, otherwise=True)
        and not _names(template.get("path_unmatch"), name, regex, otherwise=False)
    )


def _names(given: Any, name: str, regex: bool, *, otherwise: bool) -> bool:
    patterns = _each(given)
    if not patterns:
        return otherwise
    return any((whole_match if regex else star_match)(pattern)(name) for pattern in patterns)


def _each(given: Any) -> list[str]:
    return (
        [] if given is None else [str(pattern) for pattern in given] if isinstance(given, list) else [str(given)]
    )


def _mapping_of(template: Mapping[str, Any], name: str, kind: str) -> dict[str, Any] | None:
    if "mapping" not in template:  # a runtime field: it has no column
        return None
    leaf = name.rpartition(".")[2]
    filled: dict[str, Any] = _filled(deepcopy(dict(template["mapping"])), leaf, kind)
    filled.setdefault("type", _DEFAULTS.get(kind, kind))
    return filled


def _filled(given: Any, leaf: str, kind: str) -> Any:
    if isinstance(given, dict):
        return {key: _filled(value, leaf, kind) for key, value in given.items()}
    if isinstance(given, str):
        kind = "keyword" if kind == "string" else kind
        return given.replace("{name}", leaf).replace("{dynamic_type}", kind).replace("{dynamicType}", kind)
    return given


def check_dynamic_templates(mapping: IndexMapping) -> None:
    """Raise MappingError for dynamic templates that could make no field."""
    given = mapping.body.get("dynamic_templates")
    if given is None:
        return
    if not isinstance(given, list) or not all(
        isinstance(template, Mapping) and len(template) == 1 for template in given
    ):
        raise MappingError("Failed to parse mapping: A dynamic template must be defined with a name")
    for template in given:
        for name, about in template.items():
            wrong = _wrong(about)
            if wrong:
                raise MappingError(f"Failed to parse mapping: dynamic template [{name}] {wrong}")


def _wrong(about: Any) -> str:
    if not isinstance(about, Mapping) or not ({"mapping", "runtime"} & set(about)):
        return "must have either mapping or runtime set"
    if not isinstance(about.get("mapping", {}), Mapping):
        return "has a mapping that is no object"
    kind = str(about.get("mapping", {}).get("type", "keyword"))
    if kind not in FAMILIES and kind not in ("object", "nested", "alias") and "{" not in kind:
        return f"has invalid content: No mapper found for type [{kind}]"
    if str(about.get("match_pattern", "simple")).lower() == "regex":
        for pattern in (
            pattern for part in ("match", "unmatch", *_NAMES[1:]) for pattern in _each(about.get(part))
        ):
            try:
                whole_match(pattern)
            except RegexError as error:
                return f"has a pattern [{pattern}] that is no regular expression: {error}"
    return ""
