"""Why a rule does not match: for each step and predicate, how many events meet it, and how many are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tocsin.detection.compile import filtered_by, narrowed
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.hunt import Progress
from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP, default_schema
from tocsin.engine.candidates import Candidates, Places
from tocsin.engine.evaluate import Evaluator, plan
from tocsin.engine.graph import Target, compile_conditions, step_conditions
from tocsin.engine.sequence import SequenceMatcher
from tocsin.eql import syntax as s
from tocsin.eql.normalise import condition as normal_form
from tocsin.eql.parser import parse
from tocsin.eql.render import render
from tocsin.field_patterns import field_pattern
from tocsin.sources.ahead import read_ahead
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.inputs import Input
from tocsin.sources.read import read_inputs
from tocsin.sources.unseen import Judge


@dataclass(frozen=True)
class Part:
    """One predicate of a step as it is written; `depth` counts the `or` and `not` around it.

    `alone` is how many events meet it, `left` how many of them also meet all predicates before it.
    """

    text: str
    depth: int
    fields: tuple[str, ...]
    alone: int = 0
    left: int = 0


@dataclass(frozen=True)
class ExplainedStep:
    """A step's predicates in order, and how many events meet them all."""

    title: str
    parts: tuple[Part, ...]
    events: int
    missing: bool = False


@dataclass(frozen=True)
class Joined:
    """The events of a step that have every join key, how many keys they have, how many sequences got so far."""

    events: int
    keys: int
    reached: int


@dataclass(frozen=True)
class Joining:
    """How the events of a sequence or sample were joined.

    `complete_keys` have enough events for every step; `lost` counts what ended sequences (SequenceMatcher.lost);
    `untimed` events have no time, and so no place in an order; `results` are the sequences or samples.
    """

    keys: tuple[str, ...]
    steps: tuple[Joined, ...]
    complete_keys: int
    lost: dict[str, int]
    untimed: int
    results: int


@dataclass
class Explanation:
    """How far a rule got with some events."""

    steps: list[ExplainedStep]
    joining: Joining | None
    absent: list[str]  # fields that no event has
    events: Counter[str] = field(default_factory=Counter)  # dataset -> events read

    @property
    def silent(self) -> tuple[int, Part] | None:
        """The first step (from 0) and predicate after which no event is left, though the step needs one."""
        for number, step in enumerate(self.steps):
            if not step.events and not step.missing:
                return next(((number, part) for part in step.parts if not part.depth and not part.left), None)
        return None


def explain(
    ready: CompiledRule,
    inputs: Iterable[Input],
    rejects: Rejects,
    progress: Progress | None = None,
    *,
    any_index: bool = False,
) -> Explanation:
    """Run a rule over every input and count at each of its predicates. Bad input is rejected, never raised."""
    events_written, form = _written(ready)
    steps = [_Step(number, ready, event, form, any_index) for number, event in enumerate(events_written)]
    read = {name for step in steps for probe in step.probes for name in probe.fields} | ready.joining_fields
    fields = sorted(name for name in read - {INDEX} if field_pattern(name) is None)
    there = [(("field", number), s.Not(s.IsNull(s.FieldRef(name)))) for number, name in enumerate(fields)]
    program = compile_conditions([*(c for step in steps for c in step.conditions()), *there])
    candidates = Candidates(ready.joined, ready.ordering) if ready.joined else None
    evaluator = Evaluator(plan(program))
    counts: Counter[Target] = Counter()
    events: Counter[str] = Counter()
    arrived = 0
    indices = frozenset((ready.keyed_query(any_index=any_index).indices,))
    judge = Judge(frozenset(fields), indices)
    wanted = Wanted(program.fields | ready.joining_fields | {TIMESTAMP, CATEGORY}, judge=judge)
    for batch in read_ahead(read_inputs(inputs, wanted, rejects, progress)):
        events.update(batch.counts)
        matches = evaluator.matches(batch.table)
        counts.update({target: len(rows) for target, rows in matches.items()})
        if candidates is not None:
            fits = [matches.get(step.target, _NONE) for step in steps]
            candidates.add(batch.table, fits, Places(batch.table, arrived))
        arrived += batch.table.rows
        if progress:
            progress(batch)
    absent = [name for number, name in enumerate(fields) if not counts["field", number]]
    joining = None if candidates is None else _joining(candidates)
    return Explanation([step.counted(counts) for step in steps], joining, absent, events)


# ---- steps and their predicates


_NONE = np.empty(0, np.intp)
_TRUE = s.Literal(True)
_SCHEMA = default_schema()


_Form = Callable[[s.Expression], s.Expression]


