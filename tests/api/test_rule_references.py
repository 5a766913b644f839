"""What rules name that is not there: exception lists are taken off and told of, connectors refused and told of.

As Kibana does: `check_rule_exception_references.ts` and `import_rule_action_connectors.ts` of its import of rules.
"""

from __future__ import annotations

import orjson
import pytest

from tests.api.conftest import run_service
from tests.api.test_watch import HOOK, RULE, import_file
from tests.cli.test_watch import run

ENGINE = "/api/detection_engine/rules"
REMOVED = 'Rule with rule_id: "{}" references a non existent exception list of list_id: "{}". '
REMOVED += "Reference has been removed."
MISSING = "1 connector is missing. Connector id missing is: nowhere"
ACTION = {"id": "nowhere", "group": "default", "action_type_id": ".webhook", "params": {}}
GONE = {"id": "x", "list_id": "gone", "type": "detection", "namespace_type": "single"}
ENDPOINT = {"id": "endpoint_list", "list_id": "endpoint_list", "type": "endpoint", "namespace_type": "agnostic"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture
def http(running):
    """A client, with one list, no rule and no connector there."""
    with running.http(running.add_key("admin")) as client:
        client.post(f"{ENGINE}/_bulk_action", json={"action": "delete"})
        for one in client.get("/api/actions/connectors").json():
            client.delete(f"/api/actions/connector/{one['id']}")
        client.post("/api/exception_lists", json={"name": "known", "list_id": "known", "type": "detection"})
        yield client


def rule(rule_id="r", **more):
    return {**RULE, "rule_id": rule_id, "enabled": False, **more}


def named(http, rule_id="r"):
    found = http.get(ENGINE, params={"rule_id": rule_id}).json()
    return [one["list_id"] for one in found["exceptions_list"]]


WITH_LISTS = {"exceptions_list": [{**GONE, "list_id": "known"}, GONE, ENDPOINT]}


def test_a_rule_is_made_without_lists_that_are_not_there(http):
    made = http.post(ENGINE, json=rule(**WITH_LISTS))
    assert made.status_code == 200
    assert made.json()["warnings"] == [{"field": "exceptions_list", "message": REMOVED.format("r", "gone")}]
    assert named(http) == ["known", "endpoint_list"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_rule_is_changed_without_lists_that_are_not_there(http, method):
    http.post(ENGINE, json=rule()).raise_for_status()
    changed = http.request(method, ENGINE, json=rule(**WITH_LISTS)).json()
    assert [one["message"] for one in changed["warnings"]] == [REMOVED.format("r", "gone")]
    assert named(http) == ["known", "endpoint_list"]


def test_many_rules_are_made_each_answered_in_its_place(http):
    given = [
        rule("a", **WITH_LISTS),
        rule("a"),
        rule("b", severity="worst"),
        rule("c", actions=[ACTION]),
        rule("d"),
    ]
    answers = http.post(f"{ENGINE}/_bulk_create", json=given).json()
    assert [one["rule_id"] for one in answers] == ["a", "a", "b", "c", "d"]
    assert [one.get("error", {}).get("status_code") for one in answers] == [None, 409, 400, 400, None]
    assert answers[0]["warnings"][0]["message"] == REMOVED.format("a", "gone")
    assert answers[1]["error"]["message"] == 'rule_id: "a" already exists'
    assert http.get(f"{ENGINE}/_find").json()["total"] == 2


def test_a_rule_is_imported_without_lists_that_are_not_there(http):
    content = b"\n".join(orjson.dumps(one) for one in (rule("a", **WITH_LISTS), rule("b")))
    told = import_file(http, content)
    assert (told["success"], told["success_count"], told["rules_count"]) == (False, 2, 2)
    assert told["errors"] == [
        {"rule_id": "a", "error": {"status_code": 400, "message": REMOVED.format("a", "gone")}}
    ]
    assert (named(http, "a"), named(http, "b")) == (["known", "endpoint_list"], [])


def test_the_command_takes_a_rule_without_lists_that_are_not_there(tmp_path):
    file = tmp_path / "rules.ndjson"
    file.write_bytes(orjson.dumps(rule(**WITH_LISTS)))
    told = run(tmp_path, "rules", "import", file)
    for name in ("known", "gone"):
        assert f"changed: {REMOVED.format('r', name)}" in told.replace("\n", " ")
    assert "endpoint_list" not in told
    assert "1 rule taken in" in told


def test_a_list_that_is_removed_is_taken_off_with_the_next_change(http):
    http.post(ENGINE, json=rule(**WITH_LISTS)).raise_for_status()
    http.delete("/api/exception_lists", params={"list_id": "known"}).raise_for_status()
    changed = http.patch(ENGINE, json={"rule_id": "r", "tags": ["x"]}).json()
    assert changed["warnings"][0]["message"] == REMOVED.format("r", "known")
    assert named(http) == ["endpoint_list"]


def test_a_list_comes_with_the_rules_that_name_it(http):
    lines = [
        rule(exceptions_list=[{**GONE, "list_id": "new"}]),
        {"list_id": "new", "name": "New", "type": "detection"},
    ]
    told = import_file(http, b"\n".join(map(orjson.dumps, lines)))
    assert (told["success"], told["exceptions_success_count"]) == (True, 1)
    assert named(http) == ["new"]


def test_the_list_of_elastic_endpoint(http):
    """https://www.elastic.co/docs/api/doc/kibana: "If the list already exists, … an empty response"."""
    listed = "/api/endpoint_list"
    assert http.get("/api/exception_lists", params={"list_id": "endpoint_list"}).json()["type"] == "endpoint"
    assert http.post(listed).json() == {}
    http.delete("/api/exception_lists", params={"list_id": "endpoint_list"}).raise_for_status()
    made = http.post(listed).json()
    assert (made["list_id"], made["namespace_type"], made["type"]) == ("endpoint_list", "agnostic", "endpoint")
    entry = {"field": "file.path", "operator": "included", "type": "match", "value": "C:\\x"}
    body = {"name": "ours", "description": "d", "type": "simple", "entries": [entry], "os_types": ["windows"]}
    item = http.post(f"{listed}/items", json={**body, "item_id": "i"}).json()
    assert (item["list_id"], item["namespace_type"]) == ("endpoint_list", "agnostic")
    assert http.get(f"{listed}/items", params={"item_id": "i"}).json() == item
    assert http.put(f"{listed}/items", json={**body, "item_id": "i", "name": "theirs"}).json()["name"] == "theirs"
    assert http.get(f"{listed}/items/_find").json()["total"] == 1
    other = {**body, "list_id": "known", "item_id": "other"}
    http.post("/api/exception_lists/items", json=other).raise_for_status()
    assert http.get(f"{listed}/items", params={"item_id": "other"}).status_code == 404
    assert http.delete(f"{listed}/items", params={"item_id": "i"}).json()["item_id"] == "i"
    assert http.get(f"{listed}/items/_find").json()["total"] == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_rule_whose_action_names_no_connector_is_refused(http, method):
    if method != "POST":
        http.post(ENGINE, json=rule()).raise_for_status()
    answer = http.request(method, ENGINE, json=rule(actions=[ACTION]))
    assert (answer.status_code, answer.json()["message"]) == (400, f"actions: {MISSING}")
    assert http.get(f"{ENGINE}/_find").json()["total"] == (method != "POST")


def test_a_rule_whose_connector_has_gone_can_still_be_changed(http):
    http.post("/api/actions/connector/team", json=HOOK).raise_for_status()
    http.post(ENGINE, json=rule(actions=[{**ACTION, "id": "team"}])).raise_for_status()
    http.delete("/api/actions/connector/team").raise_for_status()
    changed = http.patch(ENGINE, json={"rule_id": "r", "severity": "low"})
    assert changed.status_code == 200
    assert changed.json()["warnings"] == [{"field": "actions", "message": MISSING.replace("nowhere", "team")}]


def test_an_imported_rule_whose_action_names_no_connector_is_refused_and_stops_no_other(http):
    lines = [rule("a", actions=[ACTION]), rule("b", actions=[ACTION, {**ACTION, "id": "there"}]), rule("c")]
    told = import_file(http, b"\n".join(map(orjson.dumps, lines)))
    two = "2 connectors are missing. Connector ids missing are: nowhere, there"
    assert (told["success"], told["success_count"]) == (False, 1)
    assert [(one["rule_id"], one["error"]) for one in told["errors"]] == [
        ("a", {"status_code": 404, "message": MISSING}),
        ("b", {"status_code": 404, "message": two}),
    ]
    assert told["action_connectors_success"] is False
    assert [one["error"]["message"] for one in told["action_connectors_errors"]] == [MISSING, two]


def test_connectors_go_out_and_in_with_the_rules_that_name_them_without_secrets(http):
    config = {"url": "http://127.0.0.1:9/hook", "hasAuth": True}
    secret = {**HOOK, "config": config, "secrets": {"user": "u", "password": "hidden"}}
    http.post("/api/actions/connector/team", json=secret).raise_for_status()
    http.post("/api/actions/connector/other", json=HOOK).raise_for_status()
    http.post(ENGINE, json=rule(actions=[{**ACTION, "id": "team"}])).raise_for_status()
    exported = http.post(f"{ENGINE}/_export").content
    assert b"hidden" not in exported
    summary = orjson.loads(exported.splitlines()[-1])
    assert (summary["exported_action_connector_count"], summary["missing_action_connection_count"]) == (1, 0)
    http.delete("/api/actions/connector/team").raise_for_status()
    http.delete(ENGINE, params={"rule_id": "r"}).raise_for_status()
    told = import_file(http, exported)
    assert (told["success"], told["success_count"], told["action_connectors_success_count"]) == (True, 1, 1)
    assert told["action_connectors_warnings"][0]["message"] == (
        "1 connector has sensitive information that require updates."
    )
    back = http.get("/api/actions/connector/team").json()
    shown = {**config, "url": "http://127.0.0.1:9/***"}
    assert (back["config"], back["is_missing_secrets"]) == (shown, True)
    again = import_file(http, exported, overwrite=True)
    assert (again["success"], again["action_connectors_success_count"]) == (True, 0)
    assert import_file(http, exported, overwrite=True, overwrite_action_connectors=True)[
        "action_connectors_success"
    ]


def test_a_connector_that_is_not_there_is_named_by_an_export(http):
    http.post("/api/actions/connector/team", json=HOOK).raise_for_status()
    http.post(ENGINE, json=rule(actions=[{**ACTION, "id": "team"}])).raise_for_status()
    http.delete("/api/actions/connector/team").raise_for_status()
    summary = orjson.loads(http.post(f"{ENGINE}/_export").content.splitlines()[-1])
    assert summary["missing_action_connections"] == [{"id": "team", "type": "action"}]


def test_a_line_that_is_nothing_of_an_export_is_told(http):
    told = import_file(http, b'{"type": "dashboard"}\n' + orjson.dumps(rule()))
    assert told["success_count"] == 1
    assert told["errors"][0]["error"]["message"].startswith("line 1 is no rule")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"type": "set_index_patterns", "value": ["logs-x-*"]}, None),
        ({"type": "set_schedule", "value": {"interval": "0m", "lookback": "1m"}}, "interval"),
        ({"type": "add_rule_actions", "value": {"actions": [ACTION]}}, MISSING),
        ({"type": "set_alert_suppression", "value": {"group_by": list("abcd")}}, "alert_suppression.group_by"),
        ({"type": "set_alert_suppression", "value": {"group_by": ["host.name"]}}, None),
        ({"type": "delete_alert_suppression", "value": None}, None),
        ({"type": "add_investigation_fields", "value": {"field_names": ["a"]}}, None),
        ({"type": "set_investigation_fields", "value": {"field_names": [""]}}, "investigation_fields"),
    ],
)
def test_the_limits_hold_for_edits_of_many_rules(http, edit, message):
    http.post(ENGINE, json=rule()).raise_for_status()
    told = http.post(f"{ENGINE}/_bulk_action", json={"action": "edit", "edit": [edit]}).json()
    assert told["success"] is (message is None)
    if message is not None:
        assert message in told["attributes"]["errors"][0]["message"]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"risk_score": "47"}, "risk_score"), ({"max_signals": 0}, "max_signals"), ({"tags": [1]}, "tags")],
)
def test_what_has_not_the_type_of_its_field_is_refused(http, change, field):
    answer = http.post(ENGINE, json=rule(**change))
    assert answer.status_code == 400
    assert field in answer.json()["message"]
