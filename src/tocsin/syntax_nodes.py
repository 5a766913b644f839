"""Nodes that the syntax trees of EQL and ES|QL share: frozen dataclasses over the expressions of a language.

A language adds nodes of its own, and its `Expression` says which nodes its trees are made of. Places are left out
of comparison, so that nodes are equal when they mean the same, wherever they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tocsin.errors import Place

Scalar = None | bool | int | float | str
NOWHERE = Place(0, 0)
Expression = TypeVar("Expression")  # of one language
Operand = TypeVar("Operand", covariant=True)  # an expression as part of another


def place_field() -> Place:
    """Return the field of a node that says where in the query it stands."""
    return field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Literal:
    """A constant: null, a boolean, a number or a string."""

    value: Scalar
    place: Place = place_field()

    def __eq__(self, other: object) -> bool:
        # 1, 1.0 and true are equal in Python, and in no language of queries.
        return isinstance(other, Literal) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True)
class Comparison(Generic[Operand]):
    """`left operator right` with one of `== != < <= > >=`, and in ES|QL `=~`."""

    operator: str
    left: Operand
    right: Operand
    place: Place = place_field()


@dataclass(frozen=True)
class Arithmetic(Generic[Operand]):
    """`left operator right` with one of `+ - * / %`."""

    operator: str
    left: Operand
    right: Operand
    place: Place = place_field()


@dataclass(frozen=True)
class IsNull(Generic[Operand]):
    """`value == null` in EQL, `value is null` in ES|QL; that it is not null is the negation."""

    value: Operand
    place: Place = place_field()


@dataclass(frozen=True)
class Negative(Generic[Operand]):
    """`-operand`."""

    operand: Operand
    place: Place = place_field()


@dataclass(frozen=True)
class Not(Generic[Operand]):
    """`not operand`."""

    operand: Operand
    place: Place = place_field()


@dataclass(frozen=True)
class And(Generic[Operand]):
    """Every operand holds."""

    operands: tuple[Operand, ...]
    place: Place = place_field()


@dataclass(frozen=True)
class Or(Generic[Operand]):
    """At least one operand holds."""

    operands: tuple[Operand, ...]
    place: Place = place_field()


@dataclass(frozen=True)
class FunctionCall(Generic[Operand]):
    """A function called with arguments; what may stand beside these is each language's own."""

    name: str
    arguments: tuple[Operand, ...]


Shared = (
    Literal
    | Comparison[Operand]
    | Arithmetic[Operand]
    | IsNull[Operand]
    | Negative[Operand]
    | Not[Operand]
    | And[Operand]
    | Or[Operand]
    | FunctionCall[Operand]
)


def operands_of(node: Shared[Expression]) -> tuple[Expression, ...]:
    """Return the direct operands of a node, left to right."""
    match node:
        case Literal():
            return ()
        case Comparison(_, left, right) | Arithmetic(_, left, right):
            return (left, right)
        case IsNull(value):
            return (value,)
        case Negative(operand) | Not(operand):
            return (operand,)
        case And(operands) | Or(operands):
            return operands
        case FunctionCall(_, arguments):
            return arguments


def walk(node: Expression, children: Callable[[Expression], tuple[Expression, ...]]) -> Iterator[Expression]:
    """Yield an expression and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child, children)
