"""The evidence of a sequence's alert whose processes have no entity ids, and lie in several indices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import run_service
from tests.waiting import eventually
from tocsin.desk.app import create_app_with_desk

HOST, HOSTILE = "WS-9", '<script>alert("x")</script>\u202etxt.exe'
RULE = {
    "rule_id": "steps", "name": "Steps", "description": "d", "type": "eql", "language": "eql", "severity": "high",
    "risk_score": 73, "index": ["logs-a-default", "logs-b-default"], "interval": "2s", "from": "now-1h",
    "enabled": True,
    "query": 'sequence by process.pid with maxspan=5m [process where event.type == "start" and '
    'process.name == "bad.exe"] [network where true]',
}  # fmt: skip
BEGIN = datetime.now(UTC) - timedelta(minutes=10)


def process(second: int, pid: int, parent: int, name: str, type_: str = "start", **more: Any) -> dict[str, Any]:
    event = {"category": ["process"], "type": [type_]}
    about = {"pid": pid, "name": name, "parent": {"pid": parent}, **more}
    return {"@timestamp": at(second), "host": {"name": HOST}, "event": event, "process": about}


def at(second: int) -> str:
    return (BEGIN + timedelta(seconds=second)).isoformat()


EVENTS = {
    "logs-a-default": [
        process(0, 10, 4, "explorer.exe"),
        process(1, 20, 10, "old.exe"),
        process(2, 20, 10, "old.exe", "end"),
        process(5, 20, 10, "cmd.exe"),
        process(30, 50, 30, HOSTILE, command_line=HOSTILE * 100),
        process(40, 30, 20, "bad.exe", "end"),
        process(50, 30, 20, "later.exe"),
        process(51, 51, 30, "child-of-later.exe"),
    ],
    "logs-b-default": [
        process(10, 30, 20, "bad.exe", command_line="bad.exe http://203.0.113.9/x"),
        {
            "@timestamp": at(11), "host": {"name": HOST}, "event": {"category": ["network"], "type": ["start"]},
            "process": {"pid": 30, "name": "bad.exe"}, "destination": {"ip": "203.0.113.9", "port": 80},
        },
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    """A client that asks as htmx does, and the alert of the sequence."""
    with run_service(tmp_path_factory.mktemp("evidence"), make_app=create_app_with_desk) as running:
        headers = {"accept": "text/html", "hx-request": "true"}
        with running.http(running.add_key("admin", "ingest", "read")) as http, running.client() as client:
            for index, events in EVENTS.items():
                for event in events:
                    client.index(index=index, document=event)
            http.post("/api/detection_engine/rules", json=RULE).raise_for_status()

            def alert() -> dict[str, Any] | None:
                query = {"bool": {"must_not": [{"exists": {"field": "kibana.alert.building_block_type"}}]}}
                hits = client.search(index=".alerts-security.alerts-default", query=query)["hits"]["hits"]
                return hits[0]["_source"] if hits else None

            raised = eventually(alert)
            assert raised is not None
            http.headers.update(headers)
            yield http, raised


def part(found: tuple[httpx.Client, dict[str, Any]], name: str, id_: str = "", **parameters: str) -> str:
    http, alert = found
    answer = http.get(f"/alerts/{id_ or alert['kibana.alert.uuid']}/{name}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.text


def blocks(found: tuple[httpx.Client, dict[str, Any]]) -> list[str]:
    return re.findall(r'<li>.*?href="/alerts/(\w+)"', part(found, "events", show="sequence"), re.DOTALL)


def test_the_steps_of_a_sequence_are_on_one_time_line(found):
    text = part(found, "events", show="sequence")
    assert re.findall(r">([^<]*)</a>", text.partition("steps")[2])[:2] == [
        "bad.exe was started with http://203.0.113.9/x",
        "bad.exe connected to 203.0.113.9:80",
    ]
    assert "after 1 s" in text
    assert len(blocks(found)) == 2
    assert part(found, "events", blocks(found)[0], show="sequence").count("<li>") == 2


def test_the_outline_spans_indices_and_tells_pids_apart_that_were_given_again(found):
    text = part(found, "tree", blocks(found)[0])
    names = re.findall(r'class="node (\w+) depth-(\d+)".*?data-select>([^<]*)</a>', text, re.DOTALL)
    shown = [(relation, int(depth), name[:8]) for relation, depth, name in names]
    assert shown == [
        ("ancestor", 0, "(no name"), ("ancestor", 1, "explorer"), ("ancestor", 2, "cmd.exe"),
        ("alert", 3, "bad.exe"), ("descendant", 4, "&lt;scri"), ("sibling", 3, "later.ex"),
    ]  # fmt: skip
    assert "<b>1</b> network" in text


def test_what_is_hostile_is_shown_and_does_nothing(found):
    text = part(found, "tree", blocks(found)[0])
    assert "<script" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text


def test_parents_are_looked_for_further_back_when_that_is_asked_for(found):
    assert "Look further back" in part(found, "tree")
    text = part(found, "tree", further="1")
    assert "Look further back" not in text
    assert 'class="node alert' in text


def test_events_of_a_pid_are_those_about_the_alert_or_of_all_time(found):
    about, ever = (part(found, "events", blocks(found)[0], show="network", **more) for more in ({}, {"ever": "1"}))
    assert "Events of the day before and after the alert." in about
    assert "Events of all time." in ever
    assert about.count("203.0.113.9") == ever.count("203.0.113.9") > 0


def test_where_an_executable_lies_is_said_of_each_process(found):
    text = part(found, "events", blocks(found)[0])
    assert "signature not recorded" in text
