"""Searches in ES|QL that are written in another language: `kql("…")` and `qstr("…")`.

They look at fields of events, not at columns that commands have made, and are true or false, never null: any value
of a field decides. Most stand beside `and` in a `where`, and are answered by the evaluator that all rules share.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tocsin.ecs import Schema
from tocsin.eql import syntax as s
from tocsin.eql.scalar import evaluator
from tocsin.errors import QueryError
from tocsin.esql import syntax as q
from tocsin.field_patterns import field_pattern
from tocsin.kql.read import read_kql
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.query_string import Reading, read_query_string

Row = Sequence[Any]
_LANGUAGES: Mapping[str, Callable[[str, Context], s.Expression]] = {
    "kql": read_kql,
    "qstr": lambda text, context: read_query_string(text, Reading(context)),
}
SEARCHES = tuple(_LANGUAGES)


def is_search(node: q.Expression) -> bool:
    """Tell whether an expression is a search in another language."""
    return isinstance(node, q.Call) and node.name in _LANGUAGES


def search_condition(call: q.Call, schema: Schema) -> s.Expression:
    """Return the condition that a search states. Raises QueryError."""
    if not call.arguments or not isinstance(call.arguments[0], q.Literal):
        raise QueryError(f"{call.name} takes a text")
    return _LANGUAGES[call.name](str(call.arguments[0].value), Context(schema))


def fields_of_searches(node: q.Expression, schema: Schema) -> tuple[str, ...]:
    """Return the fields that the searches in an expression read. Raises QueryError."""
    searches = (call for call in q.walk(node) if isinstance(call, q.Call) and is_search(call))
    return tuple(
        dict.fromkeys(name for search in searches for name in s.field_names(search_condition(search, schema)))
    )


def search_test(condition: s.Expression, columns: Sequence[str]) -> Callable[[Row], bool]:
    """Return a condition as a test of the values of columns; a field without a column has no value.

    Raises QueryError for a name that stands for many fields.
    """
    match condition:
        case s.Literal(value):
            return lambda row: value is True
        case s.Not(operand):
            inner = search_test(operand, columns)
            return lambda row: not inner(row)
        case s.And(operands):
            every = [search_test(operand, columns) for operand in operands]
            return lambda row: all(test(row) for test in every)
        case s.Or(operands):
            alternatives = [search_test(operand, columns) for operand in operands]
            return lambda row: any(test(row) for test in alternatives)
    names = s.field_names(condition)
    if any(map(field_pattern, names)):
        message = "a search has to name its fields, unless it stands alone or beside `and` in a `where`"
        raise QueryError(message)
    run = evaluator(condition, {name: at for at, name in enumerate(names)})
    places = [columns.index(name) if name in columns else None for name in names]

    def holds(row: Row) -> bool:
        values = [_choices(None if at is None else row[at]) for at in places]
        return any(run(chosen) is True for chosen in itertools.product(*values))

    return holds


def _choices(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
