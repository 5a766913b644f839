"""Users, keys and the audit log, as an administrator keeps them in a browser."""

from __future__ import annotations

import base64
import html
import itertools
import re

import orjson
import pytest

from tests.api.conftest import PASSWORD
from tests.desk.conftest import token_of
from tocsin.management.access import all_users
from tocsin.store.records import access
from tocsin.store.records.access import local_actor

NAMES = (f"person {number}" for number in itertools.count())
SECRET = re.compile(r"<code data-copied[^>]*>([^<]+)</code>")


@pytest.fixture
def admin(desk):
    with desk.logged_in("admin") as client:
        yield client


def post(client, address, **fields):
    return client.post(address, data={"csrf": token_of(client), **fields})


def new_user(desk, role="analyst"):
    """Add a user with the password that all have here; return the name, and the address of their page."""
    name = next(NAMES)
    with desk.running.service.records.transaction() as session:
        access.add_user(session, local_actor("tests"), name, role, PASSWORD)
        return name, f"/access/users/{access.find_user(session, name).id}"


def logged_in(desk, name, password=PASSWORD):
    client = desk.browser()
    return client, client.post("/login", data={"name": name, "password": password})


def admin_key(desk):
    return desk.running.add_key("admin")


def shown_secret(answer):
    return html.unescape(SECRET.findall(answer.text)[0])


def test_a_new_user_logs_in_once_with_what_was_shown_and_then_with_a_password_of_their_own(desk, admin):
    name = next(NAMES)
    answer = post(admin, "/access/users", name=name, role="analyst")
    assert answer.status_code == 200
    once = shown_secret(answer)
    assert once not in admin.get("/access/users").text
    client, began = logged_in(desk, name, once)
    assert began.headers["location"] == "/password"
    assert client.get("/alerts").headers["location"] == "/password"
    token = re.findall(r'name="csrf" value="([^"]+)"', client.get("/password").text)[0]
    own = {"csrf": token, "password": "own and long enough", "again": "own and long enough"}
    assert client.post("/password", data=own).headers["location"] == "/alerts"
    assert client.get("/alerts").status_code == 200
    assert logged_in(desk, name, once)[1].status_code == 401


@pytest.mark.parametrize(
    ("name", "role", "says"),
    [
        ("", "analyst", "1 to 128 printable characters"),
        ("a:b", "analyst", "no colon"),
        ("аdmin", "analyst", "mixes letters"),
        ("viewer", "analyst", "already"),
        ("somebody", "king", "no role called"),
    ],
)
def test_users_that_cannot_be_added(admin, name, role, says):
    answer = post(admin, "/access/users", name=name, role=role)
    assert answer.status_code == 400
    assert says in answer.text
    assert "data-copied" not in answer.text


def test_a_role_is_changed_and_holds_at_once(desk, admin):
    name, address = new_user(desk)
    client, _ = logged_in(desk, name)
    assert client.get("/access/users").status_code == 403
    assert post(admin, f"{address}/role", role="admin").headers["location"] == f"{address}?done=role"
    assert client.get("/access/users").status_code == 200
    assert post(admin, f"{address}/role", role="king").status_code == 400


def test_who_is_disabled_is_out_at_once_and_so_are_their_keys(desk, admin):
    name, address = new_user(desk)
    client, _ = logged_in(desk, name)
    made = post(client, "/settings/keys", name="mine", scope="read")
    key = shown_secret(made).removeprefix("Authorization: ApiKey ")
    with desk.running.http(key) as http:
        assert http.get("/_count").status_code == 200
        post(admin, f"{address}/enabled", enabled="false")
        assert client.get("/alerts").status_code == 303
        assert http.get("/_count").status_code == 401
    assert logged_in(desk, name)[1].status_code == 401
    assert "may not log in" in admin.get(address).text
    post(admin, f"{address}/enabled", enabled="true")
    assert logged_in(desk, name)[1].status_code == 303


def test_a_reset_password_takes_the_place_of_the_old_one(desk, admin):
    name, address = new_user(desk)
    client, _ = logged_in(desk, name)
    once = shown_secret(post(admin, f"{address}/password"))
    assert client.get("/alerts").status_code == 303
    assert logged_in(desk, name)[1].status_code == 401
    assert logged_in(desk, name, once)[1].headers["location"] == "/password"


