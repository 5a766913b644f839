"""Rule sets that are kept are those that reading the files again would give."""

from pathlib import Path

import pytest

from tests.rules.test_rules import MINIMAL
from tocsin.detection import ruleset
from tocsin.detection.ruleset import ENVIRONMENT, read_ruleset


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


def test_a_kept_rule_set_is_what_was_read(cache: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_ruleset([str(rules)])
    assert len(list(cache.glob("*.rules"))) == 1
    monkeypatch.setattr(ruleset, "load_rules", None)  # nothing is read again
    second = read_ruleset([str(rules)])
    assert second.ready == first.ready
    assert second.skipped == first.skipped
    assert [r.invalid for r in second.skipped] == [True]
    assert second.plan.program == first.plan.program


def test_a_change_of_a_rule_of_a_guide_or_of_an_option_is_noticed(cache: Path, rules: Path) -> None:
    assert read_ruleset([str(rules)]).ready[0].rule.notes == {}
    (rules / "rule.de.md").write_text("Anleitung")
    assert read_ruleset([str(rules)]).ready[0].rule.notes == {"de": "Anleitung"}
    (rules / "rule.toml").write_text(MINIMAL.replace("process.name", "file.name"))
    assert "file.name" in read_ruleset([str(rules)]).plan.program.fields
    read_ruleset([str(rules)], any_index=True)
    assert len(list(cache.glob("*.rules"))) == 4


@pytest.mark.parametrize("damage", [b"", b"\x80\x05garbage", b"\x80\x05K\x01."])
def test_a_damaged_one_is_made_anew(cache: Path, rules: Path, damage: bytes) -> None:
    first = read_ruleset([str(rules)])
    (kept,) = cache.glob("*.rules")
    kept.write_bytes(damage)
    assert read_ruleset([str(rules)]).ready == first.ready


def test_only_the_last_few_are_kept(cache: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruleset, "_KEPT", 2)
    for name in ("a", "b", "c", "d"):
        (rules / "rule.toml").write_text(
            MINIMAL.replace("process.name", f"process.{'parent.' * (name > 'b')}name")
        )
        (rules / "note.md").write_text(name)
        read_ruleset([str(rules)])
    assert len(list(cache.glob("*.rules"))) == 2


def test_nothing_is_kept_where_that_is_not_wanted_or_not_possible(
    tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "")
    assert read_ruleset([str(rules)]).ready
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "file" / "below"))
    assert read_ruleset([str(rules)]).ready
