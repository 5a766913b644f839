"""`_search`: which events, in which order, how much of each, and aggregations over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.addresses import number_of
from tocsin.date_formats import nanoseconds_of
from tocsin.ecs import FieldType, Schema
from tocsin.engine.graph import Target, compile_conditions
from tocsin.eql import syntax as s
from tocsin.eql.versions import version_key
from tocsin.kql.read import read_kql
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query
from tocsin.search.aggregation import Aggregation
from tocsin.search.aggregations import read_aggregations
from tocsin.search.documents import FieldAsked, HitForm, hits_of, read_format, read_sort, read_source
from tocsin.search.errors import SearchError
from tocsin.search.selection import Clock, matching_rows, select
from tocsin.search.sorting import FieldSortKey, TopRows, fields_of_keys
from tocsin.store.events import EventReader

MOST_HITS = 10_000  # `from` and `size` together, as Elasticsearch's `index.max_result_window`
_KNOWN = frozenset(
    {
        "query",
        "size",
        "from",
        "sort",
        "search_after",
        "_source",
        "fields",
        "docvalue_fields",
        "aggs",
        "aggregations",
        "track_total_hits",
        "timeout",
        "post_filter",
        "version",
        "seq_no_primary_term",
        "stored_fields",
        "track_scores",
        "explain",
        "highlight",
        "pit",
        "runtime_mappings",
        "min_score",
        "terminate_after",
        "indices_boost",
        "script_fields",
        "ext",
        "stats",
    }
)
_IMPOSSIBLE = ("runtime_mappings", "script_fields", "min_score")  # those that would change what is found


_MEETS, _LISTED = ("query", 0), ("post_filter", 0)  # what rows of a batch are found by


@dataclass(frozen=True)
class SearchRequest:
    """A search, read and checked. What meets `condition` is aggregated; hits meet `post_filter` as well."""

    condition: s.Expression
    size: int = 10
    start: int = 0
    form: HitForm = HitForm()
    after: tuple[Any, ...] | None = None
    aggregations: Mapping[str, Aggregation] = field(default_factory=dict)
    total: bool = True
    post_filter: s.Expression | None = None


def context_of(store: EventReader, patterns: Sequence[str]) -> Context:
    """Return what queries over some indices are read against."""
    return Context(store.schema(patterns), read_kql=read_kql)


def read_search(body: Mapping[str, Any], context: Context) -> SearchRequest:
    """Return a search. Raises SearchError or QueryError."""
    unknown = sorted(set(body) - _KNOWN)
    if unknown:
        raise SearchError(f"unknown key [{unknown[0]}] in a search")
    for name in _IMPOSSIBLE:
        if body.get(name):
            raise SearchError(f"[{name}] is not possible")
    size, start = _whole(body.get("size", 10), "size"), _whole(body.get("from", 0), "from")
    if size + start > MOST_HITS:
        raise SearchError(
            f"Result window is too large, from + size must be less than or equal to: [{MOST_HITS}]",
            hint="go on with search_after",
        )
    sort, scored = read_sort(body.get("sort"), context.schema)
    after = body.get("search_after")
    if after is not None and (not isinstance(after, list) or len(after) != len(sort)):
        raise SearchError(
            f"search_after has {len(after) if isinstance(after, list) else 1} values, sort has {len(sort)}"
        )
    condition = read_query(body.get("query"), context)
    listed = read_query(body["post_filter"], context) if body.get("post_filter") else None
    aggregations = read_aggregations(body.get("aggs") or body.get("aggregations") or {}, context)
    form = HitForm(
        sort,
        scored,
        read_source(body.get("_source", True)),
        read_fields(body.get("fields"), body.get("docvalue_fields")),
    )
    values = None if after is None else tuple(_after(v, key, context) for v, key in zip(after, sort, strict=True))
    total = body.get("track_total_hits", True) is not False
    return SearchRequest(condition, size, start, form, values, aggregations, total, listed)


def _whole(value: Any, name: str) -> int:
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SearchError(f"[{name}] is a whole number of 0 or more, not {value!r}")
    return value


def _after(value: Any, key: FieldSortKey, context: Context) -> Any:
    kind = context.type_of(key.field)
    if value is None:
        return None
    try:
        if kind is FieldType.DATE:
            if isinstance(value, str):
                return nanoseconds_of(value, key.format or context.format_of(key.field)) // key.unit
            return int(value)  # in the key's unit, as the sort values of hits are
        if kind is FieldType.LONG:
            return int(value)
        if kind is FieldType.DOUBLE:
            return float(value)
        if kind is FieldType.VERSION:
            return version_key(str(value))
        if kind is FieldType.IP:
            return number_of(str(value)).to_bytes(16)
    except (TypeError, ValueError, OverflowError):
        raise SearchError(f"[search_after]: {value!r} is no value of [{key.field}]") from None
    return value


def read_fields(*given: Any) -> tuple[FieldAsked, ...]:
    """Return the fields that are asked for. Raises SearchError."""
    asked = []
    for entry in (
        entry for fields in given if fields for entry in (fields if isinstance(fields, list) else [fields])
    ):
        name, format = (entry.get("field"), entry.get("format")) if isinstance(entry, dict) else (entry, None)
        if not isinstance(name, str):
            raise SearchError("[fields] is a list of names, or of objects with a [field]")
        asked.append(FieldAsked(name, None if format == "use_field_mapping" else read_format(format)))
    return tuple(asked)


@dataclass(frozen=True)
class SearchAnswer:
    """What a search found: how many events, the hits asked for, and the aggregations."""

    total: int
    hits: list[dict[str, Any]]
    aggregations: dict[str, Any]


def run_search(
    store: EventReader,
    patterns: Sequence[str],
    request: SearchRequest,
    schema: Schema,
    clock: Clock,
    *,
    parsed: bool = False,
) -> SearchAnswer:
    """Run a search."""
    top = TopRows(request.form.sort, request.start + request.size, request.after)
    collected = {name: aggregation.collect(schema) for name, aggregation in request.aggregations.items()}
    fields = fields_of_keys(request.form.sort)
    for aggregation in request.aggregations.values():
        fields |= aggregation.fields()
    targets: list[tuple[Target, s.Expression]] = [(_MEETS, request.condition)]
    if request.post_filter is not None:
        targets.append((_LISTED, s.And((request.condition, request.post_filter))))
    last, program = targets[-1][0], compile_conditions(targets)
    total = 0
    for selected in select(store, patterns, program, request.condition, fields, schema, clock):
        listed = selected.rows.get(last)
        if listed is not None:
            total += len(listed)
            top.collect(selected.batch, selected.table, listed)
        for collector in collected.values():
            collector.take(selected.batch, selected.table, selected.rows[_MEETS])
    events = top.sorted_events()[request.start :]
    hits = hits_of(top, events, request.form, schema, parsed=parsed)
    return SearchAnswer(
        total, hits, {name: collector.answer(parsed=parsed) for name, collector in collected.items()}
    )


def count(
    store: EventReader, patterns: Sequence[str], condition: s.Expression, schema: Schema, clock: Clock
) -> int:
    """Return how many events meet a condition."""
    return sum(len(rows) for *_, rows in matching_rows(store, patterns, condition, (), schema, clock))
