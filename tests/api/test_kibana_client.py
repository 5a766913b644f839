"""Kibana's interface, asked by a client that was made for Kibana, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from kibana import Kibana
from kibana.exceptions import BadRequestError, ConflictError, NotFoundError

from tests.api.conftest import run_service
from tests.api.test_watch import RULE, put_event
from tests.scheduler.test_actions import Hook
from tests.waiting import eventually

NEW = {name: RULE[name] for name in ("name", "description", "type", "language", "risk_score", "severity", "query")}
IS_BAD = {"field": "process.name", "operator": "included", "type": "match", "value": "bad.exe"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture(scope="module")
def client(running):
    made = Kibana(running.url, api_key=running.add_key("admin"))
    yield made
    made.close()


@pytest.fixture
def rules(client):
    """The interface of rules, with none there."""
    engine = client.detection_engine
    yield engine
    every = [rule["id"] for rule in engine.find_rules(per_page=1000).body["data"]]
    if every:
        engine.bulk_action_rules(action="delete", ids=every)


@pytest.fixture
def exceptions(client):
    """The interface of exceptions, with no list there."""
    yield client.exception_lists
    for one in client.exception_lists.find(per_page=1000).body["data"]:
        client.exception_lists.delete(id=one["id"])


def test_what_clients_check_first(client, rules):
    assert client.status.get_status().body["version"]["number"]
    assert rules.get_privileges().body["is_authenticated"] is True
    assert rules.get_alerts_index().body["name"] == ".alerts-security.alerts-default"


# ---- rules


def test_a_rule_comes_changes_and_goes(rules):
    made = rules.create_rule(**NEW, rule_id="r", index=["logs-*"], enabled=False, tags=["a"]).body
    assert rules.get_rule(rule_id="r").body == made
    changed = rules.update_rule(**NEW | {"name": "Other"}, rule_id="r", index=["logs-x-*"]).body
    assert (changed["name"], changed["index"], changed["tags"]) == ("Other", ["logs-x-*"], [])
    assert rules.patch_rule(rule_id="r", tags=["b"]).body["tags"] == ["b"]
    assert rules.get_tags().body == ["b"]
    found = rules.find_rules(filter='alert.attributes.tags: "b"', sort_field="name", sort_order="desc").body
    assert [rule["rule_id"] for rule in found["data"]] == ["r"]
    assert rules.delete_rule(rule_id="r").body["id"] == made["id"]
    with pytest.raises(NotFoundError, match='rule_id: "r" not found'):
        rules.get_rule(rule_id="r")


def test_a_bad_rule_is_refused_with_its_field(rules):
    with pytest.raises(BadRequestError, match="interval"):
        rules.create_rule(**NEW, interval="soon")
    with pytest.raises(BadRequestError, match=r"alert_suppression\.group_by"):
        rules.create_rule(**NEW, alert_suppression={"group_by": list("abcd")})
    rules.create_rule(**NEW, rule_id="r")
    with pytest.raises(ConflictError, match="already exists"):
        rules.create_rule(**NEW, rule_id="r")


def test_rules_go_out_and_in_again_the_same(rules, exceptions):
    exceptions.create(list_id="shared", name="Shared", description="d", type="detection")
    exceptions.create_item(list_id="shared", item_id="i", name="It", description="d", entries=[IS_BAD])
    named = [{"id": "x", "list_id": "shared", "type": "detection", "namespace_type": "single"}]
    rules.create_rule(**NEW, rule_id="a", enabled=False, exceptions_list=named)
    rules.create_rule(**NEW, rule_id="b", enabled=False)
    exported = list(rules.export_rules().body)
    assert exported[-1]["exported_rules_count"] == 2
    assert exported[-1]["exported_exception_list_item_count"] == 1
    told = rules.import_rules(file=exported).body
    assert (told["success"], told["errors"][0]["error"]["status_code"]) == (False, 409)
    told = rules.import_rules(file=exported, overwrite=True, overwrite_exceptions=True).body
    assert (told["success"], told["success_count"], told["exceptions_success_count"]) == (True, 2, 2)
    again = list(rules.export_rules().body)

    def content(lines):
        return [
            {n: v for n, v in line.items() if not n.startswith("updated_") and n != "revision"} for line in lines
        ]

    assert content(again) == content(exported)
    assert len(rules.export_rules(objects=[{"rule_id": "b"}], exclude_export_details=True).body) == 1


def test_many_rules_at_once(rules):
    ids = [rules.create_rule(**NEW, rule_id=name, enabled=False).body["id"] for name in "abc"]
    edited = rules.bulk_action_rules(action="edit", ids=ids[:2], edit=[{"type": "add_tags", "value": ["x"]}]).body
    assert [one["tags"] for one in edited["attributes"]["results"]["updated"]] == [["x"], ["x"]]
    enabled = rules.bulk_action_rules(action="enable", query='alert.attributes.tags: "x"').body
    assert enabled["attributes"]["summary"] == {"failed": 0, "skipped": 0, "succeeded": 2, "total": 2}
    copied = rules.bulk_action_rules(action="duplicate", ids=[ids[2]]).body["attributes"]["results"]["created"]
    assert [(one["name"], one["enabled"]) for one in copied] == [("Bad process [Duplicate]", False)]
    dry = rules.bulk_action_rules(action="delete", ids=ids, dry_run=True).body
    assert dry["attributes"]["summary"]["succeeded"] == 3
    gone = rules.bulk_action_rules(action="delete", ids=ids).body["attributes"]["results"]["deleted"]
    assert sorted(one["rule_id"] for one in gone) == ["a", "b", "c"]
    assert rules.find_rules().body["total"] == 1


def test_one_rule_that_fails_stops_no_other(running, rules):
    id_ = rules.create_rule(**NEW, rule_id="a", enabled=False).body["id"]
    with running.http(running.add_key("admin")) as http:
        bulk = "/api/detection_engine/rules/_bulk_action"
        answer = http.post(bulk, json={"action": "enable", "ids": [id_, "nobody"], "query": None, "edit": None})
        told = answer.json()
        assert http.post(bulk, json={"action": "delete", "ids": []}).status_code == 400
    assert answer.status_code == 500
    assert told["attributes"]["summary"] == {"failed": 1, "skipped": 0, "succeeded": 1, "total": 2}
    assert told["attributes"]["errors"][0]["rules"] == [{"id": "nobody", "name": None}]
    assert rules.get_rule(id=id_).body["enabled"] is True


@pytest.mark.parametrize("rule_id", [None, 5])
def test_a_rule_of_many_whose_rule_id_is_no_text_is_named_as_kibana_does(running, rule_id):
    """Kibana's `bulk_create` names a rule without a usable id `(unknown id)`."""
    with running.http(running.add_key("write_rules")) as http:
        [answer] = http.post(
            "/api/detection_engine/rules/_bulk_create", json=[{**RULE, "rule_id": rule_id}]
        ).json()
    assert answer["rule_id"] == "(unknown id)"
    assert "rule_id" in answer["error"]["message"]


