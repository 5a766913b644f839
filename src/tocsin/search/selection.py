"""Which events of the store meet a condition: batch by batch, through the one evaluator."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from tocsin.ecs import INDEX, TIMESTAMP, FieldType, Schema
from tocsin.engine.column import Rows
from tocsin.engine.evaluate import Evaluator, plan
from tocsin.engine.graph import Program, Target, compile_conditions
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s
from tocsin.field_patterns import field_pattern, with_fields
from tocsin.search.coalescing import coalesced
from tocsin.search.errors import IndexSetAsideError, NoSuchIndexError, SearchStoppedError
from tocsin.store.events import EventReader, Scan, StoredBatch


@dataclass
class Clock:
    """When a search has to end: at a moment of the monotonic clock, or as soon as it is cancelled."""

    until: float = float("inf")
    cancelled: Callable[[], bool] = field(default=lambda: False)

    @property
    def left(self) -> float:
        """The seconds until the search has to end."""
        return max(0.0, self.until - time.monotonic())

    def check(self) -> None:
        """Raise SearchStoppedError when the search has to end."""
        if self.cancelled():
            raise SearchStoppedError("the search was cancelled")
        if time.monotonic() > self.until:
            raise SearchStoppedError("the search took too long", hint="search a shorter span of time")


@dataclass(frozen=True)
class Selected:
    """Rows of a batch, by the condition that they meet."""

    batch: StoredBatch
    table: EventTable
    rows: dict[Target, Rows]


def known_patterns(store: EventReader, patterns: Sequence[str], *, lenient: bool = False) -> list[str]:
    """Return patterns, if each name without `*` is an index. Raises NoSuchIndexError, IndexSetAsideError."""
    known = [pattern for pattern in patterns if pattern] or ["*"]
    names = [p for p in known if "*" not in p and p != "_all" and not p.startswith("-")]
    if names and not lenient:
        there = {info.name for info in store.indices(names)}
        damaged = {damage.index: damage for damage in store.set_aside()}
        for name in names:
            if name in damaged and name not in there:
                raise IndexSetAsideError(f"[{name}] is damaged and set aside: {damaged[name].reason}")
            if name not in there:
                raise NoSuchIndexError(f"no such index [{name}]")
    return known


def select(
    store: EventReader,
    patterns: Sequence[str],
    program: Program,
    narrowing: s.Expression,
    fields: Collection[str],
    schema: Schema,
    clock: Clock,
) -> Iterator[Selected]:
    """Yield the batches that have rows which meet a condition of `program`, with these rows.

    Every row that is wanted meets `narrowing`, by which the store leaves out what it can. `fields` are columns to
    read beside those of the program.
    """
    evaluator = Evaluator(plan(program))
    wanted = program.fields | set(fields)
    if any(map(field_pattern, wanted)):
        wanted = with_fields(wanted, store.fields(patterns))
    start, end, equal = _bounds(narrowing, schema)
    scan = Scan(patterns, wanted - {INDEX}, start, end, equal)
    batches = store.scan(scan)
    for batch in coalesced(batches) if equal else batches:
        clock.check()
        columns = dict(batch.columns)
        if INDEX in wanted:
            columns[INDEX] = batch.index_column()
        table = EventTable(columns, batch.rows, schema)
        rows = evaluator.matches(table)
        if rows:
            yield Selected(batch, table, rows)


def matching_rows(
    store: EventReader,
    patterns: Sequence[str],
    condition: s.Expression,
    fields: Collection[str],
    schema: Schema,
    clock: Clock,
) -> Iterator[tuple[StoredBatch, EventTable, Rows]]:
    """Yield the rows that meet one condition."""
    program = compile_conditions([(("query", 0), condition)])
    for selected in select(store, patterns, program, condition, fields, schema, clock):
        yield selected.batch, selected.table, selected.rows["query", 0]


def _bounds(condition: s.Expression, schema: Schema) -> tuple[int | None, int | None, dict[str, frozenset[str]]]:
    """Return what every event that meets a condition has: bounds of its time, and values of fields.

    Addresses are left out: the store has them as they were spelled.
    """
    start: int | None = None
    end: int | None = None
    equal: dict[str, frozenset[str]] = {}
    for part in _necessary(condition):
        match part:
            case s.Comparison(operator, s.FieldRef(name), s.Literal(value)) if name == TIMESTAMP:
                if isinstance(value, int) and operator in (">", ">=", "=="):
                    start = value if start is None else max(start, value)
                if isinstance(value, int) and operator in ("<", "<=", "=="):
                    end = value + 1 if end is None else min(end, value + 1)
            case s.Comparison("==", s.FieldRef(name), s.Literal(value)) if isinstance(
                value, str
            ) and not field_pattern(name):
                equal[name] = equal.get(name, frozenset((str(value),))) & {str(value)}
            case s.Membership(s.FieldRef(name), items, False) if not field_pattern(name):
                values = frozenset(
                    str(i.value) for i in items if isinstance(i, s.Literal) and isinstance(i.value, str)
                )
                if len(values) == len(items):
                    equal[name] = equal.get(name, values) & values
    spelled_otherwise = [name for name in equal if (known := schema.find(name)) and known.type is FieldType.IP]
    return start, end, {name: values for name, values in equal.items() if name not in spelled_otherwise}


def _necessary(condition: s.Expression) -> Iterator[s.Expression]:
    if isinstance(condition, s.And):
        for operand in condition.operands:
            yield from _necessary(operand)
    else:
        yield condition
