"""A rule set as one graph of predicates: every distinct test is one node, whichever rules write it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tocsin.ecs import CATEGORY, INDEX
from tocsin.engine.kernels import truth_of_null
from tocsin.eql import syntax as s
from tocsin.field_patterns import field_pattern


@dataclass(frozen=True)
class Test:
    """A leaf: a test of one or more fields. `cost` orders the operands of `and` and `or`."""

    expression: s.Expression
    fields: tuple[str, ...]
    when_null: bool
    cost: int


@dataclass(frozen=True)
class Constant:
    """A leaf that reads no field."""

    value: bool


@dataclass(frozen=True)
class Gate:
    """`and`, `or`, or `not` over other nodes, given by number; operands of `and` and `or` cheapest first."""

    kind: str
    operands: tuple[int, ...]


Node = Test | Constant | Gate


Target = tuple[str, int]  # a query's key and the number of a step; an event query has one step, 0


@dataclass(frozen=True)
class KeyedQuery:
    """A query with a key of the caller's, and the indices it reads: what the engine needs of a rule.

    Without index patterns it reads every index; an event whose index nobody knows is read by every query.
    """

    key: str
    statement: s.Statement
    indices: tuple[str, ...] = ()
    category_field: str = CATEGORY


@dataclass(frozen=True)
class Program:
    """A compiled rule set: the nodes, the fields that each reads, and each rule's steps and deciding nodes."""

    nodes: tuple[Node, ...]
    reads: tuple[frozenset[str], ...]
    roots: tuple[tuple[Target, int], ...]

    @property
    def fields(self) -> frozenset[str]:
        """Every field that the rules read."""
        return frozenset().union(*self.reads)


def compile_queries(queries: Iterable[KeyedQuery]) -> Program:
    """Compile queries together, each step of a sequence or sample by itself; `until` is behind the last step."""
    return compile_conditions(
        ((query.key, number), s.And(step_conditions(query, event)))
        for query in queries
        for number, event in enumerate(s.event_queries(query.statement.query))
    )


def compile_conditions(conditions: Iterable[tuple[Target, s.Expression]]) -> Program:
    """Compile conditions in normal form together."""
    builder = _Builder()
    roots = [(target, builder.add(condition)) for target, condition in conditions]
    return Program(tuple(builder.nodes), _reads(builder.nodes), tuple(roots))


def program_of(nodes: Sequence[Node], roots: Sequence[tuple[Target, int]]) -> Program:
    """Return the program of nodes that were compiled before. Raises ValueError where they are no graph.

    Operands have lower numbers than what they are operands of, so that no node is its own.
    """
    for number, node in enumerate(nodes):
        if isinstance(node, Gate) and not (
            node.operands and all(0 <= operand < number for operand in node.operands)
        ):
            raise ValueError(f"node {number} has operands that are no nodes")
        if isinstance(node, Gate) and node.kind not in ("and", "or", "not"):
            raise ValueError(f"node {number} is `{node.kind}`")
    for target, number in roots:
        if not 0 <= number < len(nodes):
            raise ValueError(f"{target} stands on no node")
    return Program(tuple(nodes), _reads(nodes), tuple(roots))


def _reads(nodes: Sequence[Node]) -> tuple[frozenset[str], ...]:
    """Return the fields below each node; operands have lower numbers than what they are operands of."""
    reads: list[frozenset[str]] = []
    for node in nodes:
        if isinstance(node, Gate):
            reads.append(frozenset().union(*(reads[operand] for operand in node.operands)))
        else:
            reads.append(frozenset(node.fields) if isinstance(node, Test) else frozenset())
    return tuple(reads)


def step_conditions(keyed: KeyedQuery, query: s.EventQuery) -> tuple[s.Expression, ...]:
    """Return what an event must meet for a step of a query, all of it: the index, the category, the condition."""
    parts: list[s.Expression] = []
    if keyed.indices:
        parts.append(_index_condition(keyed.indices))
    if query.category is not None:
        parts.append(s.Comparison("==", s.FieldRef(keyed.category_field), s.Literal(query.category)))
    if isinstance(query.condition, s.And):
        parts.extend(query.condition.operands)
    else:
        parts.append(query.condition)
    return tuple(parts)


def _index_condition(patterns: Sequence[str]) -> s.Expression:
    """An index pattern takes `*`; one that starts with `-` excludes."""
    name = s.FieldRef(INDEX)
    wanted = tuple(p for p in patterns if not p.startswith("-"))
    unwanted = tuple(p[1:] for p in patterns if p.startswith("-"))
    known: s.Expression = s.PatternMatch("wildcard", False, name, wanted or ("*",))
    if unwanted:
        known = s.And((known, s.Not(s.PatternMatch("wildcard", False, name, unwanted))))
    return s.Or((s.IsNull(name), known))


# Relative cost of one distinct value, and the fields that have most of them.
_COSTS = {s.IsNull: 1, s.Comparison: 1, s.Membership: 2, s.PatternMatch: 6, s.Call: 6}
MANY_VALUES = ("args", "command_line", "entity_id", "path", "strings", "executable", "text", "value")


def _cost(expression: s.Expression, fields: Sequence[str]) -> int:
    cost = _COSTS.get(type(expression), 20)
    if isinstance(expression, s.PatternMatch):
        cost += len(expression.patterns)
    if len(fields) > 1:
        cost += 50
    if any(field_pattern(name) for name in fields):
        cost += 1_000  # the values of hundreds of fields
    return cost * (10 if any(f.endswith(MANY_VALUES) for f in fields) else 1)


class _Builder:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._by_expression: dict[s.Expression, int] = {}
        self._by_node: dict[Node, int] = {}
        self._costs: list[int] = []

    def add(self, expression: s.Expression) -> int:
        known = self._by_expression.get(expression)
        if known is None:
            node, cost = self._node(expression)
            known = self._by_node.get(node)
            if known is None:
                known = len(self.nodes)
                self.nodes.append(node)
                self._costs.append(cost)
                self._by_node[node] = known
            self._by_expression[expression] = known
        return known

    def _node(self, expression: s.Expression) -> tuple[Node, int]:
        match expression:
            case s.And((only,)) | s.Or((only,)):
                number = self.add(only)
                return self.nodes[number], self._costs[number]
            case s.And(operands) | s.Or(operands):
                numbers = list(dict.fromkeys(self.add(o) for o in operands))
                numbers.sort(key=lambda n: self._costs[n])
                kind = "and" if isinstance(expression, s.And) else "or"
                return Gate(kind, tuple(numbers)), sum(self._costs[n] for n in numbers)
            case s.Not(operand):
                number = self.add(operand)
                return Gate("not", (number,)), self._costs[number]
            case s.Literal(value):
                return Constant(value is True), 0
            case _:
                fields = s.field_names(expression)
                test = Test(expression, fields, truth_of_null(expression, fields), _cost(expression, fields))
                return test, test.cost
