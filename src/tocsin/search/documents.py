"""How events are shown: in which order, how much of each, and as hits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.addresses import one_spelling, spelled
from tocsin.date_formats import DEFAULT, DEFAULT_NANOSECONDS, date_format, nanoseconds_of
from tocsin.ecs import Field, FieldType, Schema
from tocsin.eql.versions import version_of
from tocsin.linear_regex import RegexError, star_match
from tocsin.moments import MILLISECOND
from tocsin.query_dsl.context import base_name
from tocsin.search.errors import SearchError
from tocsin.search.sorting import FieldSortKey, SortedEvent, TopRows
from tocsin.sources.batch import flatten, unflatten
from tocsin.store.mappings.values import with_null_values


@dataclass(frozen=True)
class SourceFilter:
    """Which members of documents are returned; none at all when not `enabled`."""

    enabled: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def apply(self, source: bytes, *, parsed: bool) -> Any:
        """Return a document, as a fragment of JSON unless it is to be parsed or cut."""
        if not self.includes and not self.excludes:
            return orjson.loads(source) if parsed else orjson.Fragment(source)
        flat = flatten(orjson.loads(source))
        kept = {
            name: value
            for name, value in flat.items()
            if (not self.includes or _names(self.includes, name)) and not _names(self.excludes, name)
        }
        return unflatten(kept)


def _names(patterns: Sequence[str], name: str) -> bool:
    return any(_name_match(p)(name) or name.startswith(p.removesuffix(".*") + ".") for p in patterns)


@dataclass(frozen=True)
class FieldAsked:
    """A field, or a pattern of fields, whose values are asked for; `format` is that of their moments."""

    name: str
    format: str | None = None


@dataclass(frozen=True)
class HitForm:
    """How hits are shown: their order, whether they have a score, and what of each document."""

    sort: tuple[FieldSortKey, ...] = ()
    scored: bool = True  # no order is asked for
    source: SourceFilter = SourceFilter()
    fields: tuple[FieldAsked, ...] = ()


def read_sort(given: Any, schema: Schema) -> tuple[tuple[FieldSortKey, ...], bool]:
    """Return sort keys, and whether hits have a score because no order is asked for. Raises SearchError."""
    if given is None:
        return (), True
    keys = []
    for key in given if isinstance(given, list) else [given]:
        if isinstance(key, str):
            name, _, order = key.partition(":")
            about: Any = {"order": order or ("desc" if name == "_score" else "asc")}
        elif isinstance(key, dict) and len(key) == 1:
            [(name, about)] = key.items()
            about = {"order": about} if isinstance(about, str) else about
        else:
            raise SearchError("[sort] is a list of names, or of objects with one name each")
        if not isinstance(about, dict) or str(about.get("order", "asc")) not in ("asc", "desc"):
            raise SearchError(f"[sort] on [{name}]: the order is asc or desc")
        if name in ("_score", "_doc", "_shard_doc"):  # every hit has the same score
            continue
        first = about.get("missing") == "_first"
        keys.append(_sort_key(name, about, about.get("order", "asc") == "desc", first, schema))
    return tuple(keys), not keys


def _sort_key(name: str, about: Mapping[str, Any], descending: bool, first: bool, schema: Schema) -> FieldSortKey:
    field, kind = base_name(name), about.get("numeric_type")
    known = schema.find(field)
    if known is None or known.type is not FieldType.DATE:
        return FieldSortKey(field, descending, first)
    if kind not in (None, "date", "date_nanos"):
        raise SearchError(f"[numeric_type] of [{name}] is date or date_nanos, not {kind!r}")
    exact = kind == "date_nanos" or (kind is None and is_exact(known))
    return FieldSortKey(field, descending, first, 1 if exact else MILLISECOND, read_format(about.get("format")))


def read_format(given: Any) -> str | None:
    """Return the format of dates that is asked for, None where none is. Raises SearchError."""
    if given is None:
        return None
    try:
        return date_format(str(given)).text
    except ValueError as error:
        raise SearchError(str(error)) from None


def is_exact(known: Field) -> bool:
    """Return whether clients see a field's dates in nanoseconds; those of type `date` are in milliseconds."""
    return known.mapped is not None and known.mapped.type == "date_nanos"


