"""The columnar evaluator and the plain interpreter agree, on any expression and any events."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.plain import holds
from tests.querying import schema_of
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import KeyedQuery, compile_queries
from tocsin.engine.table import table_from_events
from tocsin.eql.compile import read
from tocsin.eql.parser import parse
from tocsin.eql.syntax import EventQuery

SCHEMA = schema_of(s1="keyword", s2="keyword", n1="long", n2="long", d1="double", b1="boolean", ip1="ip", ip2="ip")

TEXTS = st.sampled_from(
    [
        "",
        "a",
        "A",
        "b",
        "ab",
        "AB",
        "aB*",
        "a?c",
        "abc",
        "x.y",
        "É",
        "é",
        "ß",
        "12",
        "0x1f",
        "-3",
        "1.5",
        "a\nb",
        'q"r',
        "c:\\d",
    ]
)
ADDRESSES = st.sampled_from(
    [
        "10.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "::FFFF:A01:203",
        "192.168.1.1",
        "::1",
        "0:0::1",
        "fe80::1",
        "FE80:0:0:0::1",
    ]
)
NUMBERS = st.integers(-4, 4)
DECIMALS = st.sampled_from([-2.5, -1.0, 0.0, 0.5, 1.0, 3.25])
PATTERNS = st.sampled_from(["*", "a*", "*B", "*b*", "?", "a?c", "AB", "", "*.*", "a*c", "É*", "*\\*", "??"])
REGEXES = st.sampled_from(["a.*", "[ab]+", "(a|b)?", "ab", ".", ".*", "x\\.y", "[^a]*"])


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def several(values: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=most).map(lambda items: f"({', '.join(items)})")


STRING_LITERALS = TEXTS.map(quoted)
STRING_FIELDS = st.sampled_from(["s1", "s2", "?s1"])


def string_values(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    base = st.one_of(STRING_FIELDS, STRING_LITERALS)
    return st.one_of(
        STRING_FIELDS,
        STRING_FIELDS,
        STRING_LITERALS,
        st.builds("substring({}, {})".format, base, NUMBERS),
        st.builds("substring({}, {}, {})".format, base, NUMBERS, NUMBERS),
        st.builds("between({}, {}, {})".format, base, STRING_LITERALS, STRING_LITERALS),
        st.builds("between~({}, {}, {}, true)".format, base, STRING_LITERALS, STRING_LITERALS),
        st.builds("concat({}, {})".format, base, numbers),
        st.builds("string({})".format, st.one_of(base, st.just("n1"), st.just("b1"))),
    )


NUMBER_LITERALS = st.one_of(NUMBERS, DECIMALS).map(str)
NUMBER_FIELDS = st.sampled_from(["n1", "n2", "d1"])
NUMBER_VALUES = st.one_of(
    NUMBER_FIELDS,
    NUMBER_FIELDS,
    NUMBER_LITERALS,
    st.builds(
        "({} {} {})".format, NUMBER_FIELDS, st.sampled_from("+-*/%"), st.one_of(NUMBER_LITERALS, NUMBER_FIELDS)
    ),
    st.builds("length({})".format, STRING_FIELDS),
    st.builds("indexOf({}, {})".format, STRING_FIELDS, STRING_LITERALS),
    st.builds("indexOf~({}, {}, {})".format, STRING_FIELDS, STRING_LITERALS, NUMBERS),
    st.builds("number({})".format, STRING_FIELDS),
    st.builds("add({}, {})".format, NUMBER_FIELDS, NUMBER_LITERALS),
    st.builds("-{}".format, NUMBER_FIELDS),
)
STRING_VALUES = string_values(st.one_of(NUMBERS.map(str), st.just("n1")))
COMPARATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
TEST_CALLS = st.builds(
    "{}{}({}, {})".format,
    st.sampled_from(["startsWith", "endsWith", "stringContains"]),
    st.sampled_from(["", "~"]),
    STRING_VALUES,
    STRING_LITERALS,
)
TESTS = st.one_of(
    st.builds("{} {} {}".format, STRING_VALUES, COMPARATORS, STRING_VALUES),
    st.builds("{} {} {}".format, NUMBER_VALUES, COMPARATORS, NUMBER_VALUES),
    st.builds(
        "{} {} {}".format,
        st.one_of(STRING_VALUES, NUMBER_VALUES, st.just("b1")),
        st.sampled_from(["==", "!="]),
        st.just("null"),
    ),
    st.builds("null == {}".format, st.one_of(STRING_FIELDS, NUMBER_FIELDS)),
    st.builds("{} : {}".format, STRING_VALUES, st.one_of(PATTERNS.map(quoted), several(PATTERNS.map(quoted)))),
    st.builds("{} {} {}".format, STRING_VALUES, st.sampled_from(["like", "like~"]), several(PATTERNS.map(quoted))),
    st.builds(
        "{} {} {}".format, STRING_FIELDS, st.sampled_from(["regex", "regex~"]), several(REGEXES.map(quoted))
    ),
    st.builds(
        "{} {} {}".format,
        STRING_VALUES,
        st.sampled_from(["in", "in~", "not in", "not in~"]),
        several(st.one_of(STRING_LITERALS, STRING_FIELDS)),
    ),
    st.builds("{} {} {}".format, NUMBER_VALUES, st.sampled_from(["in", "not in"]), several(NUMBER_LITERALS)),
    TEST_CALLS,
    st.builds(
        "cidrMatch(ip1, {})".format,
        st.sampled_from(
            ['"10.0.0.0/8"', '"192.168.0.0/16", "::/64"', '"10.1.2.3", "0.0.0.0/1"', '"255.255.255.255/32"']
        ),
    ),
    st.builds("ip1 {} {}".format, COMPARATORS, ADDRESSES.map(quoted)),
    st.builds("ip1 {} {}".format, st.sampled_from(["in", "not in"]), several(ADDRESSES.map(quoted))),
    st.builds("ip1 {} ip2".format, st.sampled_from(["==", "!="])),
    st.builds("wildcard({}, {})".format, STRING_FIELDS, PATTERNS.map(quoted)),
    st.just("b1"),
    st.builds("b1 {} {}".format, st.sampled_from(["==", "!="]), st.sampled_from(["true", "false"])),
    st.sampled_from(["true", "false"]),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda below: st.one_of(
        st.builds("not ({})".format, below),
        st.builds("({}) and ({})".format, below, below),
        st.builds("({}) or ({})".format, below, below),
        st.builds(
            "({}) {} {}".format, below, st.sampled_from(["==", "!="]), st.sampled_from(["true", "false", "null"])
        ),
    ),
    max_leaves=5,
)


def column(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One value, several (nulls among them), an empty list, or nothing."""
    return st.one_of(st.none(), values, values, st.lists(st.one_of(st.none(), values), max_size=3))


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "s1": column(TEXTS),
            "s2": st.one_of(st.none(), TEXTS),
            "n1": column(NUMBERS),
            "n2": st.one_of(st.none(), NUMBERS),
            "d1": st.one_of(st.none(), DECIMALS),
            "b1": column(st.booleans()),
            "ip1": column(ADDRESSES),
            "ip2": st.one_of(st.none(), ADDRESSES),
        }
    ),
    min_size=1,
    max_size=12,
)


