"""`not`, `and` and `or` over true, false and null (`None`), as in SQL, EQL and ES|QL: Kleene's logic.

| a | b | a and b | a or b | not a |
| --- | --- | --- | --- | --- |
| true | null | null | true | false |
| false | null | false | null | true |
| null | null | null | null | null |

What has no null in it is as usual. Each function makes a test of tests: of a row, or of whatever these take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Tested = TypeVar("Tested")
Test = Callable[[Tested], Any]  # true, false or None


def negation(test: Test[Tested]) -> Test[Tested]:
    """Return `not`."""

    def negated(tested: Tested) -> bool | None:
        truth = test(tested)
        return None if truth is None else not truth

    return negated


def conjunction(tests: Sequence[Test[Tested]]) -> Test[Tested]:
    """Return `and`; what stands behind the first that is false is not asked."""

    def every(tested: Tested) -> bool | None:
        result: bool | None = True
        for test in tests:
            truth = test(tested)
            if truth is False:
                return False
            if truth is None:
                result = None
        return result

    return every


def disjunction(tests: Sequence[Test[Tested]]) -> Test[Tested]:
    """Return `or`; what stands behind the first that is true is not asked."""

    def either(tested: Tested) -> bool | None:
        result: bool | None = False
        for test in tests:
            truth = test(tested)
            if truth is True:
                return True
            if truth is None:
                result = None
        return result

    return either
