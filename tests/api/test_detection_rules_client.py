"""The client of Elastic's own repository of rules: every request that it makes, in its order and with its headers.

Read from `lib/kibana/kibana/connector.py` and `resources.py` of elastic/detection-rules, in an older state (it
signs in with a password) and in one of 2025 (with a key). It calls `/s/{space}/…`
when it is given a space.
"""

from __future__ import annotations

import json
from contextlib import closing

import httpx
import pytest

from tests.api.conftest import PASSWORD, run_service
from tests.api.test_watch import RULE

RULES = "/api/detection_engine/rules"
HEADERS = {"Content-Type": "application/json", "kbn-xsrf": "6f3d"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("service")) as started:
        yield started


def by_password(running):
    """Sign in as it does: first as before Kibana 7.10, then as after it; the cookie names the session."""
    client = httpx.Client(base_url=running.url, headers=HEADERS, trust_env=False, timeout=60)
    login, given = "/internal/security/login", {"username": "admin", "password": PASSWORD}
    answer = client.post(login, content=json.dumps(given))
    if answer.status_code == 400:
        assert "[undefined]" in answer.text
    basic = {"params": given, "currentURL": "", "providerType": "basic", "providerName": "basic"}
    client.post(login, content=json.dumps(basic)).raise_for_status()
    assert "sid" in client.cookies
    return client


def by_key(running):
    headers = {**HEADERS, "Authorization": f"ApiKey {running.add_key('admin')}"}
    return httpx.Client(base_url=running.url, headers=headers, trust_env=False, timeout=60)


@pytest.fixture(params=[(by_password, ""), (by_key, ""), (by_key, "/s/default")], ids=["password", "key", "space"])
def client(running, request):
    signed_in, space = request.param
    with closing(signed_in(running)) as made:

        def call(method, uri, data=None, **options):
            if data is not None:
                options["content"] = json.dumps(data)
            return made.request(method, f"{space}{uri}", **options)

        call("POST", f"{RULES}/_bulk_action", {"action": "delete"}).raise_for_status()
        yield call


def test_it_begins_and_ends_a_session(client):
    assert client("GET", "/api/status").json()["version"]["number"]
    assert [space["id"] for space in client("GET", "/api/spaces/space").json()] == ["default"]
    me = client("GET", "/internal/security/me").json()
    assert me["username"]
    assert me["enabled"] is True
    assert client("GET", "/logout").status_code == 200


def exported(answer):
    answer.raise_for_status()
    return [json.loads(line) for line in answer.text.splitlines()]


def named(answer):
    return [one["rule_id"] for one in exported(answer) if "rule_id" in one]


def test_it_makes_finds_imports_and_exports_rules(client):
    made = client("POST", RULES, {**RULE, "rule_id": "a"}).json()
    assert client("GET", RULES, params={"id": made["id"]}).json()["rule_id"] == "a"
    both = client("POST", f"{RULES}/_bulk_create", [{**RULE, "rule_id": "b"}, {**RULE, "rule_id": "a"}]).json()
    assert [one["rule_id"] for one in both] == ["b", "a"]
    # `find_custom` and `find_elastic`, page by page
    mine = {"filter": 'alert.attributes.tags:"__internal_immutable:false"', "sort_order": "asc"}
    for field in ("_id", "name"):
        page = client(
            "GET", f"{RULES}/_find", params={"per_page": 1, "page": 2, "sort_field": field, **mine}
        ).json()
        assert (page["page"], page["perPage"], page["total"], len(page["data"])) == (2, 1, 2, 1)
    elastic = {"filter": '(alert.attributes.name:bad) and (alert.attributes.tags:"__internal_immutable:true")'}
    assert client("GET", f"{RULES}/_find", params=elastic).json()["total"] == 0
    # `import_rules`, with what it writes as a form itself
    lines = "\n".join(json.dumps({**RULE, "rule_id": name}) for name in ("a", "c")) + "\n"
    form = '------JustAnotherBoundary\r\nContent-Disposition: form-data; name="file"; filename="import.ndjson"\r\n'
    form += f"Content-Type: application/x-ndjson\r\n\r\n{lines}\r\n------JustAnotherBoundary--\r\n"
    told = client(
        "POST", f"{RULES}/_import", content=form.encode(),
        params={"overwrite": "false", "overwrite_exceptions": "false", "overwrite_action_connectors": "false"},
        headers={"content-type": "multipart/form-data; boundary=----JustAnotherBoundary"},
    ).json()  # fmt: skip
    assert [one["rule_id"] for one in told["errors"]] == ["a"]
    wanted = {"objects": [{"rule_id": "c"}]}
    assert named(client("POST", f"{RULES}/_export", wanted, params={"exclude_export_details": "true"})) == ["c"]
    everything = client("POST", f"{RULES}/_export", params={"exclude_export_details": "true"})
    assert sorted(named(everything)) == ["a", "b", "c"]
    assert client("DELETE", RULES, params={"id": made["id"]}).json()["rule_id"] == "a"


