"""Elasticsearch's query language in JSON -> a condition."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from tocsin.date_formats import date_format
from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.query_dsl.build import all_of, any_of, between, exists_below, on_fields, prefix, term, terms
from tocsin.query_dsl.context import PATTERNED, SEARCHED, Context, is_text, ref
from tocsin.query_dsl.query_string import Reading, read_query_string
from tocsin.query_dsl.simple_query_string import read_simple_query_string
from tocsin.query_dsl.values import Bound
from tocsin.query_dsl.words import like, like_regexp, words

_DEEPEST = 50
_MOST = 4_096  # clauses of one query
_MOST_TERMS = 65_536  # as Elasticsearch has it in `index.max_terms_count`
_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def read_query(query: Any, context: Context) -> s.Expression:
    """Return the condition of a query; none stands for all events. Raises QueryError."""
    if query is None or query == {}:
        return s.Literal(True)
    return _Reader(context).read(query, 0)


def _field_and_value(about: Any, what: str) -> tuple[str, Any]:
    if not isinstance(about, dict) or len(about) != 1:
        raise QueryError(f"[{what}] query takes one field")
    [(name, value)] = about.items()
    return str(name), value


def _value(given: Any, key: str, what: str, *known: str) -> tuple[Any, Mapping[str, Any]]:
    """Return the value of a leaf query, written by itself or as a member of an object, and the other members."""
    if not isinstance(given, dict):
        return given, {}
    allowed = {key, "boost", "_name", "rewrite", *known}
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise QueryError(f"[{what}] query does not support [{unknown[0]}]")
    if key not in given:
        raise QueryError(f"[{what}] query needs [{key}]")
    return given[key], given


class _Reader:
    def __init__(self, context: Context) -> None:
        self.context, self.clauses = context, 0

    def read(self, query: Any, depth: int) -> s.Expression:
        self.clauses += 1
        if depth > _DEEPEST or self.clauses > _MOST:
            raise QueryError("too many clauses, or too many inside one another")
        if not isinstance(query, dict) or len(query) != 1:
            raise QueryError("a query is an object with one member, the query's name")
        [(kind, about)] = query.items()
        read = _QUERIES.get(kind)
        if read is None:
            raise QueryError(f"unknown query [{kind}]", hint=f"one of {', '.join(_QUERIES)}")
        return read(self, about, depth)

    def many(self, queries: Any, depth: int) -> list[s.Expression]:
        listed = queries if isinstance(queries, list) else [queries]
        return [self.read(query, depth + 1) for query in listed]

    # ---- compound

    def bool(self, about: Any, depth: int) -> s.Expression:
        if not isinstance(about, dict):
            raise QueryError("[bool] takes an object")
        unknown = set(about) - {"must", "filter", "should", "must_not", "minimum_should_match", "boost", "_name"}
        unknown -= {"adjust_pure_negative"}
        if unknown:
            raise QueryError(f"[bool] query does not support [{sorted(unknown)[0]}]")
        needed = self.many(about.get("must", []), depth) + self.many(about.get("filter", []), depth)
        possible = self.many(about.get("should", []), depth)
        forbidden = [s.Not(condition) for condition in self.many(about.get("must_not", []), depth)]
        least = _minimum(about.get("minimum_should_match"), len(possible), 0 if needed else 1)
        return all_of([*needed, *_at_least(possible, least), *forbidden])

    def inner(self, name: str) -> Callable[[Any, int], s.Expression]:
        def read(about: Any, depth: int) -> s.Expression:
            if not isinstance(about, dict) or name not in about:
                raise QueryError(f"[{name}] is missing")
            return self.read(about[name], depth + 1)

        return read

    def dis_max(self, about: Any, depth: int) -> s.Expression:
        if not isinstance(about, dict):
            raise QueryError("[dis_max] takes an object")
        return any_of(self.many(about.get("queries", []), depth))

    # ---- leaves

    def term(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "term")
        value, rest = _value(given, "value", "term", "case_insensitive")
        return term(name, value, self.context, insensitive=rest.get("case_insensitive") is True)

    def terms(self, about: Any, depth: int) -> s.Expression:
        if not isinstance(about, dict):
            raise QueryError("[terms] takes an object")
        name, values = _field_and_value({k: v for k, v in about.items() if k not in ("boost", "_name")}, "terms")
        if not isinstance(values, list):
            raise QueryError("[terms] query takes a list of values")
        if len(values) > _MOST_TERMS:
            reason = f"[terms] query on [{name}] has {len(values):,} values, and one has at most {_MOST_TERMS:,}"
            raise QueryError(reason)
        return terms(name, values, self.context)

    def match(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "match")
        known = ("operator", "minimum_should_match", "analyzer", "zero_terms_query", "lenient", "fuzziness")
        value, rest = _value(given, "query", "match", *known)
        if rest.get("fuzziness") not in (None, 0, "0", "AUTO"):
            raise QueryError("[match] query does not support [fuzziness]")
        return words(name, value, self.context, every=_every(rest))

    def match_phrase(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "match_phrase")
        value, rest = _value(given, "query", "match_phrase", "slop", "analyzer", "zero_terms_query")
        if rest.get("slop"):
            raise QueryError("[match_phrase] query does not support [slop]")
        return words(name, value, self.context, phrase=True)

    def match_phrase_prefix(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "match_phrase_prefix")
        value, _ = _value(given, "query", "match_phrase_prefix", "max_expansions", "slop", "analyzer")
        return words(name, value, self.context, phrase=True, begun=True)

    def match_bool_prefix(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "match_bool_prefix")
        known = ("operator", "minimum_should_match", "analyzer", "max_expansions")
        value, rest = _value(given, "query", "match_bool_prefix", *known)
        return words(name, value, self.context, every=_every(rest), begun=True)

    def multi_match(self, about: Any, depth: int) -> s.Expression:
        if not isinstance(about, dict) or "query" not in about:
            raise QueryError("[multi_match] query needs [query]")
        kind = str(about.get("type", "best_fields"))
        phrase, begun = kind.startswith("phrase"), kind in ("phrase_prefix", "bool_prefix")

        def on(name: str) -> s.Expression:
            return words(name, about["query"], self.context, phrase=phrase, begun=begun, every=_every(about))

        names = _fields(about)
        conditions = []
        for name in names:
            try:
                conditions.append(on_fields(name, on, PATTERNED if begun else SEARCHED))
            except QueryError:  # a word that is no number, say
                if len(names) == 1:
                    raise
        return any_of(conditions)

    def prefix(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "prefix")
        value, rest = _value(given, "value", "prefix", "case_insensitive")
        if is_text(name, self.context):
            return words(name, value, self.context, begun=True)
        return prefix(name, value, insensitive=rest.get("case_insensitive") is True)

    def wildcard(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "wildcard")
        if isinstance(given, dict) and "wildcard" in given:
            given = {("value" if key == "wildcard" else key): option for key, option in given.items()}
        value, rest = _value(given, "value", "wildcard", "case_insensitive")
        if not isinstance(value, str):
            raise QueryError("[wildcard] query takes a text")
        return like(name, value, self.context, insensitive=rest.get("case_insensitive") is True)

    def regexp(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "regexp")
        known = ("flags", "case_insensitive", "max_determinized_states")
        value, rest = _value(given, "value", "regexp", *known)
        if not isinstance(value, str):
            raise QueryError("[regexp] query takes a text")
        return like_regexp(name, value, self.context, insensitive=rest.get("case_insensitive") is True)

    def range(self, about: Any, depth: int) -> s.Expression:
        name, given = _field_and_value(about, "range")
        if not isinstance(given, dict):
            raise QueryError("[range] query takes an object of bounds")
        unknown = set(given) - {*_BOUNDS, "format", "time_zone", "boost", "_name", "relation"}
        if unknown:
            raise QueryError(f"[range] query does not support [{sorted(unknown)[0]}]")
        bounds = [Bound(_BOUNDS[key], value) for key, value in given.items() if key in _BOUNDS]
        zone = given.get("time_zone")
        if zone is not None and not isinstance(zone, str):
            raise QueryError("[time_zone] is a text, as in +01:00")
        return between(name, bounds, self.context, zone, _format(given.get("format")))

    def exists(self, about: Any, depth: int) -> s.Expression:
        if not isinstance(about, dict) or not isinstance(about.get("field"), str):
            raise QueryError("[exists] query needs [field]")
        name = about["field"]
        return exists_below(name, self.context)

    def ids(self, about: Any, depth: int) -> s.Expression:
        values = about.get("values") if isinstance(about, dict) else None
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise QueryError("[ids] query needs [values], a list of texts")
        return s.Membership(ref("_id"), tuple(map(s.Literal, values))) if values else s.Literal(False)

    def query_string(self, about: Any, depth: int) -> s.Expression:
        if not isinstance(about, dict) or not isinstance(about.get("query"), str):
            raise QueryError("[query_string] query needs [query], a text")
        every = str(about.get("default_operator", "or")).lower() == "and"
        return read_query_string(about["query"], Reading(self.context, tuple(_fields(about)), every))

    def kql(self, about: Any, depth: int) -> s.Expression:
        query, _ = _value(about, "query", "kql")
        if not isinstance(query, str) or not isinstance(about, dict):
            raise QueryError("[kql] query needs [query], a text")
        if self.context.read_kql is None:
            raise QueryError("a [kql] query is for searches")
        return self.context.read_kql(query, self.context)

    def simple_query_string(self, about: Any, depth: int) -> s.Expression:
        if not isinstance(about, dict) or not isinstance(about.get("query"), str):
            raise QueryError("[simple_query_string] query needs [query], a text")
        every = str(about.get("default_operator", "or")).lower() == "and"
        return read_simple_query_string(about["query"], Reading(self.context, tuple(_fields(about)), every))


def _fields(about: Mapping[str, Any]) -> list[str]:
    """Return the fields that a query names, or all, without what they weigh."""
    given = about.get("fields") or about.get("default_field") or "*"
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise QueryError("[fields] is a list of names")
    return [name.partition("^")[0] for name in names]


def _every(about: Mapping[str, Any]) -> bool:
    """Tell whether every word is asked for, and not any."""
    return str(about.get("operator", "or")).lower() == "and"


def _format(given: Any) -> str | None:
    """Return the format of a range's dates. Raises QueryError."""
    if given is None:
        return None
    try:
        return date_format(str(given)).text
    except ValueError as error:
        raise QueryError(str(error)) from None


