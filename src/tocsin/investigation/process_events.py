"""Events of processes in the store: those that a process tree asks for, and how many there are of each kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from tocsin.investigation.process_tree import Node, Span, process_tree
from tocsin.investigation.processes import PROCESS_FIELDS, SECOND, Process, Row
from tocsin.investigation.windows_executables import remarks
from tocsin.moments import iso
from tocsin.query_dsl.context import Context
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.selection import Clock
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.events import EventReader

EVENTS = ("*", "-.*")  # indices of events, wherever an alert lies
_Query = dict[str, Any]
_ENDS: list[_Query] = [{"term": {"event.category": "process"}}, {"term": {"event.type": "end"}}]
_STARTS_AND_ENDS: list[_Query] = [
    {"term": {"event.category": "process"}},
    {"terms": {"event.type": ["start", "end"]}},
]
STARTS: list[_Query] = [{"term": {"event.category": "process"}}, {"term": {"event.type": "start"}}]
_MOST_ROWS = 1_000
_MILLISECOND = 1_000_000
_NEAR = 60 * SECOND  # of the moment that an id of Sysmon's holds
_LONG = 400 * 86_400 * SECOND  # no process of Windows lives longer than that between two updates
_DAY = 86_400 * SECOND
_IS_DNS = {"bool": {"should": [{"exists": {"field": "dns.question.name"}}, {"term": {"event.category": "dns"}}]}}
_HAS_ENTITY: _Query = {"exists": {"field": "process.entity_id"}}
_IS_ALERT = {"exists": {"field": "kibana.alert.uuid"}}


def _category(name: str, *without: _Query) -> _Query:
    return {"bool": {"filter": [{"term": {"event.category": name}}], "must_not": [_IS_ALERT, *without]}}


# Kinds of events of a process, and what its events must meet.
KINDS: Mapping[str, _Query] = {
    "network": _category("network", _IS_DNS),
    "files": _category("file"),
    "registry": _category("registry"),
    "dns": {"bool": {"filter": [_IS_DNS], "must_not": [_IS_ALERT]}},
    "libraries": _category("library"),
    "alerts": {
        "bool": {"filter": [_IS_ALERT], "must_not": [{"exists": {"field": "kibana.alert.building_block_type"}}]}
    },
}


def events_of(process: Process) -> _Query:
    """Return the query for the events of a process, in Elasticsearch's query language.

    Events without an entity id are those of its host and pid between its start and its end.
    """
    either = list(filter(None, (_named(process), _by_pid(process))))
    return {"bool": {"should": either, "minimum_should_match": 1}} if either else {"match_none": {}}


def _named(process: Process) -> _Query | None:
    if not process.entity_id:
        return None
    began = [] if process.start is None else [{"range": {"@timestamp": {"gte": iso(process.start - SECOND)}}}]
    return {"bool": {"filter": [{"term": {"process.entity_id": process.entity_id}}, *began]}}


def _by_pid(process: Process) -> _Query | None:
    if process.pid is None or process.start is None:
        return None
    life = {"gte": iso(process.start - SECOND)}
    if process.end is not None:
        life["lte"] = iso(process.end + SECOND)
    own: list[_Query] = [
        {"term": {"host.name": process.host}},
        {"term": {"process.pid": process.pid}},
        {"range": {"@timestamp": life}},
    ]
    return {"bool": {"filter": own, "must_not": [_HAS_ENTITY]}}


@dataclass(frozen=True)
class TreeTask:
    """The process tree of an event as JSON: `nodes`, each with its process, counts and remarks; what was cut."""

    event: Row

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the tree. Raises TocsinError."""
        store = StoredProcessEvents(reader, clock)
        tree = process_tree(self.event, store)
        activity = store.activity([node.process for node in tree.nodes])
        nodes = [_node_document(node, own) for node, own in zip(tree.nodes, activity, strict=True)]
        return orjson.dumps({**asdict(tree), "nodes": nodes})


@dataclass(frozen=True)
class Activity:
    """What a process did: how many events of each kind there are, and when its end was recorded."""

    counts: Mapping[str, int]
    end: str | None = None


def _node_document(node: Node, activity: Activity) -> dict[str, Any]:
    process = node.process
    return {
        **asdict(process), "key": process.key, "relation": node.relation, "depth": node.depth,
        "counts": activity.counts,
        "remarks": [asdict(remark) for remark in remarks(process)],
        "start": None if process.start is None else iso(process.start),
        "end": activity.end or (None if process.end is None else iso(process.end)),
    }  # fmt: skip


