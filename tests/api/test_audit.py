"""What changes state is in the audit log, by ids: each route that may is tried, or said to change nothing."""

from __future__ import annotations

import pytest

from tests.api.conftest import PASSWORD
from tests.api.test_watch import HOOK, RULE, alerts, http, put_event, run_now, running
from tests.waiting import eventually
from tocsin.api.app import create_app

__all__ = ["http", "running"]  # fixtures

ENGINE, LISTS, VALUES = "/api/detection_engine", "/api/exception_lists", "/api/lists"
ITEM = {"name": "i", "type": "simple", "entries": [
    {"field": "host.name", "operator": "included", "type": "match", "value": "h"}]}  # fmt: skip
LONG = {"type": "long"}
CASE = {"title": "t", "description": "d", "tags": [], "owner": "securitySolution",
        "settings": {"syncAlerts": False}, "connector": {"id": "none"}}  # fmt: skip
# Method, route, what stands in the route for its parameters, query, body, and the action that the log has then.
CHANGES = [
    ("POST", f"{ENGINE}/rules", {}, {}, {**RULE, "rule_id": "audited"}, "rule.created"),
    ("PATCH", f"{ENGINE}/rules", {}, {}, {"rule_id": "audited", "name": "n"}, "rule.changed"),
    ("PUT", f"{ENGINE}/rules", {}, {}, {**RULE, "rule_id": "audited", "risk_score": 1}, "rule.changed"),
    ("POST", f"{ENGINE}/rules/_bulk_create", {}, {}, [{**RULE, "rule_id": "two"}], "rule.created"),
    ("POST", f"{ENGINE}/rules/_bulk_action", {}, {}, {"action": "disable", "ids": ["UUID"]}, "rule.disabled"),
    ("POST", f"{ENGINE}/rules/_bulk_action", {}, {}, {"action": "enable", "ids": ["UUID"]}, "rule.enabled"),
    ("POST", f"{ENGINE}/rules/_bulk_action", {}, {}, {"action": "run", "ids": ["UUID"]}, "rule.run"),
    ("POST", f"{ENGINE}/rules/{{id}}/exceptions", {"id": "UUID"}, {}, {"items": [ITEM]}, "exception.created"),
    ("POST", "/api/alerting/rule/{id}/_mute_all", {"id": "UUID"}, {}, {}, "rule.snoozed"),
    ("POST", "/api/alerting/rule/{id}/_unmute_all", {"id": "UUID"}, {}, {}, "rule.snoozed"),
    ("POST", "/api/alerting/rule/{id}/_snooze", {"id": "UUID"}, {}, {"until": "2030-01-01"}, "rule.snoozed"),
    ("DELETE", f"{ENGINE}/rules", {}, {"rule_id": "two"}, None, "rule.removed"),
    ("POST", f"{ENGINE}/signals/status", {}, {}, {"signal_ids": ["ALERT"], "status": "closed"}, "alerts.status"),
    ("POST", f"{ENGINE}/signals/tags", {}, {},
     {"ids": ["ALERT"], "tags": {"tags_to_add": ["a"], "tags_to_remove": []}}, "alerts.tags"),
    ("POST", f"{ENGINE}/signals/assignees", {}, {},
     {"ids": ["ALERT"], "assignees": {"add": ["a"], "remove": []}}, "alerts.assignees"),
    ("POST", f"{ENGINE}/signals/notes", {}, {}, {"id": "ALERT", "note": "n"}, "alerts.note"),
    ("POST", LISTS, {}, {}, {"list_id": "l", "name": "l", "type": "detection"}, "exception_list.created"),
    ("PUT", LISTS, {}, {}, {"list_id": "l", "name": "m", "type": "detection"}, "exception_list.changed"),
    ("POST", f"{LISTS}/items", {}, {}, {**ITEM, "list_id": "l", "item_id": "i"}, "exception.created"),
    ("PUT", f"{LISTS}/items", {}, {}, {**ITEM, "list_id": "l", "item_id": "i", "name": "j"}, "exception.changed"),
    ("DELETE", f"{LISTS}/items", {}, {"item_id": "i"}, None, "exception.removed"),
    ("POST", f"{LISTS}/_duplicate", {}, {"list_id": "l"}, None, "exception_list.created"),
    ("DELETE", LISTS, {}, {"list_id": "l"}, None, "exception_list.removed"),
    ("POST", "/api/exceptions/shared", {}, {}, {"name": "s"}, "exception_list.created"),
    ("POST", "/api/endpoint_list/items", {}, {}, {**ITEM, "item_id": "e"}, "exception.created"),
    ("PUT", "/api/endpoint_list/items", {}, {}, {**ITEM, "item_id": "e", "name": "f"}, "exception.changed"),
    ("DELETE", "/api/endpoint_list/items", {}, {"item_id": "e"}, None, "exception.removed"),
    ("POST", VALUES, {}, {}, {"id": "v", "name": "v", "type": "keyword", "description": ""}, "value_list.created"),
    ("PUT", VALUES, {}, {}, {"id": "v", "name": "w", "description": "d"}, "value_list.changed"),
    ("PATCH", VALUES, {}, {}, {"id": "v", "name": "x"}, "value_list.changed"),
    ("POST", f"{VALUES}/items", {}, {}, {"list_id": "v", "value": "a"}, "value_list.changed"),
    ("DELETE", f"{VALUES}/items", {}, {"list_id": "v", "value": "a"}, None, "value_list.changed"),
    ("DELETE", VALUES, {}, {"id": "v"}, None, "value_list.removed"),
    ("POST", "/api/actions/connector", {}, {}, HOOK, "connector.created"),
    ("POST", "/api/actions/connector/{id}", {"id": "c"}, {}, HOOK, "connector.created"),
    ("PUT", "/api/actions/connector/{id}", {"id": "c"}, {}, HOOK, "connector.changed"),
    ("POST", "/api/actions/connector/{id}/_execute", {"id": "c"}, {}, {"params": {}}, "connector.tried"),
    ("DELETE", "/api/actions/connector/{id}", {"id": "c"}, {}, None, "connector.removed"),
    ("POST", "/api/users", {}, {}, {"name": "bob", "role": "viewer"}, "user.add"),
    ("PATCH", "/api/users/{name}", {"name": "bob"}, {}, {"role": "analyst"}, "user.change"),
    ("POST", "/_security/api_key", {}, {}, {"name": "k", "role_descriptors": {}}, "key.add"),
    ("PUT", "/_security/api_key", {}, {}, {"name": "k2", "role_descriptors": {}}, "key.add"),
    ("DELETE", "/_security/api_key", {}, {}, {"ids": ["KEY"]}, "key.revoke"),
    ("POST", "/api/session", {}, {}, {"name": "admin", "password": PASSWORD}, "session.begin"),
    ("PUT", "/{index}", {"index": "logs-made"}, {}, {}, "index.make"),
    ("PUT", "/{index}/_mapping", {"index": "logs-made"}, {}, {"properties": {"a": LONG}}, "mapping.put"),
    ("POST", "/{index}/_mapping", {"index": "logs-made"}, {}, {"properties": {"b": LONG}}, "mapping.put"),
    ("PUT", "/_data_stream/{name}", {"name": "logs-stream"}, {}, None, "index.make"),
    ("POST", "/api/cases", {}, {}, CASE, "case.create_case"),
    ("PATCH", "/api/cases", {}, {}, {"cases": [{"id": "CASE", "version": "VERSION", "title": "u"}]}, "case.title"),
    ("POST", "/api/cases/{case_id}/comments", {"case_id": "CASE"}, {}, {"type": "user", "comment": "c"},
     "case.comment"),
    ("PATCH", "/api/cases/{case_id}/comments", {"case_id": "CASE"}, {},
     {"id": "COMMENT", "version": "COMMENT_VERSION", "type": "user", "comment": "d"}, "case.comment"),
    ("DELETE", "/api/cases/{case_id}/comments/{comment_id}", {"case_id": "CASE", "comment_id": "COMMENT"}, {},
     None, "case.comment"),
    ("DELETE", "/api/cases", {}, {"ids": "CASES"}, None, "case.delete_case"),
]  # fmt: skip
# Routes that read, that bring events (which are counted, not audited), or that end what only who asks has begun.
CHANGE_NOTHING = {
    "/_search", "/{index}/_search", "/_msearch", "/{index}/_msearch", "/_count", "/{index}/_count", "/_field_caps",
    "/{index}/_field_caps", "/{index}/_eql/search", "/_eql/search/{id}", "/_bulk", "/{index}/_bulk",
    "/{index}/_doc", "/{index}/_doc/{id}", "/{index}/_create/{id}", f"{ENGINE}/rules/_export",
    f"{ENGINE}/rules/preview", f"{ENGINE}/signals/search", f"{LISTS}/_export", f"{LISTS}/items/_preview",
    f"{VALUES}/items/_export",
}  # fmt: skip
DECISIONS = ("approve", "reject", "withdraw", "undo", "settle")
# Tried where their forms are: imports, signing in and out, a person's own password, what is made where it lacks;
# actions on hosts (test_response_actions), lists of indicators, hunts and look-ups (test_reputation).
TRIED_ELSEWHERE = {
    f"{ENGINE}/rules/_import", f"{LISTS}/_import", f"{VALUES}/items/_import", "/internal/security/login",
    "/api/session", "/_security/user/_password", f"{VALUES}/index", "/api/endpoint_list", f"{VALUES}/items",
    *(f"/api/response/actions{end}" for end in ("", *(f"/{{id}}/_{what}" for what in DECISIONS))),
    *(f"/api/indicator_lists{end}" for end in ("", "/{id}", "/{id}/_load", "/{id}/_remove")),
    "/api/indicator_hunts", "/api/indicator_hunts/{id}/_cancel", "/api/reputation/_ask",
    "/api/reputation/services/{id}", "/api/reputation/own_domains",
}  # fmt: skip

