"""Lucene's query strings: what they match, and what is wrong with those that are refused."""

from __future__ import annotations

import pytest

from tests.querying import schema_of
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import table_from_events
from tocsin.errors import QueryError
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.query_string import Reading, read_query_string

SCHEMA = schema_of(a="keyword", b="keyword", c="keyword", n="long", when="date", addr="ip", message="keyword")
EVENTS = [
    {"a": "x", "b": "y", "c": "z", "n": 1, "message": "the quick brown fox"},
    {"a": "x", "n": 5, "message": "a slow fox: brown"},
    {"b": "y", "n": 10, "when": "2026-11-20T12:00:00Z"},
    {"c": "z", "n": -3, "addr": "10.1.2.3"},
    {"a": "C:\\Windows\\x.exe", "b": "with space", "c": "(odd)", "n": 20},
    {"a": ["x", "w"], "n": 30},
]


def matching(text, **options):
    reading = Reading(Context(SCHEMA), **options)
    program = compile_conditions([(("q", 0), read_query_string(text, reading))])
    table = table_from_events(EVENTS, program.fields, SCHEMA)
    return evaluate(program, table).get(("q", 0), []), len(EVENTS)


CASES = {
    "a:x": [0, 1, 5],
    "a : x": [0, 1, 5],
    "a:x AND b:y": [0],
    "a:x && b:y": [0],
    "a:x OR b:y": [0, 1, 2, 5],
    "a:x b:y": [0, 1, 2, 5],
    "a:x || c:z": [0, 1, 3, 5],
    "+a:x -b:y": [1, 5],
    "a:x NOT b:y": [1, 5],
    "a:x AND NOT b:y": [1, 5],
    "NOT a:x": [2, 3, 4],
    "!a:x": [2, 3, 4],
    "a:x AND b:y OR c:z": [0],
    "a:x OR b:y AND c:z": [0],
    "(a:x AND b:y) OR c:z": [0, 3],
    "a:(x OR w)": [0, 1, 5],
    "a:(x AND w)": [5],
    'b:"with space"': [4],
    "b:with\\ space": [4],
    "c:\\(odd\\)": [4],
    'a:"C:\\\\Windows\\\\x.exe"': [4],
    "a:C\\:\\\\Windows\\\\*": [4],
    "a:*.exe": [4],
    "a:?": [0, 1, 5],
    "a:*": [0, 1, 4, 5],
    "a:/[wx]/": [0, 1, 5],
    "n:5": [1],
    "n:\\-3": [3],
    "n:[5 TO 20]": [1, 2, 4],
    "n:{5 TO 20}": [2],
    "n:[5 TO *]": [1, 2, 4, 5],
    "n:[* TO 0]": [3],
    "n:>=10": [2, 4, 5],
    "n:(>1 AND <=10)": [1, 2],
    "when:[2026-11-20 TO 2026-11-20]": [2],
    "when:2026-11-20": [2],
    "addr:10.1.2.3": [3],
    'addr:"10.0.0.0/8"': [3],
    "addr:[9.0.0.0 TO 10.1.2.3]": [3],
    "addr:[9.0.0.0 TO 10.1.2.3}": [],
    "addr:[10.1.2.3 TO *]": [3],
    "addr:>=10.1.2.3": [3],
    "addr:<10.1.2.3": [],
    'addr:"::FFFF:10.1.2.3"': [3],
    "addr:\\:\\:ffff\\:a01\\:203": [3],
    "_exists_:b": [0, 2, 4],
    "NOT _exists_:a": [2, 3],
    "message:fox": [0, 1],
    "message:FOX": [0, 1],
    'message:"quick brown"': [0],
    'message:"brown quick"': [],
    "message:qui*": [0],
    "message:/qu.ck/": [0],
    'a:x AND "quick brown"': [0],
    "*ndow*": [4],
    "SLOW": [1],
    "5": [1],
    "10.1.2.3": [3],
    "2026-11-20": [2],
    "(fox OR z) AND NOT brown": [3],
    "/[xw]/": [0, 1, 5],
    "mess*:slow": [1],
    "_exists_:add*": [3],
    "*": [0, 1, 2, 3, 4, 5],
    "x": [0, 1, 5],
    "y AND z": [0],
    "a:x^2": [0, 1, 5],
    "": [],
}


@pytest.mark.parametrize("text", CASES)
def test_what_matches(text):
    rows, _ = matching(text)
    assert list(rows) == CASES[text]


def test_every_clause_is_needed_with_the_operator_and():
    assert list(matching("a:x b:y", every=True)[0]) == [0]
    assert list(matching("a:x OR b:y", every=True)[0]) == [0, 1, 2, 5]
    assert list(matching("y", fields=("b",))[0]) == [0, 2]


FAULTY = {
    "(a:x": "never closed",
    "a:x)": "never opened",
    "a:": "ends too early",
    "AND a:x": "needs something before it",
    "()": "a group is empty",
    "a:x~2": "no fuzzy terms",
    "a:(b:x)": "inside the group of a field",
    "n:many": "no number",
    "when:soon": "failed to parse date",
    "addr:[10.0.0.1 TO many]": "'many' is not an IP string literal",
    "a:/x~y/": "not supported",
    'a:"open': "cannot stand here",
    "(" * 200 + "a:x" + ")" * 200: "too many groups",
}


@pytest.mark.parametrize(("text", "reason"), FAULTY.items(), ids=[text[:20] for text in FAULTY])
def test_what_is_refused(text, reason):
    with pytest.raises(QueryError, match=reason):
        matching(text)
