"""Aggregations of a search: read and checked."""

from __future__ import annotations

from typing import Any

from tocsin.query_dsl.build import Context
from tocsin.search import buckets as _buckets  # noqa: F401 (it makes its kinds known)
from tocsin.search import figures as _figures  # noqa: F401
from tocsin.search.aggregation import KINDS, Aggregation
from tocsin.search.errors import SearchError

_WITHOUT_FIELD = frozenset({"top_hits", "filter", "filters"})


def read_aggregations(given: Any, context: Context, depth: int = 0) -> dict[str, Aggregation]:
    """Return aggregations by name. Raises SearchError or QueryError."""
    if not isinstance(given, dict) or depth > 8:
        raise SearchError("[aggs] takes aggregations by name, at most eight inside one another")
    found = {}
    for name, one in given.items():
        if not isinstance(one, dict):
            raise SearchError(f"[{name}] is no aggregation")
        kinds = [key for key in one if key not in ("aggs", "aggregations", "meta")]
        if len(kinds) != 1 or not isinstance(one[kinds[0]], dict):
            raise SearchError(f"aggregation [{name}] has one kind with an object")
        kind = kinds[0]
        if kind not in KINDS:
            raise SearchError(f"unknown aggregation type [{kind}]", hint=f"one of {', '.join(KINDS)}")
        below = read_aggregations(one.get("aggs", one.get("aggregations", {})), context, depth + 1)
        aggregation = Aggregation(kind, one[kind], context, below)
        if kind not in _WITHOUT_FIELD and not aggregation.name:
            raise SearchError(f"aggregation [{name}] of type [{kind}] needs [field]")
        aggregation.collect(context.schema)  # what is wrong with it is told before anything is read
        found[str(name)] = aggregation
    return found