# Templates, pipelines and policies, which clients set up: `client_object.put`.
CLIENT_OBJECTS = ("/_index_template", "/_component_template", "/_template", "/_ingest", "/_ilm")


@pytest.fixture
def named(http):
    """The ids of a rule, an alert and a key that are there, by what stands for them."""
    http.post(f"{ENGINE}/rules", json={**RULE, "enabled": True}).raise_for_status()
    put_event(http, process={"name": "bad.exe"})
    run_now(http)
    [alert, *_] = eventually(lambda: alerts(http))
    uuid = http.get(f"{ENGINE}/rules", params={"rule_id": RULE["rule_id"]}).json()["id"]
    key = http.post("/_security/api_key", json={"name": "old", "role_descriptors": {}}).json()["id"]
    return {"UUID": uuid, "ALERT": alert["kibana.alert.uuid"], "KEY": key}


def filled(value, named):
    if isinstance(value, dict):
        return {name: filled(one, named) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, named) for one in value]
    return named.get(value, value) if isinstance(value, str) else value


def ids_of_a_case(answer):
    """Return what an answer says of a case and its comment, by what stands for these in the table."""
    document = answer.json() if answer.content else {}
    case = document[0] if isinstance(document, list) and document else document
    if not case:
        return {}
    ids = {"CASE": case["id"], "CASES": f'["{case["id"]}"]', "VERSION": case["version"]}
    for comment in case.get("comments", ()):
        ids |= {"COMMENT": comment["id"], "COMMENT_VERSION": comment["version"]}
    return ids


