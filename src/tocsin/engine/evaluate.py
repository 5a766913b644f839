"""Run a compiled rule set over event tables: which rows does each step of each rule match?

First the columns that guards read say how many rows meet each test (`values.py`), and rules that no row can match
are out together (`guards.py`). Each rule that is left starts from its operand with the fewest rows and goes on
with the rows that are left; a column is read for these alone where that saves reading it whole. Every node is
computed at most once a table. As in Elasticsearch a test that is neither true nor false, because a field is
missing, counts as not met, and `not` of it as met (docs/decisions/003-missing-fields.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tocsin.engine.column import CodedColumn, Codes, Mask, Rows
from tocsin.engine.field_tests import FieldTests
from tocsin.engine.graph import MANY_VALUES, Constant, Gate, Program, Target, Test
from tocsin.engine.guards import SHARED, Guards, guards_of
from tocsin.engine.kernels import truth_of_values
from tocsin.engine.table import EventTable
from tocsin.engine.values import FieldValues
from tocsin.eql.scalar import evaluator
from tocsin.field_patterns import FieldPattern, field_pattern

_LARGE = 5_000  # rows
_FEW = 0.125  # of a table's rows, below which a rule goes on with these alone
# A field is read for all rows at once when the rules that are left would look at so many of a table's rows, each
# at its own: columns whose values are remembered, other columns, and fields of events that were read one by one.
_WORTH_LOOKING, _WORTH_SCANNING, _WORTH_READING = 0.05, 0.25, 1.0


@dataclass(frozen=True)
class Plan:
    """A compiled rule set made ready to run: its guards, and the tests of each field."""

    program: Program
    guards: Guards
    fields: tuple[FieldTests, ...]


def plan(program: Program) -> Plan:
    """Make a compiled rule set ready to run."""
    guards = guards_of(program)
    of_field: dict[str, dict[int, Test]] = {}
    for number, node in enumerate(program.nodes):
        if isinstance(node, Test) and len(node.fields) == 1 and field_pattern(node.fields[0]) is None:
            of_field.setdefault(node.fields[0], {})[number] = node
    return Plan(program, guards, tuple(FieldTests(name, tests) for name, tests in of_field.items()))


def evaluate(program: Program, table: EventTable) -> dict[Target, Rows]:
    """Return, for each step of a rule that matches, the numbers of the rows it matches, ascending."""
    return Evaluator(plan(program)).matches(table)


class Evaluator:
    """Runs a plan over one table after the other; what it learns of values in one helps with the next."""

    def __init__(self, plan: Plan, kind: type[Evaluation] | None = None) -> None:
        self.plan = plan
        self._kind = kind or Evaluation
        self._values = {tests.name: FieldValues(tests) for tests in plan.fields}
        # Fields with few values first: of these those that part events by kind, then those that many rules read.
        readers = plan.guards.roots_of_field
        self._order = sorted(
            readers, key=lambda n: (n.endswith(MANY_VALUES), not n.startswith(SHARED), -len(readers[n]))
        )

    def matches(self, table: EventTable) -> dict[Target, Rows]:
        """Return, for each step of a rule that matches, the numbers of the rows it matches, ascending."""
        program, guards = self.plan.program, self.plan.guards
        run = self._kind(program, table, self._values)
        if not table.rows or not program.roots:
            return {}
        estimates = guards.estimates(run.counts)
        for name in self._order:
            mine = estimates[guards.roots_of_field[name]]
            if not mine.any():
                continue
            left = int(np.minimum(mine, table.rows).sum())
            if left < table.rows * self._worth(name, table):
                continue
            run.learn(name)
            estimates = guards.estimates(run.counts)
        matches: dict[Target, Rows] = {}
        for root in np.flatnonzero(estimates).tolist():
            target, number = program.roots[root]
            rows = np.flatnonzero(run.root(target, number))
            if len(rows):
                matches[target] = rows
        run.close()
        for values in self._values.values():
            if values.adapt() and table.rows < _LARGE:
                break  # a small batch, which may be a live one, should not wait for several fields
        return matches

    def _worth(self, name: str, table: EventTable) -> float:
        if not table.is_columnar:
            return _WORTH_READING
        return _WORTH_LOOKING if self._values[name].remembered else _WORTH_SCANNING


class Evaluation:
    """The results over one table so far, by node number."""

    def __init__(self, program: Program, table: EventTable, values: Mapping[str, FieldValues]) -> None:
        self.program, self.table, self.values = program, table, values
        self._learnt: set[str] = set()
        self.known: dict[int, Mask] = {}
        self.counts = np.full(len(program.nodes), table.rows, np.int64)  # rows that meet a node, at most
        self._met: dict[int, Codes] = {}  # test -> the distinct values that meet it, where that is known
        self._parts: dict[bytes, Evaluation] = {}
        self._whole: Evaluation | None = None  # the run that this is over some rows of

    def learn(self, name: str) -> None:
        """Find out which tests of a field the table's values meet."""
        self._learnt.add(name)
        values = self.values[name]
        column = self.table.column(name, distinct=values.distinct)
        if column is None:
            tests = values.every
            self.counts[tests] = 0
            self._met.update(dict.fromkeys(tests.tolist(), _NOTHING))
            return
        hits = values.hits(column)
        if hits is None:
            return
        self.counts[hits.known] = 0
        self._met.update(dict.fromkeys(hits.known.tolist(), _NOTHING))
        order = np.argsort(hits.tests, kind="stable")
        tests, met = hits.tests[order], hits.values[order]
        bounds = np.flatnonzero(np.diff(tests, prepend=-1, append=-1))
        rows = np.add.reduceat(column.rows_a_value[met], bounds[:-1]) if len(tests) else ()
        for start, end, count in zip(bounds[:-1].tolist(), bounds[1:].tolist(), rows, strict=True):
            number = int(tests[start])
            self._met[number] = met[start:end]
            self.counts[number] = count

    # ---- nodes

    def root(self, target: Target, number: int) -> Mask:
        """Return which rows meet a rule's step."""
        return self.mask(number)

    def mask(self, number: int) -> Mask:
        """Return which rows meet a node."""
        mask = self.known.get(number)
        if mask is None:
            mask = self.known[number] = self._compute(number)
        return mask

    def _compute(self, number: int) -> Mask:
        node = self.program.nodes[number]
        if isinstance(node, Constant):
            return np.full(self.table.rows, node.value)
        if isinstance(node, Test):
            return self._test(number, node)
        if node.kind == "not":
            return ~self.mask(node.operands[0])
        if node.kind == "and":
            return self._every(node.operands)
        return self._any(node.operands)

    def _any(self, operands: Sequence[int]) -> Mask:
        result = np.zeros(self.table.rows, np.bool_)
        for operand in operands:
            if self.most(operand):
                result |= self.mask(operand)
        return result

    def most(self, number: int) -> int:
        """Return how many rows meet a node at most, as far as that is known without computing it."""
        node = self.program.nodes[number]
        if isinstance(node, Gate):
            if node.kind == "and":
                return min(map(self.most, node.operands))
            return sum(map(self.most, node.operands)) if node.kind == "or" else self.table.rows
        if isinstance(node, Test) and node.when_null:
            return self.table.rows
        return int(self.counts[number])

    def _every(self, operands: Sequence[int]) -> Mask:
        ordered = sorted(operands, key=self._effort)
        result = self.mask(ordered[0]).copy() if self.most(ordered[0]) else np.zeros(self.table.rows, np.bool_)
        for position, operand in enumerate(ordered[1:], 1):
            left = int(np.count_nonzero(result))
            if not left:
                break
            if left < self.table.rows * _FEW or (
                not self._is_cheap(operand) and self.table.worth_taking(self.program.reads[operand], left)
            ):
                rows = np.flatnonzero(result)
                result[rows] = self._part(rows)._every(ordered[position:])
                break
            result &= self.mask(operand)
        return result

    def _is_cheap(self, number: int) -> bool:
        """Tell a node whose mask is known or comes from values that are."""
        return number in self.known or number in self._met

    def _effort(self, number: int) -> tuple[bool, int]:
        """Order operands: what is known first, of that the fewest rows first; the others as they were compiled."""
        cheap = self._is_cheap(number)
        return not cheap, self.most(number) if cheap else 0

    def _part(self, rows: Rows) -> Evaluation:
        """Return the run over some rows alone; rules that are left with the same rows share it."""
        key = rows.tobytes()
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = type(self)(self.program, self.table.take(rows), self.values)
            part._whole = self
        return part

    def close(self) -> None:
        """Let go of the parts, which refer back: their columns should not wait for the garbage collector."""
        for part in self._parts.values():
            part.close()
            part._whole = None
        self._parts.clear()

    def _values_that_meet(self, number: int, name: str) -> Codes | None:
        """Return the distinct values of a field that meet a test, None where that is not known."""
        if number in self._met:
            return self._met[number]
        if self._whole is not None and name in self.table.inherited:
            return self._whole._values_that_meet(number, name)
        return None

    # ---- leaves

    def _test(self, number: int, test: Test) -> Mask:
        pattern = field_pattern(test.fields[0]) if test.fields else None
        if pattern is not None:
            return self._of_many(test, pattern)
        columns = [self.table.column(name) for name in test.fields]
        present = [c for c in columns if c is not None]
        if not present:
            return np.full(self.table.rows, test.when_null)
        if len(test.fields) == 1:
            (name,) = test.fields
            met = self._values_that_meet(number, name)
            if met is None and name not in self._learnt and self.values[name].remembered:
                self.learn(name)
                met = self._met.get(number)
            if met is not None:
                truth = np.zeros(len(present[0].values), np.bool_)
                truth[met] = True
            else:
                truth = truth_of_values(test.expression, name, present[0])
            return present[0].rows_where(truth, test.when_null)
        return self._combinations(test, columns)

    def _of_many(self, test: Test, pattern: FieldPattern) -> Mask:
        """Test the values of all fields that a pattern stands for, as if one field had them."""
        met, present = np.zeros(self.table.rows, np.bool_), np.zeros(self.table.rows, np.bool_)
        for column in self.table.columns(pattern):
            met |= column.rows_where(truth_of_values(test.expression, pattern.name, column), False)
            if test.when_null:
                present |= column.counts > 0
        return met | ~present if test.when_null else met

    def _combinations(self, test: Test, columns: Sequence[CodedColumn | None]) -> Mask:
        """Test each distinct combination of values once; any combination of a row decides for it."""
        rows: Codes = np.arange(self.table.rows, dtype=np.int64)
        chosen: list[Codes] = []
        for column in columns:
            rows, chosen = spread(rows, chosen, column)
        stacked = np.stack(chosen, axis=1) if rows.size else np.empty((0, len(columns)), np.int64)
        distinct, inverse = np.unique(stacked, axis=0, return_inverse=True)
        run = evaluator(test.expression, {name: i for i, name in enumerate(test.fields)})
        objects = [None if c is None else c.objects for c in columns]
        truth = np.fromiter(
            (
                run([None if code < 0 or o is None else o[code] for code, o in zip(codes, objects, strict=True)])
                is True
                for codes in distinct
            ),
            np.bool_,
            len(distinct),
        )
        result = np.zeros(self.table.rows, np.bool_)
        result[rows[truth[inverse.reshape(-1)]]] = True
        return result


_NOTHING = np.empty(0, np.int64)


def spread(rows: Codes, chosen: list[Codes], column: CodedColumn | None) -> tuple[Codes, list[Codes]]:
    """Extend combinations by one column: every value of a row with every combination so far."""
    if column is None:
        return rows, [*chosen, np.full(len(rows), -1, np.int64)]
    if column.offsets is None:
        return rows, [*chosen, column.codes[rows]]
    present = column.codes >= 0
    codes = column.codes[present]
    counts = column.counts
    starts = np.concatenate(([0], np.cumsum(counts)[:-1])) if len(counts) else counts
    repeats = np.maximum(counts[rows], 1)
    again = np.repeat(np.arange(len(rows)), repeats)
    within = np.arange(len(again)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    spread_rows = rows[again]
    position = starts[spread_rows] + within
    empty = counts[spread_rows] == 0
    values = np.full(len(again), -1, np.int64)
    values[~empty] = codes[position[~empty]]
    return spread_rows, [*(c[again] for c in chosen), values]