def _minimum(given: Any, count: int, default: int) -> int:
    """Return how many of `count` clauses must hold. Raises QueryError."""
    if given is None:
        return default
    text = str(given).strip()
    try:
        if text.endswith("%"):
            share = int(text[:-1])
            number = count * abs(share) // 100
            return number if share >= 0 else count - number
        number = int(text)
    except ValueError:
        raise QueryError(f"[minimum_should_match] is a number or a percentage, not {given!r}") from None
    return number if number >= 0 else count + number


def _at_least(conditions: list[s.Expression], least: int) -> list[s.Expression]:
    if not conditions or least <= 0:
        return []
    if least == 1:
        return [any_of(conditions)]
    if least > len(conditions):
        return [s.Literal(False)]
    if least == len(conditions):
        return conditions
    combinations = list(itertools.islice(itertools.combinations(conditions, least), _MOST + 1))
    if len(combinations) > _MOST:
        raise QueryError("[minimum_should_match] of so many clauses is not possible")
    return [any_of(all_of(together) for together in combinations)]


_Query = Callable[[_Reader, Any, int], s.Expression]
_QUERIES: dict[str, _Query] = {
    "match_all": lambda r, a, d: s.Literal(True),
    "match_none": lambda r, a, d: s.Literal(False),
    "bool": _Reader.bool,
    "constant_score": lambda r, a, d: r.inner("filter")(a, d),
    "boosting": lambda r, a, d: r.inner("positive")(a, d),
    "function_score": lambda r, a, d: r.inner("query")(a, d),
    "nested": lambda r, a, d: r.inner("query")(a, d),
    "dis_max": _Reader.dis_max,
    "term": _Reader.term,
    "terms": _Reader.terms,
    "match": _Reader.match,
    "match_phrase": _Reader.match_phrase,
    "match_phrase_prefix": _Reader.match_phrase_prefix,
    "match_bool_prefix": _Reader.match_bool_prefix,
    "multi_match": _Reader.multi_match,
    "prefix": _Reader.prefix,
    "wildcard": _Reader.wildcard,
    "regexp": _Reader.regexp,
    "range": _Reader.range,
    "exists": _Reader.exists,
    "ids": _Reader.ids,
    "kql": _Reader.kql,
    "query_string": _Reader.query_string,
    "simple_query_string": _Reader.simple_query_string,
}
