"""Run one EQL query over events given as dictionaries: what most tests of the language do."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from tocsin.ecs import CATEGORY, TIMESTAMP, Field, FieldType, Schema, default_schema
from tocsin.engine.candidates import TIEBREAKER, Candidates, Ordering, Places, Result
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import KeyedQuery, compile_queries
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.engine.table import table_from_events
from tocsin.eql.compile import read
from tocsin.eql.syntax import EventQuery, statement_fields

Event = Mapping[str, Any]


def schema_of(**fields: str) -> Schema:
    """Return the default schema with fields added, `name="type"` (`__` in a name stands for a dot)."""
    return default_schema().extended(
        Field(name.replace("__", "."), FieldType(kind)) for name, kind in fields.items()
    )


def matching(query: str, events: Iterable[Event], schema: Schema, category: str = CATEGORY) -> list[int]:
    """Return the numbers of the events that a query returns, in order."""
    return [hit.event for hit in hits(query, events, schema, category)]


def hits(query: str, events: Iterable[Event], schema: Schema, category: str = CATEGORY) -> list[Hit]:
    """Return what a query returns: rows by number, sent through its pipes."""
    rows = list(events)
    statement = read(query, schema)
    program = compile_queries([KeyedQuery("query", statement, category_field=category)])
    table = table_from_events(rows, program.fields, schema)
    found = evaluate(program, table).get(("query", 0), ())
    names = statement_fields(statement)
    return apply_pipes(
        statement.pipes, [Hit(int(row), {n: rows[row].get(n) for n in names}) for row in found], schema
    )


def sequences(
    query: str,
    events: Iterable[Event],
    schema: Schema,
    category: str = CATEGORY,
    tiebreaker: str = TIEBREAKER,
    cuts: Iterable[int] = (),
) -> list[Result]:
    """Return what a sequence or sample finds, sent through its pipes; `cuts` split the events into tables."""
    rows = list(events)
    statement = read(query, schema)
    assert not isinstance(statement.query, EventQuery)
    program = compile_queries([KeyedQuery("query", statement, category_field=category)])
    fields = {*program.fields, *statement_fields(statement), TIMESTAMP, tiebreaker}
    candidates = Candidates(statement.query, Ordering(tiebreaker=tiebreaker))
    for start, end in pairwise([0, *sorted(cuts), len(rows)]):
        table = table_from_events(rows[start:end], fields, schema)
        found = evaluate(program, table)
        none = np.empty(0, np.intp)
        fits = [found.get(("query", n), none) for n in range(len(candidates.steps))]
        candidates.add(table, fits, Places(table, start))
    return [
        hit.event for hit in apply_pipes(statement.pipes, [Hit(result, {}) for result in candidates.results()])
    ]
