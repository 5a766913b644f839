"""Shippers' conversations, request by request, as these programs hold them before and while they send."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tests.scenario import Machine
from tests.sources import shippers
from tests.sources.ten_events import TEN
from tocsin.sources.batch import flatten

NDJSON = {"Content-Type": "application/x-ndjson"}
BEAT = {"Accept": "application/json", "User-Agent": "Elastic-winlogbeat/8.19.4 (windows; amd64)"}
LOGSTASH = {"User-Agent": "logstash/9.1.0 (OS=Linux; JVM=21)", "Content-Type": "application/json"}


def winlogbeat_event(number):
    return {
        "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": {"type": "winlogbeat", "version": "8.19.4"},
        "ecs": {"version": "8.0.0"},
        "event": {"code": "1", "module": "sysmon", "category": ["process"], "type": ["start"]},
        "host": {"name": "ws-0142", "os": {"type": "windows"}},
        "process": {"name": "MpCmdRun.exe", "pid": number, "args": ["MpCmdRun.exe", "-DownloadFile"]},
        "winlog": {"channel": "Microsoft-Windows-Sysmon/Operational", "event_id": "1", "record_id": number},
    }


def lines(action, documents):
    return b"".join(action + b"\n" + orjson.dumps(document) + b"\n" for document in documents)


def test_winlogbeat(running):
    with running.http(headers=BEAT) as http:
        hello = http.get("/")
        assert hello.headers["X-Elastic-Product"] == "Elasticsearch"
        assert int(hello.json()["version"]["number"].split(".")[0]) >= 8
        assert http.get("/_license?human=false").json()["license"]["status"] == "active"
        assert http.get("/_xpack").status_code == 200
        assert http.get("/_ilm/policy/winlogbeat").status_code == 404
        policy = {"policy": {"phases": {"hot": {"actions": {"rollover": {"max_age": "30d"}}}}}}
        assert http.put("/_ilm/policy/winlogbeat", json=policy).json() == {"acknowledged": True}
        assert http.head("/_index_template/winlogbeat-8.19.4").status_code == 404
        template = {"index_patterns": ["winlogbeat-8.19.4"], "data_stream": {}, "priority": 150, "template": {}}
        assert http.put("/_index_template/winlogbeat-8.19.4", json=template).json() == {"acknowledged": True}
        assert http.head("/_index_template/winlogbeat-8.19.4").status_code == 200
        assert http.get("/_data_stream/winlogbeat-8.19.4").status_code == 404
        assert http.put("/_data_stream/winlogbeat-8.19.4").json() == {"acknowledged": True}
        pipeline = http.put("/_ingest/pipeline/winlogbeat-8.19.4-routing", json={"processors": []})
        assert pipeline.json() == {"acknowledged": True}
        body = lines(b'{"create":{"_index":"winlogbeat-8.19.4"}}', map(winlogbeat_event, range(1600)))
        packed = {"Content-Encoding": "gzip", "Content-Type": "application/json; charset=UTF-8"}
        sent = http.post("/_bulk", content=gzip.compress(body), headers=packed)
        assert sent.status_code == 200
        assert sent.json()["errors"] is False
        assert {item["create"]["status"] for item in sent.json()["items"]} == {201}
        known = http.get("/_data_stream/winlogbeat-8.19.4").json()["data_streams"]
        assert [stream["name"] for stream in known] == ["winlogbeat-8.19.4"]
        [template_] = http.get("/_index_template/winlogbeat-*").json()["index_templates"]
        assert template_ == {"name": "winlogbeat-8.19.4", "index_template": template}
        found = http.post(
            "/winlogbeat-*/_eql/search", json={"query": 'process where process.args : "-downloadfile"', "size": 5}
        )
        assert len(found.json()["hits"]["events"]) == 5


def test_logstash(running):
    with running.http(headers=LOGSTASH) as http:
        assert http.head("/").status_code == 200
        assert http.get("/").json()["tagline"] == "You Know, for Search"
        assert http.get("/_license").json()["license"]["type"] == "basic"
        assert http.head("/_index_template/ecs-logstash").status_code == 404
        assert http.put("/_index_template/ecs-logstash", json={"index_patterns": ["ecs-logstash-*"]}).is_success
        documents = [{**winlogbeat_event(1), "n": 1}, {"@timestamp": "never"}]
        body = lines(b'{"create":{"_index":"logs-generic-default","routing":null}}', documents)
        url = "/_bulk?filter_path=errors,items.*.error,items.*.status"
        sent = http.post(url, content=gzip.compress(body), headers={"Content-Encoding": "gzip"}).json()
        assert sent["errors"] is True
        assert [set(item["create"]) for item in sent["items"]] == [{"status"}, {"status", "error"}]


def test_elastic_agent(running):
    with running.http(headers={"User-Agent": "Elastic-filebeat/9.2.0", **NDJSON}) as http:
        assert http.get("/").is_success
        assert http.get("/_license?human=false").is_success
        event = {
            **winlogbeat_event(1),
            "data_stream": {"type": "logs", "dataset": "system.security", "namespace": "x"},
        }
        body = lines(
            b'{"create":{"_index":"logs-system.security-x","pipeline":"logs-system.security-2.0"}}', [event]
        )
        assert http.post("/_bulk", content=body).json()["errors"] is False


@pytest.mark.parametrize("version", ["7", "8", "9"])
def test_media_types_of_every_client_release(running, version):
    media = f"application/vnd.elasticsearch+json; compatible-with={version}"
    with running.http() as http:
        answer = http.get("/", headers={"Accept": media})
    assert answer.headers["content-type"] == media.replace(" ", "")


def test_raw_records_are_recognised_and_normalised(running):
    machine = Machine("WS-0142", "CORP\\user", 5)
    raw = machine.process("C:\\x\\MpCmdRun.exe", "-DownloadFile -url https://x/", "C:\\a.exe", "MpCmdRun.exe")
    with running.http() as http:
        sent = http.post("/logs-raw-default/_doc", json=raw)
        assert sent.json()["_index"] == "logs-windows.sysmon_operational-default", sent.text
        found = http.get(f"/{sent.json()['_index']}/_doc/{sent.json()['_id']}").json()["_source"]
    assert found["process"]["name"] == "MpCmdRun.exe"
    assert found["event"]["category"] == ["process"]
    assert orjson.loads(found["event"]["original"]) == raw


# How programs send an event of a log: the request, its action, and the document. `{index}` is where it lies then.
SENT: dict[str, tuple[str, dict[str, Any], str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "Winlogbeat 8": (
        "/_bulk", {"create": {"_index": "{index}", "pipeline": "winlogbeat-8.19.4-routing"}}, "winlogbeat-8.19.4",
        shippers.winlogbeat,
    ),
    "Winlogbeat 9, the pipeline in the request": (
        "/_bulk?pipeline=winlogbeat-9.1.0-routing", {"create": {"_index": "{index}"}}, "winlogbeat-9.1.0",
        shippers.winlogbeat,
    ),
    "Winlogbeat 9, the pipeline left to the index": (
        "/{index}/_bulk", {"index": {}}, "winlogbeat-9.2.0", shippers.winlogbeat,
    ),
    "Winlogbeat by way of Kafka": (
        "/_bulk", {"create": {"_index": "{index}"}}, "winlogbeat-kafka", shippers.winlogbeat_to_a_file,
    ),
    "Elastic Agent": (
        "/_bulk", {"create": {"_index": "{index}", "pipeline": "logs-2.7.0"}}, "logs-windows.agent-default",
        shippers.elastic_agent,
    ),
    "Elastic Agent, forwarded events": (
        "/_bulk", {"create": {"_index": "{index}"}}, "logs-windows.forwarded-default",
        lambda record: shippers.elastic_agent(record, "windows.forwarded"),
    ),
    "Logstash": (
        "/_bulk?filter_path=errors,items.*.error,items.*.status",
        {"create": {"_index": "{index}", "routing": None}}, "logs-generic-default", shippers.logstash,
    ),
    "Logstash, an index of one's own": (
        "/_bulk", {"index": {"_index": "{index}"}}, "winlogbeat-2026.11.20", shippers.logstash,
    ),
    "nxlog": ("/_bulk", {"create": {"_index": "{index}"}}, "winlogbeat-nxlog", shippers.nxlog),
    "Velociraptor": ("/_bulk", {"create": {"_index": "{index}"}}, "winlogbeat-hunt", shippers.velociraptor),
    "EvtxECmd": ("/_bulk", {"create": {"_index": "{index}"}}, "winlogbeat-evtxecmd", shippers.evtxecmd),
}  # fmt: skip


@pytest.mark.parametrize("program", SENT)
def test_rules_see_ten_events_however_they_are_sent(running, program):
    url, action, index, write = SENT[program]
    [(kind, about)] = action.items()
    about = {name: value.format(index=index) if isinstance(value, str) else value for name, value in about.items()}
    ids = {title: f"{program} {title}" for title in TEN}
    body = b"".join(
        orjson.dumps({kind: {**about, "_id": ids[title]}}) + b"\n" + orjson.dumps(write(record)) + b"\n"
        for title, (record, _) in TEN.items()
    )
    with running.http(headers=NDJSON) as http:
        sent = http.post(url.format(index=index), content=body).json()
        assert sent["errors"] is False
        for title, (_, expected) in TEN.items():
            found = http.get(f"/{index}/_doc/{ids[title]}").json()
            event = flatten(found["_source"])
            assert {name: event.get(name) for name in expected} == expected, title
        query = {"query": 'sequence by process.entity_id [process where process.parent.name == "explorer.exe"] '
                          '[registry where registry.value : "disableantispyware"]'}  # fmt: skip
        assert len(http.post(f"/{index}/_eql/search", json=query).json()["hits"]["sequences"]) >= 1


def test_a_document_that_was_sent_alone_is_completed_where_it_was_sent(running):
    record, expected = TEN["Security 4688"]
    with running.http() as http:
        sent = http.post("/winlogbeat-alone/_doc", json=shippers.winlogbeat(record)).json()
        found = http.get(f"/winlogbeat-alone/_doc/{sent['_id']}").json()["_source"]
    assert sent["_index"] == "winlogbeat-alone"
    event = flatten(found)
    assert {name: event.get(name) for name in expected} == expected
    assert event["message"] == "Something happened."


def test_what_a_pipeline_or_a_module_has_done_already_is_stored_as_it_came(running):
    document = winlogbeat_event(7)
    with running.http() as http:
        sent = http.post("/winlogbeat-7.17.24/_doc", json=document).json()
        assert http.get(f"/winlogbeat-7.17.24/_doc/{sent['_id']}").json()["_source"] == document
