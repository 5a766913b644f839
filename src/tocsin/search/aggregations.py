"""Aggregations of a search: read and checked."""

from __future__ import annotations

from typing import Any

from tocsin.query_dsl.context import Context
from tocsin.search import buckets as _buckets  # noqa: F401 (it adds to `KINDS`)
from tocsin.search import figures as _figures  # noqa: F401
from tocsin.search.aggregation import KINDS, Aggregation
from tocsin.search.errors import SearchError

_WITHOUT_FIELD = frozenset({"top_hits", "filter", "filters"})


def read_aggregations(given: Any, context: Context, depth: int = 0) -> dict[str, Aggregation]:
    """Return aggregations by name. Raises SearchError or QueryError."""
    if not isinstance(given, dict) or depth > 8:
        raise SearchError("[aggs] takes aggregations by name, at most eight inside one another")
    aggregations = {}
    for name, about in given.items():
        if not isinstance(about, dict):
            raise SearchError(f"[{name}] is no aggregation")
        kinds = [key for key in about if key not in ("aggs", "aggregations", "meta")]
        if len(kinds) != 1 or not isinstance(about[kinds[0]], dict):
            raise SearchError(f"aggregation [{name}] has one kind with an object")
        kind = kinds[0]
        if kind not in KINDS:
            raise SearchError(f"unknown aggregation type [{kind}]", hint=f"one of {', '.join(KINDS)}")
        below = read_aggregations(about.get("aggs", about.get("aggregations", {})), context, depth + 1)
        aggregation = Aggregation(kind, about[kind], context, below)
        if kind not in _WITHOUT_FIELD and not aggregation.name:
            raise SearchError(f"aggregation [{name}] of type [{kind}] needs [field]")
        aggregation.collect(context.schema)  # reports what is wrong with it before events are read
        aggregations[str(name)] = aggregation
    return aggregations
