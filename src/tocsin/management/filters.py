"""Kibana's filters over saved objects: KQL on their attributes, answered by the evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from tocsin.ecs import Field, FieldType, Schema
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import EventTable, to_array
from tocsin.eql import syntax as s
from tocsin.errors import InvalidError, QueryError
from tocsin.field_patterns import field_pattern
from tocsin.kql.read import read_kql
from tocsin.query_dsl.context import Context

_T = TypeVar("_T", bound=Mapping[str, Any])


@dataclass(frozen=True)
class Filter:
    """The attributes that a filter over one kind of objects may use; keywords unless `types` has another type.

    In a filter, one of the `prefixes` stands before the name of an attribute.
    """

    prefixes: tuple[str, ...]
    names: tuple[str, ...]
    types: Mapping[str, FieldType] = field(default_factory=dict)

    @cached_property
    def _schema(self) -> Schema:
        names = ((f"{prefix}{name}", name) for prefix in self.prefixes for name in self.names)
        return Schema({whole: Field(whole, self.types.get(name, FieldType.KEYWORD)) for whole, name in names})

    def matching(self, objects: Sequence[_T], text: str | None) -> list[_T]:
        """Return the objects, given by their attributes, that fit a filter. Raises InvalidError."""
        if not text or not text.strip():
            return list(objects)
        schema = self._schema
        try:
            condition = read_kql(text, Context(schema))
        except QueryError as error:
            raise InvalidError(f"[filter]: {error}") from None
        self._check(condition)
        columns: dict[str, Any] = {}
        for name in self.names:
            array = to_array(
                [None if attributes.get(name) == [] else attributes.get(name) for attributes in objects]
            )
            if array is not None:
                columns.update((f"{prefix}{name}", array) for prefix in self.prefixes)
        table = EventTable(columns, len(objects), schema)
        matches = evaluate(compile_conditions([(("filter", 0), condition)]), table)
        return [objects[row] for row in matches.get(("filter", 0), ())]

    def _check(self, condition: s.Expression) -> None:
        """Refuse a filter with an unknown attribute, as Kibana does: it would fit no object."""
        for name in s.field_names(condition):
            if self._schema.find(name) is None and field_pattern(name) is None:
                near = " or ".join(f"`{known}`" for known in self._schema.nearest(name)[:2])
                hint = f"; did you mean {near}?" if near else f"; names begin with `{self.prefixes[0]}`"
                raise InvalidError(f"[filter]: `{name}` is no attribute that can be asked for{hint}")
