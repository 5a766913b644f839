"""EQL over the event store, asked and answered as Elasticsearch's `_eql/search` is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson

from tocsin.detection.compile import narrowed
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.sequences import Match, SequenceSearch
from tocsin.ecs import CATEGORY, TIMESTAMP, Schema
from tocsin.engine.candidates import TIEBREAKER
from tocsin.engine.graph import compile_queries, step_conditions
from tocsin.engine.pipes import Hit, apply_pipes, pipe_fields
from tocsin.eql import syntax as s
from tocsin.eql.compile import read
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query
from tocsin.rules.model import Rule
from tocsin.search.documents import FieldAsked, fields_of
from tocsin.search.errors import SearchError
from tocsin.search.hits import MOST_HITS, read_fields
from tocsin.search.selection import Clock, matching_rows, select
from tocsin.search.sorting import FieldSortKey, SortedEvent, TopRows
from tocsin.sources.batch import EventBatch, RawEvent
from tocsin.store.events import EventReader, StoredBatch

_KNOWN = frozenset(
    {
        "query",
        "filter",
        "fields",
        "size",
        "fetch_size",
        "timestamp_field",
        "tiebreaker_field",
        "event_category_field",
        "result_position",
        "case_sensitive",
        "runtime_mappings",
        "wait_for_completion_timeout",
        "keep_on_completion",
        "keep_alive",
        "max_samples_per_key",
        "allow_partial_search_results",
        "allow_partial_sequence_results",
        "project_routing",
    }
)
_MOST_PIPED = 200_000  # events that go through pipes other than head and tail


@dataclass(frozen=True)
class EqlRequest:
    """An EQL search, read and checked."""

    statement: s.Statement
    condition: s.Expression  # of the filter
    size: int = 10
    tail: bool = True
    timestamp: str = TIMESTAMP
    tiebreaker: str = TIEBREAKER
    category: str = CATEGORY
    fields: tuple[FieldAsked, ...] = ()
    samples: int = 1  # of a key
    skip: int = 0  # matches that stand before the first, where the search is paged


@dataclass(frozen=True)
class EqlMatches:
    """What an EQL search matched: events or sequences as hits, of one page, and how many there are in all.

    Where the first ones are asked for, there may be more than `matches`: `complete` is false.
    """

    hits: list[dict[str, Any]]
    matches: int
    complete: bool = True


def read_eql(body: Mapping[str, Any], context: Context) -> EqlRequest:
    """Return an EQL search. Raises SearchError or QueryError."""
    unknown = sorted(set(body) - _KNOWN)
    if unknown:
        raise SearchError(f"[eql_search] unknown field [{unknown[0]}]")
    if body.get("runtime_mappings"):
        raise SearchError("[runtime_mappings] is not possible")
    text = body.get("query")
    if not isinstance(text, str):
        raise SearchError("[query] is missing, or no text")
    size = body.get("size", 10)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MOST_HITS:
        raise SearchError(f"[size] is a whole number from 0 to {MOST_HITS}")
    samples = _whole(body, "max_samples_per_key", 1, least=1)
    _whole(body, "fetch_size", 1_000, least=2)  # how Elasticsearch pages; the answer does not depend on it
    position = body.get("result_position", "tail")
    if position not in ("head", "tail"):
        raise SearchError("[result_position] is head or tail")
    names = {}
    for key, default in (
        ("timestamp_field", TIMESTAMP),
        ("tiebreaker_field", TIEBREAKER),
        ("event_category_field", CATEGORY),
    ):
        value = body.get(key) or default
        if not isinstance(value, str):
            raise SearchError(f"[{key}] is a name")
        names[key] = value
    statement = read(text, context.schema)
    if any(pipe.name == "count" for pipe in statement.pipes):
        raise SearchError("`| count` yields numbers, not events", hint="use an aggregation of `_search`")
    fields = read_fields(body.get("fields"))
    return EqlRequest(
        statement,
        read_query(body.get("filter"), context),
        size,
        position == "tail",
        names["timestamp_field"],
        names["tiebreaker_field"],
        names["event_category_field"],
        fields,
        samples,
    )


def _whole(body: Mapping[str, Any], name: str, default: int, least: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SearchError(f"[{name}] is a whole number of {least} or more, not {value!r}")
    return value


def run_eql(
    store: EventReader,
    patterns: Sequence[str],
    request: EqlRequest,
    schema: Schema,
    clock: Clock,
    *,
    parsed: bool = False,
) -> dict[str, Any]:
    """Return the `hits` of an EQL search's answer."""
    hits = search_eql(store, patterns, request, schema, clock, parsed=parsed).hits
    kind = "events" if isinstance(request.statement.query, s.EventQuery) else "sequences"
    return {"total": {"value": len(hits), "relation": "eq"}, kind: hits}


