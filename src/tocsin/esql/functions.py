"""Functions of ES|QL: over the values of one row, and over groups of rows.

Facts are from Elastic's ES|QL reference. Null in gives null out, and so does a field with several values, except
where a function says otherwise.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from tocsin.addresses import LAST, canonical, number_of
from tocsin.date_math import add_to
from tocsin.ecs import FieldType, is_long
from tocsin.eql.functions import cidr_match, to_string
from tocsin.esql.patterns import replace_all, split_all
from tocsin.esql.syntax import Duration
from tocsin.moments import iso, to_nanoseconds

Value = Any
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000
KEYWORD, LONG, DOUBLE = FieldType.KEYWORD, FieldType.LONG, FieldType.DOUBLE
BOOLEAN, DATE, IP = FieldType.BOOLEAN, FieldType.DATE, FieldType.IP


class Many(Enum):
    """What a function does with a field of several values."""

    NULL = "it is null"
    EACH = "each value is converted"
    WHOLE = "it takes a tuple of all values, empty for null"


@dataclass(frozen=True)
class Function:
    """A function of one row's values.

    `parameters` are families of types, a letter each: `k` text, `n` number, `b` boolean, `d` date, `s` span of
    time, `a` any, and capital letters for constants. The last repeats when `variadic`. `returns` is a type, or the
    place of the argument whose type it has.
    """

    parameters: str
    returns: FieldType | int
    apply: Callable[..., Value]
    required: int | None = None
    variadic: bool = False
    many: Many = Many.NULL
    nulls: bool = False  # whether it is asked although an argument is null


# ---- texts


def _substring(text: str, start: int, length: int | None = None) -> str:
    begin = start - 1 if start > 0 else max(0, len(text) + start) if start < 0 else 0
    return text[begin:] if length is None else text[begin : begin + max(0, length)]


def _locate(text: str, part: str, start: int = 1) -> int:
    return text.find(part, max(0, start - 1)) + 1


def _split(text: str, separator: str) -> Value:
    return several(split_all(text, separator) if len(separator) > 1 else text.split(separator))


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _hash(name: str, text: str) -> str:
    return hashlib.new(name.replace("-", ""), text.encode(), usedforsecurity=False).hexdigest()


# ---- conversions


def _to_long(value: Value) -> int | None:
    try:
        number = round(float(value)) if isinstance(value, float | str) and not _is_whole(value) else int(value)
    except (ValueError, OverflowError):
        return None
    return number if is_long(number) else None


def _is_whole(value: Value) -> bool:
    return isinstance(value, str) and value.strip().lstrip("+-").isdigit()


def _to_integer(value: Value) -> int | None:
    number = _to_long(value)
    return number if number is not None and -(1 << 31) <= number < 1 << 31 else None


def _to_double(value: Value) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _to_boolean(value: Value) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)


def _to_ip(value: str) -> str | None:
    try:
        return canonical(value)
    except ValueError:
        return None


@dataclass(frozen=True, order=True)
class _Address:
    """An address in the order of addresses; what is none comes behind all of them."""

    number: int
    text: str


def address_order(text: str) -> Value:
    """Return what orders an address among others."""
    try:
        return _Address(number_of(text), text)
    except ValueError:
        return _Address(LAST + 1, text)


def by_address(apply: Callable[..., Value]) -> Callable[..., Value]:
    """Return a function of values as one of addresses, which are compared and sorted as such."""

    def applied(*arguments: Value) -> Value:
        return _plain(apply(*(_in_order(argument) for argument in arguments)))

    return applied


def _in_order(value: Value) -> Value:
    if isinstance(value, (tuple, list)):
        return type(value)(map(_in_order, value))
    return address_order(value) if isinstance(value, str) else value


def _plain(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.text if isinstance(value, _Address) else value


def to_moment(value: Value) -> int | None:
    """Return a moment in nanoseconds, null for a text that is none. Numbers are moments already."""
    if not isinstance(value, str):
        return int(value)
    try:
        return to_nanoseconds(value)
    except ValueError:
        return None


# ---- numbers


def _round(value: float, digits: int = 0) -> Value:
    if isinstance(value, int) and digits >= 0:
        return value
    scale = 10.0**digits
    rounded = math.floor(abs(value) * scale + 0.5) / scale  # half away from zero
    found = math.copysign(rounded, value)
    return int(found) if isinstance(value, int) else found


def _log(first: float, second: float | None = None) -> float | None:
    base, value = (math.e, first) if second is None else (first, second)
    return math.log(value, base) if value > 0 and base > 0 and base != 1 else None


def _pow(base: float, power: float) -> float | None:
    try:
        found = float(base) ** float(power)
    except (OverflowError, ZeroDivisionError):
        return None
    return found if isinstance(found, float) and math.isfinite(found) else None


# ---- dates


def _datetime(moment: int) -> datetime:
    return _EPOCH + timedelta(microseconds=moment // 1000)


def moved(moment: int, span: Duration, sign: int) -> int:
    """Return a moment so much later, or (`sign` -1) earlier."""
    if span.months:
        moment = to_nanoseconds(add_to(_datetime(moment), sign * span.months, "M")) + moment % 1000
    return moment + sign * span.nanoseconds


def date_trunc(span: Duration, moment: int) -> int:
    """Return the beginning of the span of time that a moment lies in; weeks begin on Mondays."""
    if span.months:
        at = _datetime(moment)
        number = (at.year * 12 + at.month - 1) // span.months * span.months
        return to_nanoseconds(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC))
    week = 604_800 * _SECOND
    offset = 3 * 86_400 * _SECOND if span.nanoseconds % week == 0 else 0  # 1970 began on a Thursday
    return (moment + offset) // span.nanoseconds * span.nanoseconds - offset


_DIFFERENCES: Mapping[str, int] = {
    name: size
    for names, size in (
        ("nanosecond nanoseconds ns", 1),
        ("microsecond microseconds mcs", 1_000),
        ("millisecond milliseconds ms", 1_000_000),
        ("second seconds ss s", _SECOND),
        ("minute minutes mi n", 60 * _SECOND),
        ("hour hours hh", 3_600 * _SECOND),
        ("day days dd d dayofyear dy y weekday weekdays dw", 86_400 * _SECOND),
        ("week weeks wk ww", 604_800 * _SECOND),
    )
    for name in names.split()
}
_MONTHS = {
    **dict.fromkeys(("month", "months", "mm", "m"), 1),
    **dict.fromkeys(("quarter", "quarters", "qq", "q"), 3),
    **dict.fromkeys(("year", "years", "yy", "yyyy"), 12),
}


def _date_diff(unit: str, start: int, end: int) -> int | None:
    if unit.lower() in _MONTHS:
        first, last = sorted((start, end))
        a, b = _datetime(first), _datetime(last)
        months = (b.year - a.year) * 12 + b.month - a.month
        months -= (b.day, b.time()) < (a.day, a.time())
        found = months // _MONTHS[unit.lower()]
    elif unit.lower() in _DIFFERENCES:
        found = abs(end - start) // _DIFFERENCES[unit.lower()]
    else:
        return None
    return found if end >= start else -found


_EXTRACTED: Mapping[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "month_of_year": lambda at: at.month,
    "day_of_month": lambda at: at.day,
    "day_of_week": lambda at: at.isoweekday(),
    "day_of_year": lambda at: at.timetuple().tm_yday,
    "hour_of_day": lambda at: at.hour,
    "minute_of_hour": lambda at: at.minute,
    "minute_of_day": lambda at: at.hour * 60 + at.minute,
    "second_of_minute": lambda at: at.second,
    "epoch_day": lambda at: (at - _EPOCH).days,
}


def _date_extract(part: str, moment: int) -> int | None:
    extract = _EXTRACTED.get(part.lower())
    return None if extract is None else extract(_datetime(moment))


# ---- several values


def several(values: Sequence[Value]) -> Value:
    """Return values as a field holds them: null, one, or a tuple."""
    return None if not values else values[0] if len(values) == 1 else tuple(values)


def _of_numbers(compute: Callable[[Sequence[float]], Value]) -> Callable[[tuple[Value, ...]], Value]:
    return lambda values: compute(values) if values else None


def _contains(values: tuple[Value, ...], wanted: tuple[Value, ...]) -> bool:
    return set(wanted) <= set(values)


def _concat(values: tuple[Value, ...], separator: tuple[Value, ...]) -> str | None:
    return separator[0].join(map(to_string, values)) if values and len(separator) == 1 else None


def _slice(values: tuple[Value, ...], start: tuple[int, ...], end: tuple[int, ...] = ()) -> Value:
    if not start:
        return None
    last = end[0] if end else start[0]
    places = range(len(values))
    first, last = (at + len(values) if at < 0 else at for at in (start[0], last))
    return several([values[at] for at in places if first <= at <= last])


def _sorted(values: tuple[Value, ...], order: tuple[str, ...] = ()) -> Value:
    return several(sorted(values, reverse=bool(order) and order[0].lower() == "desc"))


_WHOLE = Many.WHOLE


def _text(apply: Callable[..., Value], parameters: str = "k", returns: FieldType | int = KEYWORD) -> Function:
    return Function(parameters, returns, apply)


FUNCTIONS: Mapping[str, Function] = {
    "length": _text(len, returns=LONG),
    "byte_length": _text(lambda text: len(text.encode()), returns=LONG),
    "to_lower": Function("k", KEYWORD, str.lower, many=Many.EACH),
    "to_upper": Function("k", KEYWORD, str.upper, many=Many.EACH),
    "trim": _text(str.strip),
    "ltrim": _text(str.lstrip),
    "rtrim": _text(str.rstrip),
    "reverse": _text(lambda text: text[::-1]),
    "concat": Function("k", KEYWORD, lambda *parts: "".join(parts), 2, variadic=True),
    "substring": Function("knn", KEYWORD, _substring, 2),
    "left": _text(lambda text, count: text[: max(0, count)], "kn"),
    "right": _text(lambda text, count: text[-count:] if count > 0 else "", "kn"),
    "repeat": _text(lambda text, count: text * count if 0 <= count <= 10_000 else None, "kn"),
    "replace": _text(replace_all, "kKk"),
    "split": _text(_split, "kK"),
    "locate": Function("kkn", LONG, _locate, 2),
    "starts_with": _text(str.startswith, "kk", BOOLEAN),
    "ends_with": _text(str.endswith, "kk", BOOLEAN),
    "contains": _text(lambda text, part: part in text, "kk", BOOLEAN),
    "md5": _text(_digest("md5")),
    "sha1": _text(_digest("sha1")),
    "sha256": _text(_digest("sha256")),
    "hash": _text(_hash, "Kk"),
    "to_string": Function("a", KEYWORD, to_string, many=Many.EACH),
    "to_long": Function("a", LONG, _to_long, many=Many.EACH),
    "to_integer": Function("a", LONG, _to_integer, many=Many.EACH),
    "to_double": Function("a", DOUBLE, _to_double, many=Many.EACH),
    "to_boolean": Function("a", BOOLEAN, _to_boolean, many=Many.EACH),
    "to_ip": Function("k", IP, _to_ip, many=Many.EACH),
    "to_datetime": Function("a", DATE, to_moment, many=Many.EACH),
    "coalesce": Function(
        "a", 0, lambda *found: next((v for v in found if v is not None), None), 1, variadic=True, nulls=True
    ),
    "greatest": Function("a", 0, lambda *found: max(found), 1, variadic=True),
    "least": Function("a", 0, lambda *found: min(found), 1, variadic=True),
    "abs": Function("n", 0, abs),
    "ceil": Function("n", 0, math.ceil),
    "floor": Function("n", 0, math.floor),
    "round": Function("nn", 0, _round, 1),
    "sqrt": Function("n", DOUBLE, lambda number: math.sqrt(number) if number >= 0 else None),
    "pow": Function("nn", DOUBLE, _pow),
    "exp": Function("n", DOUBLE, lambda number: _pow(math.e, number)),
    "log": Function("nn", DOUBLE, _log, 1),
    "log10": Function("n", DOUBLE, lambda number: math.log10(number) if number > 0 else None),
    "signum": Function("n", DOUBLE, lambda number: float((number > 0) - (number < 0))),
    "date_trunc": Function("Sd", DATE, date_trunc),
    "date_diff": Function("kdd", LONG, _date_diff),
    "date_extract": Function("kd", LONG, _date_extract),
    "cidr_match": Function("kk", BOOLEAN, cidr_match, 2, variadic=True),
    "mv_first": Function("a", 0, lambda values: values[0] if values else None, many=_WHOLE),
    "mv_last": Function("a", 0, lambda values: values[-1] if values else None, many=_WHOLE),
    "mv_min": Function("a", 0, lambda values: min(values, default=None), many=_WHOLE),
    "mv_max": Function("a", 0, lambda values: max(values, default=None), many=_WHOLE),
    "mv_count": Function("a", LONG, lambda values: len(values) or None, many=_WHOLE),
    "mv_sum": Function("n", 0, _of_numbers(sum), many=_WHOLE),
    "mv_avg": Function("n", DOUBLE, _of_numbers(statistics.fmean), many=_WHOLE),
    "mv_median": Function("n", 0, _of_numbers(statistics.median), many=_WHOLE),
    "mv_dedupe": Function("a", 0, lambda values: several(list(dict.fromkeys(values))), many=_WHOLE),
    "mv_sort": Function("ak", 0, _sorted, 1, many=_WHOLE),
    "mv_append": Function("aa", 0, lambda first, second: several(first + second), many=_WHOLE),
    "mv_concat": Function("kk", KEYWORD, _concat, many=_WHOLE),
    "mv_slice": Function("ann", 0, _slice, 2, many=_WHOLE),
    "mv_contains": Function("aa", BOOLEAN, _contains, many=_WHOLE),
}


# ---- over groups


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


def _percentile(found: Sequence[float], percent: float) -> float | None:
    if not found:
        return None
    ordered = sorted(found)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


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
    "percentile": Aggregation(DOUBLE, _percentile, "n", "n"),
    "std_dev": Aggregation(DOUBLE, lambda found: statistics.pstdev(found) if found else None, parameter="n"),
    "top": Aggregation(0, _top, "nk"),
}


# ---- words


def fuzzy_distance(fuzziness: Value, word: str) -> int:
    """Return how many letters a word may differ by: a number, or `AUTO` by its length."""
    if isinstance(fuzziness, str) and not fuzziness.isdigit():
        return 0 if len(word) < 3 else 1 if len(word) < 6 else 2
    return int(fuzziness)


def is_near(word: str, other: str, most: int) -> bool:
    """Tell whether a word becomes another one by so many letters put in, left out, changed or swapped at most."""
    if abs(len(word) - len(other)) > most:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(word, 1):
        now = [i]
        for j, b in enumerate(other, 1):
            cost = min(row[j] + 1, now[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and word[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        before, row = row, now
    return row[-1] <= most


def shown(value: Value, kind: FieldType | None) -> Value:
    """Return a column's value as JSON has it."""
    if isinstance(value, tuple):
        return [shown(one, kind) for one in value]
    return iso(value) if kind is DATE and value is not None else value