class StoredProcessEvents:
    """Events of processes in a store, over all indices of events."""

    def __init__(self, reader: EventReader, clock: Clock) -> None:
        self._reader, self._clock = reader, clock
        self._contexts: dict[tuple[str, ...], Context] = {}

    def by_entity(self, host: str, entity_ids: Collection[str], before: int | None) -> list[Row]:
        """Return starts and ends of some entity ids, near their start; of all time if they are not there."""
        named = [*_STARTS_AND_ENDS, {"terms": {"process.entity_id": sorted(entity_ids)}}]
        for span in _spans(entity_ids, before):
            rows, _ = self._rows([*named, _within(span)], "desc", _MOST_ROWS)
            if rows:
                return rows
        return []

    def by_pid(self, host: str, pids: Collection[int], span: Span) -> list[Row]:
        """Return the latest starts and ends of some pids of a host within a span."""
        tests = [*_STARTS_AND_ENDS, {"term": {"host.name": host}}, {"terms": {"process.pid": sorted(pids)}}]
        return self._rows([*tests, _within(span)], "desc", _MOST_ROWS)[0]

    def children(self, parents: Sequence[Process], span: Span, most: int) -> tuple[list[Row], int]:
        """Return the earliest starts whose parent may be one of some processes, and how many there are."""
        entities = sorted({parent.entity_id for parent in parents if parent.entity_id})
        pids = sorted({parent.pid for parent in parents if parent.pid is not None})
        of_pids: _Query = {
            "filter": [{"term": {"host.name": parents[0].host}}, {"terms": {"process.parent.pid": pids}}]
        }
        if entities:  # what names its parent by entity id is not asked for by pid
            of_pids["must_not"] = [{"exists": {"field": "process.parent.entity_id"}}]
        either: list[_Query] = [{"bool": of_pids}] if pids else []
        if entities:
            either.append({"terms": {"process.parent.entity_id": entities}})
        tests = [*STARTS, _within(span), {"bool": {"should": either, "minimum_should_match": 1}}]
        return self._rows(tests, "asc", most)

    def activity(self, processes: Sequence[Process]) -> list[Activity]:
        """Return what each process did, alerts of it among its events; all by one search."""
        starts = [process.start for process in processes if process.start is not None]
        if not processes or not starts:
            return [Activity({}) for _ in processes]
        entities = sorted({process.entity_id for process in processes if process.entity_id})
        pids = sorted({process.pid for process in processes if process.pid is not None})
        of_pids = {
            "bool": {"filter": [{"term": {"host.name": processes[0].host}}, {"terms": {"process.pid": pids}}]}
        }
        query = {
            "bool": {
                "filter": [{"range": {"@timestamp": {"gte": iso(min(starts) - SECOND)}}}],
                "should": [{"terms": {"process.entity_id": entities}}, of_pids], "minimum_should_match": 1,
            }
        }  # fmt: skip
        # Kinds outside, processes inside: what a kind's events must meet is then asked once for all processes.
        of_entities = {"terms": {"field": "process.entity_id", "size": max(1, len(entities)), "include": entities}}
        last = {"time": {"max": {"field": "@timestamp"}}}
        end = {"bool": {"filter": _ENDS}}
        by_pid = {
            str(number): {
                "filter": own,
                "aggs": {"kinds": {"filters": {"filters": dict(KINDS)}}, "end": {"filter": end, "aggs": last}},
            }
            for number, process in enumerate(processes)
            if (own := _by_pid(process)) is not None
        }
        asked = {
            "kinds": {"filters": {"filters": dict(KINDS)}, "aggs": {"entities": of_entities}},
            "end": {"filter": end, "aggs": {"entities": {**of_entities, "aggs": last}}},
            "others": {"filter": {"bool": {"must_not": [_HAS_ENTITY]}}, "aggs": by_pid},
        }
        aggregations = self._search(
            (*EVENTS, ALERTS_INDEX), {"query": query, "size": 0, "aggs": asked}
        ).aggregations
        return [_activity(process, str(number), aggregations) for number, process in enumerate(processes)]

    def _rows(self, tests: Sequence[Mapping[str, Any]], order: str, most: int) -> tuple[list[Row], int]:
        results = self._search(
            EVENTS,
            {
                "query": {"bool": {"filter": list(tests)}}, "size": most, "sort": [{"@timestamp": order}],
                "_source": False, "fields": list(PROCESS_FIELDS),
            },
        )  # fmt: skip
        return [hit.get("fields", {}) for hit in results.hits], results.total

    def _search(self, patterns: tuple[str, ...], body: Mapping[str, Any]) -> Any:
        if patterns not in self._contexts:
            self._contexts[patterns] = context_of(self._reader, patterns)
        context = self._contexts[patterns]
        return run_search(
            self._reader, patterns, read_search(body, context), context.schema, self._clock, parsed=True
        )


def _activity(process: Process, number: str, aggregations: Mapping[str, Any]) -> Activity:
    """Return what a process did, from the events with its entity id and those that name its pid alone."""

    def named(buckets: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return next((bucket for bucket in buckets if process.entity_id and bucket["key"] == process.entity_id), {})

    other = aggregations["others"].get(number, {})
    counts = {
        kind: named(bucket["entities"]["buckets"]).get("doc_count", 0)
        + (other["kinds"]["buckets"][kind]["doc_count"] if other else 0)
        for kind, bucket in aggregations["kinds"]["buckets"].items()
    }
    ends = [named(aggregations["end"]["entities"]["buckets"]), other.get("end", {})]
    times = [end["time"]["value"] for end in ends if end and end["time"]["value"] is not None]
    return Activity(
        {kind: count for kind, count in counts.items() if count},
        iso(int(max(times)) * _MILLISECOND) if times else None,
    )


def _within(span: Span | None) -> _Query:
    if span is None:
        return {"match_all": {}}
    return {"range": {"@timestamp": {"gte": iso(max(0, span[0])), "lte": iso(span[1])}}}


def _spans(entity_ids: Collection[str], before: int | None) -> list[Span | None]:
    """Return the spans in which to look for the starts of entity ids, the smallest first; the last is all time."""
    if before is None:
        return [None]
    (only,) = entity_ids if len(entity_ids) == 1 else ("",)
    start = started_at(only)
    likely = (start - _NEAR, start + _NEAR) if start is not None and 0 <= before + _NEAR - start < _LONG else None
    return [*([likely] if likely else []), (before - _DAY, before + _DAY), None]


def started_at(entity_id: str) -> int | None:
    """Return when a process started whose id is a ProcessGuid of Sysmon's, in nanoseconds since 1970, else None.

    Its second and third group are that moment in seconds, the lower half first.
    """
    groups = entity_id.strip("{}").split("-")
    if [len(group) for group in groups] != [8, 4, 4, 4, 12]:
        return None
    try:
        return int(groups[2] + groups[1], 16) * SECOND
    except ValueError:
        return None
