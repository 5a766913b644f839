"""A category that ECS does not have is told, and is no error: Elasticsearch takes any value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import tocsin
from tests.scenario import EXAMPLES
from tocsin.detection.categories import unknown_categories
from tocsin.detection.compile import doubtful_fields, prepare
from tocsin.ecs import CATEGORIES, default_schema
from tocsin.eql.compile import read
from tocsin.rules.model import Rule


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("proces where true", ["`proces` is no event category of ECS; did you mean `process`?"]),
        ("Process where true", ["`Process` is no event category of ECS; did you mean `process`?"]),
        ("zoology where true", ["`zoology` is no event category of ECS"]),
        ("any where true", []),
        ("sequence by host.name [proces where true] [files where true] [any where true] until [proces where true]",
         ["`proces` is no event category of ECS; did you mean `process`?",
          "`files` is no event category of ECS; did you mean `file`?"]),
        *((f"{name} where true", []) for name in sorted(CATEGORIES)),
    ],
)  # fmt: skip
def test_a_category_that_is_none_is_told_once(query: str, told: list[str]) -> None:
    assert unknown_categories(read(query, default_schema())) == told


def test_a_rule_with_a_category_field_of_its_own_names_values_of_that() -> None:
    rule = Rule(rule_id="1", name="r", type="eql", severity="low", risk_score=1, query="proces where true")
    assert [len(doubtful_fields(one)) for one in prepare([rule])[0]] == [1]
    chosen = Rule(
        rule_id="1", name="r", type="eql", severity="low", risk_score=1, query="proces where true",
        event_category_override="event.kind",
    )  # fmt: skip
    assert [doubtful_fields(one) for one in prepare([chosen])[0]] == [[]]


def test_query_and_hunt_tell_it_where_nothing_matched(tmp_path: Path) -> None:
    told = "`proces` is no event category of ECS; did you mean `process`?"
    done = tocsin("query", "proces where true", EXAMPLES, cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (0, True)
    assert "is no event category" not in tocsin("query", "process where true", EXAMPLES, cwd=tmp_path).stderr
    event = {"@timestamp": "2026-11-20T10:00:00Z", "event": {"category": "proces"}, "host": {"name": "h"}}
    (tmp_path / "own.ndjson").write_text(json.dumps(event))
    assert "is no event category" not in tocsin("query", "proces where true", "own.ndjson", cwd=tmp_path).stderr
    rule = {"rule_id": "1", "name": "Mine", "type": "eql", "language": "eql", "severity": "low", "risk_score": 1,
            "description": "d", "query": "proces where process.name == \"a\""}  # fmt: skip
    (tmp_path / "rule.ndjson").write_text(json.dumps(rule))
    done = tocsin("hunt", EXAMPLES, "-r", "rule.ndjson", cwd=tmp_path)
    assert (done.returncode, f"Mine: {told}" in done.stdout) == (0, True)
