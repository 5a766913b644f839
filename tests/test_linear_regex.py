"""No pattern of a user holds the process: each is run in linear time, or refused with its reason."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.eql import syntax as s
from tocsin.eql.scalar import pattern_test
from tocsin.eql.strings import UnsupportedPattern, lucene_to_regex
from tocsin.esql.patterns import PatternError, dissect
from tocsin.linear_regex import RegexError, star_match, whole_match
from tocsin.store.patterns import takes

TEXT = "a" * 5_000
# What takes exponential or cubic time by trial and error.
HOSTILE = {
    "nested repetition": lambda: whole_match("(a+)+b")(TEXT),
    "an ambiguous alternation": lambda: whole_match("(a|a)*b")(TEXT),
    "many wildcards": lambda: pattern_test(s.PatternMatch("wildcard", False, s.FieldRef("f"), ("*a" * 60 + "b",)))(
        TEXT
    ),
    "an index pattern of stars": lambda: takes(["*a" * 60 + "b"], TEXT),
    "dissect with many keys": lambda: dissect("".join(f"%{{k{n}}}a" for n in range(200)) + "b").apply(TEXT),
}


@pytest.mark.parametrize("run", HOSTILE.values(), ids=HOSTILE)
def test_hostile_patterns_end(run):
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(run()), daemon=True)
    thread.start()
    thread.join(20)
    assert not any(found)
    assert found, "it is still running"


REFUSED = {
    "(a{0,500}){0,500}b": "repetition",
    "((((a{0,1000}){0,1000}){0,1000}))b": "repetition",
    "<0-9999>" * 20: "interval",
    "a" * 5_000: "at most 4,096 characters",
    "(": "never closed",
    "[ab]+&[bc]+": "beside plain text alone",
    "ab&": "nothing stands behind `&`",
    "ab&AB": "letter case",
    "~a": "complement",
}


@pytest.mark.parametrize(("pattern", "reason"), REFUSED.items())
def test_what_cannot_be_run_is_refused(pattern, reason):
    with pytest.raises(UnsupportedPattern, match=reason):
        lucene_to_regex(pattern)


# Lucene's RegExp with its flag ALL, as Elasticsearch's RLikePattern and `regexp` set it: `&` binds closer than `|`
# and looser than what stands side by side; where a side has to begin, any but `.#@"(<[~` is itself.
INTERSECTIONS = {
    "ab&a.": (["ab"], ["a", "b", "ab&a."]),
    "a.&ab|c": (["ab", "c"], ["ac"]),
    ".*(nc -e|sh -i >&|0>&1|>&\\s*/dev/tcp|mkfifo).*": (
        ["x nc -e y", "mkfifo"],
        ["sh -i >& /dev/tcp", "0>&1", "1"],
    ),
    "x(a+&aa)y": (["xaay"], ["xay", "xaaay"]),
    "a&a&a": (["a"], ["aa"]),
    "a|&b": (["a", "&b"], ["b"]),
    "&": (["&"], [""]),
    ".&|": (["|"], ["a"]),
    "0>\\&1": (["0>&1"], ["0>"]),
    '".+"&.{2}': ([".+"], ["ab"]),
}


@pytest.mark.parametrize("pattern", INTERSECTIONS)
def test_an_intersection_with_plain_text(pattern):
    taken, others = INTERSECTIONS[pattern]
    fits = whole_match(lucene_to_regex(pattern))
    assert [text for text in (*taken, *others) if fits(text)] == taken


@given(st.text("ab|", min_size=1, max_size=5), st.text("ab", min_size=1, max_size=3), st.text("ab", max_size=3))
def test_an_intersection_takes_what_both_sides_take(side, word, text):
    """Braces keep the sides apart; an empty alternative is an empty text to RE2."""
    both = whole_match(lucene_to_regex(f"({side})&{word}"))(text)
    assert bool(both) is (text == word and bool(whole_match(lucene_to_regex(side))(text)))


def test_a_malformed_expression_says_what_is_wrong():
    with pytest.raises(RegexError, match="missing"):
        whole_match("(a")


@given(st.text("ab.\n*", max_size=8), st.text("ab.\nc", max_size=12))
def test_a_star_stands_for_any_text(pattern, name):
    plain = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    assert bool(star_match(pattern)(name)) is (plain.fullmatch(name) is not None)


KEYS = st.lists(st.sampled_from([" ", ",", "ab", " - "]), min_size=1, max_size=4)


@given(KEYS, st.lists(st.text("xyz", min_size=1, max_size=4), min_size=5, max_size=5))
def test_dissect_finds_what_stands_between(separators, parts):
    pattern = "%{k0}" + "".join(f"{sep}%{{k{n}}}" for n, sep in enumerate(separators, 1))
    text = parts[0] + "".join(sep + part for sep, part in zip(separators, parts[1:], strict=False))
    assert dissect(pattern).apply(text) == {f"k{n}": part for n, part in enumerate(parts[: len(separators) + 1])}


def test_dissect_needs_something_between_keys():
    with pytest.raises(PatternError):
        dissect("%{a}%{b}")