def test_it_does_things_with_many_rules(client):
    """It names rules in `rule_ids`, which Kibana does not know: taken for nothing, that would be all rules."""
    ids = {name: client("POST", RULES, {**RULE, "rule_id": name}).json()["id"] for name in "abc"}

    def bulk(action, rule_ids, **more):
        duplicate = {"include_exceptions": False, "include_expired_exceptions": False}
        data = {"action": action, "edit": None, "duplicate": duplicate, "rule_ids": rule_ids, **more}
        return client("POST", f"{RULES}/_bulk_action", data, params={"dry_run": "false"})

    def updated(answer, part="updated"):
        return [one["rule_id"] for one in answer.json()["attributes"]["results"][part]]

    assert updated(bulk("disable", [ids["a"]])) == ["a"]
    assert updated(bulk("enable", ["a"])) == ["a"]
    assert updated(bulk("edit", [ids["b"]], edit=[{"type": "add_tags", "value": ["x"]}])) == ["b"]
    assert len(updated(bulk("duplicate", [ids["a"]]), "created")) == 1
    assert named(bulk("export", [ids["c"]])) == ["c"]
    assert bulk("enable", ["nobody"]).json()["attributes"]["summary"]["failed"] == 1
    assert bulk("delete", []).status_code == 400
    assert updated(bulk("delete", ["c", ids["a"]]), "deleted") == ["a", "c"]
    assert client("GET", f"{RULES}/_find").json()["total"] == 2
    query = {"action": "delete", "edit": None, "query": 'alert.attributes.tags: "x"'}
    assert updated(client("POST", f"{RULES}/_bulk_action", query), "deleted") == ["b"]


def test_it_searches_and_closes_alerts(client):
    signals = "/api/detection_engine/signals"
    last = {
        "aggs": {"lastSeen": {"max": {"field": "@timestamp"}}}, "size": 0, "track_total_hits": True,
        "query": {"bool": {"filter": [{"match": {"signal.status": "open"}}]}},
    }  # fmt: skip
    assert client("POST", f"{signals}/search", last).json()["hits"]["total"]["value"] == 0
    every = {"query": {"bool": {"filter": {"match_all": {}}}}, "size": 10}
    assert client("POST", f"{signals}/search", every).json()["hits"]["hits"] == []
    closing = {"signal_ids": ["nobody"], "status": "closed"}
    assert client("POST", f"{signals}/status", closing).json()["updated"] == 0


# ---- sessions and spaces


def test_a_session_that_a_cookie_names_is_not_used_by_other_sites(running):
    with closing(by_password(running)) as client:
        del client.headers["kbn-xsrf"]
        assert client.get(f"{RULES}/_find").status_code == 200
        refused = client.post(RULES, content=json.dumps(RULE))
        assert refused.status_code == 400
        assert refused.json()["message"] == "Request must contain a kbn-xsrf header."


def test_a_session_ends(running):
    with closing(by_password(running)) as client:
        token = client.cookies["sid"]
        client.get("/api/security/logout").raise_for_status()
        client.cookies.set("sid", token)
        assert client.get("/internal/security/me").status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "admin", "password": "wrong password"}, 401),
        ({"params": {"username": "admin"}}, 400),
        ({}, 400),
        ({"params": 1}, 400),
    ],
)
def test_nobody_signs_in_without_a_password(running, body, status):
    with running.http("", headers=HEADERS) as client:
        answer = client.post("/internal/security/login", content=json.dumps(body))
        assert answer.status_code == status
        assert answer.json()["statusCode"] == status
        assert "set-cookie" not in answer.headers


def test_there_is_the_default_space_alone(running):
    with running.http(running.add_key("admin")) as client:
        assert client.get("/api/spaces/space/default").json()["name"] == "Default"
        assert client.get("/s/default/api/spaces/space/default").json()["id"] == "default"
        for path in ("/api/spaces/space/other", f"/s/other{RULES}/_find", "/s/other/internal/security/me"):
            answer = client.get(path)
            assert answer.status_code == 404
            told = answer.json()
            assert (told["statusCode"], told["error"]) == (404, "Not Found")
            assert "[space/other] not found" in told["message"]
        assert client.post(f"/s/other{RULES}", json=RULE).status_code == 404
        assert client.get("/s/default/api/nothing").status_code == 404


def test_elasticsearchs_addresses_are_in_no_space(running):
    with running.http(running.add_key("admin")) as client:
        client.put("/s/_doc/api", json={"@timestamp": "2026-01-01T00:00:00Z", "n": 1}).raise_for_status()
        assert client.get("/s/_doc/api").json()["_source"]["n"] == 1
        assert client.get("/s/default/_search").status_code in (404, 405)
        assert client.get("/s/default/").status_code in (404, 405)


def test_nobody_learns_of_spaces_without_being_known(running):
    with running.http("") as client:
        for path in ("/s/other/api/x", f"/s/default{RULES}/_find", "/s/default/internal/security/me"):
            assert client.get(path).status_code == 401
