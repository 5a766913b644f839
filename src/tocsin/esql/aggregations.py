"""Functions of ES|QL over groups of rows. Facts are from Elastic's ES|QL reference."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tocsin.ecs import FieldType
from tocsin.esql.functions import BOOLEAN, DOUBLE, LONG, Value, median_deviation, percentile, several


@dataclass(frozen=True)
class Aggregation:
    """A function over the values of a group, nulls left out, those of fields with several values one by one.

    `extra` are the families of types of its further arguments, which are constants.
    """

    returns: FieldType | int
    apply: Callable[..., Value]
    extra: str = ""
    parameter: str = "a"


def _values(found: Sequence[Value]) -> Value:
    return several(sorted(set(found)))


def _median(found: Sequence[float]) -> float | None:
    return float(statistics.median(found)) if found else None


def _top(found: Sequence[Value], count: int, order: str) -> Value:
    return several(sorted(found, reverse=order.lower() == "desc")[:count])


AGGREGATIONS: Mapping[str, Aggregation] = {
    "count": Aggregation(LONG, len),
    "count_distinct": Aggregation(LONG, lambda found, precision=None: len(set(found)), "n"),
    "values": Aggregation(0, _values),
    "min": Aggregation(0, lambda found: min(found, default=None)),
    "max": Aggregation(0, lambda found: max(found, default=None)),
    "sum": Aggregation(0, lambda found: sum(found) if found else None, parameter="n"),
    "avg": Aggregation(DOUBLE, lambda found: statistics.fmean(found) if found else None, parameter="n"),
    "median": Aggregation(DOUBLE, _median, parameter="n"),
    "percentile": Aggregation(DOUBLE, percentile, "n", "n"),
    "std_dev": Aggregation(DOUBLE, lambda found: statistics.pstdev(found) if found else None, parameter="n"),
    "variance": Aggregation(DOUBLE, lambda found: statistics.pvariance(found) if found else None, parameter="n"),
    "median_absolute_deviation": Aggregation(DOUBLE, median_deviation, parameter="n"),
    "top": Aggregation(0, _top, "nk"),
    "sample": Aggregation(0, lambda found, count: several(list(found)[:count]), "n"),
    "present": Aggregation(BOOLEAN, bool),
    "absent": Aggregation(BOOLEAN, lambda found: not found),
}
