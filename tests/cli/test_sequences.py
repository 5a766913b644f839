"""Sequences as a user meets them: one alert, its events as building blocks, and why there is none."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import tocsin
from tests.scenario import EXAMPLES

FETCH = """sequence by process.entity_id with maxspan=5m
  [process where event.type == "start" and process.args : "-DownloadFile"]
  [network where dns.question.name : "*.example.com"]
  [file where file.path : "C:\\\\\\\\Users\\\\\\\\Public\\\\\\\\*"]
"""
RULE = f'''[rule]
rule_id = "sequence"
name = "Fetched and written"
type = "eql"
language = "eql"
severity = "high"
risk_score = 73
index = ["logs-windows.sysmon_operational-*"]
query = """
{FETCH}"""
'''
WITHOUT = """sequence by process.entity_id with maxspan=5m
  [process where event.type == "start" and process.args : "-DownloadFile"]
  ![registry where true]
  [network where dns.question.name : "*.example.com"]
"""


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rule.toml"
    path.write_text(RULE)
    return path


def test_a_sequence_is_one_alert_with_its_events_as_building_blocks(rule: Path, tmp_path: Path) -> None:
    done = tocsin("hunt", EXAMPLES, "-r", rule, "-f", "ndjson", cwd=tmp_path)
    (alert,) = [json.loads(line) for line in done.stdout.splitlines()]
    blocks = alert["tocsin"]["building_blocks"]
    assert [b["event"]["category"] for b in blocks] == [["process"], ["network"], ["file"]]
    assert [b["kibana.alert.group.index"] for b in blocks] == [0, 1, 2]
    assert {b["kibana.alert.building_block_type"] for b in blocks} == {"default"}
    assert {b["kibana.alert.group.id"] for b in blocks} == {alert["kibana.alert.group.id"]}
    # The alert itself has what its events share, the time of the last, and is made of the building blocks.
    assert alert["process"]["entity_id"] == blocks[0]["process"]["entity_id"] == alert["tocsin"]["join_keys"][0]
    assert alert["process"]["name"] == "MpCmdRun.exe"
    assert "file" not in alert
    assert alert["@timestamp"] == blocks[2]["@timestamp"] == alert["kibana.alert.original_time"]
    assert alert["kibana.alert.depth"] == 2
    signals = [a["id"] for a in alert["kibana.alert.ancestors"] if a["type"] == "signal"]
    assert signals == [b["kibana.alert.uuid"] for b in blocks]
    again = tocsin("hunt", EXAMPLES, "-r", rule, "-f", "ndjson", cwd=tmp_path)
    assert again.stdout == done.stdout


def test_the_table_and_the_page_show_every_step(rule: Path, tmp_path: Path) -> None:
    shown = tocsin("hunt", EXAMPLES, "-r", rule, cwd=tmp_path).stdout
    assert "2 asked for cdn.example.com" in shown
    shown = tocsin("hunt", EXAMPLES, "-r", rule, "--wide", cwd=tmp_path).stdout
    assert "3 created C:\\Users\\Public\\a.txt" in shown
    assert "1 alert " in shown
    tocsin("hunt", EXAMPLES, "-r", rule, "-o", "page.html", cwd=tmp_path)
    page = (tmp_path / "page.html").read_text()
    assert "Step 3 of 3" in page
    assert "joined by {" in page


def test_a_window_must_hold_every_event(rule: Path, tmp_path: Path) -> None:
    first = tocsin("hunt", EXAMPLES, "-r", rule, "-f", "json", cwd=tmp_path).stdout
    last = json.loads(first)["alerts"][0]["@timestamp"]
    done = tocsin("hunt", EXAMPLES, "-r", rule, "-f", "ndjson", "--to", last, cwd=tmp_path)
    assert done.stdout == ""


def test_events_without_a_time_are_said_to_be_left_out(rule: Path, tmp_path: Path) -> None:
    event = {"event": {"category": "file", "dataset": "windows.sysmon_operational"}, "process": {"entity_id": "x"}}
    line = json.dumps({**event, "file": {"path": "C:\\Users\\Public\\a"}})
    done = tocsin("hunt", "-", "-r", rule, stdin=line.encode(), cwd=tmp_path)
    assert "1 event without a time would fit a step of a sequence" in done.stdout


def test_a_query_shows_sequences_as_elasticsearch_answers(tmp_path: Path) -> None:
    done = tocsin("query", WITHOUT, EXAMPLES, "-f", "ndjson", cwd=tmp_path)
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert found["events"][1] == {"missing": True}
    assert found["events"][2]["dns"]["question"]["name"] == "cdn.example.com"
    assert len(found["join_keys"]) == 1
    table = tocsin("query", WITHOUT, EXAMPLES, cwd=tmp_path)
    assert "(missing, as asked)" in table.stdout
    assert "1 result in 329 events" in table.stderr
    assert (
        tocsin("query", WITHOUT + "| head 5 | tail 1", EXAMPLES, "-f", "ndjson", cwd=tmp_path).stdout
        == done.stdout
    )


def test_explain_says_where_a_rule_goes_silent(rule: Path, tmp_path: Path) -> None:
    rule.write_text(RULE.replace("*.example.com", "*.example.test"))
    shown = tocsin("explain", rule, EXAMPLES, cwd=tmp_path).stdout
    (line,) = [line for line in shown.splitlines() if "silent from here" in line]
    assert 'dns.question.name : "*.example.test"' in line
    body = json.loads(tocsin("explain", rule, EXAMPLES, "-f", "json", cwd=tmp_path).stdout)
    assert body["silent"] == {"step": 1, "predicate": 'dns.question.name : "*.example.test"'}
    assert [step["events"] for step in body["steps"]] == [3, 0, 1]
    assert body["joining"]["found"] == 0
    assert [step["events"] for step in body["joining"]["steps"]] == [3, 0, 1]


def test_explain_tells_a_span_that_is_too_short(rule: Path, tmp_path: Path) -> None:
    rule.write_text(RULE.replace("maxspan=5m", "maxspan=1ms"))
    shown = tocsin("explain", rule, EXAMPLES, cwd=tmp_path).stdout
    assert "1 ran out of maxspan" in shown
    rule.write_text(RULE)
    assert "1 found" in tocsin("explain", rule, EXAMPLES, cwd=tmp_path).stdout


def test_explain_takes_a_bundled_rule_and_a_query(tmp_path: Path) -> None:
    shown = tocsin("explain", "MpCmdRun", EXAMPLES, cwd=tmp_path).stdout
    rows = {line.split("  ")[0].strip(): line.split()[-2:] for line in shown.splitlines() if line.strip()}
    assert rows['process.args : "-DownloadFile"'] == ["4", "3"]
    assert "3 events match" in shown
    query = 'process where process.name : "x.exe" and not (?dll.path : "a" or process.pid == 1)'
    shown = tocsin("explain", query, EXAMPLES, cwd=tmp_path).stdout
    assert "none of" in shown
    assert "no event has dll.path" in shown
    wrong = tocsin("explain", "process where nmae == 1", EXAMPLES, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "unknown field `nmae`" in wrong.stderr
