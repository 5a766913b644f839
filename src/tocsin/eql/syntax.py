"""The syntax tree of EQL: frozen dataclasses, equal when they mean the same, wherever they were written.

Places are left out of comparison, so two rules that write one test share it in the predicate graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal as OneOf

from tocsin.errors import Place
from tocsin.syntax_nodes import (
    NOWHERE,
    And,
    Arithmetic,
    Comparison,
    FunctionCall,
    IsNull,
    Literal,
    Negative,
    Not,
    Or,
    Scalar,
    operands_of,
    place_field,
)
from tocsin.syntax_nodes import walk as walk_tree

# Nodes of both languages; what is defined below is there beside.
__all__ = [
    "NOWHERE",
    "And",
    "Arithmetic",
    "Comparison",
    "IsNull",
    "Literal",
    "Negative",
    "Not",
    "Or",
    "Scalar",
]


@dataclass(frozen=True)
class FieldRef:
    """A field by its dotted name; `optional` when written `?name`, for a field that no schema need know."""

    name: str
    optional: bool = field(default=False, compare=False)
    place: Place = place_field()


@dataclass(frozen=True)
class Membership:
    """`value in (items…)`, or `in~` when `insensitive`."""

    value: Expression
    items: tuple[Expression, ...]
    insensitive: bool = False
    place: Place = place_field()


MatchKind = OneOf["wildcard", "regex"]


@dataclass(frozen=True)
class PatternMatch:
    """`:`, `like`, `like~` (wildcards), `regex` or `regex~`: any of the patterns matches the whole value."""

    kind: MatchKind
    insensitive: bool
    value: Expression
    patterns: tuple[Scalar, ...]
    place: Place = place_field()


@dataclass(frozen=True)
class Call(FunctionCall["Expression"]):
    """A function call; `insensitive` when written `name~(…)`."""

    insensitive: bool = False
    place: Place = place_field()


Expression = (
    Literal
    | FieldRef
    | Comparison["Expression"]
    | Membership
    | PatternMatch
    | IsNull["Expression"]
    | Arithmetic["Expression"]
    | Negative["Expression"]
    | Call
    | Not["Expression"]
    | And["Expression"]
    | Or["Expression"]
)


@dataclass(frozen=True)
class EventQuery:
    """`category where condition`; category None stands for `any`."""

    category: str | None
    condition: Expression
    place: Place = place_field()


@dataclass(frozen=True)
class Step:
    """One bracket of a sequence or sample; `missing` for `![…]`, `runs` for `with runs=n`."""

    event: EventQuery
    by: tuple[FieldRef, ...] = ()
    runs: int = 1
    missing: bool = False
    place: Place = place_field()


@dataclass(frozen=True)
class Sequence:
    """Events in order; `maxspan` in milliseconds, None when unbounded."""

    steps: tuple[Step, ...]
    by: tuple[FieldRef, ...] = ()
    maxspan: int | None = None
    until: Step | None = None
    place: Place = place_field()


@dataclass(frozen=True)
class Sample:
    """Events in any order that share their keys."""

    steps: tuple[Step, ...]
    by: tuple[FieldRef, ...] = ()
    place: Place = place_field()


@dataclass(frozen=True)
class Pipe:
    """`| name arguments`."""

    name: str
    arguments: tuple[Expression, ...] = ()
    place: Place = place_field()


Query = EventQuery | Sequence | Sample


@dataclass(frozen=True)
class Statement:
    """A whole EQL text: a query and the pipes that its results go through."""

    query: Query
    pipes: tuple[Pipe, ...] = ()


def children(node: Expression) -> tuple[Expression, ...]:
    """Return the direct operands of an expression, left to right."""
    match node:
        case FieldRef():
            return ()
        case Membership(value, items):
            return (value, *items)
        case PatternMatch(_, _, value):
            return (value,)
        case _:
            return operands_of(node)


def walk(node: Expression) -> Iterator[Expression]:
    """Yield the expression and everything below it."""
    return walk_tree(node, children)


def field_names(node: Expression) -> tuple[str, ...]:
    """Return the names of the fields that an expression reads, each once, in order of first use."""
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, FieldRef)))


def event_queries(query: Query) -> tuple[EventQuery, ...]:
    """Return the event queries inside a query: one, or one a step and the `until`."""
    match query:
        case EventQuery():
            return (query,)
        case _:
            return tuple(step.event for step in steps_of(query))


def steps_of(query: Sequence | Sample) -> tuple[Step, ...]:
    """Return the steps, with `until` behind them."""
    until = (query.until,) if isinstance(query, Sequence) and query.until else ()
    return (*query.steps, *until)


def join_fields(query: Sequence | Sample) -> frozenset[str]:
    """Return the fields that the join keys of a sequence or sample read."""
    keys = (*query.by, *(key for step in steps_of(query) for key in step.by))
    return frozenset(key.name for key in keys)


def statement_fields(statement: Statement) -> tuple[str, ...]:
    """Return every field that a statement reads: conditions, join keys and pipes."""
    names: dict[str, None] = {}
    for event in event_queries(statement.query):
        names.update(dict.fromkeys(field_names(event.condition)))
    if not isinstance(statement.query, EventQuery):
        names.update(dict.fromkeys(sorted(join_fields(statement.query))))
    for pipe in statement.pipes:
        for argument in pipe.arguments:
            names.update(dict.fromkeys(field_names(argument)))
    return tuple(names)
