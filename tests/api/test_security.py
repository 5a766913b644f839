"""No open door: who may do what, and what is told to whom."""

from __future__ import annotations

import base64
import logging

import pytest

from tests.api.conftest import PASSWORD, run_service
from tests.postgresql import binaries, cluster
from tocsin.api.access_control import Throttle
from tocsin.api.logs import without_secrets


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request, tmp_path_factory):
    """Run the service on each kind of database of records."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        with run_service(folder) as started:
            yield started
        return
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as database, run_service(folder, database_url=database.create("tocsin")) as started:
        yield started


EVENT = {"@timestamp": "2026-11-20T12:00:00Z", "n": 1}
OPEN = {"/healthz", "/readyz", "/openapi.json", "/api/session"}


def test_every_route_but_the_probes_of_health_asks_who_is_there(running):
    paths = running.service.config and running.http("").get("/openapi.json").json()["paths"]
    with running.http("") as http:
        for path, methods in paths.items():
            for method in methods:
                if path in OPEN:
                    continue
                url = (
                    path.replace("{index}", "x").replace("{name}", "x").replace("{id}", "x").replace("{rest}", "x")
                )
                assert http.request(method.upper(), url).status_code == 401, (method, path)
    assert len(paths) > 40


SCOPES = [
    ("POST", "/logs-x/_doc", EVENT, "ingest"),
    ("PUT", "/_index_template/x", {"index_patterns": ["x-*"]}, "ingest"),
    ("GET", "/_search", None, "read"),
    ("POST", "/logs-*/_eql/search", {"query": "any where true"}, "read"),
    ("GET", "/metrics", None, "read"),
    ("GET", "/_cat/indices", None, "read"),
    ("GET", "/api/audit", None, "admin"),
    ("GET", "/api/users", None, "admin"),
    ("POST", "/api/users", {"name": "new", "role": "viewer"}, "admin"),
]


@pytest.mark.parametrize(("method", "path", "body", "needed"), SCOPES)
def test_scopes(running, method, path, body, needed):
    for scope in ("ingest", "read", "write_rules", "respond"):
        with running.http(running.add_key(scope)) as http:
            answer = http.request(method, path, json=body)
        assert (answer.status_code == 403) == (scope != needed), (scope, answer.text)
    with running.http(running.add_key("admin")) as http:
        assert http.request(method, path, json=body).is_success


@pytest.mark.parametrize(
    ("role", "path", "allowed"),
    [("viewer", "/_search", True), ("viewer", "/api/users", False), ("analyst", "/_search", True)],
)
def test_roles_by_basic_auth(running, role, path, allowed):
    with running.http("", auth=(role, PASSWORD)) as http:
        assert http.get(path).is_success == allowed


@pytest.mark.parametrize(
    "header",
    ["Basic !!", "Basic " + base64.b64encode(b"nobody").decode(), "ApiKey x", "Negotiate abc", "", "Basic"],
)
def test_odd_credentials(running, header):
    with running.http("") as http:
        assert http.get("/", headers={"Authorization": header}).status_code == 401


def test_a_one_time_password_is_good_for_another_password_alone(running):
    with running.http(running.add_key("admin")) as http:
        made = http.post("/api/users", json={"name": "fresh", "role": "analyst"}).json()["one_time_password"]
    with running.http("", auth=("fresh", made)) as http:
        refused = http.get("/_search")
        assert (refused.status_code, "good once" in refused.text) == (403, True)
        assert http.post("/_security/user/_password", json={"password": "short"}).status_code == 400
        assert http.post("/_security/user/_password", json={"password": PASSWORD}).is_success
        assert http.get("/").status_code == 401
    with running.http("", auth=("fresh", PASSWORD)) as http:
        assert http.get("/_search").is_success


def test_sessions_need_a_token_for_changes(running):
    with running.http("") as http:
        assert http.post("/api/session", json={"name": "admin", "password": "wrong password"}).status_code == 401
        begun = http.post("/api/session", json={"name": "admin", "password": PASSWORD})
        cookie = begun.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert http.get("/api/users").is_success
        body = {"name": "by-session", "role": "viewer"}
        assert http.post("/api/users", json=body).status_code == 403
        assert http.post("/api/users", json=body, headers={"X-CSRF-Token": "guess"}).status_code == 403
        token = {"X-CSRF-Token": begun.json()["csrf"]}
        assert http.post("/api/users", json=body, headers=token).status_code == 201
        assert http.delete("/api/session", headers=token).is_success
        http.cookies.set("tocsin_session", begun.cookies["tocsin_session"])
        assert http.get("/api/users").status_code == 401


def test_api_keys_over_http(running):
    with running.http("", auth=("engineer", PASSWORD)) as http:
        made = http.post("/_security/api_key", json={"name": "shipper", "expiration": "30d", "scopes": ["ingest"]})
        assert http.post("/_security/api_key", json={"name": "x", "scopes": ["admin"]}).status_code == 400
        assert http.post("/_security/api_key", json={"name": "x", "expiration": "soon"}).status_code == 400
        with running.http(made.json()["encoded"]) as shipper:
            assert shipper.post("/logs-keys/_doc", json=EVENT).status_code == 201
            assert shipper.post("/_security/api_key", json={"name": "child"}).status_code == 403
            told = shipper.get("/_security/_authenticate").json()
            assert told["metadata"] == {"scopes": ["ingest"]}
            assert made.json()["id"] in http.get("/_security/api_key").text
            gone = http.request("DELETE", "/_security/api_key", json={"ids": [made.json()["id"]]})
            assert gone.json()["invalidated_api_keys"] == [made.json()["id"]]
            assert shipper.post("/logs-keys/_doc", json=EVENT).status_code == 401


def test_guessing_gets_slow(tmp_path):
    with run_service(tmp_path) as running, running.http("", auth=("viewer", "wrong")) as http:
        answers = [http.get("/").status_code for _ in range(8)]
        assert answers[:5] == [401] * 5
        assert 429 in answers
        late = http.get("/")
        if late.status_code == 429:
            assert int(late.headers["Retry-After"]) >= 1
        with running.http("", auth=("analyst", PASSWORD)) as other:
            assert other.get("/").is_success


def test_waiting_doubles_and_is_forgotten_after_success():
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    waits = []
    for _ in range(20):
        throttle.failed("a", "1.1.1.1")
        waits.append(throttle.wait("a", "1.1.1.1"))
    assert waits[:4] == [0, 0, 0, 0]
    assert waits[4:8] == [1, 2, 4, 8]
    assert max(waits) == 900
    assert throttle.wait("a", "2.2.2.2") == throttle.wait("b", "1.1.1.1") == 0
    now[0] += 901
    assert throttle.wait("a", "1.1.1.1") == 0
    throttle.succeeded("a", "1.1.1.1")
    throttle.failed("a", "1.1.1.1")
    assert throttle.wait("a", "1.1.1.1") == 0


def test_many_names_do_not_make_an_address_forgotten():
    throttle = Throttle(clock=lambda: 0.0)
    for number in range(5000):
        throttle.failed(f"user{number}", "1.1.1.1")
    assert throttle.wait("user4999", "1.1.1.1") == throttle.wait("user0", "1.1.1.1") == 60
    assert throttle.wait("user0", "2.2.2.2") == 0


def test_strict_headers(running):
    with running.http() as http:
        for answer in (http.get("/"), http.get("/nothing/here/at/all"), http.get("/healthz")):
            headers = answer.headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-store"
            assert "server" not in headers


def test_changes_are_in_the_audit_log(running):
    key = running.add_key("admin")
    with running.http(key) as http:
        http.post("/api/users", json={"name": "audited", "role": "viewer"})
        entries = http.get("/api/audit?size=50").json()["entries"]
    [entry] = [e for e in entries if e["target"] == "audited"]
    id_ = base64.b64decode(key).decode().partition(":")[0]
    assert (entry["action"], entry["actor_id"], entry["address"]) == ("user.add", f"key:{id_}", "127.0.0.1")
    assert entry["actor"].startswith("key:admin ")


def test_secrets_are_not_logged(running, caplog):
    caplog.set_level(logging.DEBUG)
    with running.http() as http:
        http.get("/", headers={"Cookie": "tocsin_session=verysecretcookie"})
        http.post("/api/session", json={"name": "viewer", "password": "a wrong password"})
    text = caplog.text
    for secret in (running.key, PASSWORD, "a wrong password", "verysecretcookie"):
        assert secret not in text


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("postgresql://tocsin:hunter2@db/tocsin does not answer", "hunter2"),
        ("Authorization: ApiKey abcdef==", "abcdef"),
        ('{"password": "hunter2"}', "hunter2"),
        ("Cookie: tocsin_session=abc", "tocsin_session=abc"),
    ],
)
def test_secrets_are_cut_out_of_log_lines(line, hidden):
    assert hidden not in without_secrets(line)
    assert "***" in without_secrets(line)
