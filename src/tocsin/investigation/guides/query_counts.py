"""How many documents the queries of a guide find: counted in as few searches as are quick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.investigation.guides.alert_queries import SIGNAL, AlertQuery, TimeSpan, within


@dataclass(frozen=True)
class CountSearch:
    """A search that counts what some queries find, by their numbers."""

    queries: Mapping[int, AlertQuery]
    body: Mapping[str, Any]

    def counts(self, answer: Mapping[str, Any]) -> dict[int, int]:
        """Return how many documents each query finds, out of the search's answer."""
        aggregations = answer["aggregations"]
        return {number: int(aggregations[str(number)]["doc_count"]) for number in self.queries}


def count_searches(queries: Mapping[int, AlertQuery]) -> list[CountSearch]:
    """Return the searches that count what queries find; one that nothing can meet is left out.

    Queries for alerts make one search, and those that look at a span of time another. One that looks at all time
    has a search of its own: the store then reads only what has its values.
    """
    asked = {number: query for number, query in queries.items() if query.query is not None}
    signals = {number: query for number, query in asked.items() if query.signals_only}
    spanned = {n: query for n, query in asked.items() if n not in signals and query.spans}
    alone = [{n: query} for n, query in asked.items() if n not in signals and n not in spanned]
    return [_search(group) for group in (signals, spanned, *alone) if group]


def _search(queries: Mapping[int, AlertQuery]) -> CountSearch:
    common: list[Any] = []
    if len(queries) == 1:
        common = [query.query for query in queries.values()]
    elif all(query.signals_only for query in queries.values()):
        common = [SIGNAL]
    if len(queries) > 1:
        common += within([_hull([span for query in queries.values() for span in query.spans or _ALL])])
    aggregations = {str(number): {"filter": query.query} for number, query in queries.items()}
    return CountSearch(queries, {"size": 0, "query": {"bool": {"filter": common}}, "aggs": aggregations})


_ALL = (TimeSpan(None, None),)


def _hull(spans: Sequence[TimeSpan]) -> TimeSpan:
    """Return the span that all spans lie in."""
    starts, ends = [span.start for span in spans], [span.end for span in spans]
    return TimeSpan(
        None if None in starts else min(start for start in starts if start is not None),
        None if None in ends else max(end for end in ends if end is not None),
    )
