"""The order of versions: what semver.org says ("Precedence"), and what Elasticsearch's `VersionEncoder` adds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.eql.versions import Version, version_key, version_of

ORDERED = [
    "0.9", "1", "1.0.0-0", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
    "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0+build", "1.0.1", "1.9.0", "1.10.0", "1.10.0.1",
    "2.0.0", "10.0.0",
    "", "01.2", "1..2", "1.2_beta", "v1.2",
]  # fmt: skip


def test_versions_are_in_order():
    """Numbers count as such, `-` comes before, and what is no version comes behind all that are."""
    shuffled = ORDERED[::-1]
    assert sorted(shuffled, key=version_key) == ORDERED
    assert sorted(map(Version, shuffled)) == ORDERED


@given(st.text(alphabet="019.-+ab", max_size=12))
def test_a_key_tells_its_version(text):
    assert version_of(version_key(text)) == text


NUMBERS = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)


@given(NUMBERS, NUMBERS)
def test_numbers_are_compared_part_by_part(one, other):
    texts = [".".join(map(str, parts)) for parts in (one, other)]
    if len(one) == len(other):
        assert (Version(texts[0]) < texts[1]) == (one < other)


@pytest.mark.parametrize(("left", "right"), [("1.9", "1.10"), ("1.10-rc.1", "1.10"), ("9.0", "x")])
def test_a_constant_carries_the_order(left, right):
    assert left < Version(right)
    assert Version(right) > left
    assert not left >= Version(right)
    assert Version(left) != right
