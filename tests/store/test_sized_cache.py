"""What is kept of alerts' documents and columns is bounded by its size, whatever the number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.alerts.cache import SizedCache


def cache_of(*names: str, most: int = 10) -> SizedCache[str]:
    """Return a cache of texts by themselves."""
    cache = SizedCache[str](most, len)
    for name in names:
        cache.put(name, name)
    return cache


def test_what_nobody_asked_for_longest_goes_first() -> None:
    cache = cache_of("aaaa", "bbbb")
    assert cache.get("aaaa") == "aaaa"
    cache.put("cccc", "cccc")
    assert (cache.get("aaaa"), cache.get("bbbb"), cache.get("cccc"), cache.size) == ("aaaa", None, "cccc", 8)


def test_a_value_that_is_too_large_displaces_nothing_but_what_it_replaces() -> None:
    cache = cache_of("aaaa", "bbbb")
    cache.put("aaaa", "a" * 11)
    assert (cache.get("aaaa"), cache.get("bbbb"), cache.size) == (None, "bbbb", 4)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.text("x", max_size=12)), max_size=40))
def test_the_size_is_that_of_the_values_that_are_kept(puts: list[tuple[str, str]]) -> None:
    cache, last = cache_of(), dict[str, str]()
    for name, value in puts:
        cache.put(name, value)
        last[name] = value
        cached = {name: cache.get(name) for name in "abcdef"}
        assert all(value in (None, last[name]) for name, value in cached.items() if name in last)
        assert cache.size == sum(len(value) for value in cached.values() if value is not None) <= 10