def read_source(given: Any) -> SourceFilter:
    """Return which members of documents are asked for. Raises SearchError."""
    if isinstance(given, bool):
        return SourceFilter(given)
    if isinstance(given, str):
        return SourceFilter(includes=(given,))
    if isinstance(given, list):
        return SourceFilter(includes=_texts(given))
    if isinstance(given, dict):
        return SourceFilter(
            includes=_texts(given.get("includes", given.get("include", []))),
            excludes=_texts(given.get("excludes", given.get("exclude", []))),
        )
    raise SearchError("[_source] is true, false, a name, a list of names, or an object")


def _texts(given: Any) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise SearchError("[_source] names members by texts")
    return tuple(listed)


def hits_of(
    top: TopRows, events: Sequence[SortedEvent], form: HitForm, schema: Schema, *, parsed: bool
) -> list[dict[str, Any]]:
    """Return events as hits."""
    hits, by_name = [], _by_name(form.fields)
    for event, (index, id_, source) in zip(events, top.documents(events), strict=True):
        hit: dict[str, Any] = {"_index": index, "_id": id_, "_score": 1.0 if form.scored else None}
        if form.source.enabled:
            hit["_source"] = form.source.apply(source, parsed=parsed)
        if form.fields:
            hit["fields"] = _fields_of(source, form.fields, by_name, schema)
        if form.sort:
            hit["sort"] = [shown_key(value, key, schema) for value, key in zip(event.keys, form.sort, strict=True)]
        hits.append(hit)
    return hits


def fields_of(source: bytes, asked: Sequence[FieldAsked], schema: Schema) -> dict[str, list[Any]]:
    """Return the values of some fields of a document, each as a list, in the form that the field's type has.

    Dates are written in the format asked for or that of the mapping, addresses in their canonical form.
    """
    return _fields_of(source, asked, _by_name(asked), schema)


# The places of plain names among the fields that are asked for, and those of patterns with their test.
_ByName = tuple[dict[str, int], list[tuple[int, Callable[[str], object]]]]


def _fields_of(
    source: bytes, asked: Sequence[FieldAsked], by_name: _ByName, schema: Schema
) -> dict[str, list[Any]]:
    document = orjson.loads(source)
    flat = with_null_values(document, flatten(document), schema)
    for known in schema.with_path:
        path = known.mapped.path if known.mapped else None
        if path in flat:
            flat[known.name] = flat[path]
    named, patterns = by_name
    shown: dict[str, list[Any]] = {}
    for name, value in flat.items():
        at = named.get(name, len(asked))
        at = next((number for number, pattern in patterns if number < at and pattern(name)), at)
        if at < len(asked):
            values = value if isinstance(value, list) else [value]
            shown[name] = _shown(values, schema.find(name), asked[at].format)
    return shown


def _name_match(pattern: str) -> Callable[[str], object]:
    try:
        return star_match(pattern)
    except RegexError:
        raise SearchError(f"a pattern of {len(pattern):,} characters is too long for names of fields") from None


def _by_name(asked: Sequence[FieldAsked]) -> _ByName:
    """Return what the fields of documents are looked up by: pages ask for many more than a document has."""
    named: dict[str, int] = {}
    patterns: list[tuple[int, Callable[[str], object]]] = []
    for number, field in enumerate(asked):
        for text in dict.fromkeys((field.name, base_name(field.name))):
            if "*" in text:  # the one wildcard of Elasticsearch's names of fields (its `Regex.simpleMatch`)
                patterns.append((number, _name_match(text)))
            else:
                named.setdefault(text, number)
    return named, patterns


def _shown(values: list[Any], known: Field | None, format: str | None) -> list[Any]:
    if known is None or known.type not in (FieldType.IP, FieldType.DATE):
        return values
    if known.type is FieldType.IP:
        return [one_spelling(value) if isinstance(value, str) else value for value in values]
    own = known.mapped.format if known.mapped else None
    fallback = DEFAULT_NANOSECONDS if is_exact(known) else DEFAULT
    write, shown = date_format(format or own or fallback).write, []
    for value in values:
        try:
            shown.append(write(nanoseconds_of(value, own or fallback)))
        except ValueError:  # it is stored, and is no date of this field
            shown.append(value)
    return shown


def shown_key(value: Any, key: FieldSortKey, schema: Schema) -> Any:
    """Return a sort key as clients see it: a moment in its unit or format, an address as text."""
    if isinstance(value, bytes):
        return spelled(int.from_bytes(value))
    if isinstance(value, str):
        known = schema.find(key.field)
        return version_of(value) if known is not None and known.type is FieldType.VERSION else value
    if value is not None and key.format is not None:
        return date_format(key.format).write(value * key.unit)
    return value
