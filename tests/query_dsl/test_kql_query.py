"""The `kql` query of Elasticsearch 9: KQL within the query language in JSON."""

from __future__ import annotations

import pytest

from tests.querying import schema_of
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import table_from_events
from tocsin.errors import QueryError
from tocsin.kql.read import read_kql
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query

SCHEMA = schema_of(a="keyword", n="long")
EVENTS: list[dict[str, object]] = [{"a": "x", "n": 1}, {"a": "xy", "n": 5}, {"n": 9}]


def matching(query, context):
    program = compile_conditions([(("q", 0), read_query(query, context))])
    return evaluate(program, table_from_events(EVENTS, program.fields, SCHEMA)).get(("q", 0), [])


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({"kql": {"query": "a: x*"}}, [0, 1]),
        ({"kql": {"query": "a: x* and n > 1"}}, [1]),
        ({"bool": {"must_not": {"kql": {"query": "a: x"}}}}, [1, 2]),
        ({"kql": {"query": ""}}, [0, 1, 2]),
    ],
)
def test_kql_finds_what_it_says(query, rows):
    assert list(matching(query, Context(SCHEMA, read_kql=read_kql))) == rows


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"query": "a: ("}, "expected a value"),
        ({"query": 5}, "needs \\[query\\], a text"),
        ("a: x", "needs \\[query\\], a text"),
        ({"query": "a: x", "unknown": 1}, "does not support \\[unknown\\]"),
    ],
)
def test_what_is_no_kql_query_is_refused(about, message):
    with pytest.raises(QueryError, match=message):
        read_query({"kql": about}, Context(SCHEMA, read_kql=read_kql))


@pytest.mark.parametrize(
    "query",
    [
        f"message: {'a' * 5_000}",
        f'message: "{"a b " * 2_000}"',
        f"message: *{'a' * 5_000}",
        f"a: *\\*{'a' * 5_000}",
        "a: " + "*b" * 60_000,
        "a: " + "*b" * 300,
    ],
)
def test_a_value_that_is_too_long_to_be_looked_for_is_said_so(query):
    context = Context(schema_of(a="keyword", message="keyword"), read_kql=read_kql)
    with pytest.raises(QueryError, match=r"at most 4,096 characters|too large|at most 256"):
        read_query({"kql": {"query": query}}, context)