def test_sessions_are_ended_by_an_administrator(desk, admin):
    name, address = new_user(desk)
    clients = [logged_in(desk, name)[0] for _ in range(2)]
    assert re.search(r"<dt>Logged-in browsers</dt><dd>2</dd>", admin.get(address).text)
    post(admin, f"{address}/sessions")
    assert [client.get("/alerts").status_code for client in clients] == [303, 303]
    assert logged_in(desk, name)[1].status_code == 303


@pytest.fixture
def only_admin(desk, admin):
    """The address of the page of the only administrator: the others are viewers meanwhile."""
    with desk.running.service.records.transaction() as session:
        admins = {user.name: user.id for user in all_users(session) if user.role == "admin"}
    own = admins.pop("admin")
    for id_ in admins.values():
        assert post(admin, f"/access/users/{id_}/role", role="viewer").status_code == 303
    yield f"/access/users/{own}"
    for id_ in admins.values():
        post(admin, f"/access/users/{id_}/role", role="admin")


@pytest.mark.parametrize(("change", "value"), [("role", "viewer"), ("enabled", "false")])
def test_the_last_administrator_stays_one(admin, only_admin, change, value):
    answer = post(admin, f"{only_admin}/{change}", **{change: value})
    assert answer.status_code == 400
    assert "is the only admin" in answer.text
    assert admin.get("/access/users").status_code == 200


def test_a_user_who_is_not_there_has_no_page(admin):
    assert admin.get("/access/users/4711").status_code == 404
    assert admin.get("/access/users/x").status_code == 400
    assert post(admin, "/access/users/4711/role", role="viewer").status_code == 404


# ---- keys


def row_of(admin, name):
    """Return a key's row of the list of keys."""
    page = admin.get("/access/keys").text
    return next(row for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if name in row)


def test_a_key_is_shown_once_works_and_is_revoked(desk, admin):
    name = next(NAMES)
    made = post(admin, "/access/keys", name=name, scope=["read", "ingest"], days="30", owner="engineer")
    header = shown_secret(made)
    assert header.startswith("Authorization: ApiKey ")
    encoded = header.removeprefix("Authorization: ApiKey ")
    assert encoded not in admin.get("/access/keys").text
    with desk.running.http(encoded) as http:
        asked = http.get("/_security/_authenticate").json()
        assert asked["metadata"]["scopes"] == ["ingest", "read"]
        row = row_of(admin, name)
        assert "engineer" in row
        id_ = re.findall(r'name="id" value="([^"]+)"', row)[0]
        assert post(admin, "/access/keys/revoke", id=id_).status_code == 303
        assert http.get("/_count").status_code == 401
    row = row_of(admin, name)
    assert "revoked" in row
    assert "<form" not in row


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "k", "scope": []}, "a key needs a scope"),
        ({"name": "", "scope": "read"}, "1 to 128 printable characters"),
        ({"name": "k", "scope": "everything"}, "no scope called"),
        ({"name": "k", "scope": "read", "days": "0"}, "1 to 3,650 days"),
        ({"name": "k", "scope": "read", "days": "-1"}, "1 to 3,650 days"),
        ({"name": "k", "scope": "read", "days": "٣"}, "1 to 3,650 days"),
        ({"name": "k", "scope": "read", "owner": "nobody"}, "no user called"),
        ({"name": "k", "scope": "admin", "owner": "viewer"}, "viewer may not admin"),
    ],
)
def test_keys_that_cannot_be_made(admin, fields, says):
    answer = post(admin, "/access/keys", **fields)
    assert answer.status_code == 400
    assert says in html.unescape(answer.text)
    assert "data-copied" not in answer.text


def test_nobody_grants_more_than_they_have(desk):
    with desk.logged_in("viewer") as client:
        page = client.get("/settings").text
        assert re.findall(r'name="scope" value="([^"]+)"', page) == ["read"]
        for scope in ("admin", "respond", "ingest"):
            answer = post(client, "/settings/keys", name="more", scope=scope)
            assert (answer.status_code, "viewer may not" in answer.text) == (400, True)
        answer = post(client, "/settings/keys", name=next(NAMES), scope="read", owner="admin")
        encoded = shown_secret(answer).removeprefix("Authorization: ApiKey ")
    with desk.running.http(admin_key(desk)) as http:
        known = {key["id"]: key for key in http.get("/_security/api_key").json()["api_keys"]}
    id_ = base64.b64decode(encoded).decode().partition(":")[0]
    assert known[id_]["username"] == "viewer"


