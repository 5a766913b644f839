"""A two-step sequence over millions of events, beside its two step filters alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tocsin.engine.candidates import Candidates, Places
from tocsin.engine.evaluate import Evaluator, plan
from tocsin.engine.graph import KeyedQuery, Program, compile_queries
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s
from tocsin.eql.compile import read

EVENTS, KEYS, TABLE = 5_000_000, 100_000, 250_000
NAMES = 400
QUERY = """sequence by process.entity_id with maxspan=1m
  [process where event.type == "start" and process.name : ("tool9.exe", "tool2?.exe")]
  [network where destination.port == 443 and process.name : "tool*.exe"]"""
Columns = dict[str, pa.Array]


def columns(seed: int = 1) -> list[Columns]:
    """Return the events as columns, a table at a time: Zipf-shaped names, keys evenly, a second per 200 events."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, NAMES + 1)
    names = pa.array([f"tool{n}.exe" for n in range(NAMES)])
    keys = pa.array([f"{{{n:032x}}}" for n in range(KEYS)])
    kinds = pa.array(["process", "network", "file", "registry"])
    types = pa.array(["start", "end"])
    made = []
    for start in range(0, EVENTS, TABLE):
        moments = (np.arange(start, start + TABLE) * 5_000_000 + 1_790_000_000_000_000_000).astype(
            "datetime64[ns]"
        )
        made.append(
            {
                "@timestamp": pa.array(moments),
                "event.category": kinds.take(pa.array(rng.choice(4, TABLE, p=[0.25, 0.25, 0.3, 0.2]))),
                "event.type": types.take(pa.array(rng.integers(0, 2, TABLE))),
                "process.name": names.take(pa.array(rng.choice(NAMES, TABLE, p=weights / weights.sum()))),
                "process.entity_id": keys.take(pa.array(rng.integers(0, KEYS, TABLE))),
                "destination.port": pa.array(rng.choice([443, 80, 53, 445], TABLE, p=[0.1, 0.2, 0.5, 0.2])),
            }
        )
    return made


def program() -> tuple[s.Sequence, Program]:
    """Return the query and its steps, compiled."""
    statement = read(QUERY)
    assert isinstance(statement.query, s.Sequence)
    return statement.query, compile_queries([KeyedQuery("q", statement)])


def tables(made: list[Columns]) -> Iterator[EventTable]:
    """Yield tables that have encoded nothing yet."""
    for one in made:
        yield EventTable(one, TABLE)


def filters(made: list[Columns]) -> int:
    """Find the events of both steps and return how many there are."""
    _, steps = program()
    evaluator = Evaluator(plan(steps))
    return sum(len(rows) for table in tables(made) for rows in evaluator.matches(table).values())


def sequences(made: list[Columns]) -> int:
    """Find the sequences and return how many there are."""
    return len(gathered(made).results())


def gathered(made: list[Columns]) -> Candidates:
    """Return the candidates of every table."""
    query, steps = program()
    candidates = Candidates(query)
    evaluator = Evaluator(plan(steps))
    none = np.empty(0, np.intp)
    for number, table in enumerate(tables(made)):
        found = evaluator.matches(table)
        fits = [found.get(("q", step), none) for step in range(2)]
        candidates.add(table, fits, Places(table, number * TABLE))
    return candidates


def with_noise(made: list[Columns]) -> list[Columns]:
    """Return the tables and as many again whose events fit no step."""
    other = pa.array(["idle.exe"] * TABLE)
    return made + [{**one, "process.name": other} for one in made]


def kept_bytes(made: list[Columns]) -> int:
    """Return how much is kept in memory for matching when every table has been read."""
    columns_before = pa.total_allocated_bytes()
    tracemalloc.start()
    kept = gathered(made)
    size = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes() - columns_before
    tracemalloc.stop()
    return size if kept.steps else 0