def _written(ready: CompiledRule) -> tuple[tuple[s.EventQuery, ...], _Form]:
    """Return the event queries of a rule as they are written, and what puts a condition into normal form.

    An author knows the rule as it is written. A query that is not in EQL has only its compiled form.
    """
    if ready.rule.type != "eql":
        return s.event_queries(ready.statement.query), lambda condition: condition
    statement = narrowed(parse(ready.rule.query or ""), filtered_by(ready.rule, _SCHEMA))
    return s.event_queries(statement.query), lambda condition: normal_form(condition, _SCHEMA)


@dataclass(frozen=True)
class _Probe:
    """A predicate to count: its text, the condition alone, and together with all conditions before it."""

    text: str
    depth: int
    fields: tuple[str, ...]
    alone: s.Expression
    left: s.Expression


class _Step:
    def __init__(
        self, number: int, ready: CompiledRule, written: s.EventQuery, form: _Form, any_index: bool
    ) -> None:
        rule = ready.keyed_query(any_index=any_index)
        self.number = number
        self.title, self.missing = _title(ready, number, written)
        self.probes: list[_Probe] = []
        before: list[s.Expression] = []
        *heads, _ = step_conditions(rule, s.EventQuery(written.category, _TRUE))
        for head in heads:
            text = f"index in {', '.join(rule.indices)}" if INDEX in s.field_names(head) else render(head)
            self.probes.append(_Probe(text, 0, s.field_names(head), head, s.And((*before, head))))
            before.append(head)
        operands = written.condition.operands if isinstance(written.condition, s.And) else (written.condition,)
        for operand in operands:
            self.probes.extend(_probes(operand, 0, before, form))
            before.append(form(operand))
        self._last = max(n for n, probe in enumerate(self.probes) if not probe.depth)

    @property
    def target(self) -> Target:
        """The engine's target for events that meet every predicate."""
        return (f"left {self.number}", self._last)

    def conditions(self) -> Iterator[tuple[Target, s.Expression]]:
        for n, probe in enumerate(self.probes):
            yield (f"alone {self.number}", n), probe.alone
            yield (f"left {self.number}", n), probe.left

    def counted(self, counts: Mapping[Target, int]) -> ExplainedStep:
        parts = tuple(
            Part(
                probe.text,
                probe.depth,
                probe.fields,
                counts.get((f"alone {self.number}", n), 0),
                counts.get((f"left {self.number}", n), 0),
            )
            for n, probe in enumerate(self.probes)
        )
        return ExplainedStep(self.title, parts, counts.get(self.target, 0), self.missing)


def _probes(node: s.Expression, depth: int, before: Sequence[s.Expression], form: _Form) -> Iterator[_Probe]:
    """Yield a predicate and, for `or`, `not` and an `and` inside one, its operands, a level deeper."""
    normal = form(node)
    inner, words = _inside(node)
    yield _Probe(words or render(node), depth, s.field_names(normal), normal, s.And((*before, normal)))
    met = list(before)
    for operand in inner:
        yield from _probes(operand, depth + 1, met, form)
        if isinstance(node, s.And):
            met.append(form(operand))


def _inside(node: s.Expression) -> tuple[tuple[s.Expression, ...], str]:
    match node:
        case s.Or(operands):
            return operands, "any of"
        case s.And(operands):
            return operands, "all of"
        case s.Not(s.Or(operands)):
            return operands, "none of"
        case s.Not(s.And(operands)):
            return operands, "not all of"
        case _:
            return (), ""


def _title(ready: CompiledRule, number: int, written: s.EventQuery) -> tuple[str, bool]:
    category = written.category or "any"
    if ready.joined is None:
        return f"{category} where …", False
    if number == len(ready.joined.steps):
        return f"until [{category} where …]", True
    step = ready.joined.steps[number]
    runs = f" with runs={step.runs}" if step.runs > 1 else ""
    return f"{number + 1}. {'!' * step.missing}[{category} where …]{runs}", step.missing


# ---- sequences


def _joining(candidates: Candidates) -> Joining:
    query = candidates.query
    keys = tuple(render(key) for key in (*query.by, *query.steps[0].by))
    joined, complete = candidates.joined(), candidates.complete_keys()  # before `results` drops candidates
    matcher = SequenceMatcher(query) if isinstance(query, s.Sequence) else None
    results = len(candidates.results(matcher))
    reached, lost = (matcher.reached, dict(+matcher.lost)) if matcher else ({}, {})
    steps = tuple(
        Joined(events, different, reached.get(number, 0)) for number, (events, different) in enumerate(joined)
    )
    return Joining(keys, steps, complete, lost, candidates.untimed, results)
