"""A rule set as one graph of predicates: every distinct test is one node, whichever rules write it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tocsin.ecs import CATEGORY, INDEX
from tocsin.engine.kernels import truth_of_null
from tocsin.eql import syntax as s
from tocsin.errors import UnsupportedError


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


@dataclass(frozen=True)
class EventRule:
    """What the engine needs of a rule: a key of the caller's, its query, and the indices it reads.

    Without index patterns a rule reads every index; an event whose index nobody knows is read by every rule.
    """

    key: str
    statement: s.Statement
    indices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """A compiled rule set: the nodes, the fields that each reads, and each rule's key and deciding node."""

    nodes: tuple[Node, ...]
    reads: tuple[frozenset[str], ...]
    roots: tuple[tuple[str, int], ...]

    @property
    def fields(self) -> frozenset[str]:
        """Every field that the rules read."""
        return frozenset().union(*self.reads)


def compile_rules(rules: Iterable[EventRule], category_field: str = CATEGORY) -> Program:
    """Compile rules together. Raises UnsupportedError for a sequence or a sample, which need a matcher."""
    builder = _Builder()
    roots = []
    for rule in rules:
        query = rule.statement.query
        if not isinstance(query, s.EventQuery):
            kind = type(query).__name__.lower()
            raise UnsupportedError(
                f"rule {rule.key}: EQL {kind}s cannot run yet", reason=f"EQL {kind}", hint="event queries can"
            )
        roots.append((rule.key, builder.add(rule_condition(rule, query, category_field))))
    return Program(tuple(builder.nodes), _reads(builder.nodes), tuple(roots))


def compile_steps(
    query: s.Sequence | s.Sample, indices: tuple[str, ...] = (), category_field: str = CATEGORY
) -> Program:
    """Compile the steps of a sequence or sample; a root's key is its step's number, `until` behind the last."""
    steps = enumerate(s.event_queries(query))
    return compile_rules((EventRule(str(n), s.Statement(step), indices) for n, step in steps), category_field)


def _reads(nodes: Sequence[Node]) -> tuple[frozenset[str], ...]:
    """Return the fields below each node; operands have lower numbers than what they are operands of."""
    reads: list[frozenset[str]] = []
    for node in nodes:
        if isinstance(node, Gate):
            reads.append(frozenset().union(*(reads[operand] for operand in node.operands)))
        else:
            reads.append(frozenset(node.fields) if isinstance(node, Test) else frozenset())
    return tuple(reads)


def rule_condition(rule: EventRule, query: s.EventQuery, category_field: str) -> s.Expression:
    """Return everything that an event must meet: the index, the category, the condition."""
    parts: list[s.Expression] = []
    if rule.indices:
        parts.append(_index_condition(rule.indices))
    if query.category is not None:
        parts.append(s.Comparison("==", s.FieldRef(category_field), s.Literal(query.category)))
    if isinstance(query.condition, s.And):
        parts.extend(query.condition.operands)
    else:
        parts.append(query.condition)
    return parts[0] if len(parts) == 1 else s.And(tuple(parts))


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
_MANY_VALUES = ("args", "command_line", "entity_id", "path", "strings", "executable", "text", "value")


def _cost(expression: s.Expression, fields: Sequence[str]) -> int:
    cost = _COSTS.get(type(expression), 20)
    if isinstance(expression, s.PatternMatch):
        cost += len(expression.patterns)
    if len(fields) > 1:
        cost += 50
    return cost * (10 if any(f.endswith(_MANY_VALUES) for f in fields) else 1)


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
