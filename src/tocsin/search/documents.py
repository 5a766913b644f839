"""How events are shown: in which order, how much of each, and as hits."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from tocsin.addresses import one_spelling, spelled
from tocsin.ecs import Field, FieldType, Schema
from tocsin.query_dsl.build import base_name
from tocsin.search.errors import SearchError
from tocsin.search.sorting import Found, SortKey, TopRows
from tocsin.sources.batch import flatten, unflatten


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
    return any(fnmatch.fnmatchcase(name, p) or name.startswith(p.removesuffix(".*") + ".") for p in patterns)


@dataclass(frozen=True)
class HitForm:
    """How hits are shown: their order, whether they have a score, and what of each document."""

    sort: tuple[SortKey, ...] = ()
    scored: bool = True  # no order is asked for
    source: SourceFilter = SourceFilter()
    fields: tuple[str, ...] = ()


def read_sort(given: Any) -> tuple[tuple[SortKey, ...], bool]:
    """Return sort keys, and whether hits have a score because no order is asked for. Raises SearchError."""
    if given is None:
        return (), True
    keys = []
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, str):
            name, _, order = one.partition(":")
            about: Any = {"order": order or ("desc" if name == "_score" else "asc")}
        elif isinstance(one, dict) and len(one) == 1:
            [(name, about)] = one.items()
            about = {"order": about} if isinstance(about, str) else about
        else:
            raise SearchError("[sort] is a list of names, or of objects with one name each")
        if not isinstance(about, dict) or str(about.get("order", "asc")) not in ("asc", "desc"):
            raise SearchError(f"[sort] on [{name}]: the order is asc or desc")
        if name in ("_score", "_doc", "_shard_doc"):  # every hit has the same score
            continue
        first = about.get("missing") == "_first"
        keys.append(SortKey(base_name(name), about.get("order", "asc") == "desc", first))
    return tuple(keys), not keys


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
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise SearchError("[_source] names members by texts")
    return tuple(listed)


def hits_of(
    top: TopRows, found: Sequence[Found], form: HitForm, schema: Schema, *, parsed: bool
) -> list[dict[str, Any]]:
    """Return events as hits."""
    hits = []
    for one, (index, id_, source) in zip(found, top.documents(found), strict=True):
        hit: dict[str, Any] = {"_index": index, "_id": id_, "_score": 1.0 if form.scored else None}
        if form.source.enabled:
            hit["_source"] = form.source.apply(source, parsed=parsed)
        if form.fields:
            hit["fields"] = fields_of(source, form.fields, schema)
        if form.sort:
            hit["sort"] = [shown_key(value, key, schema) for value, key in zip(one.keys, form.sort, strict=True)]
        hits.append(hit)
    return hits


def fields_of(source: bytes, patterns: Sequence[str], schema: Schema) -> dict[str, list[Any]]:
    """Return the values of some fields of a document, each as a list; addresses in their one spelling."""
    flat = flatten(orjson.loads(source))
    return {
        name: _shown(value if isinstance(value, list) else [value], schema.find(name))
        for name, value in flat.items()
        if any(fnmatch.fnmatchcase(name, base_name(pattern)) for pattern in patterns)
    }


def _shown(values: list[Any], known: Field | None) -> list[Any]:
    if known is None or known.type is not FieldType.IP:
        return values
    return [one_spelling(value) if isinstance(value, str) else value for value in values]


def shown_key(value: Any, key: SortKey, schema: Schema) -> Any:
    """Return a sort key as clients see it: a moment in milliseconds, an address as text."""
    known = schema.find(key.field)
    if isinstance(value, bytes):
        return spelled(int.from_bytes(value))
    if value is None or known is None or known.type is not FieldType.DATE:
        return value
    milliseconds, rest = divmod(value, 1_000_000)
    return milliseconds if not rest else value / 1_000_000


def iso(nanoseconds: int) -> str:
    """Return a moment as Elasticsearch writes dates."""
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 1_000_000 % 1000:03}Z"
