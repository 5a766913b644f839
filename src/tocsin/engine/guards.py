"""What must be met, at least, for a root of the graph to match: sets of tests, of each of which one must hold.

Once it is known how many rows meet each test, most rules of a set are out, for all of them together in a few
operations on arrays: a rule whose guard no row meets costs nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tocsin.engine.column import Codes
from tocsin.engine.graph import Constant, Node, Program, Test
from tocsin.field_patterns import field_pattern

Mask = npt.NDArray[np.bool_]
Group = frozenset[int]  # tests, one of which must hold

# Fields by which rules differ come before fields that most events share, when only one can be chosen.
SHARED = ("event.", "host.os.", "_index", "ecs.", "data_stream.")


@dataclass(frozen=True)
class Guards:
    """The groups of every root, flat: `members` are tests, group i is members[starts[i]:starts[i + 1]].

    `of_root` are the first groups of each root. A group without members, of a root that has none, always holds.
    """

    members: Codes
    starts: Codes
    of_root: Codes
    roots_of_field: dict[str, Codes]

    def estimates(self, counts: Codes) -> Codes:
        """Return for each root how many rows can match at most, `counts` being that of each node's test."""
        padded = np.append(counts, len(counts) and counts.max(initial=1))
        sums = np.add.reduceat(padded[self.members], self.starts)
        estimates: Codes = np.minimum.reduceat(sums, self.of_root)
        return estimates


def guards_of(program: Program) -> Guards:
    """Work out the groups of every root."""
    nodes = program.nodes
    members: list[int] = []
    starts: list[int] = []
    of_root: list[int] = []
    roots_of_field: dict[str, set[int]] = {}
    known: dict[int, tuple[Group, ...]] = {}
    for root, (_target, number) in enumerate(program.roots):
        of_root.append(len(starts))
        for group in _groups(nodes, number, known) or (frozenset((len(nodes),)),):
            starts.append(len(members))
            members.extend(sorted(group))
            for test in group:
                if test < len(nodes):
                    for name in _fields(nodes[test]):
                        roots_of_field.setdefault(name, set()).add(root)
    by_field = {name: np.array(sorted(roots), np.int64) for name, roots in roots_of_field.items()}
    return Guards(np.array(members, np.int64), np.array(starts, np.int64), np.array(of_root, np.int64), by_field)


def _fields(node: Node) -> tuple[str, ...]:
    return node.fields if isinstance(node, Test) else ()


def _groups(nodes: Sequence[Node], number: int, known: dict[int, tuple[Group, ...]]) -> tuple[Group, ...]:
    """Return the groups of a node: of each, at least one test must hold where the node does."""
    if number not in known:
        known[number] = _find_groups(nodes, number, known)
    return known[number]


def _find_groups(nodes: Sequence[Node], number: int, known: dict[int, tuple[Group, ...]]) -> tuple[Group, ...]:
    node = nodes[number]
    if isinstance(node, Test):
        single_field = len(node.fields) == 1 and field_pattern(node.fields[0]) is None
        return (frozenset((number,)),) if single_field and not node.when_null else ()
    if isinstance(node, Constant) or node.kind == "not":
        return ()
    below = [_groups(nodes, operand, known) for operand in node.operands]
    if node.kind == "and":
        return tuple(dict.fromkeys(group for groups in below for group in groups))
    if not all(below):
        return ()
    # Each side of an `or` gives its best group; one of all of them must hold.
    chosen = (min(groups, key=lambda group: _rank(nodes, group)) for groups in below)
    return (frozenset().union(*chosen),)


def _rank(nodes: Sequence[Node], group: Group) -> tuple[bool, int, int]:
    tests = [node for number in group if isinstance(node := nodes[number], Test)]
    shared = any(test.fields[0].startswith(SHARED) for test in tests)
    return shared, max(test.cost for test in tests), len(group)
