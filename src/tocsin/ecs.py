"""The field schema that every room shares: names, types, and which fields usually hold many values.

`ecs_fields.tsv` lists Elastic Common Schema 9.4; `beyond_ecs.tsv` the fields outside ECS that Windows
telemetry and its rules use. Types are Elasticsearch's, reduced to the families that comparisons distinguish.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from importlib import resources
from typing import Any

ECS_VERSION = "9.4.0"

TIMESTAMP = "@timestamp"
CATEGORY = "event.category"
INDEX = "_index"
# The values of `event.category` that ECS 9 allows.
CATEGORIES = frozenset(
    (
        "api", "authentication", "configuration", "database", "driver", "email", "file", "host", "iam",
        "intrusion_detection", "library", "malware", "network", "package", "process", "registry", "session",
        "threat", "vulnerability", "web",
    )
)  # fmt: skip


def is_long(number: int) -> bool:
    """Return whether a whole number fits Elasticsearch's `long`, which has 64 bits."""
    return -(1 << 63) <= number < 1 << 63


class FieldType(StrEnum):
    """The families of Elasticsearch's field types that EQL distinguishes."""

    KEYWORD = "keyword"
    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    IP = "ip"
    VERSION = "version"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Mapped:
    """What an index's mapping says of a field beyond its family: Elasticsearch's name of the type, and parameters.

    `path` is the field whose values it has, of an alias and of a field of several (`fields`). `ignore_malformed`
    says that a document with a value which does not fit is stored all the same.
    """

    type: str
    format: str | None = None
    path: str | None = None
    null_value: bool | int | float | str | None = None
    value: str | None = None  # that every document has, of a `constant_keyword`
    ignore_malformed: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its dotted name, its type, whether it usually holds several values, and its mapping if any."""

    name: str
    type: FieldType
    many: bool = False
    mapped: Mapped | None = None


@dataclass(frozen=True)
class Schema:
    """A set of known fields, some of them known only by a prefix (`winlog.event_data.*`)."""

    fields: Mapping[str, Field]
    prefixes: Mapping[str, Field] = field(default_factory=dict)

    def find(self, name: str) -> Field | None:
        """Return the field called `name` (dotted), or None when no schema knows it."""
        known = self.fields.get(name)
        if known is not None or not self.prefixes:
            return known
        head = name
        while "." in head:
            head = head.rpartition(".")[0]
            by_prefix = self.prefixes.get(head)
            if by_prefix is not None:
                return Field(name, by_prefix.type, by_prefix.many, by_prefix.mapped)
        return None

    def nearest(self, name: str) -> list[str]:
        """Return up to three known names that resemble `name`, the best first."""
        by_lower = self._by_lower
        close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.75)
        if not close and "." in name:
            leaf = "." + name.lower().rpartition(".")[2]
            close = sorted((known for known in by_lower if known.endswith(leaf)), key=len)[:3]
        return [by_lower[match] for match in close]

    def extended(self, fields: Iterable[Field]) -> Schema:
        """Return this schema with `fields` added; theirs wins over a field of the same name."""
        return Schema({**self.fields, **{f.name: f for f in fields}}, self.prefixes)

    def __reduce__(self) -> tuple[Callable[..., Schema], tuple[Any, ...]]:
        """Go to another process as what it has beyond the fields that are known there as well."""
        known = default_schema().fields
        if not known.keys() <= self.fields.keys():
            return Schema, (dict(self.fields), dict(self.prefixes))
        more = {name: own for name, own in self.fields.items() if own is not known.get(name)}
        return _extended, (more, dict(self.prefixes))

    @cached_property
    def with_path(self) -> tuple[Field, ...]:
        """The fields that have the values of another one: aliases, and those of several on one value."""
        return tuple(known for known in self.fields.values() if known.mapped is not None and known.mapped.path)

    @cached_property
    def with_null_value(self) -> tuple[Field, ...]:
        """The fields that have a value where a document says null."""
        return tuple(f for f in self.fields.values() if f.mapped is not None and f.mapped.null_value is not None)

    @cached_property
    def _by_lower(self) -> dict[str, str]:
        return {name.lower(): name for name in self.fields}


def _extended(more: Mapping[str, Field], prefixes: Mapping[str, Field]) -> Schema:
    """Return the known fields with others, and with prefixes in place of their own."""
    return Schema({**default_schema().fields, **more}, prefixes)


def nearest_of(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that one was most likely meant to be, the nearest first."""
    return difflib.get_close_matches(name.lower(), sorted(known), n=3)


def _read_table(text: str) -> Iterable[Field]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, kind, *rest = line.split("\t")
            yield Field(name, FieldType(kind), bool(rest))


@cache
def default_schema() -> Schema:
    """Return ECS together with the fields beyond it."""
    fields: dict[str, Field] = {}
    prefixes: dict[str, Field] = {}
    package = resources.files("tocsin")
    for table in ("ecs_fields.tsv", "beyond_ecs.tsv"):
        for entry in _read_table((package / table).read_text("utf-8")):
            if entry.name.endswith(".*"):
                prefixes[entry.name[:-2]] = entry
            else:
                fields[entry.name] = entry
    fields[INDEX] = Field(INDEX, FieldType.KEYWORD)
    return Schema(fields, prefixes)
