"""Calls that stand for other expressions, as Elasticsearch's surrogates do: `trange(1h)`, `weighted_avg(a, b)`.

They are replaced when a query is read, so that whatever comes behind knows one way to say a thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tocsin.ecs import TIMESTAMP
from tocsin.esql import syntax as q
from tocsin.esql.dates import span
from tocsin.moments import DAY, iso

# The options of `multi_match` that have no meaning without scores, and the types that ask each field by itself.
_WITHOUT_MEANING = frozenset(
    ("boost", "tie_breaker", "lenient", "analyzer", "auto_generate_synonyms_phrase_query")
)
_MULTI_MATCHES: Mapping[str, str] = {"best_fields": "match", "most_fields": "match", "phrase": "match_phrase"}
# Types of spans of time, with the units that each may have: fixed, and of a calendar.
_SPANS: Mapping[str, Callable[[q.Duration], bool]] = {
    "time_duration": lambda duration: not duration.months and duration.nanoseconds < DAY,
    "date_period": lambda duration: bool(duration.months) or duration.nanoseconds % (DAY) == 0,
}
_SPAN_FUNCTIONS = {"to_timeduration": "time_duration", "to_dateperiod": "date_period"}


class MisusedError(Exception):
    """A call that cannot be replaced, for what its arguments are."""


def replaced(call: q.Call) -> q.Expression:
    """Return what a call stands for, which may be itself. Raises MisusedError."""
    surrogate = _SURROGATES.get(call.name)
    return call if surrogate is None else surrogate(call)


def cast_to_span(value: q.Expression, kind: str) -> q.Duration | None:
    """Return a text such as `"1 hour"` as a span of time of a type, None where that is no such type."""
    if kind not in _SPANS:
        return None
    if isinstance(value, q.Duration):
        return value
    duration = span(value.value) if isinstance(value, q.Literal) and isinstance(value.value, str) else None
    if duration is None or not (_SPANS[kind](duration) or _digits(value) == "0"):
        hours = "milliseconds to hours" if kind == "time_duration" else "days, weeks, months, quarters and years"
        raise MisusedError(f"this is no {kind}, which is a text of {hours}")
    return replace(duration, place=value.place) if isinstance(value, q.Literal) else duration


def _digits(value: q.Expression) -> str:
    return str(value.value).split()[0] if isinstance(value, q.Literal) and str(value.value).split() else ""


def _spanned(call: q.Call) -> q.Expression:
    kind = _SPAN_FUNCTIONS[call.name]
    if len(call.arguments) != 1:
        raise MisusedError(f"{call.name} takes 1 argument, and has {len(call.arguments)}")
    duration = cast_to_span(call.arguments[0], kind)
    assert duration is not None
    return duration


def _time(call: q.Call) -> q.ColumnRef:
    return q.ColumnRef(TIMESTAMP, call.place)


def _tbucket(call: q.Call) -> q.Expression:
    return replace(call, name="bucket", arguments=(_time(call), *call.arguments))


def _trange(call: q.Call) -> q.Expression:
    """Return the condition: up to now from a span before it, or from a moment to another one or to now."""
    misused = "trange takes a span of time up to now, or a beginning and an end"
    if not 1 <= len(call.arguments) <= 2:
        raise MisusedError(misused)
    first, *rest = map(_moment, call.arguments)
    end = rest[0] if rest else q.Call("now", (), place=call.place)
    if isinstance(first, q.Duration) != (not rest):
        raise MisusedError(misused)
    begin = q.Arithmetic("-", end, first, call.place) if isinstance(first, q.Duration) else first
    return q.And(
        (q.Comparison(">", _time(call), begin, call.place), q.Comparison("<=", _time(call), end, call.place)),
        call.place,
    )


def _moment(node: q.Expression) -> q.Expression:
    """Return a constant as a span of time or as a moment; numbers are milliseconds since 1970."""
    match node:
        case q.Literal(str() as text):
            return span(text) or node
        case q.Literal(int() as milliseconds):
            return replace(node, value=iso(milliseconds * 1_000_000))
        case _:
            return node


def _by_time(name: str) -> Callable[[q.Call], q.Expression]:
    return lambda call: replace(call, name=name, arguments=(*call.arguments, _time(call)))


def _weighted_avg(call: q.Call) -> q.Expression:
    if len(call.arguments) != 2:
        raise MisusedError(f"weighted_avg takes 2 arguments, and has {len(call.arguments)}")
    number, weight = call.arguments
    if _is_constant(weight):
        if isinstance(weight, q.Literal) and weight.value in (None, 0):
            given = "null" if weight.value is None else weight.value
            raise MisusedError(f"the weight of weighted_avg is a number other than 0, not {given}")
        return replace(call, name="avg", arguments=(number,))  # of each value, where rows have several
    product = q.Arithmetic("*", number, weight, call.place)
    total = q.Call("sum", (product,), place=call.place)
    weights = q.Call("to_double", (q.Call("sum", (weight,), place=call.place),), place=call.place)
    return q.Arithmetic("/", total, weights, call.place)


def _is_constant(node: q.Expression) -> bool:
    return not q.columns_of(node)


def searched(value: q.Expression) -> q.Expression:
    """Return the column that a search looks at, of one that is cast: what is searched is the field itself."""
    while isinstance(value, q.Cast):
        value = value.value
    return value


def _searched(call: q.Call) -> q.Expression:
    return replace(call, arguments=(searched(call.arguments[0]), *call.arguments[1:])) if call.arguments else call


def _multi_match(call: q.Call) -> q.Expression:
    """Return that any of the fields has the words; not across fields."""
    text, *fields = call.arguments or (q.Literal(None),)
    options = dict(call.options)
    kind = str(options.pop("type", "best_fields"))
    if not fields or not isinstance(text, q.Literal):
        raise MisusedError("multi_match takes a text and the columns that may have it")
    if kind not in _MULTI_MATCHES:
        raise MisusedError(f"multi_match of type {kind} is not supported: types are {', '.join(_MULTI_MATCHES)}")
    asked = tuple((name, value) for name, value in options.items() if name not in _WITHOUT_MEANING)
    name = _MULTI_MATCHES[kind]
    calls = tuple(q.Call(name, (searched(field), text), asked, place=call.place) for field in fields)
    return calls[0] if len(calls) == 1 else q.Or(calls, call.place)


_SURROGATES: Mapping[str, Callable[[q.Call], q.Expression]] = {
    "earliest": _by_time("first"),
    "latest": _by_time("last"),
    "match": _searched,
    "match_phrase": _searched,
    "multi_match": _multi_match,
    "tbucket": _tbucket,
    "term": _searched,
    "to_dateperiod": _spanned,
    "to_timeduration": _spanned,
    "trange": _trange,
    "weighted_avg": _weighted_avg,
}
SURROGATES = tuple(_SURROGATES)
