"""Events by time: pages of what a query in KQL or EQL finds, with how many there are over time.

A page is asked for by what stands before or behind it, so that it is exact however deep it lies, and while new
events arrive. Sequences, samples and pipes of EQL yield groups or events that are paged by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tocsin.ecs import TIMESTAMP, FieldType
from tocsin.eql import syntax as s
from tocsin.errors import QueryError, TocsinError, UnsupportedError
from tocsin.investigation.processes.process_events import EVENTS
from tocsin.kql.read import read_kql
from tocsin.moments import DAY, HOUR, MINUTE, SECOND, iso
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query
from tocsin.search.eql import EqlRequest, event_condition, read_eql, search_eql
from tocsin.search.hits import MOST_HITS, context_of, read_search, run_search
from tocsin.search.selection import Clock, known_patterns
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.events import ID, EventReader

EVENTS_AND_ALERTS = (*EVENTS, ALERTS_INDEX)
LANGUAGES = ("kql", "eql")
# How long the span of a bar may be; the first is taken with which a histogram has no more bars than `_MOST_BARS`.
_SPANS: tuple[tuple[str, int], ...] = (
    ("1s", SECOND), ("5s", 5 * SECOND), ("30s", 30 * SECOND), ("1m", MINUTE), ("5m", 5 * MINUTE),
    ("15m", 15 * MINUTE), ("30m", 30 * MINUTE), ("1h", HOUR), ("3h", 3 * HOUR), ("12h", 12 * HOUR), ("1d", DAY),
    ("7d", 7 * DAY), ("30d", 30 * DAY), ("365d", 365 * DAY),
)  # fmt: skip
_MOST_BARS = 100
_Hit = Mapping[str, Any]


@dataclass(frozen=True)
class TimelineQuery:
    """Which events: a query's text and language, of which indices, between which moments (ns, end excluded)."""

    text: str = ""
    language: str = "kql"
    patterns: Sequence[str] = EVENTS_AND_ALERTS
    since: int | None = None
    until: int | None = None

    def narrowed(self, after: Sequence[Any] | None, *, newest_first: bool) -> TimelineQuery:
        """Return the query with the bound of time that events behind some keys lie in: less is read."""
        if after is None:
            return self
        at = int(after[0])
        if newest_first:
            return replace(self, until=at + 1 if self.until is None else min(self.until, at + 1))
        return replace(self, since=at if self.since is None else max(self.since, at))


