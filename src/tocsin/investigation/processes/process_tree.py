"""The processes around an alert: its process, what started it, what that started beside it, and what it started.

A process is known by its entity id. Where a source has none, it is the one that had a pid on its host at a time:
pids are given again, so a start after the child's, an end before it, and another program's name rule one out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tocsin.investigation.processes.processes import (
    SECOND,
    Process,
    Row,
    is_same_start,
    moment_of,
    parent_in,
    process_of,
    processes_of,
    same_name,
)

Span = tuple[int, int]  # nanoseconds since 1970, the end included
_HOUR = 3_600 * SECOND
MOST_GENERATIONS = 12  # up; a chain that is longer than that is one of processes that start themselves again
MOST_DEPTH = 6  # down
MOST_SIBLINGS = 20
MOST_DESCENDANTS = 200
_BESIDE = _HOUR  # siblings are looked for so long before and after the process
_BELOW = 24 * _HOUR  # descendants, after it
_BEFORE = (24 * _HOUR, 7 * 24 * _HOUR)  # what had a pid is looked for so long before, the nearest first


class ProcessEvents(Protocol):
    """Finds events of the start and the end of processes."""

    def by_entity(self, host: str, entity_ids: Collection[str], before: int | None) -> list[Row]:
        """Return those of some entity ids. They began before a moment, if it is known."""

    def by_pid(self, host: str, pids: Collection[int], span: Span) -> list[Row]:
        """Return those of some pids of a host, within a span."""

    def children(self, parents: Sequence[Process], span: Span, most: int) -> tuple[list[Row], int]:
        """Return starts within a span whose parent has the entity id or the pid of one of some processes.

        They are the earliest ones, at most `most`, and how many there are.
        """


@dataclass(frozen=True)
class Node:
    """A process in the outline. `relation` is ancestor, alert, sibling or descendant; `depth` begins at 0."""

    process: Process
    relation: str
    depth: int


@dataclass(frozen=True)
class ProcessTree:
    """The outline of an alert's processes, in the order in which it is shown.

    `further_siblings` and `further_descendants` are how many processes, at least, were left out; `deeper` and
    `higher` tell whether generations were.
    """

    nodes: tuple[Node, ...] = ()
    further_siblings: int = 0
    further_descendants: int = 0
    deeper: bool = False
    higher: bool = False


def process_tree(event: Row, events: ProcessEvents) -> ProcessTree:
    """Return the tree around an alert's event, empty when the event names no process."""
    stated = process_of(event)
    time = moment_of(event)
    if time is None or (not stated.entity_id and stated.pid is None):
        return ProcessTree()
    process = _with_itself(stated, time, events)
    ancestors, higher = _ancestors(process, time, events)
    siblings, further_siblings = _siblings(process, ancestors, time, events)
    below, further, deeper = _descendants(process, time, events)
    nodes = [Node(ancestor, "ancestor", depth) for depth, ancestor in enumerate(reversed(ancestors))]
    depth = len(ancestors)
    beside = [*siblings, process]
    beside.sort(key=lambda candidate: candidate.start or time)
    for candidate in beside:
        nodes.append(Node(candidate, "alert" if candidate is process else "sibling", depth))
        if candidate is process:
            nodes += [replace(node, depth=node.depth + depth) for node in below]
    shown = _with_lifetimes([node.process for node in nodes], _life(nodes, time), events)
    nodes = [replace(node, process=shown_process) for node, shown_process in zip(nodes, shown, strict=True)]
    return ProcessTree(tuple(nodes), further_siblings, further, deeper, higher)


def _life(nodes: Sequence[Node], time: int) -> Span:
    starts = [node.process.start for node in nodes if node.process.start is not None]
    return min([time, *starts]), max([time, *starts]) + _BELOW


def _with_itself(stated: Process, time: int, events: ProcessEvents) -> Process:
    """Return an alert's process with its start and its end, where they are recorded."""
    recorded: Process | None = None
    if stated.entity_id:
        rows = events.by_entity(stated.host, [stated.entity_id], time)
        recorded = next(
            (candidate for candidate in processes_of(rows) if candidate.entity_id == stated.entity_id), None
        )
    if recorded is None and stated.pid is not None:
        for before in _BEFORE if not stated.recorded else (0,):
            rows = events.by_pid(stated.host, [stated.pid], (time - before, time + 24 * _HOUR))
            recorded = _that_lived_at(processes_of(rows), stated, time)
            if recorded is not None:
                break
    if recorded is None:
        return stated
    return recorded if not stated.recorded else replace(stated, end=recorded.end)


def _ancestors(process: Process, time: int, events: ProcessEvents) -> tuple[list[Process], bool]:
    """Return the ancestors of a process, its parent first, and whether there are more."""
    ancestors: list[Process] = []
    seen = {process.key}
    child, moment = process, process.start or time
    while (stated := parent_in(child)) is not None:
        if len(ancestors) == MOST_GENERATIONS:
            return ancestors, True
        parent = _recorded(stated, moment, events) or stated
        if parent.key in seen:
            break
        seen.add(parent.key)
        ancestors.append(parent)
        if not parent.recorded:
            break
        child, moment = parent, parent.start or moment
    return ancestors, False


def _recorded(stated: Process, moment: int, events: ProcessEvents) -> Process | None:
    """Return the process that is stated as a parent at a moment, None if its start was not recorded."""
    if stated.entity_id:
        rows = events.by_entity(stated.host, [stated.entity_id], moment)
        for candidate in processes_of(rows):
            if candidate.entity_id == stated.entity_id:
                return candidate
    if stated.pid is None:
        return None
    for before in _BEFORE:
        processes = processes_of(events.by_pid(stated.host, [stated.pid], (moment - before, moment)))
        if processes:
            return _that_lived_at(processes, stated, moment)
    return None


