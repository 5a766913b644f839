"""Saved timelines: copies of pinned events are bounded, and say what they lack."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import InvalidError
from tocsin.management.timelines import (
    MOST_PINS,
    PinnedEvent,
    copied_document,
    pin_event,
    save_timeline,
    saved_timeline,
)
from tocsin.store.records.access import local_actor

_LARGEST = 6_000
_NAMES = st.text("abcdef", min_size=1, max_size=4)
_LISTS = st.lists(st.text(max_size=900), max_size=5)
_VALUES = st.one_of(st.text(max_size=3_000), st.integers(-(2**63), 2**63), _LISTS)


_DOCUMENTS = st.dictionaries(_NAMES, st.one_of(_VALUES, st.dictionaries(_NAMES, _VALUES, max_size=6)), max_size=9)


@given(source=_DOCUMENTS)
def test_a_copy_is_whole_or_says_what_it_lacks(source):
    copy, cut = copied_document(source)
    assert len(orjson.dumps(copy)) <= _LARGEST or copy == source
    if not cut:
        assert copy == source


def test_a_long_command_line_is_cut_and_named():
    copy, cut = copied_document({"process": {"command_line": "x" * 8_000, "pid": 7}})
    assert cut == ["process.command_line"]
    assert copy["process"]["pid"] == 7
    assert copy["process"]["command_line"].endswith("…")


def test_a_timeline_holds_so_many_pins_and_keeps_them_when_it_is_saved_again(session):
    actor = local_actor("tests")
    timeline = save_timeline(session, actor, "t", {}, shared=True)
    for number in range(MOST_PINS):
        pin_event(session, actor, timeline.id, PinnedEvent("i", str(number), str(number), {"n": "y" * 9_000}))
    with pytest.raises(InvalidError, match="at most 100 pinned events"):
        pin_event(session, actor, timeline.id, PinnedEvent("i", "more", "1", {}))
    save_timeline(session, actor, "renamed", {"q": "a"}, id_=timeline.id)
    document = saved_timeline(session, actor, timeline.id).document
    assert [pin["at"] for pin in document["pins"]] == [str(number) for number in range(MOST_PINS)]
    assert document["view"] == {"q": "a"}