def found_by_columns(query: str, events: list[dict[str, Any]]) -> list[int]:
    program = compile_queries([KeyedQuery("rule", read(query, SCHEMA))])
    return [
        int(row)
        for row in evaluate(program, table_from_events(events, program.fields, SCHEMA)).get(("rule", 0), ())
    ]


def found_plainly(query: str, events: list[dict[str, Any]]) -> list[int]:
    parsed = parse(query).query
    assert isinstance(parsed, EventQuery)
    return [row for row, event in enumerate(events) if holds(parsed.condition, event)]


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONDITIONS, EVENTS)
def test_columns_and_rows_agree(condition: str, events: list[dict[str, Any]]) -> None:
    query = f"any where {condition}"
    assert found_by_columns(query, events) == found_plainly(query, events), query


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CONDITIONS, min_size=2, max_size=6), EVENTS)
def test_rules_compiled_together_match_as_they_do_alone(
    conditions: list[str], events: list[dict[str, Any]]
) -> None:
    queries = {f"rule{i}": f"any where {condition}" for i, condition in enumerate(conditions)}
    program = compile_queries([KeyedQuery(key, read(query, SCHEMA)) for key, query in queries.items()])
    together = evaluate(program, table_from_events(events, program.fields, SCHEMA))
    for key, query in queries.items():
        assert [int(row) for row in together.get((key, 0), ())] == found_by_columns(query, events)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONDITIONS, EVENTS, st.integers(0, 12))
def test_cutting_a_table_changes_nothing(condition: str, events: list[dict[str, Any]], cut: int) -> None:
    query = f"any where {condition}"
    parts = [part for part in (events[:cut], events[cut:]) if part]
    found, start = [], 0
    for part in parts:
        found += [start + row for row in found_by_columns(query, part)]
        start += len(part)
    assert found == found_by_columns(query, events)
