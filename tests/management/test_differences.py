"""How documents differ, as versions of rules and previews of imports show it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.management.differences import differences, line_differences

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12), max_size=20)


def shown(line):
    return line.kind, "".join(f"[{word.text}]" if word.differs else word.text for word in line.words)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"query": "where a"}, {"query": "where b"}, [("removed", "where [a]"), ("added", "where [b]")]),
        ({"tags": ["x", "y"]}, {"tags": ["x", "z"]}, [("same", "x"), ("removed", "[y]"), ("added", "[z]")]),
        ({}, {"note": "one\ntwo"}, [("added", "[one]"), ("added", "[two]")]),
        ({"note": "one"}, {}, [("removed", "[one]")]),
        ({"risk_score": 21}, {"risk_score": 47}, [("removed", "[21]"), ("added", "[47]")]),
        ({"threshold": {"value": 1}}, {"threshold": {"value": 2}},
         [("same", "{"), ("removed", '  "value": [1]'), ("added", '  "value": [2]'), ("same", "}")]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
    ],
)  # fmt: skip
def test_members_that_differ_are_shown_line_by_line(before, after, lines):
    members = differences(before, after)
    assert [shown(line) for member in members for line in member.lines] == (lines or [])


def test_members_say_what_became_of_them():
    members = differences({"a": 1, "b": 2, "c": 3}, {"b": 3, "c": 3, "d": 4})
    assert [(member.name, member.kind) for member in members] == [
        ("a", "removed"),
        ("b", "changed"),
        ("d", "added"),
    ]


def test_lines_far_from_a_change_are_left_out():
    before = [str(number) for number in range(100)]
    lines = list(line_differences(before, [*before[:50], "new", *before[51:]]))
    assert [line.kind for line in lines] == ["gap", *["same"] * 3, "removed", "added", *["same"] * 3, "gap"]


@pytest.mark.parametrize("text", [["x"] * 700, ["x"] * 5_000, ["a b " * 5_000], ["ab"[n % 2] for n in range(780)]])
def test_texts_that_nobody_would_write_hold_up_nobody(text):
    lines = list(line_differences(text, [*text[1:], "end"]))
    assert "end" in "".join(word.text for line in lines if line.kind == "added" for word in line.words)


@given(LINES, LINES)
def test_both_texts_are_whole_in_what_is_shown(before, after):
    lines = list(line_differences(before, after))
    removed = [shown(line)[1] for line in lines if line.kind == "removed"]
    added = [shown(line)[1] for line in lines if line.kind == "added"]
    if before == after:
        assert lines == []
    assert len(removed) - len(added) == len(before) - len(after)
    for text, kinds in ((before, ("same", "removed")), (after, ("same", "added"))):
        parts = ["".join(word.text for word in line.words) for line in lines if line.kind in kinds]
        assert all(part in text for part in parts)