def test_a_rule_that_is_not_saved_is_tried(running, rules):
    with running.http(running.add_key("admin")) as http:
        put_event(http, process={"name": "bad.exe"})
    end = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    tried = rules.preview_rule(**NEW, index=["logs-watch-*"], invocation_count=2, timeframe_end=end).body
    assert tried["previewId"]
    assert len(tried["alerts"]) >= 1
    assert rules.find_rules().body["total"] == 0


# ---- alerts


def test_alerts_are_found_and_triaged(running, rules):
    with running.http(running.add_key("admin")) as http:
        put_event(http, process={"name": "bad.exe"}, host={"name": "triage"})
    id_ = rules.create_rule(**NEW, rule_id="triage", index=["logs-watch-*"]).body["id"]
    rules.bulk_action_rules(action="run", ids=[id_])
    query = {"bool": {"filter": [{"term": {"kibana.alert.rule.uuid": id_}}, {"term": {"host.name": "triage"}}]}}

    def found():
        return rules.search_alerts(query=query).body["hits"]["hits"]

    [alert] = eventually(found)
    assert alert["_source"]["kibana.alert.rule.execution.type"] == "manual"
    rules.set_alert_status(status="acknowledged", signal_ids=[alert["_id"]])
    rules.set_alert_tags(ids=[alert["_id"]], tags_to_add=["Duplicate"], tags_to_remove=[])
    rules.set_alert_assignees(ids=[alert["_id"]], add=["ann"], remove=[])
    rules.set_alert_status(status="closed", query=query, reason="false_positive")
    [after] = found()
    assert {name: after["_source"][f"kibana.alert.workflow_{name}"] for name in ("status", "reason", "tags")} == {
        "status": "closed", "reason": "false_positive", "tags": ["Duplicate"],
    }  # fmt: skip


# ---- exceptions


