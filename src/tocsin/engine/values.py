"""What is known of a field's values: which meet which tests, remembered from table to table while they are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.engine.column import CodedColumn, Codes
from tocsin.engine.field_tests import FieldTests, expand
from tocsin.engine.kernels import truth_of_values

REMEMBERED = 8_192  # distinct values of a field
_MOSTLY_DISTINCT = 0.6  # of a column's values, beyond which it is not worth looking for equal ones
_AT_ONCE = 2_048  # new values in one table, beyond which a field is not worth remembering


@dataclass(frozen=True)
class Hits:
    """Which distinct value of a column meets which test, as two columns; `known` are the tests that were run."""

    values: Codes
    tests: Codes
    known: Codes


class FieldValues:
    """One field's tests and what is known of its values."""

    def __init__(self, tests: FieldTests) -> None:
        self._tests = tests
        self.every = np.array(sorted(tests.tests), np.int64)
        self._numbers: dict[Any, int] | None = {}  # value -> number; None once they are too many
        self._starts, self._met = np.zeros(1, np.int64), np.empty(0, np.int64)
        self.distinct = True  # whether it is worth looking for equal values in a column

    @property
    def remembered(self) -> bool:
        """Tell whether values are remembered, so that a column costs little."""
        return self._numbers is not None

    def hits(self, column: CodedColumn) -> Hits | None:
        """Return what the column's values meet; None where tests are better run one by one."""
        if self._numbers is not None:
            numbers = self._learn(column, self._numbers)
            if numbers is not None:
                owners = np.arange(len(column.values), dtype=np.int64)
                values, tests = expand(owners, self._starts, numbers, self._met)
                return Hits(values, tests, self.every)
            self._numbers = None
            present = int(np.count_nonzero(column.codes >= 0))
            self.distinct = len(column.values) < present * _MOSTLY_DISTINCT
        if not len(self._tests.together_in_order):
            return None
        pairs = self._tests.find(column)
        if pairs is None:
            return None
        return Hits(*pairs, self._tests.together_in_order)

    def adapt(self) -> bool:
        """Give up texts that turned out to stand in too many values; return whether there were any."""
        adapted = self._tests.adapted()
        if adapted is None:
            return False
        self._tests = adapted
        return True

    def _learn(self, column: CodedColumn, known: dict[Any, int]) -> Codes | None:
        """Return the number of each value, new ones tested and remembered; None when they become too many."""
        if len(column.values) > REMEMBERED:  # as moments and ids are: not even worth looking up
            return None
        numbers = [known.get(value, -1) for value in column.objects]
        new = [at for at, number in enumerate(numbers) if number < 0]
        if new:
            if len(new) > _AT_ONCE or len(known) + len(new) > REMEMBERED:
                return None
            for at in new:
                numbers[at] = known[column.objects[at]] = len(known)
            self._remember(CodedColumn(column.values.take(pa.array(np.array(new))), np.arange(len(new))))
        return np.array(numbers, np.int64)

    def _remember(self, part: CodedColumn) -> None:
        """Run every test on new values, which follow the known ones."""
        pairs = self._tests.find(part)
        together = self._tests.together if pairs is not None else frozenset()
        values, tests = [], []
        if pairs is not None:
            values, tests = [pairs[0]], [pairs[1]]
        for number, test in self._tests.tests.items():
            if number not in together:
                met = np.flatnonzero(truth_of_values(test.expression, self._tests.name, part))
                values.append(met)
                tests.append(np.full(len(met), number, np.int64))
        value = np.concatenate(values) if values else np.empty(0, np.int64)
        order = np.argsort(value, kind="stable")
        counts = np.bincount(value, minlength=len(part.values))
        self._starts = np.concatenate((self._starts, self._starts[-1] + np.cumsum(counts)))
        self._met = np.concatenate((self._met, (np.concatenate(tests) if tests else value)[order]))
