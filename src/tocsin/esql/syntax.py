"""The syntax tree of ES|QL: frozen dataclasses. Places tell where in the query something stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tocsin.errors import Place

NOWHERE = Place(0, 0)
Scalar = None | bool | int | float | str


def _place() -> Place:
    return field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Literal:
    """A constant: null, a boolean, a number or a text."""

    value: Scalar
    place: Place = _place()


@dataclass(frozen=True)
class Several:
    """A constant of several values, `[1, 2]`."""

    values: tuple[Scalar, ...]
    place: Place = _place()


@dataclass(frozen=True)
class Duration:
    """A span of time such as `5 minutes`: calendar months, and nanoseconds beside them."""

    months: int
    nanoseconds: int
    place: Place = _place()


@dataclass(frozen=True)
class ColumnRef:
    """A column by its name."""

    name: str
    place: Place = _place()


@dataclass(frozen=True)
class Binary:
    """`left operator right`: one of `+ - * / %` or `== != < <= > >= =~`."""

    operator: str
    left: Expression
    right: Expression
    place: Place = _place()


@dataclass(frozen=True)
class Negative:
    """`-operand`."""

    operand: Expression
    place: Place = _place()


@dataclass(frozen=True)
class In:
    """`value in (items…)`."""

    value: Expression
    items: tuple[Expression, ...]
    place: Place = _place()


@dataclass(frozen=True)
class Like:
    """`value like (patterns…)`, with wildcards, or `rlike`, with Lucene's regular expressions (`regex`)."""

    value: Expression
    patterns: tuple[str, ...]
    regex: bool
    place: Place = _place()


@dataclass(frozen=True)
class IsNull:
    """`value is null`."""

    value: Expression
    place: Place = _place()


@dataclass(frozen=True)
class MatchOperator:
    """`column : text`: the column has a word of the text, or, where it is not analysed, is the text."""

    column: ColumnRef
    text: Scalar
    place: Place = _place()


@dataclass(frozen=True)
class Cast:
    """`value::type`."""

    value: Expression
    type: str
    place: Place = _place()


@dataclass(frozen=True)
class Call:
    """A function call; `options` are a map behind the arguments; `count(*)` has no arguments and `every`."""

    name: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, Scalar], ...] = ()
    every: bool = False
    place: Place = _place()


@dataclass(frozen=True)
class Not:
    """`not operand`."""

    operand: Expression
    place: Place = _place()


@dataclass(frozen=True)
class And:
    """Every operand holds."""

    operands: tuple[Expression, ...]
    place: Place = _place()


@dataclass(frozen=True)
class Or:
    """At least one operand holds."""

    operands: tuple[Expression, ...]
    place: Place = _place()


Expression = (
    Literal
    | Several
    | Duration
    | ColumnRef
    | Binary
    | Negative
    | In
    | Like
    | IsNull
    | MatchOperator
    | Cast
    | Call
    | Not
    | And
    | Or
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
    place: Place = _place()


@dataclass(frozen=True)
class UriParts:
    """Takes the parts of a URI into columns whose names begin with a prefix."""

    prefix: str
    value: Expression
    place: Place = _place()


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
    """Return the direct operands of an expression."""
    match node:
        case Binary(_, left, right):
            return (left, right)
        case Negative(operand) | Not(operand):
            return (operand,)
        case In(value, items):
            return (value, *items)
        case Like(value) | IsNull(value) | Cast(value):
            return (value,)
        case MatchOperator(column):
            return (column,)
        case Call(_, arguments):
            return arguments
        case And(operands) | Or(operands):
            return operands
        case _:
            return ()


def walk(node: Expression) -> Iterator[Expression]:
    """Yield the expression and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def columns_of(node: Expression) -> tuple[str, ...]:
    """Return the names of the columns that an expression reads, each once."""
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, ColumnRef)))


def calls(node: Expression, name: str) -> bool:
    """Tell whether a function is called anywhere in an expression."""
    return any(isinstance(n, Call) and n.name == name for n in walk(node))
