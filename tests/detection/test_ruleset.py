"""Cached rule sets are those that reading the files again would give, and their files hold no code."""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rules.test_rules import MINIMAL
from tests.shared import needs_shared, shared
from tocsin.detection import ruleset
from tocsin.detection.ruleset import CACHED, ENVIRONMENT, RuleSet, read_ruleset


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(ENVIRONMENT, str(folder))
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rule.toml").write_text(MINIMAL)
    (folder / "broken.toml").write_text("[rule]\nname = ")
    return folder


def written(cache: Path) -> Path:
    (file,) = cache.glob("*.rules")
    return file


def is_the_same(second: RuleSet, first: RuleSet) -> bool:
    return (
        [replace(one, pipeline=None) for one in second.ready]
        == [replace(one, pipeline=None) for one in first.ready]
        # Functions of pipelines are compiled again, and equal no others.
        and [one.pipeline and one.pipeline.query for one in second.ready]
        == [one.pipeline and one.pipeline.query for one in first.ready]
        and [one.rule.document() for one in second.ready] == [one.rule.document() for one in first.ready]
        and [one.rule.metadata for one in second.ready] == [one.rule.metadata for one in first.ready]
        and second.skipped == first.skipped
        and second.plan.program == first.plan.program
    )


def test_a_cached_rule_set_is_what_was_read(cache: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_ruleset([str(rules)])
    assert written(cache)
    monkeypatch.setattr(ruleset, "load_rules", None)  # nothing is read again
    second = read_ruleset([str(rules)])
    assert is_the_same(second, first)
    assert [r.invalid for r in second.skipped] == [True]


@needs_shared("rules/elastic-windows")
@pytest.mark.slow
@pytest.mark.parametrize("any_index", [False, True])
def test_the_public_rules_come_back_as_they_were_read(
    cache: Path, any_index: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(shared("rules/elastic-windows"))
    first = read_ruleset([folder], any_index=any_index)
    monkeypatch.setattr(ruleset, "load_rules", None)
    assert is_the_same(read_ruleset([folder], any_index=any_index), first)


def test_a_change_of_a_rule_of_a_guide_or_of_an_option_is_noticed(cache: Path, rules: Path) -> None:
    assert read_ruleset([str(rules)]).ready[0].rule.notes == {}
    (rules / "rule.de.md").write_text("Anleitung")
    assert read_ruleset([str(rules)]).ready[0].rule.notes == {"de": "Anleitung"}
    (rules / "rule.toml").write_text(MINIMAL.replace("process.name", "file.name"))
    assert "file.name" in read_ruleset([str(rules)]).plan.program.fields
    read_ruleset([str(rules)], any_index=True)
    assert len(list(cache.glob("*.rules"))) == 4


class Marks:
    """Pickled, it makes a folder when it is read back."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def with_digest(data: bytes) -> bytes:
    """Put in front of bytes what a file begins with."""
    return hashlib.sha256(data).digest() + data


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("damage", [b"", b"\x80\x05garbage", b"[", b"[[], []]", b"null", b"[" * 100_000])
def test_a_damaged_one_is_made_anew(cache: Path, rules: Path, damage: bytes, sealed: bool) -> None:
    first = read_ruleset([str(rules)])
    whole = written(cache).read_bytes()
    written(cache).write_bytes(with_digest(damage) if sealed else damage)
    assert is_the_same(read_ruleset([str(rules)]), first)
    assert written(cache).read_bytes() == whole


def test_a_file_that_runs_code_when_it_is_unpickled_runs_none(cache: Path, rules: Path, tmp_path: Path) -> None:
    first = read_ruleset([str(rules)])
    hostile = pickle.dumps(Marks(tmp_path / "ran"))
    for content in (hostile, with_digest(hostile)):
        written(cache).write_bytes(content)
        assert is_the_same(read_ruleset([str(rules)]), first)
    assert not (tmp_path / "ran").exists()
    pickle.loads(hostile)
    assert (tmp_path / "ran").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=200), sealed=st.booleans())
def test_random_bytes_are_made_anew(cache: Path, rules: Path, data: bytes, sealed: bool) -> None:
    first = read_ruleset([str(rules)])
    written(cache).write_bytes(with_digest(data) if sealed else data)
    assert is_the_same(read_ruleset([str(rules)]), first)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_bit_that_has_turned_is_noticed(cache: Path, rules: Path, data: st.DataObject) -> None:
    first = read_ruleset([str(rules)])
    content = bytearray(written(cache).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    written(cache).write_bytes(content)
    assert is_the_same(read_ruleset([str(rules)]), first)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(data=st.data())
def test_a_forged_file_is_a_rule_set_or_is_made_anew(cache: Path, rules: Path, data: st.DataObject) -> None:
    read_ruleset([str(rules)])
    encoded: Any = json.loads(written(cache).read_bytes()[32:])
    at = encoded
    while at:
        place = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[place], list | dict) or data.draw(st.integers(0, 9)) == 0:
            at[place] = data.draw(
                st.none() | st.integers(-2, 40) | st.text(max_size=5) | st.just([]) | st.just({})
            )
            break
        at = at[place]
    written(cache).write_bytes(with_digest(json.dumps(encoded).encode()))
    assert isinstance(read_ruleset([str(rules)]), RuleSet)
    for file in cache.glob("*.rules"):
        file.unlink()


def test_only_the_ones_used_last_stay(cache: Path, rules: Path) -> None:
    for number in range(CACHED + 2):
        (rules / "note.md").write_text(str(number))
        read_ruleset([str(rules)])
    assert len(list(cache.glob("*.rules"))) == CACHED


def test_nothing_is_cached_where_that_is_not_wanted_or_not_possible(
    tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "")
    assert read_ruleset([str(rules)]).ready
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "file" / "below"))
    assert read_ruleset([str(rules)]).ready
