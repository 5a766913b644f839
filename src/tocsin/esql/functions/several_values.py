"""Functions of ES|QL over the several values of a field. Facts are from Elastic's ES|QL reference."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from tocsin.eql.functions import to_string
from tocsin.esql.functions.function import BOOLEAN, DOUBLE, KEYWORD, LONG, Function, Many, Value, several

Values = tuple[Value, ...]


def _of_numbers(compute: Callable[[Sequence[float]], Value]) -> Callable[[Values], Value]:
    return lambda values: compute(values) if values else None


def _contains(values: Values, wanted: Values) -> bool:
    return set(wanted) <= set(values)


def _concat(values: Values, separator: Values) -> str | None:
    return separator[0].join(map(to_string, values)) if values and len(separator) == 1 else None


def _slice(values: Values, start: tuple[int, ...], end: tuple[int, ...] = ()) -> Value:
    if not start:
        return None
    last = end[0] if end else start[0]
    places = range(len(values))
    first, last = (at + len(values) if at < 0 else at for at in (start[0], last))
    return several([values[at] for at in places if first <= at <= last])


def _sorted(values: Values, order: tuple[str, ...] = ()) -> Value:
    return several(sorted(values, reverse=bool(order) and order[0].lower() == "desc"))


def _shared(first: Values, second: Values) -> Value:
    return several([value for value in dict.fromkeys(first) if value in second])


def _union(first: Values, second: Values) -> Value:
    return several(list(dict.fromkeys(first + second)))


def _difference(first: Values, second: Values) -> Value:
    return several([value for value in dict.fromkeys(first) if value not in second])


def _zipped(first: Values, second: Values, separator: tuple[str, ...] = (", ",)) -> Value:
    between = separator[0] if separator else ", "
    pairs = itertools.zip_longest(first, second)
    return several([between.join(part for part in pair if part is not None) for pair in pairs])


def percentile(numbers: Sequence[float], percent: float) -> float | None:
    """Return the value below which so many percent of some numbers lie, between two of them where need be."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def median_deviation(numbers: Sequence[float]) -> float | None:
    """Return the median of how far numbers lie from their median."""
    if not numbers:
        return None
    middle = statistics.median(numbers)
    return float(statistics.median(abs(value - middle) for value in numbers))


def _percentile(values: Values, percent: tuple[float, ...]) -> Value:
    return percentile(values, percent[0]) if len(percent) == 1 else None


def _weighted_sum(values: tuple[float, ...], power: tuple[float, ...]) -> float | None:
    """Return the sum of values, each divided by a power of its place, as Elastic's risk scores have it."""
    if not values or len(power) != 1:
        return None
    return math.fsum(float(value) / place ** power[0] for place, value in enumerate(values, 1))


_WHOLE = Many.WHOLE
SEVERAL_VALUES: Mapping[str, Function] = {
    "mv_append": Function("aa", 0, lambda first, second: several(first + second), many=_WHOLE),
    "mv_avg": Function("n", DOUBLE, _of_numbers(statistics.fmean), many=_WHOLE),
    "mv_concat": Function("kk", KEYWORD, _concat, many=_WHOLE),
    "mv_contains": Function("aa", BOOLEAN, _contains, many=_WHOLE),
    "mv_count": Function("a", LONG, lambda values: len(values) or None, many=_WHOLE),
    "mv_dedupe": Function("a", 0, lambda values: several(list(dict.fromkeys(values))), many=_WHOLE),
    "mv_difference": Function("aa", 0, _difference, many=_WHOLE),
    "mv_first": Function("a", 0, lambda values: values[0] if values else None, many=_WHOLE),
    "mv_intersection": Function("aa", 0, _shared, many=_WHOLE),
    "mv_intersects": Function("aa", BOOLEAN, lambda first, second: not set(first).isdisjoint(second), many=_WHOLE),
    "mv_last": Function("a", 0, lambda values: values[-1] if values else None, many=_WHOLE),
    "mv_max": Function("a", 0, lambda values: max(values, default=None), many=_WHOLE),
    "mv_median": Function("n", 0, _of_numbers(statistics.median), many=_WHOLE),
    "mv_median_absolute_deviation": Function("n", DOUBLE, median_deviation, many=_WHOLE),
    "mv_min": Function("a", 0, lambda values: min(values, default=None), many=_WHOLE),
    "mv_percentile": Function("nn", DOUBLE, _percentile, many=_WHOLE),
    "mv_pseries_weighted_sum": Function("nn", DOUBLE, _weighted_sum, many=_WHOLE),
    "mv_slice": Function("ann", 0, _slice, 2, many=_WHOLE),
    "mv_sort": Function("ak", 0, _sorted, 1, many=_WHOLE),
    "mv_sum": Function("n", 0, _of_numbers(sum), many=_WHOLE),
    "mv_union": Function("aa", 0, _union, many=_WHOLE),
    "mv_zip": Function("kkk", KEYWORD, _zipped, 2, many=_WHOLE),
}