def test_nobody_revokes_the_key_of_another(desk, admin):
    with desk.logged_in("engineer") as client:
        name = next(NAMES)
        encoded = shown_secret(post(client, "/settings/keys", name=name, scope="read"))
        id_ = base64.b64decode(encoded.removeprefix("Authorization: ApiKey ")).decode().partition(":")[0]
    with desk.logged_in("analyst") as client:
        post(client, "/settings/keys/revoke", id=id_)
    row = row_of(admin, name)
    assert "valid" in row
    with desk.logged_in("engineer") as client:
        post(client, "/settings/keys/revoke", id=id_)
    row = row_of(admin, name)
    assert "revoked" in row


# ---- the audit log


def rows(page):
    return [re.sub(r"<[^>]+>", " ", row) for row in page.split("<tr>")[2:]]


def test_the_audit_log_is_filtered_by_who_what_and_when(desk, admin):
    name, address = new_user(desk)
    logged_in(desk, name)
    logged_in(desk, name, "wrong")
    post(admin, f"{address}/role", role="viewer")
    by_target = rows(admin.get("/access/audit", params={"target": name.upper()}).text)
    assert [next(action for action in ACTIONS if action in row) for row in by_target] == [
        "user.change", "login.failed", "session.begin", "user.add",
    ]  # fmt: skip
    by_action = rows(admin.get("/access/audit", params={"target": name, "action": "user."}).text)
    assert len(by_action) == 2
    by_actor = rows(admin.get("/access/audit", params={"actor": "ADMIN", "target": name}).text)
    assert len(by_actor) == 1
    assert rows(admin.get("/access/audit", params={"target": name, "to": "now-1h"}).text) == []
    assert len(rows(admin.get("/access/audit", params={"target": name, "from": "now-1h"}).text)) == 4
    assert "Nothing is in the audit log" in admin.get("/access/audit", params={"target": "%"}).text
    assert "the time cannot be read" in admin.get("/access/audit", params={"from": "soon"}).text


def test_the_audit_log_is_paged_and_exported(desk, admin):
    target = next(NAMES)
    with desk.running.service.records.transaction() as session:
        for number in range(205):
            access.record(session, local_actor("tests"), "user.change", f"{target} {number:03}")
    asked = {"target": target, "from": "now-1h"}
    page, seen = admin.get("/access/audit", params=asked).text, []
    for size in (100, 100, 5):
        assert len(rows(page)) == size
        seen += rows(page)
        following = re.findall(r'href="([^"]+)" rel="next"', page)
        page = admin.get(html.unescape(following[0])).text if following else ""
    assert len(set(seen)) == 205
    assert f"{target} 204" in seen[0]
    exported = admin.get("/access/audit/export", params=asked)
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    assert "attachment" in exported.headers["content-disposition"]
    entries = [orjson.loads(line) for line in exported.text.splitlines()]
    assert [entry["target"] for entry in entries] == [f"{target} {number:03}" for number in range(205)]
    with desk.running.http(admin_key(desk)) as http:
        known = http.get("/api/audit", params={"size": 1000}).json()["entries"]
    assert entries[-1] in known


ACTIONS = ("user.add", "user.change", "session.begin", "login.failed")


def test_right_and_wrong_passwords_are_in_the_audit_log(desk, admin):
    name, _ = new_user(desk)
    logged_in(desk, name, "wrong")
    logged_in(desk, name)
    shown = rows(admin.get("/access/audit", params={"target": name}).text)
    assert "session.begin" in shown[0]
    assert "login.failed" in shown[1]
    assert "127.0.0.1" in shown[1]
    assert not any("wrong" in row for row in shown)


def test_many_wrong_passwords_are_slowed_down(desk):
    name, _ = new_user(desk)
    statuses = [logged_in(desk, name, f"wrong {number}")[1].status_code for number in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    answer = logged_in(desk, name)[1]
    assert answer.status_code == 429
    assert "too many wrong passwords" in answer.text


def test_hostile_names_are_harmless_in_the_audit_log(desk, admin):
    hostile = "<script>alert(1)</script>\u202eevil"
    logged_in(desk, hostile, "wrong")
    page = admin.get("/access/audit", params={"action": "login.failed"}).text
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)" in page
