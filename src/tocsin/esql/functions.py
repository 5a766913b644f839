"""Functions of ES|QL over the values of one row.

Facts are from Elastic's ES|QL reference. Null in gives null out, and so does a field with several values, except
where a function says otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

from tocsin.addresses import LAST, canonical, number_of
from tocsin.ecs import FieldType, is_long
from tocsin.eql.functions import cidr_match, to_string
from tocsin.esql.dates import (
    bucket,
    date_diff,
    date_extract,
    date_format,
    date_parse,
    date_trunc,
    day_name,
    month_name,
    to_moment,
)
from tocsin.esql.patterns import replace_all, split_all
from tocsin.moments import iso

Value = Any
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


def _decoded(text: str) -> str | None:
    """Return what a form or the query of a URL means; null for bytes that are no UTF-8."""
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        return None


def _from_base64(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None


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


def _shared(first: tuple[Value, ...], second: tuple[Value, ...]) -> Value:
    return several([value for value in dict.fromkeys(first) if value in second])


def _union(first: tuple[Value, ...], second: tuple[Value, ...]) -> Value:
    return several(list(dict.fromkeys(first + second)))


def _difference(first: tuple[Value, ...], second: tuple[Value, ...]) -> Value:
    return several([value for value in dict.fromkeys(first) if value not in second])


def _zipped(first: tuple[Value, ...], second: tuple[Value, ...], separator: tuple[str, ...] = (", ",)) -> Value:
    between = separator[0] if separator else ", "
    pairs = itertools.zip_longest(first, second)
    return several([between.join(part for part in pair if part is not None) for pair in pairs])


def _mv_percentile(values: tuple[Value, ...], percent: tuple[float, ...]) -> Value:
    return percentile(values, percent[0]) if len(percent) == 1 else None


def _ip_prefix(address: str, of_4: int, of_6: int) -> str | None:
    try:
        found = ipaddress.ip_address(address)
        return str(ipaddress.ip_network((found, of_4 if found.version == 4 else of_6), strict=False)[0])
    except ValueError:
        return None


def percentile(found: Sequence[float], percent: float) -> float | None:
    """Return the value below which so many percent of some numbers lie, between two of them where need be."""
    if not found:
        return None
    ordered = sorted(found)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def median_deviation(found: Sequence[float]) -> float | None:
    """Return the median of how far numbers lie from their median."""
    if not found:
        return None
    middle = statistics.median(found)
    return float(statistics.median(abs(value - middle) for value in found))


_WHOLE = Many.WHOLE


def _text(apply: Callable[..., Value], parameters: str = "k", returns: FieldType | int = KEYWORD) -> Function:
    return Function(parameters, returns, apply)


# Other names of functions.
ALIASES: Mapping[str, str] = {
    "to_str": "to_string", "to_int": "to_integer", "to_dbl": "to_double", "to_bool": "to_boolean",
    "to_dt": "to_datetime", "to_date_nanos": "to_datetime",
}  # fmt: skip
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
    "bit_length": _text(lambda text: len(text.encode()) * 8, returns=LONG),
    "space": Function("n", KEYWORD, lambda count: " " * count if 0 <= count <= 1_000_000 else None),
    "url_decode": _text(_decoded),
    "url_encode": _text(lambda text: quote_plus(text, safe="*")),
    "url_encode_component": _text(lambda text: quote(text, safe="*")),
    "to_base64": _text(lambda text: base64.b64encode(text.encode()).decode()),
    "from_base64": _text(_from_base64),
    "ip_prefix": Function("knn", IP, _ip_prefix),
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
    "to_version": Function("k", FieldType.VERSION, to_string, many=Many.EACH),
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
    "cbrt": Function("n", DOUBLE, math.cbrt),
    "e": Function("", DOUBLE, lambda: math.e),
    "pi": Function("", DOUBLE, lambda: math.pi),
    "tau": Function("", DOUBLE, lambda: math.tau),
    "sin": Function("n", DOUBLE, math.sin),
    "cos": Function("n", DOUBLE, math.cos),
    "tan": Function("n", DOUBLE, math.tan),
    "hypot": Function("nn", DOUBLE, math.hypot),
    "clamp": Function("aaa", 0, lambda value, low, high: max(low, min(value, high))),
    "signum": Function("n", DOUBLE, lambda number: float((number > 0) - (number < 0))),
    "date_trunc": Function("Sd", DATE, date_trunc),
    "date_diff": Function("kdd", LONG, date_diff),
    "date_extract": Function("kd", LONG, date_extract),
    "date_format": Function("ad", KEYWORD, date_format, 1),
    "date_parse": Function("kk", DATE, date_parse, 1),
    "day_name": Function("d", KEYWORD, day_name),
    "month_name": Function("d", KEYWORD, month_name),
    "bucket": Function("dS", DATE, bucket),
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
    "mv_intersection": Function("aa", 0, _shared, many=_WHOLE),
    "mv_intersects": Function("aa", BOOLEAN, lambda first, second: not set(first).isdisjoint(second), many=_WHOLE),
    "mv_union": Function("aa", 0, _union, many=_WHOLE),
    "mv_difference": Function("aa", 0, _difference, many=_WHOLE),
    "mv_zip": Function("kkk", KEYWORD, _zipped, 2, many=_WHOLE),
    "mv_percentile": Function("nn", DOUBLE, _mv_percentile, many=_WHOLE),
    "mv_median_absolute_deviation": Function("n", DOUBLE, median_deviation, many=_WHOLE),
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