def test_exception_lists_come_change_and_go(exceptions):
    made = exceptions.create(list_id="l", name="One", description="d", type="detection", tags=["t"]).body
    assert exceptions.get(list_id="l").body == made
    assert exceptions.update(list_id="l", name="Two", description="d", type="detection").body["name"] == "Two"
    exceptions.create_item(
        list_id="l", item_id="i", name="It", description="d", entries=[IS_BAD], os_types=["windows"],
        comments=[{"comment": "why"}],
    )  # fmt: skip
    with pytest.raises(BadRequestError, match=r"process\.name"):
        exceptions.create_item(list_id="l", name="x", description="d", entries=[{**IS_BAD, "type": "is"}])
    item = exceptions.update_item(item_id="i", name="Other", description="d", entries=[IS_BAD], type="simple").body
    assert (item["name"], [one["comment"] for one in item["comments"]]) == ("Other", ["why"])
    named = "exception-list.attributes.name: Other"
    found = exceptions.find_items(list_id="l", filter=named, sort_field="name").body
    assert [one["item_id"] for one in found["data"]] == ["i"]
    assert exceptions.find(filter='exception-list.attributes.name: "One"').body["total"] == 0
    copy = exceptions.duplicate(list_id="l", namespace_type="single").body
    assert (copy["name"], copy["list_id"] != "l") == ("Two [Duplicate]", True)
    assert exceptions.find_items(list_id=copy["list_id"]).body["total"] == 1
    assert exceptions.delete_item(item_id="i").body["item_id"] == "i"
    assert exceptions.get_summary(list_id="l").body == {"windows": 0, "linux": 0, "macos": 0, "total": 0}


def test_exception_lists_go_out_and_in_again(exceptions):
    made = exceptions.create(list_id="l", name="One", description="d", type="detection").body
    exceptions.create_item(list_id="l", item_id="i", name="It", description="d", entries=[IS_BAD])
    exported = list(exceptions.export(id=made["id"], list_id="l", namespace_type="single").body)
    exceptions.delete(list_id="l")
    told = exceptions.import_lists(file=exported).body
    assert (told["success"], told["success_count_exception_lists"]) == (True, 1)
    assert told["success_count_exception_list_items"] == 1
    assert exceptions.get_item(item_id="i").body["entries"] == [IS_BAD]


def test_a_rule_gets_a_list_of_its_own_with_its_first_exception(rules, exceptions):
    id_ = rules.create_rule(**NEW, rule_id="own", enabled=False).body["id"]
    item = {"name": "It", "description": "d", "entries": [IS_BAD], "type": "simple"}
    [made] = exceptions.create_rule_exceptions(id=id_, items=[item]).body
    exceptions.create_rule_exceptions(id=id_, items=[{**item, "name": "Another"}])
    [named] = rules.get_rule(id=id_).body["exceptions_list"]
    assert (named["type"], named["list_id"]) == ("rule_default", made["list_id"])
    assert exceptions.find_items(list_id=made["list_id"]).body["total"] == 2
    told = rules.bulk_action_rules(action="duplicate", ids=[id_]).body
    [copied] = told["attributes"]["results"]["created"][0]["exceptions_list"]
    assert copied["list_id"] != made["list_id"]
    assert exceptions.find_items(list_id=copied["list_id"]).body["total"] == 2
    shared = exceptions.create_shared_list(name="Everybody", description="d").body
    assert shared["type"] == "detection"


def test_lists_of_values(client):
    lists = client.lists
    made = lists.create(id="hosts", name="Hosts", description="d", type="keyword").body
    assert lists.get(id="hosts").body == made
    assert lists.patch(id="hosts", name="Servers").body["name"] == "Servers"
    assert lists.update(id="hosts", name="Machines", description="e").body["description"] == "e"
    item = lists.create_item(list_id="hosts", value="a").body
    with pytest.raises(ConflictError):
        lists.create_item(list_id="hosts", value="a")
    assert lists.patch_item(id=item["id"], value="b").body["value"] == "b"
    assert lists.get_item(id=item["id"]).body["value"] == "b"
    lists.import_items(file="c\nd\n", list_id="hosts")
    assert sorted(lists.export_items(list_id="hosts").body) == ["b", "c", "d"]
    lists.delete_item(id=item["id"])
    lists.delete_item(list_id="hosts", value="c")
    assert [one["value"] for one in lists.find_items(list_id="hosts").body["data"]] == ["d"]
    assert lists.get_privileges().body["lists"]["has_all_requested"] is True
    assert lists.find().body["total"] == 1
    assert lists.delete(id="hosts").body["id"] == "hosts"


# ---- connectors


def test_a_connector_is_tried(client):
    hook = Hook()
    made = client.actions.create(
        name="team", connector_type_id=".webhook", config={"url": f"http://127.0.0.1:{hook.port}/x"}, secrets={}
    ).body
    assert ".webhook" in [one["id"] for one in client.actions.list_types().body]
    assert client.actions.execute(id=made["id"], params={"body": "{}"}).body["status"] == "ok"
    assert [(one["path"], one["body"]) for one in hook.got] == [("/x", b"{}")]
    hook.status = 500
    failed = client.actions.execute(id=made["id"], params={"body": "{}"}).body
    assert (failed["status"], failed["retry"]) == ("error", True)
    assert "answers 500" in failed["service_message"]
    hook.server.shutdown()
    client.actions.delete(id=made["id"])
    assert client.actions.get_all().body == []
