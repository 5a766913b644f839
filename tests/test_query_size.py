"""How large the text of a query may be, in every language."""

from __future__ import annotations

import pytest

from tocsin.detection.compile import prepare
from tocsin.ecs import default_schema
from tocsin.eql.compile import read
from tocsin.eql.syntax import statement_fields
from tocsin.errors import QueryError
from tocsin.esql.pipeline import read_esql
from tocsin.kql.read import read_kql
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query
from tocsin.query_dsl.query_string import Reading, read_query_string
from tocsin.query_dsl.simple_query_string import read_simple_query_string
from tocsin.query_size import MOST_CHARACTERS, MOST_UNKNOWN, MOST_WORDS
from tocsin.rules.files import read_rule

SCHEMA = default_schema()
CONTEXT = Context(SCHEMA)


def in_esql(text: str) -> object:
    return read_esql(f"from logs-* | where process.pid in ({text})", SCHEMA)


# How a list of numbers is asked for, and what stands between two.
LANGUAGES = {
    "eql": (lambda text: read(f"any where process.pid in ({text})", SCHEMA), ","),
    "esql": (in_esql, ","),
    "kuery": (lambda text: read_kql(f"process.pid: ({text})", CONTEXT), " or "),
    "lucene": (lambda text: read_query_string(f"process.pid:({text})", Reading(CONTEXT)), " OR "),
    "simple": (lambda text: read_simple_query_string(text, Reading(CONTEXT, ("process.pid",))), "|"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_query_of_many_values_is_read_and_one_of_too_many_is_refused_with_the_place(language):
    ask, between = LANGUAGES[language]
    ask(between.join(map(str, range(1000, 4000))))
    with pytest.raises(QueryError, match=f"more than {MOST_WORDS:,} words and signs") as refused:
        ask(between.join(map(str, range(1000, 101_000))))
    assert refused.value.place is not None
    assert refused.value.place.column > MOST_WORDS
    assert "list" in refused.value.hint


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_query_has_at_most_a_million_characters(language):
    ask, _ = LANGUAGES[language]
    with pytest.raises(QueryError, match=f"at most {MOST_CHARACTERS:,}"):
        ask('"' + "a" * MOST_CHARACTERS + '"')


def test_a_list_of_many_values_is_checked_value_by_value():
    items = ", ".join(f'"10.{n // 256}.{n % 256}.0/24", source.ip' for n in range(4000))
    statement = read(f"any where destination.ip in ({items})", SCHEMA)
    assert set(statement_fields(statement)) == {"destination.ip", "source.ip"}


def test_terms_are_as_many_as_elasticsearch_takes():
    """Elasticsearch's `index.max_terms_count` is 65,536 where nobody has changed it."""
    read_query({"terms": {"process.pid": list(range(65_536))}}, CONTEXT)
    with pytest.raises(QueryError, match="65,537 values"):
        read_query({"terms": {"process.pid": list(range(65_537))}}, CONTEXT)


@pytest.mark.parametrize(
    ("rule", "between", "refused"),
    [
        ({"type": "eql", "language": "eql"}, " or ", True),
        ({"type": "query", "language": "kuery"}, " or ", False),
        ({"type": "query", "language": "lucene"}, " OR ", False),
    ],
    ids=lambda value: str(value),
)
def test_many_fields_that_nobody_knows_are_told_of_without_looking_for_all_that_resemble(rule, between, refused):
    eql = rule["language"] == "eql"
    tests = between.join(f"process.nam{n}{'==' if eql else ':'}1" for n in range(MOST_UNKNOWN + 20))
    about = {
        "name": "x", "description": "x", "risk_score": 1, "severity": "low", "rule_id": "x", **rule,
        "query": f"any where {tests}" if eql else tests,
    }  # fmt: skip
    ready, skipped = prepare([read_rule(about, strict=True)], SCHEMA, open_fields=True)
    if refused:
        assert not ready
        assert f"more than {MOST_UNKNOWN} fields" in skipped[0].message
    else:
        assert len(ready[0].unknown) == MOST_UNKNOWN + 20