def newest(http, count=1):
    return http.get("/api/audit", params={"size": count}).json()["entries"]


def test_each_change_is_in_the_audit_log(http, named):
    for method, route, places, query, body, action in CHANGES:
        before = newest(http)
        address = route.format(**filled(places, named))
        more = {} if body is None else {"json": filled(body, named)}
        answer = http.request(method, address, params=filled(query, named), **more)
        assert answer.is_success, (method, route, answer.text)
        named |= ids_of_a_case(answer) if route.startswith("/api/cases") else {}
        after = newest(http, 20)
        new = after[: after.index(before[0])] if before[0] in after else after
        entries = [one for one in new if one["action"] == action]
        assert entries, (method, route, new)
        assert all(one["actor_id"] for one in entries)
        if action in ("rule.run", "rule.enabled", "rule.disabled"):
            assert entries[0]["detail"]["uuid"] == named["UUID"]
        if action.startswith("alerts."):
            assert named["ALERT"] in (entries[0]["target"], *entries[0]["detail"].get("ids", ()))


def test_no_route_is_forgotten(running):
    known = {route for _, route, *_ in CHANGES} | CHANGE_NOTHING | TRIED_ELSEWHERE
    paths = create_app(running.service).openapi()["paths"]
    changing = {path for path, methods in paths.items() if methods.keys() - {"get", "head", "options"}}
    assert "/_bulk" in changing
    assert {path for path in changing if path not in known and not path.startswith(CLIENT_OBJECTS)} == set()
