"""Dataclasses come back from JSON as they were, and nothing else comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.dataclass_json import DataclassJson, EncodingError, Form


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Leaf:
    value: bool | int | float | str | None


@dataclass(frozen=True)
class Pair:
    left: Tree
    right: Tree
    kind: Literal["and", "or"] = "and"


@dataclass(frozen=True)
class Branch:
    below: tuple[Tree, ...]
    names: frozenset[str] = frozenset()


Tree = Leaf | Pair | Branch


@dataclass(frozen=True)
class Whole:
    tree: Tree
    alone: Leaf
    perhaps: Leaf | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    target: tuple[str, int] = ("", 0)
    colours: list[Colour] = field(default_factory=list)
    day: date = date(2026, 11, 27)


FORMAT = DataclassJson(Whole, {date: Form(date.isoformat, date.fromisoformat)})
LEAVES = st.builds(
    Leaf,
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
)
TREES = st.recursive(
    LEAVES,
    lambda below: (
        st.builds(Pair, below, below, st.sampled_from(["and", "or"]))
        | st.builds(Branch, st.lists(below, max_size=4).map(tuple), st.frozensets(st.text(), max_size=3))
    ),
    max_leaves=12,
)
WHOLES = st.builds(
    Whole,
    TREES,
    LEAVES,
    st.none() | LEAVES,
    st.dictionaries(st.text(), st.integers(0, 9)),
    st.tuples(st.text(), st.integers(0, 9)),
    st.lists(st.sampled_from(Colour)),
    st.dates(),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.text(max_size=3),
    lambda below: st.lists(below, max_size=6) | st.dictionaries(st.text(max_size=3), below, max_size=2),
)


def typed(value: Any) -> Any:
    """Return a value with the types of its parts, by which 1, 1.0 and True differ."""
    match value:
        case Leaf(inner):
            return type(inner), inner
        case Pair(left, right, kind):
            return typed(left), typed(right), kind
        case Branch(below, names):
            return tuple(map(typed, below)), names
        case Whole():
            rest = (value.counts, value.target, value.colours, value.day)
            return (typed(value.tree), typed(value.alone), typed(value.perhaps), *rest)
    return value


@given(WHOLES)
def test_a_value_comes_back_as_it_was(value: Whole) -> None:
    assert typed(FORMAT.decode(FORMAT.encode(value))) == typed(value)
    # A reader that has written nothing knows the same classes by the same numbers.
    fresh = DataclassJson(Whole, {date: Form(date.isoformat, date.fromisoformat)})
    assert typed(fresh.decode(FORMAT.encode(value))) == typed(value)


def test_a_part_that_is_shared_is_written_once_and_comes_back_shared() -> None:
    leaf = Leaf("x" * 100)
    encoded = FORMAT.encode(Whole(Pair(leaf, leaf), Leaf(1)))
    assert encoded.count(b"x" * 100) == 1
    tree = FORMAT.decode(encoded).tree
    assert isinstance(tree, Pair)
    assert tree.left is tree.right


@given(st.binary())
def test_bytes_that_hold_no_value_are_refused(data: bytes) -> None:
    with pytest.raises(EncodingError):
        FORMAT.decode(data)


@given(JSON, JSON)
def test_json_is_a_value_of_the_type_or_refused(rows: Any, root: Any) -> None:
    try:
        value = FORMAT.decode(json.dumps([rows, root]).encode())
    except EncodingError:
        return
    assert type(value) is Whole


@given(WHOLES, st.data())
def test_what_is_changed_is_a_value_of_the_type_or_refused(value: Whole, data: st.DataObject) -> None:
    encoded = json.loads(FORMAT.encode(value))
    at = encoded
    while isinstance(at, list) and at:
        place = data.draw(st.integers(0, len(at) - 1))
        if not isinstance(at[place], list) or data.draw(st.booleans()):
            at[place] = data.draw(JSON)
            break
        at = at[place]
    try:
        changed = FORMAT.decode(json.dumps(encoded).encode())
    except EncodingError:
        return
    assert typed(FORMAT.decode(FORMAT.encode(changed))) == typed(changed)


LEAF, PAIR, BRANCH = range(3)
END = [[None], None, [], ["", 0], [], "2026-11-27"]  # the fields of a Whole behind its tree


@pytest.mark.parametrize(
    ("rows", "tree", "why"),
    [
        ([[PAIR, 0, 0, "and"]], 0, "a row that refers to itself"),
        ([[BRANCH, [1], []], [LEAF, 1]], 0, "a row that refers to a later one"),
        ([[LEAF, 1], [BRANCH, [-1], []]], 1, "a row counted from the end"),
        ([[LEAF, 1], [BRANCH, [False], []]], 1, "a row that is no number"),
        ([[LEAF, [1]]], 0, "a list where a scalar stands"),
        ([[LEAF, 1, 2]], 0, "a field too many"),
        ([[LEAF]], 0, "a field too few"),
        ([[3, 1]], 0, "a class that there is not"),
        ([[LEAF, 1], [PAIR, 0, 0, "xor"]], 1, "a word that is none of those"),
        ([[LEAF, 1]], 1, "a row that there is not"),
        ([[LEAF, 1]], None, "nothing where a row stands"),
    ],
)
def test_rows_that_are_no_tree_are_refused(rows: Any, tree: Any, why: str) -> None:
    assert FORMAT.decode(json.dumps([[[LEAF, 1]], [0, *END]]).encode()).tree == Leaf(1)
    with pytest.raises(EncodingError):
        FORMAT.decode(json.dumps([rows, [tree, *END]]).encode())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**64, "\ud800"])
def test_what_json_cannot_hold_is_not_written(value: Any) -> None:
    with pytest.raises(EncodingError):
        FORMAT.encode(Whole(Leaf(value), Leaf(1)))


Inner = TypeVar("Inner")


@dataclass(frozen=True)
class Negated(Generic[Inner]):
    inner: Inner


@dataclass(frozen=True)
class Listed(Generic[Inner]):
    inner: tuple[Inner, ...]


@dataclass(frozen=True)
class NamedList(Listed["Condition"]):
    name: str = ""


Condition = Leaf | Negated["Condition"] | NamedList
CONDITIONS = DataclassJson(tuple[Condition, ...], aliases={"Condition": Condition})


@given(
    st.recursive(
        LEAVES,
        lambda below: st.builds(Negated, below) | st.builds(NamedList, st.lists(below).map(tuple), st.text()),
    )
)
def test_generic_dataclasses_and_aliases_that_refer_to_themselves_come_back(condition: Condition) -> None:
    assert CONDITIONS.decode(CONDITIONS.encode((condition,))) == (condition,)


@pytest.mark.parametrize("other", [(Negated, 7), (NamedList, (Pair(Leaf(1), Leaf(2)),)), (Listed, (Leaf(1),))])
def test_a_generic_dataclass_holds_what_its_alias_says(other: tuple[Any, Any]) -> None:
    kind, inner = other
    with pytest.raises(EncodingError):
        CONDITIONS.encode((kind(inner),))


def test_a_generic_dataclass_of_two_types_is_refused_for_no_value_says_which_it_is() -> None:
    with pytest.raises(TypeError, match="no value says"):
        DataclassJson(tuple[Negated[int] | Leaf, Negated[str] | Leaf])


def test_a_value_of_another_type_is_not_written() -> None:
    @dataclass(frozen=True)
    class Other(Leaf):
        pass

    with pytest.raises(EncodingError):
        FORMAT.encode(Whole(Other(1), Leaf(1)))


@pytest.mark.parametrize("hint", [object, Any, set[str], int | Leaf])
def test_a_type_without_a_form_is_refused_when_the_format_is_made(hint: Any) -> None:
    with pytest.raises(TypeError, match=r"form in JSON|neither"):
        DataclassJson(tuple[hint, ...])
