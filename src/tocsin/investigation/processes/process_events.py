"""Events of processes in the store: those that a process tree asks for, and how many there are of each kind."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from tocsin.investigation.processes.host_events import (
    ENTITY,
    PARENT_ENTITY,
    PARENT_PID,
    PID,
    HostEvents,
    KindEvents,
    spellings,
)
from tocsin.investigation.processes.process_tree import Node, Span, process_tree
from tocsin.investigation.processes.processes import SECOND, Process, Row, is_end, is_start, moment_of, process_of
from tocsin.investigation.processes.windows_executables import remarks
from tocsin.moments import iso
from tocsin.search.selection import Clock
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.events import EventReader

EVENTS = ("*", "-.*")  # indices of events, wherever an alert lies
_Query = dict[str, Any]
STARTS: list[_Query] = [{"term": {"event.category": "process"}}, {"term": {"event.type": "start"}}]
_DAY = 86_400 * SECOND
COUNTED_AROUND = _DAY  # before and after an alert, in which events of processes are counted
_NEAR = 60 * SECOND  # of the moment that an id of Sysmon's holds
_BESIDE = 600 * SECOND  # what started about then is read with it: the services of Windows start together
_BEFORE = 7 * _DAY  # a process, in which its parent is looked for
_LONG = 400 * _DAY  # no process of Windows lives longer than that between two updates
_IS_DNS = {"bool": {"should": [{"exists": {"field": "dns.question.name"}}, {"term": {"event.category": "dns"}}]}}
_HAS_ENTITY: _Query = {"exists": {"field": "process.entity_id"}}
_IS_ALERT = {"exists": {"field": "kibana.alert.uuid"}}


def _category(name: str) -> _Query:
    return {"bool": {"filter": [{"term": {"event.category": name}}], "must_not": [_IS_ALERT]}}


# Kinds of events of a process, and what its events must meet. Questions for names are of the network too: so their
# category says, and so queries of guides count them.
KINDS: Mapping[str, _Query] = {
    "network": _category("network"),
    "files": _category("file"),
    "registry": _category("registry"),
    "dns": {"bool": {"filter": [_IS_DNS], "must_not": [_IS_ALERT]}},
    "libraries": _category("library"),
    "alerts": {
        "bool": {"filter": [_IS_ALERT], "must_not": [{"exists": {"field": "kibana.alert.building_block_type"}}]}
    },
}


def around(moment: int) -> Span:
    """Return the span around an alert in which events of its processes are counted."""
    return moment - COUNTED_AROUND, moment + COUNTED_AROUND


def events_of(process: Process, span: Span | None = None) -> _Query:
    """Return the query for the events of a process within a span, in Elasticsearch's query language.

    Events without an entity id are those of its host and pid between its start and its end.
    """
    either = list(filter(None, (_named(process), _by_pid(process))))
    if not either:
        return {"match_none": {}}
    within: list[_Query] = []
    if process.host:
        within.append({"terms": {"host.name": spellings(process.host)}})
    if span is not None:
        within.append({"range": {"@timestamp": {"gte": iso(max(0, span[0])), "lte": iso(span[1])}}})
    elif process.start is not None:
        within.append({"range": {"@timestamp": {"gte": iso(process.start - SECOND)}}})
    return {"bool": {"filter": within, "should": either, "minimum_should_match": 1}}


def _named(process: Process) -> _Query | None:
    return {"term": {"process.entity_id": process.entity_id}} if process.entity_id else None


def _by_pid(process: Process) -> _Query | None:
    if process.pid is None or process.start is None:
        return None
    life = {"gte": iso(process.start - SECOND)}
    if process.end is not None:
        life["lte"] = iso(process.end + SECOND)
    happened: _Query = {
        "bool": {
            "should": [
                {"bool": {"filter": [{"range": {"@timestamp": life}}], "must_not": [_IS_ALERT]}},
                {"range": {"kibana.alert.original_time": life}},
            ],
            "minimum_should_match": 1,
        }
    }
    own: list[_Query] = [{"term": {"process.pid": process.pid}}, happened]
    return {"bool": {"filter": own, "must_not": [{"exists": {"field": "process.entity_id"}}]}}


@dataclass(frozen=True)
class TreeTask:
    """The process tree of an event as JSON: `nodes`, each with its process, counts and remarks; what was cut.

    A parent is looked for when its entity id says it started, else in the day before; `further` looks for one that
    has a pid alone in the seven days before, and for one with an entity id as far back as there are events.
    """

    event: Row
    further: bool = False

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the tree. Raises TocsinError."""
        moment = moment_of(self.event) or 0
        store = StoredProcessEvents(reader, clock, process_of(self.event).host, moment, further=self.further)
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
    """Events of a host's processes in a store, over all indices of events, around a moment.

    What lies about the moment is read once. What a parent further back needs is read when it is asked for: where
    its entity id says when it started, else `further` only.
    """

    def __init__(
        self, reader: EventReader, clock: Clock, host: str, moment: int, *, further: bool = False
    ) -> None:
        self._events = HostEvents(reader, clock, host, (*EVENTS, ALERTS_INDEX), KINDS)
        self._events.load(around(moment))
        self._further, self._since = further, moment - (_BEFORE if further else COUNTED_AROUND)

    def by_entity(self, host: str, entity_ids: Collection[str], before: int | None) -> list[Row]:
        """Return starts and ends of some entity ids, near their start where the ids say when that was."""
        for read in (None, *self._readings(entity_ids, before)):
            if read is not None:
                read()
            rows = self._events.rows(self._events.places(ENTITY, entity_ids))
            if any(map(is_start, rows)):
                return rows
        return rows

    def _readings(self, entity_ids: Collection[str], before: int | None) -> Sequence[Any]:
        """Return what reads more and more events, until there is a start of the entity ids."""
        starts = [start for id_ in entity_ids if (start := started_at(id_)) is not None]
        events, readings = self._events, list[Any]()
        if len(starts) == len(entity_ids) and before is not None:
            first, last = min(starts), max(starts)
            if 0 <= before + _NEAR - first < _LONG:
                readings.append(lambda: events.load((first - _BESIDE, last + _BESIDE), counting=False))
                readings.append(lambda: events.load_entities(entity_ids, (first - _NEAR, last + _NEAR)))
        if self._further:
            if before is not None:
                readings.append(lambda: events.load((before - _BEFORE, before), counting=False))
            readings.append(lambda: events.load_entities(entity_ids, (0, (before or _FAR) + _DAY)))
        return readings

    def by_pid(self, host: str, pids: Collection[int], span: Span) -> list[Row]:
        """Return the starts and ends of some pids of the host within a span."""
        self._load(span)
        return self._events.rows(self._events.places(PID, pids, span))

    def children(self, parents: Sequence[Process], span: Span, most: int) -> tuple[list[Row], int]:
        """Return the earliest starts whose parent may be one of some processes, and how many there are."""
        self._load(span)
        entities = {parent.entity_id for parent in parents if parent.entity_id}
        pids = {parent.pid for parent in parents if parent.pid is not None}
        named = self._events.places(PARENT_ENTITY, entities, span)
        # What names its parent by entity id is not asked for by pid.
        by_pid = self._events.places(PARENT_PID, pids, span)
        if entities:
            by_pid -= self._events.with_field(PARENT_ENTITY)
        rows = [row for row in self._events.rows(named | by_pid) if is_start(row)]
        return rows[:most], len(rows)

    def _load(self, span: Span) -> None:
        if (since := max(span[0], self._since)) <= span[1]:
            self._events.load((since, span[1]), counting=False)

    def activity(self, processes: Sequence[Process]) -> list[Activity]:
        """Return what each process did about the moment, alerts of it among its events."""
        by_entity: dict[str, Counter[str]] = defaultdict(Counter)
        by_pid: dict[str, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
        for events in self._events.counted:
            _count(events, by_entity, by_pid[events.kind])
        for times in (times for pids in by_pid.values() for times in pids.values()):
            times.sort()
        ids = {process.entity_id for process in processes if process.entity_id}
        ends: dict[str, str] = {}
        for row in self._events.rows(self._events.places(ENTITY, ids)):
            if is_end(row):
                ends[process_of(row).entity_id] = iso(moment_of(row) or 0)
        return [
            Activity(_counts(process, by_entity, by_pid), ends.get(process.entity_id)) for process in processes
        ]


_FAR = 1 << 62


def _count(events: KindEvents, by_entity: dict[str, Counter[str]], by_pid: dict[Any, list[int]]) -> None:
    for entity, pid, time in zip(events.entities, events.pids, events.times.tolist(), strict=True):
        if entity:
            by_entity[entity][events.kind] += 1
        elif pid is not None:
            by_pid[pid].append(time)


def _counts(
    process: Process, by_entity: Mapping[str, Counter[str]], by_pid: Mapping[str, Mapping[Any, list[int]]]
) -> dict[str, int]:
    """Return how many events of each kind a process has: see `events_of`."""
    own = by_entity.get(process.entity_id, Counter()) if process.entity_id else Counter()
    counts: dict[str, int] = {}
    for kind in KINDS:
        count = own[kind]
        times = by_pid.get(kind, {}).get(process.pid)
        if times and process.start is not None:
            last = len(times) if process.end is None else bisect_right(times, process.end + SECOND)
            count += max(0, last - bisect_left(times, process.start - SECOND))
        if count:
            counts[kind] = count
    return counts


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
