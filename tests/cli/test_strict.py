"""What --strict ends with 2 for: rules of the folder that did not load, each told with its reason."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import tocsin

RULE = """
[rule]
rule_id = "8d4c7c2e-9f1a-4d50-9d0e-1f5f7a8c2b10"
name = "One"
type = "eql"
language = "eql"
severity = "high"
risk_score = 73
description = "d"
query = 'process where process.name == "certutil.exe"'
"""


@pytest.mark.parametrize(
    ("name", "content", "rules", "code", "told"),
    [
        ("two.toml", RULE, ["rules"], 2, "repeated rule_id 1"),
        ("two.toml", "[rule\nname = ", ["rules"], 2, "not valid TOML"),
        ("two.toml", "this is no TOML at all", ["rules"], 2, "not valid TOML"),
        ("two.toml", "[rule]\nname = 'x'\n", ["rules"], 2, "not a valid rule"),
        ("two.toml", "[hunt]\nname = 'x'\n", ["rules"], 0, ""),
        ("two.ndjson", '{"rule_id": "x"\n', ["rules"], 2, "is not valid JSON"),
        ("notes.json", '{"a": 1}', ["rules"], 0, ""),
        ("two.toml", "[hunt]\n", ["rules", "rules/one.toml", "./rules"], 0, ""),
    ],
)
def test_strict_fails_for_rules_that_did_not_load(
    name: str, content: str, rules: list[str], code: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "one.toml").write_text(RULE, "utf-8")
    (tmp_path / "rules" / name).write_text(content, "utf-8")
    event = {"@timestamp": "2026-11-27T09:00:00Z", "event": {"category": ["process"]}, "process": {"name": "a"}}
    (tmp_path / "events.ndjson").write_text(json.dumps(event) + "\n", "utf-8")
    options = [part for path in rules for part in ("-r", path)]
    done = tocsin("hunt", "events.ndjson", *options, "--strict", cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (code, True)
    assert ("--strict: " in done.stderr) == (code == 2)
    assert tocsin("hunt", "events.ndjson", *options, cwd=tmp_path).returncode == 0
