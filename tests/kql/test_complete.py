"""What is typed at the cursor of a query in KQL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kql.test_kql import CASES
from tocsin.kql.complete import CONNECTIVE, FIELD, OPERATOR, VALUE, typed_part

# query up to the cursor, which `|` is -> kind, text so far, field, what a choice replaces
TYPED = {
    "|": (FIELD, "", "", ""),
    "ho|": (FIELD, "ho", "", "ho"),
    "(ho|": (FIELD, "ho", "", "ho"),
    "not ho|": (FIELD, "ho", "", "ho"),
    "a: b and ho|": (FIELD, "ho", "", "ho"),
    "host.name |": (OPERATOR, "", "", ""),
    "n >|": (VALUE, "", "n", ""),
    "n >= 4|": (VALUE, "4", "n", "4"),
    "host.name:|": (VALUE, "", "host.name", ""),
    "host.name: WS|": (VALUE, "WS", "host.name", "WS"),
    "host.name: W|S-01 and a: b": (VALUE, "W", "host.name", "WS-01"),
    'host.name: "W|S 01" and a: b': (VALUE, "W", "host.name", '"WS 01"'),
    'a: "C:\\\\Us|': (VALUE, "C:\\Us", "a", '"C:\\\\Us'),
    'a: "say \\"|': (VALUE, 'say "', "a", '"say \\"'),
    "a: (x or |": (VALUE, "", "a", ""),
    "a: (x or y) |": (CONNECTIVE, "", "", ""),
    "a: not |": (VALUE, "", "a", ""),
    "o: {x: |": (VALUE, "", "o.x", ""),
    "o: {x: 1} and x: |": (VALUE, "", "x", ""),
    "a: x |": (CONNECTIVE, "", "", ""),
    "a: x an|": (CONNECTIVE, "an", "", "an"),
    'a: "x"|': (CONNECTIVE, "", "", ""),
    '"a b": |': (VALUE, "", "a b", ""),
}


@pytest.mark.parametrize("typed", TYPED)
def test_the_part_at_the_cursor(typed):
    cursor, query = typed.index("|"), typed.replace("|", "")
    part = typed_part(query, cursor)
    assert (part.kind, part.text, part.field, query[part.start : part.end]) == TYPED[typed]


@given(
    st.sampled_from(sorted(CASES)) | st.text(alphabet='ab:()"<>= *\\{}ornd\n\u6f22', max_size=60), st.integers()
)
def test_every_place_of_every_query_has_a_part(query, cursor):
    part = typed_part(query, cursor)
    assert 0 <= part.start <= part.end <= len(query)
    assert part.kind in (FIELD, OPERATOR, VALUE, CONNECTIVE)
    assert bool(part.field) <= (part.kind == VALUE)
