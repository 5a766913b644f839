"""Lists of indicators, hunts and reputation over HTTP, with a rule that reads a list."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from tests.response.reputation.vendors import BAD_HASH, KEY, vendor, virustotal
from tests.waiting import eventually

LISTS, HUNTS, SERVICES = "/api/indicator_lists", "/api/indicator_hunts", "/api/reputation/services"


@pytest.fixture(scope="module")
def http(running):
    """Clients by what they may do."""
    return {
        scope: running.http(running.add_key(*scopes))
        for scope, scopes in {
            "read": ("read",), "respond": ("read", "respond"), "write": ("read", "write_rules"),
            "admin": ("admin",),
        }.items()
    }  # fmt: skip


def store(running, *documents):
    lines = b"".join(b'{"create": {}}\n' + orjson.dumps(document) + b"\n" for document in documents)
    with running.http() as client:
        answer = client.post(
            "/logs-endpoint.events.process-default/_bulk", content=lines,
            headers={"Content-Type": "application/x-ndjson"},
        )  # fmt: skip
    assert answer.json()["errors"] is False


def event(host, **fields):
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    about = {"category": ["process"], "type": ["start"]}
    return {"@timestamp": moment, "host": {"name": host}, "event": about, **fields}


def made(http, name, text, **about):
    assert http["write"].post(LISTS, json={"name": name, **about}).status_code == 200
    loaded = http["write"].post(f"{LISTS}/{name}/_load", files={"file": ("feed.csv", text.encode())})
    assert loaded.status_code == 200
    return loaded.json()


def test_a_list_is_made_loaded_searched_and_removed(running, http):
    result = made(http, "first", "indicator,comment\n198.51.100.7,c2\nnobody knows,x\n", source="me")
    assert result == {"taken": 1, "indicators": 1, "skipped": {"value of no known kind": 1}}
    [of] = [of for of in http["read"].get(LISTS).json()["lists"] if of["name"] == "first"]
    assert (of["indicators"], of["source"], of["skipped"]) == (1, "me", {"value of no known kind": 1})
    body = {"query": {"term": {"threat.indicator.ip": "198.51.100.7"}}}
    [hit] = running.client().search(index="logs-ti_*", **body)["hits"]["hits"]
    assert hit["_index"] == "logs-ti_custom.indicator-lists"
    assert hit["_source"]["threat"]["feed"]["name"] == "first"
    removed = http["write"].post(f"{LISTS}/first/_remove", json={"values": ["198.51.100.7"]})
    assert removed.json() == {"removed": 1}
    changed = http["write"].put(f"{LISTS}/{of['id']}", json={"name": "first", "source": "them"})
    assert changed.status_code == 200
    assert running.client().search(index="logs-ti_*", **body)["hits"]["hits"] == []
    assert http["write"].delete(f"{LISTS}/{of['id']}").status_code == 200
    assert http["write"].delete(f"{LISTS}/{of['id']}").status_code == 404


def test_nobody_writes_into_the_index_of_lists_but_through_lists(running):
    with running.http() as client:
        answer = client.post("/logs-ti_custom.indicator-lists/_doc", json={"a": 1})
    assert answer.status_code == 400
    assert "lists of indicators" in answer.text


def test_a_rule_raises_an_alert_for_what_a_list_has(running, http):
    made(http, "hashes", f"sha256\n{BAD_HASH}\n")
    rule = {
        "rule_id": "ti", "name": "On a list", "description": "x", "type": "threat_match", "severity": "high",
        "risk_score": 73, "language": "kuery", "query": "process.hash.sha256: *", "index": ["logs-endpoint*"],
        "threat_index": ["logs-ti_*"], "threat_language": "kuery", "threat_indicator_path": "threat.indicator",
        # As Elastic's own rules ask.
        "threat_query": '@timestamp >= "now-30d/d" and event.module: ti_* and threat.indicator.file.hash.*: *',
        "threat_mapping": [{"entries": [
            {"field": "process.hash.sha256", "type": "mapping", "value": "threat.indicator.file.hash.sha256"}]}],
        "from": "now-70s", "interval": "1s", "enabled": True,
    }  # fmt: skip
    assert http["write"].post("/api/detection_engine/rules", json=rule).status_code == 200
    store(running, event("ws1", process={"hash": {"sha256": BAD_HASH}}))

    def alerts():
        index = ".alerts-security.alerts-default"
        body = {"query": {"term": {"kibana.alert.rule.rule_id": "ti"}}}
        return running.client().search(index=index, **body)["hits"]["hits"]

    eventually(alerts, 60)
    [alert] = alerts()
    [enrichment] = alert["_source"]["threat.enrichments"]
    assert enrichment["indicator"]["file"]["hash"]["sha256"] == BAD_HASH
    assert (enrichment["feed"]["name"], enrichment["matched"]["field"]) == ("hashes", "process.hash.sha256")


def test_a_hunt_finds_the_other_host(running, http):
    digest = "12" * 32
    store(
        running,
        event("ws1", process={"hash": {"sha256": digest}}),
        event("ws2", file={"hash": {"sha256": digest}}),
    )
    asked = http["respond"].post(HUNTS, json={"name": "again", "indicators": [digest]}).json()
    address = f"{HUNTS}/{asked['id']}"
    eventually(lambda: http["read"].get(address).json()["state"] == "done", 60)
    result = http["read"].get(address).json()["result"]
    assert result["hosts"] == ["ws1", "ws2"]
    assert [(s["host"], s["event_field"], s["count"]) for s in result["sightings"]] == [
        ("ws1", "process.hash.sha256", 1), ("ws2", "file.hash.sha256", 1),
    ]  # fmt: skip
    assert http["respond"].post(f"{address}/_cancel").json()["state"] == "done"
    assert [hunt["name"] for hunt in http["read"].get(HUNTS).json()["hunts"]] == ["again"]
    assert http["respond"].post(HUNTS, json={"name": "none", "indicators": ["a@b.com"]}).status_code == 400
    assert http["respond"].post(HUNTS, json={"name": "none"}).status_code == 400


def test_a_service_is_asked_when_an_administrator_has_switched_it_on(http):
    question = {"service": "virustotal", "kind": "hash", "value": BAD_HASH}
    off = http["respond"].post("/api/reputation/_ask", json=question)
    assert (off.status_code, "switched off" in off.text) == (400, True)
    with vendor(virustotal) as server:
        change = {"enabled": True, "key": KEY, "address": server.url}
        changed = http["admin"].put(f"{SERVICES}/virustotal", json=change)
        assert (changed.status_code, changed.json()["has_key"], KEY in changed.text) == (200, True, False)
        said = http["respond"].post("/api/reputation/_ask", json=question).json()
        assert (said["state"], said["rating"]) == ("answered", "malicious")
        for number in range(3):
            http["respond"].post("/api/reputation/_ask", json={**question, "value": f"{number:064x}"})
        beyond = http["respond"].post("/api/reputation/_ask", json={**question, "value": "f" * 64})
        assert (beyond.status_code, beyond.headers["retry-after"]) == (429, "60")
    [limits] = [of["limits"] for of in http["admin"].get(SERVICES).json()["services"] if of["id"] == "virustotal"]
    assert [limit["used"] for limit in limits] == [4, 4]
    assert KEY not in http["admin"].get(SERVICES).text
    names = http["admin"].put("/api/reputation/own_domains", json={"own_domains": ["Contoso.com"]}).json()
    assert names == {"own_domains": ["contoso.com"]}


FORBIDDEN = [
    ("read", "POST", LISTS), ("read", "DELETE", f"{LISTS}/x"), ("respond", "POST", LISTS),
    ("read", "POST", HUNTS), ("read", "POST", "/api/reputation/_ask"), ("respond", "GET", SERVICES),
    ("write", "PUT", f"{SERVICES}/virustotal"), ("write", "PUT", "/api/reputation/own_domains"),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "method", "address"), FORBIDDEN)
def test_who_may_not_is_refused(http, scope, method, address):
    assert http[scope].request(method, address, json={}).status_code == 403


def test_what_was_changed_and_sent_is_in_the_audit_log(http):
    entries = http["admin"].get("/api/audit", params={"size": 200}).json()["entries"]
    assert {entry["action"] for entry in entries} >= {
        "indicators.create", "indicators.change", "indicators.load", "indicators.remove", "indicators.hunt",
        "reputation.settings", "reputation.ask", "reputation.own_domains",
    }  # fmt: skip
