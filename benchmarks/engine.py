"""The evaluator alone, over event tables that lie in memory as their reader leaves them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.hunt import Hunt
from tocsin.engine.evaluate import Evaluator, Plan, plan
from tocsin.engine.graph import compile_queries
from tocsin.engine.table import EventTable
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs


@dataclass(frozen=True)
class Tables:
    """Columns as they were read, a batch each, and how many events they hold."""

    batches: list[tuple[dict[str, pa.ChunkedArray], int]]
    events: int

    def fresh(self) -> list[EventTable]:
        """Return tables that have encoded nothing yet."""
        return [EventTable(columns, rows) for columns, rows in self.batches]

    def first(self, rows: int) -> list[EventTable]:
        """Return small tables: so many events off the front of each batch."""
        return [EventTable({n: c.slice(0, rows) for n, c in columns.items()}, rows) for columns, _ in self.batches]


def read_tables(path: Path, ready: Sequence[CompiledRule]) -> Tables:
    """Read what rules need of a file."""
    wanted: Wanted = Hunt(ready).wanted(plan_of(ready).program)
    batches = []
    for batch in read_inputs(find_inputs([str(path)]), wanted, Rejects()):
        columns = {name: batch.table.raw(name) for name in batch.table.names}
        batches.append(({n: c for n, c in columns.items() if c is not None}, batch.table.rows))
    return Tables(batches, sum(rows for _, rows in batches))


def plan_of(ready: Sequence[CompiledRule]) -> Plan:
    """Compile rules."""
    return plan(compile_queries(rule.keyed_query(any_index=False) for rule in ready))


def evaluate(made: Plan, tables: Tables) -> int:
    """Run rules over every table with what is learnt from one to the next, and return how many rows matched."""
    evaluator = Evaluator(made)
    return sum(len(rows) for table in tables.fresh() for rows in evaluator.matches(table).values())


def small_batches(made: Plan, tables: Tables, rows: int = 500) -> list[float]:
    """Return the seconds that each small table took, but for the first, which learns."""
    evaluator = Evaluator(made)
    took = []
    for table in tables.first(rows):
        started = time.perf_counter()
        evaluator.matches(table)
        took.append(time.perf_counter() - started)
    return took[1:]


def single_rules(ready: Sequence[CompiledRule], tables: Tables, every: int = 8) -> float:
    """Return the median of the processor seconds that each of some rules takes alone."""
    took = []
    for rule in ready[::every]:
        made = plan_of([rule])
        started = time.process_time()
        evaluate(made, tables)
        took.append(time.process_time() - started)
    return statistics.median(took)


def differences(ready: Sequence[CompiledRule], tables: Tables) -> list[str]:
    """Return the rules that match other rows alone than together."""
    together = Evaluator(plan_of(ready))
    found = [together.matches(table) for table in tables.fresh()]
    wrong = []
    for rule in ready:
        alone = Evaluator(plan_of([rule]))
        for table, rows in zip(tables.fresh(), found, strict=True):
            mine = {target: hits for target, hits in rows.items() if target[0] == rule.rule.rule_id}
            other = alone.matches(table)
            if mine.keys() != other.keys() or any((mine[t] != other[t]).any() for t in mine):
                wrong.append(rule.rule.name)
                break
    return wrong
