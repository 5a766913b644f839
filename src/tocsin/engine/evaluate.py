"""Run a compiled rule set over an event table: which rows does each rule match?

Every node is computed at most once a table. A test on one field runs once for each distinct value; `and`
works through its operands from the cheapest, stops when no row is left, and looks only at the rows that are
left where that saves reading a column whole. As in Elasticsearch a test that is neither true nor false, because
a field is missing, counts as not met, and `not` of it as met (docs/decisions/003-missing-fields.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tocsin.engine.graph import Constant, Program, Target, Test
from tocsin.engine.kernels import truth_of_values
from tocsin.engine.table import Codes, Column, EventTable, Mask
from tocsin.eql.scalar import evaluator

Rows = npt.NDArray[np.intp]


def evaluate(program: Program, table: EventTable) -> dict[Target, Rows]:
    """Return, for each step of a rule that matches, the numbers of the rows it matches, ascending."""
    run = _Run(program, table)
    matches: dict[Target, Rows] = {}
    for key, root in program.roots:
        rows = np.flatnonzero(run.mask(root))
        if len(rows):
            matches[key] = rows
    return matches


class _Run:
    """One table's results so far, by node number."""

    def __init__(self, program: Program, table: EventTable) -> None:
        self.program, self.table = program, table
        self.known: dict[int, Mask] = {}

    def mask(self, number: int) -> Mask:
        mask = self.known.get(number)
        if mask is None:
            mask = self.known[number] = self._compute(number)
        return mask

    def _compute(self, number: int) -> Mask:
        node = self.program.nodes[number]
        if isinstance(node, Constant):
            return np.full(self.table.rows, node.value)
        if isinstance(node, Test):
            return self._test(node)
        if node.kind == "not":
            return ~self.mask(node.operands[0])
        if node.kind == "and":
            return self._every(node.operands)
        return self._any(node.operands)

    def _any(self, operands: Sequence[int]) -> Mask:
        result = self.mask(operands[0]).copy()
        for operand in operands[1:]:
            result |= self.mask(operand)
        return result

    def _every(self, operands: Sequence[int]) -> Mask:
        # Operands that are known already cost nothing, so they come first.
        ordered = sorted(operands, key=lambda n: n not in self.known)
        result = np.ones(self.table.rows, np.bool_)
        for position, operand in enumerate(ordered):
            if operand in self.known or not position:
                result &= self.mask(operand)
                continue
            left = int(np.count_nonzero(result))
            if not left:
                break
            if self.table.worth_taking(self.program.reads[operand], left):
                rows = np.flatnonzero(result)
                rest = _Run(self.program, self.table.take(rows))._every(ordered[position:])
                result[rows] = rest
                break
            result &= self.mask(operand)
        return result

    # ---- leaves

    def _test(self, test: Test) -> Mask:
        columns = [self.table.column(name) for name in test.fields]
        present = [c for c in columns if c is not None]
        if not present:
            return np.full(self.table.rows, test.when_null)
        if len(test.fields) == 1:
            truth = truth_of_values(test.expression, test.fields[0], present[0])
            return present[0].rows_where(truth, test.when_null)
        return self._combinations(test, columns)

    def _combinations(self, test: Test, columns: Sequence[Column | None]) -> Mask:
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


def spread(rows: Codes, chosen: list[Codes], column: Column | None) -> tuple[Codes, list[Codes]]:
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
