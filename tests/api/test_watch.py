"""Rules, alerts, exceptions and lists over HTTP, against a service that runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.api.conftest import PASSWORD, run_service
from tests.shared import needs_shared, shared
from tests.waiting import eventually
from tocsin.rules.load import bundled_rules
from tocsin.store.records.models import Connector

RULE = {
    "name": "Bad process", "description": "It is bad.", "type": "eql", "language": "eql", "risk_score": 47,
    "severity": "medium", "index": ["logs-watch-*"], "interval": "5m", "from": "now-9m", "rule_id": "bad",
    "query": 'process where process.name == "bad.exe"', "tags": ["Domain: Endpoint"],
}  # fmt: skip


@pytest.fixture
def running(tmp_path):
    with run_service(tmp_path) as started:
        yield started


@pytest.fixture
def http(running):
    with running.http(running.add_key("admin")) as client:
        yield client


def put_event(http, **fields):
    now = datetime.now(UTC)
    event = {"@timestamp": now.isoformat(), "event": {"category": "process"}, **fields}
    lines = [{"create": {"_index": "logs-watch-default"}}, event]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    answer = http.post("/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert not answer.json()["errors"]


def run_now(http, **body):
    http.post("/api/detection_engine/rules/_bulk_action", json={"action": "run", **body}).raise_for_status()


def alerts(http, **query):
    body = {"query": {"bool": {"filter": [{"term": {k: v}} for k, v in query.items()]}}, "size": 100}
    hits = http.post("/api/detection_engine/signals/search", json=body).json()["hits"]["hits"]
    return [hit["_source"] | {"_id": hit["_id"]} for hit in hits]


# ---- rules


def test_a_rule_is_made_read_changed_found_and_removed(http):
    made = http.post("/api/detection_engine/rules", json=RULE).json()
    assert made["rule_id"] == "bad"
    assert (made["enabled"], made["revision"], made["max_signals"], made["to"]) == (True, 0, 100, "now")
    read = http.get("/api/detection_engine/rules", params={"id": made["id"]}).json()
    assert read["name"] == "Bad process"
    patched = http.patch("/api/detection_engine/rules", json={"rule_id": "bad", "severity": "high"}).json()
    assert (patched["severity"], patched["risk_score"], patched["revision"]) == ("high", 47, 1)
    replaced = http.put("/api/detection_engine/rules", json={**RULE, "name": "Worse"}).json()
    assert (replaced["name"], replaced["severity"], replaced["id"]) == ("Worse", "medium", made["id"])
    found = http.get(
        "/api/detection_engine/rules/_find", params={"filter": 'alert.attributes.name: "Worse"'}
    ).json()
    assert (found["total"], found["data"][0]["rule_id"]) == (1, "bad")
    assert (
        http.get("/api/detection_engine/rules/_find", params={"filter": "alert.attributes.enabled: false"}).json()[
            "total"
        ]
        == 0
    )
    assert http.delete("/api/detection_engine/rules", params={"rule_id": "bad"}).json()["name"] == "Worse"
    gone = http.get("/api/detection_engine/rules", params={"rule_id": "bad"})
    assert gone.status_code == 404


def test_a_rule_of_an_id_that_there_is_is_refused(http):
    http.post("/api/detection_engine/rules", json=RULE)
    assert http.post("/api/detection_engine/rules", json=RULE).status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"interval": "0m"}, "interval"),
        ({"from": "yesterday"}, "from"),
        ({"from": "now", "to": "now-5m"}, "from"),
        ({"query": "process where"}, "query"),
        ({"severity": "worst"}, "severity"),
        ({"risk_score": 200}, "risk_score"),
        ({"exceptions_list": [{"id": "nowhere"}]}, "exceptions_list"),
        ({"type": "threshold", "language": "kuery", "query": "*:*"}, "threshold"),
        ({"type": "new_terms", "language": "kuery", "query": "*:*"}, "new_terms_fields"),
        ({"filters": [{"query": {"nonsense": {}}}]}, "filters"),
    ],
)
def test_a_bad_rule_is_refused_with_the_field(http, change, field):
    answer = http.post("/api/detection_engine/rules", json={**RULE, **change})
    assert answer.status_code == 400
    assert field in answer.json()["message"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"from": "now-3m"}, "from", "2m in every 5m are never read"),
        ({"query": 'process where process.nam == "x"'}, "query", "process.nam"),
        ({"type": "query", "language": "kuery", "query": "process.nam: x"}, "query", "process.nam"),
        ({"type": "machine_learning", "query": None}, "type", "cannot run"),
        ({"exceptions_list": [{"list_id": "nowhere"}]}, "exceptions_list", "Reference has been removed"),
    ],
)
def test_a_doubtful_rule_is_kept_with_a_warning(http, change, field, words):
    [warning] = http.post("/api/detection_engine/rules", json={**RULE, **change}).json()["warnings"]
    assert warning["field"] == field
    assert words in warning["message"]


# ---- alerts


def test_an_event_becomes_an_alert_that_is_worked_on(http):
    http.post("/api/detection_engine/rules", json=RULE)
    put_event(http, process={"name": "bad.exe"}, host={"name": "ws-1"}, user={"name": "ann"})
    run_now(http)
    [alert] = eventually(lambda: alerts(http))
    assert alert["kibana.alert.reason"] == (
        "process event with process bad.exe on ws-1 by ann created medium alert Bad process."
    )
    assert alert["kibana.alert.ancestors"][0]["index"] == "logs-watch-default"
    [id_] = {alert["kibana.alert.uuid"], alert["_id"]}
    signals = "/api/detection_engine/signals"
    assert (
        http.post(f"{signals}/status", json={"signal_ids": [id_], "status": "acknowledged"}).json()["updated"] == 1
    )
    assert http.post(f"{signals}/tags", json={"ids": [id_], "tags": {"tags_to_add": ["x"], "tags_to_remove": []}})
    assert http.post(f"{signals}/assignees", json={"ids": [id_], "assignees": {"add": ["ann"], "remove": []}})
    assert http.post(f"{signals}/notes", json={"id": id_, "note": "seen before"}).status_code == 200
    before_8 = {
        "query": {"bool": {"filter": [{"match": {"signal.status": "acknowledged"}}]}},
        "sort": ["signal.original_time"],
        "aggs": {"rules": {"terms": {"field": "signal.rule.rule_id"}}},
    }  # fmt: skip
    found = http.post(f"{signals}/search", json=before_8).json()
    assert found["hits"]["total"]["value"] == 1
    assert found["aggregations"]["rules"]["buckets"] == [{"key": "bad", "doc_count": 1}]
    closed = {
        "query": {"match": {"signal.status": "acknowledged"}},
        "status": "closed",
        "reason": "false_positive",
    }
    assert http.post(f"{signals}/status", json=closed).json()["updated"] == 1
    [alert] = alerts(http, **{"kibana.alert.workflow_status": "closed"})
    assert alert["kibana.alert.workflow_reason"] == "false_positive"
    assert alert["kibana.alert.workflow_tags"] == ["x"]
    assert alert["kibana.alert.workflow_assignee_ids"] == ["ann"]
    history = http.get(f"{signals}/{id_}/history").json()["history"]
    assert [one["field"] for one in history] == ["status", "tags", "assignees", "note", "status", "reason"]
    assert http.post(f"{signals}/status", json={"signal_ids": [id_], "status": "lost"}).status_code == 400


def test_alerts_are_an_index(http):
    http.post("/api/detection_engine/rules", json=RULE)
    put_event(http, process={"name": "bad.exe"})
    run_now(http)
    eventually(lambda: alerts(http))
    search = {"query": {"query_string": {"query": 'kibana.alert.rule.name: "Bad process"'}}}
    for index in (".alerts-security.alerts-default", ".alerts-*", ".alerts-security.*,logs-*"):
        assert http.post(f"/{index}/_search", json=search).json()["hits"]["total"]["value"] == 1
    assert http.post("/*/_search", json=search).json()["hits"]["total"]["value"] == 0
    assert http.post("/_bulk", content=b'{"index":{"_index":".alerts-x"}}\n{"@timestamp":"2026-01-01"}\n').json()[
        "errors"
    ]


def test_an_alert_names_the_execution_that_raised_it(http):
    http.post("/api/detection_engine/rules", json=RULE)
    put_event(http, process={"name": "bad.exe"})
    run_now(http)
    (alert,) = eventually(lambda: alerts(http))
    found = http.get("/api/detection_engine/rules/executions").json()["executions"]
    assert alert["kibana.alert.rule.execution.uuid"] in [one["uuid"] for one in found if one["written"]]


def test_a_preview_shows_what_is_raised_already(http):
    http.post("/api/detection_engine/rules", json={**RULE, "rule_id": "known"})
    put_event(http, process={"name": "bad.exe"})
    run_now(http)
    eventually(lambda: alerts(http))
    answer = http.post(
        "/api/detection_engine/rules/preview", json={**RULE, "rule_id": "known", "invocationCount": 2}
    ).json()
    assert [alert["process"]["name"] for alert in answer["alerts"]] == ["bad.exe"]


def test_a_preview_keeps_nothing(http):
    put_event(http, process={"name": "bad.exe"})
    answer = http.post("/api/detection_engine/rules/preview", json={**RULE, "invocationCount": 2}).json()
    assert [alert["process"]["name"] for alert in answer["alerts"]] == ["bad.exe"]
    assert len(answer["logs"]) == 2
    assert alerts(http) == []


# ---- exceptions


def excepted(http, *entries, **more):
    http.post("/api/exception_lists", json={"name": "known", "list_id": "known", "type": "detection"})
    item = {"list_id": "known", "name": "known good", "type": "simple", "entries": list(entries), **more}
    return http.post("/api/exception_lists/items", json=item)


IS = {"field": "host.name", "operator": "included", "type": "match", "value": "build-1"}


def test_exceptions_keep_events_out(http):
    assert excepted(http, IS).status_code == 200
    http.post("/api/detection_engine/rules", json={**RULE, "exceptions_list": [{"list_id": "known", "type": "x"}]})
    put_event(http, process={"name": "bad.exe"}, host={"name": "build-1"})
    put_event(http, process={"name": "bad.exe"}, host={"name": "ws-1"})
    run_now(http)
    [alert] = eventually(lambda: alerts(http))
    assert alert["host"]["name"] == "ws-1"


def test_an_exception_tells_which_alerts_it_would_have_hidden(http):
    http.post("/api/detection_engine/rules", json=RULE)
    for name in ("build-1", "build-1", "ws-1"):
        put_event(http, process={"name": "bad.exe"}, host={"name": name})
    run_now(http)
    eventually(lambda: len(alerts(http)) == 3)
    assert http.post("/api/exception_lists/items/_preview", json={"entries": [IS]}).json()["total"] == 2


def test_lists_of_values(http):
    lists = "/api/lists"
    http.post(lists, json={"id": "office", "name": "office", "type": "ip_range"}).raise_for_status()
    assert http.post(f"{lists}/items", json={"list_id": "office", "value": "10.0.0.0/33"}).status_code == 400
    http.post(f"{lists}/items", json={"list_id": "office", "value": "10.1.0.0/16"}).raise_for_status()
    files = {"file": ("office.txt", b"192.168.0.0/24\n\n10.1.0.0/16\n")}
    http.post(f"{lists}/items/_import", params={"list_id": "office"}, files=files).raise_for_status()
    exported = http.post(f"{lists}/items/_export", params={"list_id": "office"}).text
    assert exported == "10.1.0.0/16\n192.168.0.0/24\n"
    about = {"id": "office", "type": "ip_range"}
    assert excepted(http, {"field": "source.ip", "operator": "included", "type": "list", "list": about}).is_success
    http.post("/api/detection_engine/rules", json={**RULE, "exceptions_list": [{"list_id": "known"}]})
    for address in ("10.1.2.3", "10.2.2.3"):
        put_event(http, process={"name": "bad.exe"}, source={"ip": address})
    run_now(http)
    [alert] = eventually(lambda: alerts(http))
    assert alert["source"]["ip"] == "10.2.2.3"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"field": "host.name", "type": "match"}, "host.name"),
        ({"field": "host.name", "type": "like", "value": "x"}, "like"),
        ({"field": "host.name", "type": "match", "operator": "maybe", "value": "x"}, "maybe"),
        (
            {"field": "a", "type": "nested", "entries": [{"field": "b", "type": "nested", "entries": [IS]}]},
            "nested",
        ),
        ({"type": "match", "value": "x"}, "entries.field"),
    ],
)
def test_an_exception_that_cannot_be_is_refused(http, entry, words):
    answer = excepted(http, entry)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_an_exception_has_comments_of_people(http):
    item = excepted(http, IS, comments=[{"comment": "as agreed"}]).json()
    assert item["comments"][0]["comment"] == "as agreed"
    assert item["comments"][0]["created_by"]
    again = {**item, "comments": [*item["comments"], {"comment": "until May"}]}
    changed = http.put("/api/exception_lists/items", json=again).json()
    assert [one["comment"] for one in changed["comments"]] == ["as agreed", "until May"]


def test_an_exception_that_has_expired_hides_nothing(http):
    excepted(http, IS, expire_time=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    http.post("/api/detection_engine/rules", json={**RULE, "exceptions_list": [{"list_id": "known"}]})
    put_event(http, process={"name": "bad.exe"}, host={"name": "build-1"})
    run_now(http)
    eventually(lambda: alerts(http))


# ---- files


def test_an_export_is_imported_and_exported_again_without_loss(http):
    excepted(http, IS)
    rule = {
        **RULE,
        "exceptions_list": [{"id": "1", "list_id": "known", "type": "detection"}],
        "x_unknown": {"y": 1},
    }
    http.post("/api/detection_engine/rules", json=rule).raise_for_status()
    first = http.post("/api/detection_engine/rules/_export").content
    http.post("/api/detection_engine/rules/_bulk_action", json={"action": "delete"}).raise_for_status()
    http.delete("/api/exception_lists", params={"list_id": "known"}).raise_for_status()
    told = import_file(http, first)
    assert (told["success"], told["success_count"], told["exceptions_success_count"]) == (True, 1, 2)
    assert plain(http.post("/api/detection_engine/rules/_export").content) == plain(first)
    told = import_file(http, first)
    assert told["errors"][0]["error"]["status_code"] == 409
    assert import_file(http, first, overwrite=True)["success"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_are_taken_in_any_unicode_encoding(http, encoding):
    """PowerShell 5 writes UTF-16 with a mark, others UTF-8 with one; lines end as on Windows."""

    def encoded(*lines):
        return "\r\n".join([*lines, ""]).encode(encoding)

    listed = {"list_id": "known", "name": "bekannt \u00fc", "type": "detection", "description": "d"}
    item = {"list_id": "known", "item_id": "i", "name": "i", "type": "simple", "description": "d", "entries": [IS]}
    texts = [orjson.dumps(one).decode() for one in (listed, item)]
    files = {"file": ("lists.ndjson", encoded(*texts))}
    told = http.post("/api/exception_lists/_import", files=files).json()
    assert (told["success"], told["success_count"]) == (True, 2)
    assert http.get("/api/exception_lists", params={"list_id": "known"}).json()["name"] == listed["name"]
    assert import_file(http, encoded(orjson.dumps({**RULE, "name": "\u89c4\u5219"}).decode()))["success"]
    names = [one["name"] for one in http.get("/api/detection_engine/rules/_find").json()["data"]]
    assert names == ["\u89c4\u5219"]
    http.post("/api/lists", json={"id": "names", "name": "names", "type": "keyword"}).raise_for_status()
    files = {"file": ("names.txt", encoded("bad.exe", "Schl\u00fcssel.exe"))}
    http.post("/api/lists/items/_import", params={"list_id": "names"}, files=files).raise_for_status()
    exported = http.post("/api/lists/items/_export", params={"list_id": "names"}).text
    assert exported == "Schl\u00fcssel.exe\nbad.exe\n"


def import_file(http, content, **params):
    files = {"file": ("rules.ndjson", content)}
    return http.post("/api/detection_engine/rules/_import", files=files, params=params).json()


MANAGED = ("id", "tie_breaker_id", "created_at", "created_by", "updated_at", "updated_by", "revision", "_version")


def plain(export):
    lines = [orjson.loads(line) for line in export.splitlines()]
    return [{name: value for name, value in line.items() if name not in MANAGED} for line in lines]


def test_a_line_that_is_no_rule_stops_no_other(http):
    lines = [b"{", b'{"rule_id": "x"}', orjson.dumps(RULE)]
    told = import_file(http, b"\n".join(lines))
    assert (told["success"], told["success_count"], len(told["errors"])) == (False, 1, 2)


@needs_shared("rules/elastic-windows")
def test_the_public_rules_are_imported_and_exported_without_loss(http):
    from tocsin.rules.load import load_rules

    rules = load_rules([str(shared("rules/elastic-windows"))]).rules
    content = b"\n".join(orjson.dumps({**rule.document(), "id": str(n)}) for n, rule in enumerate(rules))
    told = import_file(http, content)
    assert told["errors"] == []
    assert told["success_count"] == len(rules)
    again = {
        line["rule_id"]: line for line in plain(http.post("/api/detection_engine/rules/_export").content)[:-1]
    }
    for rule in rules:
        expected = rule.document()
        assert {name: again[rule.rule_id].get(name) for name in expected} == expected


def test_bulk_actions(http):
    http.post("/api/detection_engine/rules", json=RULE)
    bulk = "/api/detection_engine/rules/_bulk_action"

    def rules():
        return http.get("/api/detection_engine/rules/_find").json()["data"]

    http.post(bulk, json={"action": "disable", "query": "alert.attributes.tags: Domain*"})
    assert [rule["enabled"] for rule in rules()] == [False]
    edits = [
        {"type": "add_tags", "value": ["new"]},
        {"type": "set_schedule", "value": {"interval": "10m", "lookback": "2m"}},
    ]
    http.post(bulk, json={"action": "edit", "edit": edits})
    assert [(r["tags"], r["interval"], r["from"]) for r in rules()] == [
        (["Domain: Endpoint", "new"], "10m", "now-720s")
    ]
    http.post(bulk, json={"action": "duplicate"})
    assert [rule["name"] for rule in rules()] == ["Bad process", "Bad process [Duplicate]"]
    assert http.post(bulk, json={"action": "explode"}).status_code == 400


# ---- actions


WEBHOOK = {"url": "http://127.0.0.1:1/x"}
HOOK = {"name": "team", "connector_type_id": ".webhook", "config": WEBHOOK}


def test_connectors_keep_their_secrets(http):
    body = {**HOOK, "secrets": {"user": "a", "password": "very secret"}}
    made = http.post("/api/actions/connector/team", json=body)
    assert made.json()["id"] == "team"
    changed = http.put("/api/actions/connector/team", json={"name": "Team", "config": HOOK["config"]})
    for answer in (made, changed, http.get("/api/actions/connectors"), http.get("/api/actions/connector/team")):
        assert answer.is_success
        assert "very secret" not in answer.text
    assert http.get("/api/actions/connectors").json()[0]["name"] == "Team"
    assert http.delete("/api/actions/connector/team").status_code == 204
    assert http.get("/api/actions/connector/team").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"connector_type_id": ".nothing"}, "connector_type_id"),
        ({"config": {"url": "file:///etc/passwd"}}, "config.url"),
        ({"connector_type_id": ".apprise"}, "secrets.urls"),
        ({"config": {"url": "http://[hidden"}}, "config.url"),
        ({"config": {"url": "http://example.com/***"}}, "config"),
        ({"config": {**WEBHOOK, "method": "hidden"}}, "config.method"),
        ({"config": {**WEBHOOK, "headers": {"X-A": "hidden\nX-B: c"}}}, "config.headers"),
        ({"config": {**WEBHOOK, "headers": {"X A": "hidden"}}}, "config.headers"),
        ({"name": ""}, "name"),
    ],
)
def test_a_connector_that_cannot_be_is_refused(http, change, field):
    answer = http.post("/api/actions/connector", json={**HOOK, **change})
    assert answer.status_code == 400
    assert field in answer.json()["message"]
    assert "hidden" not in answer.text


SECRET = {
    **HOOK,
    "config": {
        "url": "http://127.0.0.1:1/services/hidden-1?key=hidden-2",
        "headers": {"Authorization": "Bearer hidden-3", "Content-Type": "text/plain"},
    },
    "secrets": {"user": "hidden-4", "password": "hidden-5"},
}


def test_secrets_of_a_connector_are_told_nobody(http):
    team = "/api/actions/connector/team"
    answers = [http.post(team, json=SECRET), http.get(team), http.get("/api/actions/connectors")]
    shown = answers[1].json()["config"]
    assert shown == {
        "url": "http://127.0.0.1:1/***",
        "headers": {"Authorization": "***", "Content-Type": "text/plain"},
    }
    answers.append(http.post(f"{team}/_execute", json={"params": {}}))
    assert answers[-1].json()["status"] == "error"
    answers.append(http.put(team, json={"name": "Team", "config": shown}))  # as a form sends it back
    action = {"id": "team", "group": "default", "action_type_id": ".webhook", "params": {}}
    http.post("/api/detection_engine/rules", json={**RULE, "actions": [action]}).raise_for_status()
    put_event(http, process={"name": "bad.exe"})
    run_now(http)
    eventually(lambda: [one for one in deliveries(http) if one["error"]])
    answers += [http.get("/api/actions/deliveries"), http.get("/api/audit")]
    answers += [http.post("/api/detection_engine/rules/_export")]
    for answer in answers:
        assert answer.is_success
        assert "hidden" not in answer.text


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"url": "http://127.0.0.1:1/***"}, True),
        ({"url": "http://127.0.0.1:1/other"}, False),
        ({"url": "http://127.0.0.2:1/services/hidden-1?key=hidden-2"}, False),
    ],
)
def test_another_address_does_not_get_the_secrets_of_the_one_before(http, running, change, kept):
    http.post("/api/actions/connector/team", json=SECRET).raise_for_status()
    config = {**http.get("/api/actions/connector/team").json()["config"], **change}
    http.put("/api/actions/connector/team", json={"name": "team", "config": config}).raise_for_status()
    with running.service.records.transaction() as session:
        found = session.get(Connector, "team")
        assert found.secrets == (SECRET["secrets"] if kept else {})
        assert found.config["headers"].get("Authorization") == ("Bearer hidden-3" if kept else None)
    [entry] = [one for one in http.get("/api/audit").json()["entries"] if one["action"] == "connector.changed"][:1]
    assert entry["detail"]["secrets"] == ("kept" if kept else "dropped")


def test_what_became_of_messages_is_told_and_a_snoozed_rule_sends_none(http):
    http.post("/api/actions/connector/team", json=HOOK)
    action = {"id": "team", "group": "default", "action_type_id": ".webhook", "params": {}}
    made = http.post("/api/detection_engine/rules", json={**RULE, "actions": [action]}).json()
    put_event(http, process={"name": "bad.exe"})
    run_now(http)
    first = eventually(lambda: [d for d in deliveries(http) if d["tries"]])
    assert first[0]["state"] == "waiting"
    assert "cannot be reached" in first[0]["error"]
    http.post(f"/api/alerting/rule/{made['id']}/_mute_all").raise_for_status()
    put_event(http, process={"name": "bad.exe"})
    run_now(http)
    eventually(lambda: "held back" in [d["state"] for d in deliveries(http)])
    assert len(alerts(http)) == 2


def deliveries(http):
    return http.get("/api/actions/deliveries").json()["deliveries"]


def test_the_interface_is_described_on_a_page_of_its_own(running):
    with running.http("") as client:
        page = client.get("/docs")
        assert "swagger-ui-bundle.js" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        for path in ("/docs/static/swagger-ui-bundle.js", "/docs/static/swagger-ui.css", "/docs/start.js"):
            assert client.get(path).status_code == 200
        paths = client.get("/openapi.json").json()["paths"]
        assert {"/api/detection_engine/rules", "/api/exception_lists/items", "/api/lists"} <= set(paths)


# ---- who may


@pytest.mark.parametrize(
    ("role", "method", "path", "may"),
    [
        ("viewer", "GET", "/api/detection_engine/rules/_find", True),
        ("viewer", "POST", "/api/detection_engine/rules", False),
        ("viewer", "POST", "/api/detection_engine/signals/status", False),
        ("analyst", "POST", "/api/detection_engine/signals/status", True),
        ("analyst", "POST", "/api/exception_lists", False),
        ("engineer", "POST", "/api/exception_lists", True),
        ("engineer", "POST", "/api/detection_engine/rules", True),
    ],
)
def test_who_may_do_what(running, role, method, path, may):
    with running.http("", auth=(role, PASSWORD)) as client:
        answer = client.request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code != 403) is may


def test_the_reference_rule_raises_its_alert(http):
    [rule] = [r for r in bundled_rules().rules if "MpCmdRun" in r.name]
    http.post("/api/detection_engine/rules", json=rule.document()).raise_for_status()
    event = {
        "@timestamp": datetime.now(UTC).isoformat(), "host": {"os": {"type": "windows"}, "name": "ws-1"},
        "event": {"category": ["process"], "type": ["start"]},
        "process": {"name": "MpCmdRun.exe", "args": ["MpCmdRun.exe", "-DownloadFile", "-url", "x", "-path", "y"]},
    }  # fmt: skip
    body = (
        orjson.dumps({"create": {"_index": "logs-endpoint.events.process-default"}}) + b"\n" + orjson.dumps(event)
    )
    assert not http.post("/_bulk", content=body + b"\n").json()["errors"]
    run_now(http)
    [alert] = eventually(lambda: alerts(http))
    assert alert["kibana.alert.rule.threat"][0]["technique"][0]["id"] == "T1105"
    assert alert["kibana.alert.risk_score"] == 47
