"""The columns that there are at a place of a query, with their types: of events, of metadata, made by commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.ecs import Field, FieldType, Schema
from tocsin.eql import syntax as s
from tocsin.errors import Place, QueryError, UnknownFieldError
from tocsin.esql import syntax as q
from tocsin.esql.searches import search_condition
from tocsin.query_dsl.context import base_name

Kind = FieldType | None  # None is the type of null
METADATA: Mapping[str, FieldType] = {
    "_id": FieldType.KEYWORD, "_index": FieldType.KEYWORD, "_version": FieldType.LONG, "_score": FieldType.DOUBLE,
    "_ignored": FieldType.OBJECT, "_index_mode": FieldType.KEYWORD, "_source": FieldType.OBJECT,
}  # fmt: skip
# What can be kept and not computed with, and why.
_KEPT_ONLY: Mapping[str, str] = {
    "_ignored": "names no field for its length here, where values of any length are searched: ask for the field",
    "_source": "can be kept, and nothing can be made of it: name the fields that you ask for",
}
# What every event has alike.
SAME_METADATA: Mapping[str, Any] = {"_version": 1, "_score": 1.0, "_index_mode": "standard"}


@dataclass
class ColumnScope:
    """The columns that there are at a place of a query.

    `made` are those of its commands; fields of events are there while `visible` takes their names. `unmapped` says
    what a field is that no index has: an error, null (`nullify`), or the text that documents have (`load`). `read`
    gathers the fields that are read, `nulls` those that are null in every event.
    """

    schema: Schema
    text: str = ""
    metadata: tuple[str, ...] = ()
    made: dict[str, Kind] = field(default_factory=dict)
    visible: Callable[[str], bool] | None = lambda name: True
    in_prefilter: bool = True  # whether what is asked for here is part of the prefilter
    unmapped: str = "default"
    read: dict[str, None] = field(default_factory=dict)
    nulls: dict[str, None] = field(default_factory=dict)

    def is_always_null(self, name: str) -> bool:
        """Tell whether a column is a field that no index has, in a query for which that is null."""
        return self.unmapped == "nullify" and self._is_unmapped(name)

    def _is_unmapped(self, name: str) -> bool:
        hidden = self.visible is None or not self.visible(name)
        return not hidden and name not in self.made and name not in METADATA and self.field(name) is None

    def kind(self, column: q.ColumnRef) -> Kind:
        """Return a column's type. Raises UnknownFieldError."""
        kind = self.check(column)
        if kind is FieldType.OBJECT:
            reason = _KEPT_ONLY.get(column.name, "can be kept, and nothing can be made of it")
            raise self.refuse(f"`{column.name}` {reason}", column.place)
        if column.name not in self.made and column.name not in self.nulls:
            self.read[column.name] = None
        return kind

    def check(self, column: q.ColumnRef) -> Kind:
        """Return a column's type, though its values are not needed. Raises UnknownFieldError."""
        if column.name in self.made:
            return self.made[column.name]
        if self.is_always_null(column.name):
            self.nulls[column.name] = None
            return None
        kind = self.field(column.name)
        if kind is None and self.unmapped == "load" and self._is_unmapped(column.name):
            kind = FieldType.KEYWORD
        if kind is None:
            raise self._unknown(column)
        return kind

    def field(self, name: str) -> FieldType | None:
        """Return the type of a field of events, None where there is none of this name here."""
        if self.visible is None or not self.visible(name):
            return None
        if name in METADATA:
            return METADATA[name] if name in self.metadata else None
        known = self.schema.find(name) or self.schema.find(base_name(name))
        return None if known is None or known.type is FieldType.OBJECT else known.type

    def _unknown(self, column: q.ColumnRef) -> QueryError:
        near = nearest(column.name, self.made)
        if self.visible is not None:
            near += [name for name in self.schema.nearest(column.name) if self.visible(name)]
        there = column.name in METADATA or self.schema.find(column.name) is not None
        hint = f"did you mean {' or '.join(f'`{name}`' for name in near[:2])}?" if near else ""
        if column.name in METADATA:
            hint = f"ask for it, as in `from logs-* metadata {column.name}`"
        elif there:
            hint = "a command before this one has left it out"
        return UnknownFieldError(
            f"there is no column `{column.name}` here",
            field=column.name,
            hint=hint,
            place=column.place,
            text=self.text,
        )

    def check_search(self, call: q.Call) -> s.Expression:
        """Return what a search in another language states. Raises QueryError."""
        if self.visible is None:
            raise self.refuse(f"`{call.name}` looks at events, and `stats` has left none", call.place)
        try:
            return search_condition(call, self.schema)
        except QueryError as error:
            raise self.refuse(f"in {call.name}: {error.message}", call.place, error.hint) from None

    def refuse(self, message: str, place: Place, hint: str = "") -> QueryError:
        """Return an error about a place of the query."""
        return QueryError(message, hint=hint, place=place, text=self.text)


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return those of some names that resemble a name."""
    return Schema({candidate: Field(candidate, FieldType.KEYWORD) for candidate in names}).nearest(name)
