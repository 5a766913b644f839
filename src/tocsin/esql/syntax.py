"""The syntax tree of ES|QL: frozen dataclasses. Places say where in the query something stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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
class Several:
    """A constant of several values, `[1, 2]`."""

    values: tuple[Scalar, ...]
    place: Place = place_field()


@dataclass(frozen=True)
class Duration:
    """A span of time such as `5 minutes`: calendar months, and nanoseconds beside them."""

    months: int
    nanoseconds: int
    place: Place = place_field()


@dataclass(frozen=True)
class ColumnRef:
    """A column by its name."""

    name: str
    place: Place = place_field()


@dataclass(frozen=True)
class In:
    """`value in (items…)`."""

    value: Expression
    items: tuple[Expression, ...]
    place: Place = place_field()


@dataclass(frozen=True)
class Like:
    """`value like (patterns…)`, with wildcards, or `rlike`, with Lucene's regular expressions (`regex`)."""

    value: Expression
    patterns: tuple[str, ...]
    regex: bool
    place: Place = place_field()


@dataclass(frozen=True)
class MatchOperator:
    """`column : text`: the column has a word of the text, or, where it is not analysed, is the text."""

    column: ColumnRef
    text: Scalar
    place: Place = place_field()


@dataclass(frozen=True)
class Cast:
    """`value::type`."""

    value: Expression
    type: str
    place: Place = place_field()


@dataclass(frozen=True)
class Call(FunctionCall["Expression"]):
    """A function call; `options` are a map behind the arguments; `count(*)` has no arguments and `every`."""

    options: tuple[tuple[str, Scalar], ...] = ()
    every: bool = False
    place: Place = place_field()


Expression = (
    Literal
    | Several
    | Duration
    | ColumnRef
    | Comparison["Expression"]
    | Arithmetic["Expression"]
    | Negative["Expression"]
    | In
    | Like
    | IsNull["Expression"]
    | MatchOperator
    | Cast
    | Call
    | Not["Expression"]
    | And["Expression"]
    | Or["Expression"]
)


# ---- commands


@dataclass(frozen=True)
class Where:
    """Keeps the rows for which a condition is true."""

    condition: Expression


@dataclass(frozen=True)
class Eval:
    """Defines columns, one after the other."""

    columns: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True)
class Keep:
    """Keeps columns, or (`drop`) takes them away, by names with `*`."""

    patterns: tuple[ColumnRef, ...]
    drop: bool = False


@dataclass(frozen=True)
class Rename:
    """Renames columns: old name, new name."""

    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Aggregate:
    """A column over groups of rows; `where` says which rows of a group count."""

    name: str
    expression: Expression
    where: Expression | None = None


@dataclass(frozen=True)
class Stats:
    """Makes one row of each group, or (`inline`) gives each row its group's values beside its own."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[tuple[str, Expression], ...] = ()
    inline: bool = False


@dataclass(frozen=True)
class Extract:
    """Takes parts of a text into columns, by the first of some patterns of `grok` or `dissect` that fits.

    `separator` stands between what a key of `dissect` is appended.
    """

    value: Expression
    patterns: tuple[str, ...]
    dissect: bool = False
    separator: str = ""
    place: Place = place_field()


@dataclass(frozen=True)
class UriParts:
    """Takes the parts of a URI into columns whose names begin with a prefix."""

    prefix: str
    value: Expression
    place: Place = place_field()


@dataclass(frozen=True)
class SortKey:
    """What rows are ordered by."""

    expression: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Sort:
    """Orders rows."""

    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Limit:
    """Keeps the first rows, or the first of each group (`by`)."""

    rows: int
    by: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class Expand:
    """Makes of each row one for each value that it has in a column."""

    column: ColumnRef


Command = Where | Eval | Keep | Rename | Stats | Extract | UriParts | Sort | Limit | Expand


@dataclass(frozen=True)
class Query:
    """A whole query: the indices that it reads, what it asks of their metadata, and its commands."""

    indices: tuple[str, ...]
    metadata: tuple[str, ...]
    commands: tuple[Command, ...]
    text: str = field(default="", compare=False, repr=False)
    unmapped: str = "default"  # of a field that no index has: an error; `nullify`: null; `load`: text


def children(node: Expression) -> tuple[Expression, ...]:
    """Return the direct operands of an expression, left to right."""
    match node:
        case Several() | Duration() | ColumnRef():
            return ()
        case In(value, items):
            return (value, *items)
        case Like(value) | Cast(value):
            return (value,)
        case MatchOperator(column):
            return (column,)
        case _:
            return operands_of(node)


def walk(node: Expression) -> Iterator[Expression]:
    """Yield the expression and everything below it."""
    return walk_tree(node, children)


def columns_of(node: Expression) -> tuple[str, ...]:
    """Return the names of the columns that an expression reads, each once."""
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, ColumnRef)))


def calls(node: Expression, name: str) -> bool:
    """Tell whether a function is called anywhere in an expression."""
    return any(isinstance(n, Call) and n.name == name for n in walk(node))
