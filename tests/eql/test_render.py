"""A tree shown as text is the query that it was."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.engine.test_against_plain import CONDITIONS
from tocsin.eql.parser import parse_expression
from tocsin.eql.render import render

TEXTS = [
    'process.name : "a*.exe"',
    'process.name : ("a", "b?")',
    'not (process.name like "a" or ?x.y regex~ ("a.*", "b"))',
    'process.name not in~ ("a", "b")',
    "a - (b - c) * -2 == 1.5",
    '(a == 1 or b == 2) and not c == "q\\"\\\\r\\n"',
    "`a b`.c == null and `and` != null",
    'cidrMatch(source.ip, "10.0.0.0/8") and startsWith~(a, "b")',
    "-(-a) > 3",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back(text: str) -> None:
    assert parse_expression(render(parse_expression(text))) == parse_expression(text)


@pytest.mark.parametrize("text", TEXTS[:4])
def test_text_stays_as_it_is_usually_written(text: str) -> None:
    assert render(parse_expression(text)) == text


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONDITIONS)
def test_any_condition_comes_back(condition: str) -> None:
    assert parse_expression(render(parse_expression(condition))) == parse_expression(condition)