def search_eql(
    store: EventReader,
    patterns: Sequence[str],
    request: EqlRequest,
    schema: Schema,
    clock: Clock,
    *,
    parsed: bool = False,
) -> EqlMatches:
    """Run an EQL search. Only the documents of hits are read."""
    if not isinstance(request.statement.query, s.EventQuery):
        return _sequences(store, patterns, request, schema, clock, parsed=parsed)
    documents, matches = _events(store, patterns, request, schema, clock)
    events = [_shown(document, request, schema, parsed=parsed) for document in documents]
    return EqlMatches(events, matches)


def event_condition(request: EqlRequest) -> s.Expression | None:
    """Return what the events must meet that a search is for, None for sequences, samples and pipes."""
    query = request.statement.query
    if request.statement.pipes or not isinstance(query, s.EventQuery):
        return None
    return _condition(request, query)


def _shown(event: tuple[str, str, bytes], request: EqlRequest, schema: Schema, *, parsed: bool) -> dict[str, Any]:
    index, id_, source = event
    document = orjson.loads(source) if parsed else orjson.Fragment(source)
    shown = {"_index": index, "_id": id_, "_source": document}
    if request.fields:
        shown["fields"] = fields_of(source, request.fields, schema)
    return shown


# ---- event queries


def _events(
    store: EventReader, patterns: Sequence[str], request: EqlRequest, schema: Schema, clock: Clock
) -> tuple[list[tuple[str, str, bytes]], int]:
    query = request.statement.query
    assert isinstance(query, s.EventQuery)
    condition = _condition(request, query)
    pipes = list(request.statement.pipes)
    limits = [(pipe.name, _number(pipe)) for pipe in pipes if pipe.name in ("head", "tail")]
    if len(limits) < len(pipes):
        return _piped(store, patterns, request, condition, schema, clock)
    # The first pipe decides from which end events are taken; without one the position does.
    first, most = limits[0] if limits else ("tail" if request.tail else "head", request.size + request.skip)
    top = TopRows(_order(request, backwards=first == "tail"), min(most, MOST_HITS))
    fields = {request.timestamp, request.tiebreaker}
    for batch, table, rows in matching_rows(store, patterns, condition, fields, schema, clock):
        top.collect(batch, table, rows)
    events = top.sorted_events()
    if first == "tail":
        events.reverse()
    for name, number in limits[1:]:
        events = events[:number] if name == "head" else events[max(0, len(events) - number) :]
    return top.documents(_page(events, request)), len(events)


def _condition(request: EqlRequest, query: s.EventQuery) -> s.Expression:
    rule = CompiledRule(_rule(request), request.statement).keyed_query(any_index=True)
    return s.And((*step_conditions(rule, query), request.condition))


def _page(events: list[SortedEvent], request: EqlRequest) -> list[SortedEvent]:
    """Return those events, in order of time, that are asked for: from the end, or from the beginning."""
    if not request.tail:
        return events[request.skip : request.skip + request.size]
    end = max(0, len(events) - request.skip)
    return events[max(0, end - request.size) : end]


def _order(request: EqlRequest, *, backwards: bool) -> tuple[FieldSortKey, ...]:
    # Events without a tiebreaker come behind those with one at the same moment.
    return (
        FieldSortKey(request.timestamp, backwards, missing_first=False),
        FieldSortKey(request.tiebreaker, backwards, missing_first=backwards),
    )


