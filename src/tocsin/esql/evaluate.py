"""Expressions over tables: each computed once for each combination of the values that it reads."""

from __future__ import annotations

import numpy as np

from tocsin.esql.compile import Compiled
from tocsin.esql.table import Codes, Table, Values, combinations


def evaluate(compiled: Compiled, table: Table, now: int) -> Values:
    """Return an expression's column; `now` is the moment of `now()` in nanoseconds since 1970."""
    columns = [table.column(name) for name in compiled.columns]
    codes, rows = combinations(columns, table.rows)
    lists = [column.values for column in columns]
    run = compiled.run
    results = [
        run((*(None if c < 0 else values[c] for c, values in zip(chosen, lists, strict=True)), now))
        for chosen in codes.tolist()
    ]
    return Values(rows, results)


def true_rows(compiled: Compiled, table: Table, now: int) -> Codes:
    """Return the rows for which a condition is true."""
    column = evaluate(compiled, table, now)
    truth = np.fromiter((value is True for value in column.values), np.bool_, len(column.values))
    return np.flatnonzero(truth[column.codes]) if len(truth) else np.zeros(0, np.int64)
