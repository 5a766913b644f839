"""Functions of ES|QL over moments, and `bucket`. Facts are from Elastic's ES|QL reference and its `Bucket`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tocsin.esql import syntax as q
from tocsin.esql.dates import (
    date_diff,
    date_extract,
    date_format,
    date_parse,
    date_trunc,
    day_name,
    days_in_month,
    month_name,
    moved,
)
from tocsin.esql.functions.function import DATE, DOUBLE, KEYWORD, LONG, Function, Value
from tocsin.moments import HOUR, MILLISECOND, MINUTE, SECOND

# Spans of time that a number of buckets is made of, the longest first.
_SPANS = (
    q.Duration(12, 0),
    q.Duration(1, 0),
    *(
        q.Duration(0, size)
        for size in (
            168 * HOUR, 24 * HOUR, 12 * HOUR, 3 * HOUR, HOUR, 30 * MINUTE, 10 * MINUTE, 5 * MINUTE,
            MINUTE, 30 * SECOND, 10 * SECOND, 5 * SECOND, SECOND, 100 * MILLISECOND, 50 * MILLISECOND,
            10 * MILLISECOND, MILLISECOND,
        )
    ),
)  # fmt: skip


@lru_cache(maxsize=256)
def _span(buckets: int, start: int, end: int) -> q.Duration:
    """Return the shortest of the usual spans of time of which no more than so many lie between two moments."""
    chosen = _SPANS[0]
    for span in _SPANS[1:]:
        if not _suffices(span, buckets, start, end):
            break
        chosen = span
    return chosen


def _suffices(span: q.Duration, buckets: int, start: int, end: int) -> bool:
    first = date_trunc(span, start)
    return moved(first, q.Duration(span.months * buckets, span.nanoseconds * buckets), 1) >= end


def _bucket(moment: int, span: Value, start: int | None = None, end: int | None = None) -> int | None:
    if not isinstance(span, q.Duration):
        if start is None or end is None or span < 1:
            return None
        span = _span(int(span), start, end)
    return date_trunc(span, moment)


def _number_bucket(
    value: float, size: float, start: float | None = None, end: float | None = None
) -> float | None:
    if start is not None and end is not None:
        precise = (end - start) / size if size else 0.0
        if precise <= 0:
            return None
        power = 10.0 ** math.ceil(math.log10(precise))
        size = power / 2 if precise < power / 2 else power
    return math.floor(value / size) * float(size) if size else None


def _misused(given: Sequence[q.Expression]) -> str | None:
    if len(given) == 3:
        return "bucket takes a number with a size, or with a number of buckets, a beginning and an end"
    return None


def _dates_misused(given: Sequence[q.Expression]) -> str | None:
    counted = isinstance(given[1], q.Literal) and not isinstance(given[1].value, str)
    if len(given) == 3 or counted != (len(given) == 4):
        return "bucket takes a date with a span of time, or with a number of buckets, a beginning and an end"
    return None


DATES: Mapping[str, Function] = {
    "bucket": Function(
        "dpdd", DATE, _bucket, 2, misused=_dates_misused,
        otherwise=Function("nnnn", DOUBLE, _number_bucket, 2, misused=_misused),
    ),
    "date_diff": Function("kdd", LONG, date_diff),
    "date_extract": Function("kd", LONG, date_extract),
    "date_format": Function("ad", KEYWORD, date_format, 1),
    "date_parse": Function("kk", DATE, date_parse, 1),
    "date_trunc": Function("sd", DATE, date_trunc),
    "day_name": Function("d", KEYWORD, day_name),
    "days_in_month": Function("d", LONG, days_in_month),
    "month_name": Function("d", KEYWORD, month_name),
}  # fmt: skip