def _piped(
    store: EventReader,
    patterns: Sequence[str],
    request: EqlRequest,
    condition: s.Expression,
    schema: Schema,
    clock: Clock,
) -> tuple[list[tuple[str, str, bytes]], int]:
    """Send events through python-eql's pipes, which have to see all of them."""
    top = TopRows(_order(request, backwards=False), _MOST_PIPED + 1)
    names = pipe_fields(request.statement.pipes)
    fields = {request.timestamp, request.tiebreaker, *names}
    values: dict[tuple[int, int], dict[str, Any]] = {}
    for number, (batch, table, rows) in enumerate(
        matching_rows(store, patterns, condition, fields, schema, clock), 1
    ):
        top.collect(batch, table, rows)
        if len(values) + len(rows) > _MOST_PIPED:
            raise SearchError(
                f"more than {_MOST_PIPED:,} events go into a pipe", hint="narrow the query, or use head"
            )
        columns = {name: table.raw(name) for name in names}
        listed = {n: c.take(rows).to_pylist() for n, c in columns.items() if c is not None}
        for place, row in enumerate(rows.tolist()):
            values[number, row] = {name: column[place] for name, column in listed.items()}
    hits = [Hit(event, values[event.batch, event.row]) for event in top.sorted_events()]
    piped: list[SortedEvent] = [hit.event for hit in apply_pipes(request.statement.pipes, hits, schema)]
    return top.documents(_page(piped, request)), len(piped)


def _number(pipe: s.Pipe) -> int:
    argument = pipe.arguments[0]
    return int(argument.value) if isinstance(argument, s.Literal) and isinstance(argument.value, int) else 0


def _rule(request: EqlRequest) -> Rule:
    return Rule(
        rule_id="query",
        name="query",
        type="eql",
        severity="low",
        risk_score=0,
        timestamp_field=request.timestamp,
        tiebreaker_field=request.tiebreaker,
        event_category_override=None if request.category == CATEGORY else request.category,
    )


# ---- sequences and samples


def _sequences(
    store: EventReader,
    patterns: Sequence[str],
    request: EqlRequest,
    schema: Schema,
    clock: Clock,
    *,
    parsed: bool,
) -> EqlMatches:
    ready = CompiledRule(_rule(request), narrowed(request.statement, request.condition))
    program = compile_queries([ready.keyed_query(any_index=True)])
    places: list[StoredBatch] = []
    search = SequenceSearch([ready], samples=request.samples)
    narrowing = request.condition  # the bounds of one step need not hold for another
    for selected in select(store, patterns, program, narrowing, ready.joining_fields, schema, clock):
        places.append(replace(selected.batch, columns={}))  # its columns are not needed again
        number = len(places) - 1

        def raw(row: int, number: int = number) -> RawEvent:
            return RawEvent(orjson.dumps((number, row)), "", orjson.loads)

        search.add(EventBatch(selected.table, raw, {}), selected.rows)
    matches, number, complete = _chosen(search.matches("query"), request)
    places_of_matches = [[_place(event) for event in match.events] for match in matches]
    documents = _documents(
        places, {place for match_places in places_of_matches for place in match_places if place is not None}
    )
    search.close()
    missing = {"_index": "", "_id": "", "_source": {}, "missing": True}
    sequences = [
        {
            "join_keys": list(match.keys),
            "events": [
                missing if place is None else _shown(documents[place], request, schema, parsed=parsed)
                for place in match_places
            ],
        }
        for match, match_places in zip(matches, places_of_matches, strict=True)
    ]
    return EqlMatches(sequences, number, complete)


def _chosen(matches: Iterator[Match], request: EqlRequest) -> tuple[list[Match], int, bool]:
    """Return the matches that are asked for, how many there are, and whether these are all."""
    # Samples are in order of their keys, not of time: Elasticsearch keeps the first, whatever the position.
    if request.tail and not isinstance(request.statement.query, s.Sample):
        last: deque[Match] = deque(maxlen=request.size + request.skip)
        number = 0
        for match in matches:
            last.append(match)
            number += 1
        return list(last)[: max(0, len(last) - request.skip)], number, True
    first = list(islice(matches, request.skip, request.skip + request.size + 1))
    return first[: request.size], request.skip + len(first), len(first) <= request.size


def _place(event: RawEvent | None) -> tuple[int, int] | None:
    if event is None:
        return None
    number, row = orjson.loads(event.content)
    return number, row


def _documents(
    places: Sequence[StoredBatch], wanted: set[tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, str, bytes]]:
    of_batch: dict[int, list[int]] = {}
    for number, row in sorted(wanted):
        of_batch.setdefault(number, []).append(row)
    documents = {}
    for number, rows in of_batch.items():
        batch = places[number]
        for row, id_, source in zip(rows, batch.ids(rows), batch.sources(rows), strict=True):
            documents[number, row] = (batch.index_of(row), id_, source)
    return documents