@dataclass(frozen=True)
class TimelineTask:
    """A page of events as JSON: `events`, or `groups` of them, each with `fields`, and its `sort` keys.

    `after` are the sort keys of the event that stands before the page; with `backwards` of that behind it. `page`
    counts from 1, for what has no sort keys. With `counted` there are also `total`, which is exact unless
    `complete` is false, and a `histogram`; with `whole` each event has its document (`source`). A query that
    cannot be read is a `problem` with its place.
    """

    query: TimelineQuery
    fields: Sequence[str]
    size: int
    newest_first: bool = True
    after: Sequence[Any] | None = None
    backwards: bool = False
    page: int = 1
    counted: bool = True
    whole: bool = False

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the page. Raises TocsinError for what is wrong with anything but the query."""
        patterns = known_patterns(reader, self.query.patterns, lenient=True)
        context = context_of(reader, patterns)
        try:
            condition, eql = self._condition(context)
        except (QueryError, UnsupportedError) as error:
            return orjson.dumps({"problem": _problem(error, self.query.text)})
        if eql is not None:
            answer = self._groups(reader, patterns, eql, context, clock)
        else:
            answer = self._events(reader, patterns, condition, context, clock)
        dates = [n for n in self.fields if (f := context.schema.find(n)) is not None and f.type is FieldType.DATE]
        return orjson.dumps({**answer, "dates": dates}, default=str)

    def _condition(self, context: Context) -> tuple[s.Expression, EqlRequest | None]:
        """Return what events must meet, or the search in EQL that yields more than single events."""
        within = self._within()
        if self.query.language == "eql" and self.query.text.strip():
            body = {"query": self.query.text, "filter": within, "size": self.size, "fields": list(self.fields)}
            position = "tail" if self.newest_first else "head"
            eql = read_eql({**body, "result_position": position}, context)
            condition = event_condition(eql)
            return (s.Literal(True), eql) if condition is None else (condition, None)
        # The query stands as it is: its places are those of the text that was written.
        text = self.query.text if self.query.language == "kql" else ""
        return s.And((read_query(within, context), read_kql(text, context))), None

    def _within(self) -> dict[str, Any]:
        query = self.query
        if not self.counted:  # a total needs all
            query = query.narrowed(self.after, newest_first=self.newest_first != self.backwards)
        bounds = (("gte", query.since), ("lt", query.until))
        limits = {name: iso(at, 9) for name, at in bounds if at is not None}
        return {"range": {TIMESTAMP: limits}} if limits else {"match_all": {}}

    def _events(
        self,
        reader: EventReader,
        patterns: Sequence[str],
        condition: s.Expression,
        context: Context,
        clock: Clock,
    ) -> dict[str, Any]:
        descending = self.newest_first != self.backwards
        order = "desc" if descending else "asc"
        span = _span(reader, patterns, self.query) if self.counted else ""
        body: dict[str, Any] = {
            "size": self.size + 1, "fields": list(self.fields), "_source": self.whole,
            # Events of one moment stand in the order of their ids, so that each has its place.
            "sort": [
                {TIMESTAMP: {"order": order, "numeric_type": "date_nanos"}}, {ID: order}, {"_index": order},
            ],
            "search_after": None if self.after is None else list(self.after),
            "aggs": _over_time(span) if span else {},
        }  # fmt: skip
        request = replace(read_search(body, context), condition=condition)
        answer = run_search(reader, patterns, request, context.schema, clock)
        hits = [_event(hit) for hit in answer.hits[: self.size]]
        further = len(answer.hits) > self.size
        shown: dict[str, Any] = {
            "events": hits[::-1] if self.backwards else hits,
            "has_next": self.after is not None if self.backwards else further,
            "has_previous": further if self.backwards else self.after is not None,
        }
        if self.counted:
            buckets = answer.aggregations["over_time"]["buckets"] if span else []
            bars = [[bucket["key"], bucket["doc_count"]] for bucket in buckets]
            shown |= {"total": answer.total, "complete": True, "histogram": {"span": span, "bars": bars}}
        return shown

    def _groups(
        self, reader: EventReader, patterns: Sequence[str], eql: EqlRequest, context: Context, clock: Clock
    ) -> dict[str, Any]:
        """Return sequences, or the events that pipes let through, the newest first where that is asked for."""
        skip = min(self.size * (self.page - 1), MOST_HITS - self.size)
        answer = search_eql(reader, patterns, replace(eql, skip=skip), context.schema, clock)
        hits = answer.hits[::-1] if self.newest_first else answer.hits
        shown: dict[str, Any] = {
            "total": answer.matches, "complete": answer.complete, "has_previous": self.page > 1,
            "has_next": skip + len(hits) < min(answer.matches, MOST_HITS),
        }  # fmt: skip
        if isinstance(eql.statement.query, s.EventQuery):
            return {**shown, "events": [self._eql_event(hit) for hit in hits], "piped": True}
        groups = [
            {"keys": hit["join_keys"], "events": [self._eql_event(event) for event in hit["events"]]}
            for hit in hits
        ]
        return {**shown, "groups": groups}

    def _eql_event(self, hit: _Hit) -> dict[str, Any]:
        event = _event(hit)
        if not self.whole:
            event.pop("source", None)
        return event | ({"missing": True} if hit.get("missing") else {})


def _event(hit: _Hit) -> dict[str, Any]:
    event = {"index": hit["_index"], "id": hit["_id"], "fields": hit.get("fields", {}), "sort": hit.get("sort")}
    return event | ({"source": hit["_source"]} if "_source" in hit else {})


def _over_time(span: str) -> dict[str, Any]:
    return {"over_time": {"date_histogram": {"field": TIMESTAMP, "fixed_interval": span, "min_doc_count": 1}}}


def _span(reader: EventReader, patterns: Sequence[str], query: TimelineQuery) -> str:
    """Return how long the span of a bar is: by a query's bounds, where it has none by those of the indices."""
    indices = reader.indices(patterns)
    firsts = [index.first for index in indices if index.first is not None]
    lasts = [index.last for index in indices if index.last is not None]
    if not firsts or not lasts:
        return ""
    since = min(firsts) if query.since is None else query.since
    until = max(lasts) if query.until is None else query.until
    return next((name for name, length in _SPANS if (until - since) / length <= _MOST_BARS), _SPANS[-1][0])


def span_length(span: str) -> int:
    """Return how long the span of a bar is, in nanoseconds."""
    return dict(_SPANS)[span]


def _problem(error: TocsinError, text: str) -> dict[str, Any]:
    """Return what is wrong with a query: the message, a hint, and its line with a mark below the place."""
    marked: list[str] = []
    lines = text.splitlines()
    if error.place is not None and 0 < error.place.line <= len(lines):
        width = max(1, error.place.end - error.place.column)
        marked = [lines[error.place.line - 1], " " * (error.place.column - 1) + "^" * width]
    place = None if error.place is None else {"line": error.place.line, "column": error.place.column}
    return {"message": error.message, "hint": error.hint, "place": place, "marked": marked}
