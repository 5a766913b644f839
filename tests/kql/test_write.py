"""KQL that is written: read again it is exactly the value, and it is added to any query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kql.test_kql import CASES, EVENTS, SCHEMA, matching
from tocsin.ecs import Field, FieldType
from tocsin.errors import QueryError
from tocsin.kql.read import read_kql
from tocsin.kql.write import condition, with_condition
from tocsin.query_dsl.context import Context

HOSTILE = [
    "C:\\Users\\new\\report.exe",
    'cmd.exe /c "echo \\"hi\\""',
    "a* or b: (c) {d}",
    "two\r\nlines\tand a tab",
    "\u202egnp.exe\u202c",
    "\x00\x1b[31m",
    "and",
    "\\u0041",
    "x" * 8_192,
]
VALUES = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=40))


@given(VALUES)
def test_a_value_that_is_written_meets_itself_alone(value):
    events = [{"a": value}, {"a": f"{value}x"}, {"a": f"x{value}"}, {"b": value}]
    assert matching(condition("a", value), events) == [0]


@pytest.mark.parametrize("name", ["a b", 'a"b', "a:b", "or", "a\\b"])
def test_any_field_can_be_named(name):
    context = Context(SCHEMA.extended([Field(name, FieldType.KEYWORD)]))
    assert matching(condition(name, "x"), [{name: "x"}, {"a": "x"}], context) == [0]


@pytest.mark.parametrize(
    ("value", "written"),
    [(7, "n: 7"), (-1.5, "n: -1.5"), (True, "n: true"), (None, "n: *"), ("7", 'n: "7"')],
)
def test_numbers_and_any_value_stand_without_quotes(value, written):
    assert condition("n", value) == written


@given(VALUES)
def test_what_is_written_is_one_line_that_can_be_read(value):
    text = condition("a", value)
    assert not set(text) & set("\r\n\t\x00\x1b\u202e")


@pytest.mark.parametrize("query", CASES)
@pytest.mark.parametrize("negated", [False, True])
def test_a_condition_is_added_to_a_query(query, negated):
    added = condition("b", "y")
    meets = set(matching(added))
    wanted = [row for row in CASES[query] if (row in meets) != negated]
    text = with_condition(query, added, negated=negated)
    assert matching(text) == wanted
    assert with_condition(text, added, negated=negated) == text, "it is added once"


def test_a_condition_takes_the_place_of_its_opposite():
    text = with_condition('b: y and not a: "x"', 'a: "x"')
    assert text == 'b: y and a: "x"'
    assert matching(text, EVENTS) == [0]


@given(st.text(alphabet='ab:()" *\\{}ornd\n', max_size=30))
def test_a_condition_can_be_added_to_whatever_is_typed(query):
    text = with_condition(query, 'a: "x"')
    try:
        before = matching(query)
    except QueryError:
        return  # what cannot be read stays so, and says why
    read_kql(text, Context(SCHEMA))
    assert matching(text) == [row for row in before if row in (0, 1)]
