"""Kleene's tables, as SQL has them, and Elasticsearch with it (its `BinaryLogicProcessor`)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tocsin.three_valued_logic import conjunction, disjunction, negation

T, F, N = True, False, None


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [
        (T, T, T, T), (T, F, F, T), (T, N, N, T),
        (F, T, F, T), (F, F, F, F), (F, N, F, N),
        (N, T, N, T), (N, F, F, N), (N, N, N, N),
    ],
)  # fmt: skip
def test_and_and_or_of_two(a: bool | None, b: bool | None, both: bool | None, either: bool | None) -> None:
    tests = [lambda row: row[0], lambda row: row[1]]
    assert conjunction(tests)((a, b)) is both
    assert disjunction(tests)((a, b)) is either


@pytest.mark.parametrize(("a", "negated"), [(T, F), (F, T), (N, N)])
def test_not(a: bool | None, negated: bool | None) -> None:
    assert negation(lambda row: row)(a) is negated


def test_of_nothing_and_is_true_and_or_is_false() -> None:
    nothing: list[Callable[[int], bool]] = []
    assert conjunction(nothing)(0) is True
    assert disjunction(nothing)(0) is False


def test_what_stands_behind_the_deciding_operand_is_not_asked() -> None:
    asked: list[str] = []

    def recording(name: str, truth: bool) -> Callable[[int], bool]:
        def test(row: int) -> bool:
            asked.append(name)
            return truth

        return test

    conjunction([recording("a", False), recording("b", True)])(0)
    disjunction([recording("c", True), recording("d", False)])(0)
    assert asked == ["a", "c"]
