"""Functions of ES|QL over groups of rows. Facts are from Elastic's ES|QL reference."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tocsin.ecs import FieldType
from tocsin.esql.functions.function import BOOLEAN, DOUBLE, LONG, Value, several
from tocsin.esql.functions.several_values import median_deviation, percentile


@dataclass(frozen=True)
class AggregateFunction:
    """A function over the values of a group, nulls left out, those of fields with several values one by one.

    `extra` are the families of types of its further arguments, which are constants, the last `optional` of them
    not needed. One with an `order` takes a second column, and of each row both columns' values as a pair.
    """

    returns: FieldType | int
    apply: Callable[..., Value]
    extra: str = ""
    parameter: str = "a"
    optional: int = 0
    order: bool = False


def _values(values: Sequence[Value]) -> Value:
    return several(sorted(set(values)))


def _median(values: Sequence[float]) -> float | None:
    return float(statistics.median(values)) if values else None


def _top(values: Sequence[Value], count: int, order: str = "asc") -> Value:
    return several(sorted(values, reverse=order.lower() == "desc")[:count])


def _first(rows: Sequence[tuple[Value, Value]]) -> Value:
    """Return the value of the row that is first by its second column, of which null comes last."""
    return min(rows, key=lambda row: (row[1] is None, _ends(row[1])[0]), default=(None, None))[0]


def _last(rows: Sequence[tuple[Value, Value]]) -> Value:
    """Return the value of the row that is last by its second column, of which null counts least."""
    return max(rows, key=lambda row: (row[1] is not None, _ends(row[1])[1]), default=(None, None))[0]


def _ends(value: Value) -> tuple[Value, Value]:
    values = value if isinstance(value, tuple) else (0 if value is None else value,)
    return min(values), max(values)


AGGREGATIONS: Mapping[str, AggregateFunction] = {
    "count": AggregateFunction(LONG, len),
    "count_distinct": AggregateFunction(LONG, lambda values, precision=None: len(set(values)), "n", optional=1),
    "values": AggregateFunction(0, _values),
    "min": AggregateFunction(0, lambda values: min(values, default=None)),
    "max": AggregateFunction(0, lambda values: max(values, default=None)),
    "sum": AggregateFunction(0, lambda values: sum(values) if values else None, parameter="n"),
    "avg": AggregateFunction(DOUBLE, lambda values: statistics.fmean(values) if values else None, parameter="n"),
    "median": AggregateFunction(DOUBLE, _median, parameter="n"),
    "percentile": AggregateFunction(DOUBLE, percentile, "n", "n"),
    "std_dev": AggregateFunction(
        DOUBLE, lambda values: statistics.pstdev(values) if values else None, parameter="n"
    ),
    "variance": AggregateFunction(
        DOUBLE, lambda values: statistics.pvariance(values) if values else None, parameter="n"
    ),
    "median_absolute_deviation": AggregateFunction(DOUBLE, median_deviation, parameter="n"),
    "first": AggregateFunction(0, _first, order=True),
    "last": AggregateFunction(0, _last, order=True),
    "top": AggregateFunction(0, _top, "nk", optional=1),
    "sample": AggregateFunction(0, lambda values, count: several(list(values)[:count]), "n"),
    "present": AggregateFunction(BOOLEAN, bool),
    "absent": AggregateFunction(BOOLEAN, lambda values: not values),
}
