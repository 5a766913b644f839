"""`tocsin rules export` writes what Kibana's `_export` gives, and `rules import` takes it in again."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.cli.test_refusals import call
from tests.management.conftest import lines, rule
from tests.management.test_imports import ACTION, CONNECTOR, ITEM, LIST, REFERENCE
from tocsin.cli.records import in_records
from tocsin.management.exports import export_rules

RULES = (rule("a", exceptions_list=[REFERENCE], actions=[ACTION]), rule("b", name="Grüße"))
Run = Callable[[str], tuple[int, bytes, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run a command line in a folder whose `data` holds two rules, a list, its item and a connector."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (tmp_path / "rules.ndjson").write_bytes(b"\n".join(lines(*RULES, LIST, ITEM, CONNECTOR)))

    def run(line: str) -> tuple[int, bytes, str]:
        code = call(monkeypatch, line)
        out, err = capsysbinary.readouterr()
        return code, out, err.decode()

    assert run("rules import rules.ndjson --data data")[0] == 0
    return run


def exported(data: str, rule_ids: list[str] | None = None) -> bytes:
    """Return what the address `_export` answers."""
    with in_records(None, Path(data)) as (session, _):
        return export_rules(session, rule_ids)


@pytest.mark.parametrize(
    ("arguments", "rule_ids", "summary"),
    [
        pytest.param(
            "--all", None, "2 rules exported, with 1 exception list (1 exception) and 1 connector without secrets",
            id="all",
        ),
        pytest.param(
            "a", ["a"], "1 rule exported, with 1 exception list (1 exception) and 1 connector without secrets",
            id="by rule_id, with what it names",
        ),
        pytest.param("grüße", ["b"], "1 rule exported\n", id="by name in any case"),
        pytest.param("b 'rule a' b", ["a", "b"], "2 rules exported, with", id="several, each once, by name"),
    ],
)  # fmt: skip
def test_rules_are_written_as_the_address_answers_them(
    run: Run, arguments: str, rule_ids: list[str] | None, summary: str
) -> None:
    code, out, err = run(f"rules export {arguments} --data data")
    assert (code, out) == (0, exported("data", rule_ids))
    assert err.startswith(summary)


def test_a_file_is_taken_in_again_elsewhere(run: Run) -> None:
    code, out, _ = run("rules export --all -o out.ndjson --data data")
    assert (code, out) == (0, b"")
    assert run("rules import out.ndjson --data other")[0] == 0
    first, again = (
        [{**orjson.loads(line), **dict.fromkeys(CHANGING)} for line in exported(data).splitlines()]
        for data in ("data", "other")
    )
    assert first == again


CHANGING = (
    "id", "_version", "created_at", "updated_at", "created_by", "updated_by", "revision", "tie_breaker_id",
    "exceptions_list",
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "no rule is named"),
        ("nosuch", "the service keeps no rule called `nosuch`"),
        ("a nosuch", "the service keeps no rule called `nosuch`"),
        ("--all -o nosuch/out.ndjson", "nosuch/out.ndjson cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_refused(run: Run, arguments: str, message: str) -> None:
    code, out, err = run(f"rules export {arguments} --data data")
    assert (code, out) == (2, b"")
    assert message in err
    assert not Path("nosuch").exists()


def test_a_name_of_several_rules_is_refused(run: Run) -> None:
    document = orjson.dumps(rule("c", name="Grüße aus Wien"))
    Path("more.ndjson").write_bytes(document)
    assert run("rules import more.ndjson --data data")[0] == 0
    code, _, err = run(f"rules export {shlex.quote('grüß')} --data data")
    assert code == 2
    assert "`grüß` could be any of 2 rules" in err