def _that_lived_at(processes: Sequence[Process], stated: Process, moment: int) -> Process | None:
    candidates = [
        candidate
        for candidate in processes
        if candidate.pid == stated.pid
        and candidate.start is not None
        and candidate.start <= moment
        and (not candidate.entity_id or not stated.entity_id or candidate.entity_id == stated.entity_id)
    ]
    if not candidates:
        return None
    latest = candidates[-1]
    return latest if latest.lived_at(moment) and same_name(latest.name, stated.name) else None


def _siblings(
    process: Process, ancestors: Sequence[Process], time: int, events: ProcessEvents
) -> tuple[list[Process], int]:
    if not ancestors:
        return [], 0
    parent, moment = ancestors[0], process.start or time
    span = (moment - _BESIDE, moment + _BESIDE)
    parent = _that_started(parent, moment, span, events)
    rows, total = events.children([parent], span, MOST_SIBLINGS * 4)
    own = [
        candidate
        for candidate in processes_of(rows)
        if candidate.key != process.key and not is_same_start(candidate, process) and _is_child(candidate, parent)
    ]
    own.sort(key=lambda candidate: abs((candidate.start or 0) - moment))
    kept = own[:MOST_SIBLINGS]
    return kept, len(own) - len(kept) + max(0, total - len(rows))


def _descendants(process: Process, time: int, events: ProcessEvents) -> tuple[list[Node], int, bool]:
    """Return the descendants as nodes whose depth counts from the process, how many more there are, if deeper."""
    until = max(process.start or time, time) + _BELOW
    children: dict[str, list[Process]] = {}
    generation, left, further = [process], MOST_DESCENDANTS, 0
    seen = {process.key}
    for _ in range(MOST_DEPTH):
        span = (min(candidate.start or time for candidate in generation), until)
        parents = _with_lifetimes(generation, span, events)
        rows, total = events.children(parents, span, left + 1)
        below = [candidate for candidate in processes_of(rows) if candidate.key not in seen]
        next_: list[Process] = []
        for candidate in below:
            parent = next((p for p in parents if _is_child(candidate, p)), None)
            if parent is None:
                continue
            if left == 0:
                further += 1
                continue
            left -= 1
            seen.add(candidate.key)
            children.setdefault(parent.key, []).append(candidate)
            next_.append(candidate)
        further += max(0, total - len(rows))
        generation = next_
        if not generation or left == 0:
            break
    span = (min((candidate.start or time for candidate in generation), default=time), until)
    deeper = bool(generation) and left > 0 and bool(events.children(generation, span, 1)[1])
    return list(_below(process.key, children, 1)), further, deeper


def _below(key: str, children: dict[str, list[Process]], depth: int) -> list[Node]:
    nodes: list[Node] = []
    for child in children.get(key, ()):
        nodes.append(Node(child, "descendant", depth))
        nodes += _below(child.key, children, depth + 1)
    return nodes


def _is_child(candidate: Process, parent: Process) -> bool:
    """Tell whether a process is a child of another: by entity id, else by pid, time and name."""
    if candidate.parent_entity_id and parent.entity_id:
        return candidate.parent_entity_id == parent.entity_id
    return (
        candidate.parent_pid == parent.pid
        and parent.pid is not None
        and candidate.host.lower() == parent.host.lower()
        and candidate.start is not None
        and parent.lived_at(candidate.start)
        and same_name(candidate.parent_name, parent.name)
    )


def _that_started(parent: Process, moment: int, span: Span, events: ProcessEvents) -> Process:
    """Return a parent that started a child at a moment, with bounds of its life where it has no entity id.

    One whose start was not recorded began after the end, or at least the start, of what had its pid before.
    """
    if parent.entity_id or parent.start is not None or parent.pid is None:
        return _with_lifetimes([parent], span, events)[0]
    others = [
        candidate
        for candidate in processes_of(events.by_pid(parent.host, [parent.pid], span))
        if candidate.start is not None
    ]
    earlier = [candidate.end or candidate.start or 0 for candidate in others if (candidate.start or 0) <= moment]
    later = [candidate.start for candidate in others if candidate.start is not None and candidate.start > moment]
    return replace(
        parent, start=max((min(at, moment) for at in earlier), default=None), end=min(later, default=None)
    )


def _with_lifetimes(processes: Sequence[Process], span: Span, events: ProcessEvents) -> list[Process]:
    """Return processes with the ends by which those without an entity id are told from later ones of their pid."""
    unknown = {
        candidate.pid
        for candidate in processes
        if candidate.end is None and not candidate.entity_id and candidate.pid is not None
    }
    if not unknown:
        return list(processes)
    starts = [p.start for p in processes if p.pid in unknown and not p.entity_id and p.start is not None]
    since = max(span[0], min(starts) - SECOND) if starts else span[0]
    later = processes_of(events.by_pid(processes[0].host, unknown, (since, span[1])))
    return [_ended(candidate, later) if candidate.pid in unknown else candidate for candidate in processes]


def _ended(process: Process, later: Sequence[Process]) -> Process:
    for candidate in later:
        if candidate.pid != process.pid or candidate.start is None:
            continue
        if is_same_start(candidate, process):
            return replace(process, end=candidate.end)
        if process.start is not None and candidate.start > process.start:
            return replace(process, end=candidate.start)
    return process
