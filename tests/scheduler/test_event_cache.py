"""Whole events that alerts will most likely need are kept up to a number of bytes, the newest."""

from __future__ import annotations

from tocsin.detection.rule_types.findings import Place
from tocsin.scheduler.buffer.event_cache import EventCache

A, B, C = (Place("logs", id_) for id_ in "abc")


def test_the_oldest_event_goes_first_whatever_was_asked_for() -> None:
    cache = EventCache(sure=10)
    for place in (A, B):
        cache.add(place, b"1234")
    assert cache.get(A) == b"1234"
    cache.add(A, b"1234")  # it has its place in the order already
    cache.add(C, b"123456")
    assert (cache.get(A), cache.get(B), cache.get(C), cache.size) == (None, b"1234", b"123456", 10)


def test_likely_events_never_displace_sure_ones() -> None:
    cache = EventCache(sure=4, likely=4)
    cache.add(A, b"1234")
    cache.add(B, b"1234", sure=False)
    cache.add(C, b"1234", sure=False)
    assert (cache.get(A), cache.get(B), cache.get(C), cache.size) == (b"1234", None, b"1234", 8)


def test_an_event_that_is_larger_than_all_may_be_displaces_nothing() -> None:
    cache = EventCache(sure=4)
    cache.add(A, b"1234")
    cache.add(B, b"12345")
    assert (cache.get(A), cache.get(B), cache.size) == (b"1234", None, 4)
