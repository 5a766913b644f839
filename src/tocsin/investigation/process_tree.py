"""The processes around an alert: its process, what started it, what that started beside it, and what it started.

A process is known by its entity id. Where a source has none, it is the one that had a pid on its host at a time:
pids are given again, so a start after the child's, an end before it, and another program's name rule one out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tocsin.investigation.processes import (
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
    nodes = [Node(one, "ancestor", depth) for depth, one in enumerate(reversed(ancestors))]
    depth = len(ancestors)
    beside = [*siblings, process]
    beside.sort(key=lambda one: one.start or time)
    for one in beside:
        nodes.append(Node(one, "alert" if one is process else "sibling", depth))
        if one is process:
            nodes += [replace(node, depth=node.depth + depth) for node in below]
    shown = _with_lifetimes([node.process for node in nodes], _life(nodes, time), events)
    nodes = [replace(node, process=one) for node, one in zip(nodes, shown, strict=True)]
    return ProcessTree(tuple(nodes), further_siblings, further, deeper, higher)


def _life(nodes: Sequence[Node], time: int) -> Span:
    starts = [node.process.start for node in nodes if node.process.start is not None]
    return min([time, *starts]), max([time, *starts]) + _BELOW


def _with_itself(stated: Process, time: int, events: ProcessEvents) -> Process:
    """Return an alert's process with its start and its end, where they are recorded."""
    found: Process | None = None
    if stated.entity_id:
        rows = events.by_entity(stated.host, [stated.entity_id], time)
        found = next((one for one in processes_of(rows) if one.entity_id == stated.entity_id), None)
    if found is None and stated.pid is not None:
        rows = events.by_pid(stated.host, [stated.pid], (time - 7 * 24 * _HOUR, time + 24 * _HOUR))
        found = _that_lived_at(processes_of(rows), stated, time)
    if found is None:
        return stated
    return found if not stated.recorded else replace(stated, end=found.end)


def _ancestors(process: Process, time: int, events: ProcessEvents) -> tuple[list[Process], bool]:
    """Return the ancestors of a process, its parent first, and whether there are more."""
    found: list[Process] = []
    seen = {process.key}
    child, moment = process, process.start or time
    while (stated := parent_in(child)) is not None:
        if len(found) == MOST_GENERATIONS:
            return found, True
        parent = _recorded(stated, moment, events) or stated
        if parent.key in seen:
            break
        seen.add(parent.key)
        found.append(parent)
        if not parent.recorded:
            break
        child, moment = parent, parent.start or moment
    return found, False


def _recorded(stated: Process, moment: int, events: ProcessEvents) -> Process | None:
    """Return the process that is stated as a parent at a moment, None if its start was not recorded."""
    if stated.entity_id:
        rows = events.by_entity(stated.host, [stated.entity_id], moment)
        for one in processes_of(rows):
            if one.entity_id == stated.entity_id:
                return one
    if stated.pid is None:
        return None
    rows = events.by_pid(stated.host, [stated.pid], (moment - 7 * 24 * _HOUR, moment))
    return _that_lived_at(processes_of(rows), stated, moment)


def _that_lived_at(processes: Sequence[Process], stated: Process, moment: int) -> Process | None:
    candidates = [
        one
        for one in processes
        if one.pid == stated.pid
        and one.start is not None
        and one.start <= moment
        and (not one.entity_id or not stated.entity_id or one.entity_id == stated.entity_id)
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
        one
        for one in processes_of(rows)
        if one.key != process.key and not is_same_start(one, process) and _is_child(one, parent)
    ]
    own.sort(key=lambda one: abs((one.start or 0) - moment))
    kept = own[:MOST_SIBLINGS]
    return kept, len(own) - len(kept) + max(0, total - len(rows))


def _descendants(process: Process, time: int, events: ProcessEvents) -> tuple[list[Node], int, bool]:
    """Return the descendants as nodes whose depth counts from the process, how many more there are, if deeper."""
    until = max(process.start or time, time) + _BELOW
    children: dict[str, list[Process]] = {}
    generation, left, further = [process], MOST_DESCENDANTS, 0
    seen = {process.key}
    for _ in range(MOST_DEPTH):
        span = (min(one.start or time for one in generation), until)
        parents = _with_lifetimes(generation, span, events)
        rows, total = events.children(parents, span, left + 1)
        below = [one for one in processes_of(rows) if one.key not in seen]
        next_: list[Process] = []
        for one in below:
            parent = next((p for p in parents if _is_child(one, p)), None)
            if parent is None:
                continue
            if left == 0:
                further += 1
                continue
            left -= 1
            seen.add(one.key)
            children.setdefault(parent.key, []).append(one)
            next_.append(one)
        further += max(0, total - len(rows))
        generation = next_
        if not generation or left == 0:
            break
    deeper = bool(generation) and left > 0 and bool(events.children(generation, (0, until), 1)[1])
    return list(_below(process.key, children, 1)), further, deeper


def _below(key: str, children: dict[str, list[Process]], depth: int) -> list[Node]:
    found: list[Node] = []
    for child in children.get(key, ()):
        found.append(Node(child, "descendant", depth))
        found += _below(child.key, children, depth + 1)
    return found


def _is_child(one: Process, parent: Process) -> bool:
    """Tell whether a process is a child of another: by entity id, else by pid, time and name."""
    if one.parent_entity_id and parent.entity_id:
        return one.parent_entity_id == parent.entity_id
    return (
        one.parent_pid == parent.pid
        and parent.pid is not None
        and one.host.lower() == parent.host.lower()
        and one.start is not None
        and parent.lived_at(one.start)
        and same_name(one.parent_name, parent.name)
    )


def _that_started(parent: Process, moment: int, span: Span, events: ProcessEvents) -> Process:
    """Return a parent that started a child at a moment, with bounds of its life where it has no entity id.

    One whose start was not recorded began after the end, or at least the start, of what had its pid before.
    """
    if parent.entity_id or parent.start is not None or parent.pid is None:
        return _with_lifetimes([parent], span, events)[0]
    others = [one for one in processes_of(events.by_pid(parent.host, [parent.pid], span)) if one.start is not None]
    earlier = [one.end or one.start or 0 for one in others if (one.start or 0) <= moment]
    later = [one.start for one in others if one.start is not None and one.start > moment]
    return replace(
        parent, start=max((min(at, moment) for at in earlier), default=None), end=min(later, default=None)
    )


def _with_lifetimes(processes: Sequence[Process], span: Span, events: ProcessEvents) -> list[Process]:
    """Return processes with the ends by which those without an entity id are told from later ones of their pid."""
    unknown = {one.pid for one in processes if one.end is None and not one.entity_id and one.pid is not None}
    if not unknown:
        return list(processes)
    later = processes_of(events.by_pid(processes[0].host, unknown, span))
    return [_ended(one, later) if one.pid in unknown else one for one in processes]


def _ended(process: Process, later: Sequence[Process]) -> Process:
    for one in later:
        if one.pid != process.pid or one.start is None:
            continue
        if is_same_start(one, process):
            return replace(process, end=one.end)
        if process.start is not None and one.start > process.start:
            return replace(process, end=one.start)
    return process
