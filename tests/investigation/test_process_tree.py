"""The process tree of an alert: found from events with entity ids or without, whatever pids were given again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.investigation.processes.process_tree import MOST_DEPTH, MOST_SIBLINGS, ProcessTree, process_tree
from tocsin.investigation.processes.processes import Process, Row, moment_of
from tocsin.moments import iso

SECOND = 1_000_000_000
BEGIN = 1_790_000_000 * SECOND
HOST = "WS-1"


def at(second: float) -> int:
    return BEGIN + int(second * SECOND)


def start(second: float, pid: int, parent: int | None = None, name: str = "a.exe", **more: Any) -> Row:
    row: dict[str, Any] = {
        "@timestamp": iso(at(second)), "event.category": ["process"], "event.type": ["start"], "host.name": HOST,
        "process.pid": pid, "process.name": name,
    }  # fmt: skip
    if parent is not None:
        row |= {"process.parent.pid": parent}
    return row | {name.replace("__", "."): value for name, value in more.items()}


def end(second: float, pid: int, **more: Any) -> Row:
    row = start(second, pid, **more)
    return {**row, "event.type": ["end"]}


def within(row: Row, span: tuple[int, int]) -> bool:
    return span[0] <= (moment_of(row) or 0) <= span[1]


@dataclass
class Recorded:
    """Events in memory, asked as those of a store are."""

    rows: Sequence[Row]

    def by_entity(self, host: str, entity_ids: Collection[str], before: int | None) -> list[Row]:
        return [row for row in self.rows if row.get("process.entity_id") in entity_ids]

    def by_pid(self, host: str, pids: Collection[int], span: tuple[int, int]) -> list[Row]:
        return [
            row for row in self.rows if row["process.pid"] in pids and span[0] <= (moment_of(row) or 0) <= span[1]
        ]

    def children(self, parents: Sequence[Process], span: tuple[int, int], most: int) -> tuple[list[Row], int]:
        pids, entities = {one.pid for one in parents}, {one.entity_id for one in parents} - {""}
        found = [
            row
            for row in self.rows
            if row["event.type"] == ["start"]
            and within(row, span)
            and (row.get("process.parent.pid") in pids or row.get("process.parent.entity_id") in entities)
        ]
        return found[:most], len(found)


def outline(tree: ProcessTree) -> list[str]:
    return [
        f"{'  ' * node.depth}{node.process.pid} {node.relation}{'' if node.process.recorded else ' not recorded'}"
        for node in tree.nodes
    ]


def tree_of(event: Row, *others: Row) -> ProcessTree:
    return process_tree(event, Recorded([event, *others]))


def test_ancestors_siblings_and_descendants_are_an_outline():
    event = start(10, 3, 2)
    tree = tree_of(
        event, start(0, 1), start(1, 2, 1), start(5, 7, 2), start(11, 4, 3), start(12, 5, 4), start(13, 6, 3)
    )
    assert outline(tree) == [
        "1 ancestor", "  2 ancestor", "    7 sibling", "    3 alert", "      4 descendant", "        5 descendant",
        "      6 descendant",
    ]  # fmt: skip


def test_a_parent_that_was_never_recorded_is_shown_with_what_its_child_says_of_it():
    event = start(10, 3, 2, process__parent__executable="C:\\b.exe", process__parent__command_line="b /x")
    tree = tree_of(event)
    assert outline(tree) == ["2 ancestor not recorded", "  3 alert"]
    assert (tree.nodes[0].process.name, tree.nodes[0].process.command_line) == ("b.exe", "b /x")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([start(0, 2), end(5, 2)], id="it had ended"),
        pytest.param([start(0, 2, name="other.exe")], id="it is another program"),
        pytest.param([start(11, 2)], id="it began later"),
        pytest.param([start(0, 2, process__entity_id="x")], id="it has another entity id"),
    ],
)
def test_a_process_that_only_had_the_same_pid_is_no_parent(before):
    event = start(10, 3, 2, process__parent__name="a.exe", process__parent__entity_id="y")
    assert outline(tree_of(event, *before)) == ["2 ancestor not recorded", "  3 alert"]


def test_children_of_another_process_that_had_the_pid_are_no_children():
    event = start(10, 3)
    others = [start(1, 3), start(2, 8, 3), end(4, 3), start(11, 4, 3), end(12, 3), start(20, 3), start(21, 9, 3)]
    assert outline(tree_of(event, *others)) == ["3 alert", "  4 descendant"]


def test_an_alert_of_another_event_of_a_process_finds_its_start():
    event = {**start(30, 3), "event.category": ["network"], "event.type": ["connection"]}
    tree = tree_of(event, start(0, 1), start(10, 3, 1), end(40, 3))
    assert outline(tree) == ["1 ancestor", "  3 alert"]
    assert (tree.nodes[1].process.start, tree.nodes[1].process.end) == (at(10), at(40))


def test_a_start_that_two_sources_tell_of_is_one_process():
    event = start(10, 3, process__entity_id="e3")
    by_sysmon = start(12, 4, 3, process__entity_id="e4", process__parent__entity_id="e3")
    assert outline(tree_of(event, by_sysmon, start(12.4, 4, 3))) == ["3 alert", "  4 descendant"]


def test_an_alert_that_tells_its_time_more_finely_than_searches_do_is_no_sibling_of_itself():
    recorded = start(10, 3, 1)
    event = {**recorded, "@timestamp": iso(at(10.0004), digits=6)}
    tree = process_tree(event, Recorded([start(0, 1), recorded, end(40, 3)]))
    assert outline(tree) == ["1 ancestor", "  3 alert"]
    assert tree.nodes[1].process.end == at(40)


def test_what_is_cut_is_said():
    event = start(100, 1000, 1)
    siblings = [start(100 + n, 2000 + n, 1) for n in range(1, MOST_SIBLINGS + 6)]
    tree = tree_of(event, start(0, 1), *siblings)
    assert (tree.further_siblings, tree.deeper) == (5, False)
    chain = [start(200 + n, 3000 + n, 1000 if n == 0 else 2999 + n) for n in range(MOST_DEPTH + 1)]
    tree = tree_of(event, *chain)
    assert tree.deeper
    assert sum(node.relation == "descendant" for node in tree.nodes) == MOST_DEPTH


def test_processes_that_start_themselves_again_end_somewhere():
    event = start(10, 3, 3, process__entity_id="e", process__parent__entity_id="e")
    assert outline(tree_of(event)) == ["3 alert"]


def test_an_event_without_a_process_has_no_tree():
    assert tree_of({"@timestamp": iso(at(0)), "process.pid": None}).nodes == ()


@dataclass
class Simulated:
    """A process of a simulated history: its number, its parent's, its pid, when it began and ended."""

    number: int
    parent: int | None
    pid: int
    start: int
    end: int | None = None


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Simulated], list[Row]]:
    """A history of one host in which pids are given again, and its events, with entity ids or without."""
    found: list[Simulated] = []
    with_ids, with_ends = draw(st.booleans()), draw(st.booleans())
    for second in range(draw(st.integers(4, 24))):
        alive = [one for one in found if one.end is None]
        if len(alive) > 1 and draw(st.integers(0, 2)) == 0:
            draw(st.sampled_from(alive)).end = second
            continue
        free = sorted(set(range(1, 8)) - {one.pid for one in alive})
        if free:
            parent = draw(st.sampled_from(alive)).number if alive else None
            found.append(Simulated(len(found), parent, draw(st.sampled_from(free)), second))
    rows: list[Row] = []
    for one in found:
        more: dict[str, Any] = {"process__entity_id": f"e{one.number}"} if with_ids else {}
        if with_ids and one.parent is not None:
            more["process__parent__entity_id"] = f"e{one.parent}"
        rows.append(start(one.start, one.pid, None if one.parent is None else found[one.parent].pid, **more))
        if one.end is not None and with_ends:
            rows.append(end(one.end, one.pid, **{k: v for k, v in more.items() if k == "process__entity_id"}))
    return found, rows


@given(histories(), st.data())
def test_the_tree_is_the_one_that_was_simulated(
    history: tuple[list[Simulated], list[Row]], data: st.DataObject
) -> None:
    simulated, rows = history
    chosen = data.draw(st.sampled_from(simulated))
    event = next(row for row in rows if row["event.type"] == ["start"] and moment_of(row) == at(chosen.start))
    found = {
        relation: [
            node.process.start for node in process_tree(event, Recorded(rows)).nodes if node.relation == relation
        ]
        for relation in ("ancestor", "sibling", "descendant")
    }
    ancestors = []
    parent = chosen.parent
    while parent is not None:
        ancestors.append(at(simulated[parent].start))
        parent = simulated[parent].parent
    assert found["ancestor"] == ancestors[::-1]
    siblings = [one for one in simulated if one.parent == chosen.parent and one is not chosen]
    assert found["sibling"] == [at(one.start) for one in siblings if chosen.parent is not None]
    depth = {chosen.number: 0}
    for one in simulated:
        if one.parent in depth:
            depth[one.number] = depth[one.parent] + 1
    below = sorted(at(simulated[number].start) for number, steps in depth.items() if 0 < steps <= MOST_DEPTH)
    assert sorted(start for start in found["descendant"] if start is not None) == below
