"""Logging in and out in a browser, and what keeps others from using a session."""

from __future__ import annotations

import re

import httpx
import pytest
from sqlalchemy import select

from tests.api.conftest import PASSWORD
from tests.desk.conftest import token_of
from tocsin.store.records import access
from tocsin.store.records.access import local_actor
from tocsin.store.records.models import User


def test_who_is_not_logged_in_comes_back_to_where_they_wanted(desk):
    with desk.browser() as client:
        asked = client.get("/alerts?severity=high")
        assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Falerts%3Fseverity%3Dhigh")
        about = {"name": "analyst", "password": PASSWORD, "next": "/alerts?severity=high"}
        answer = client.post("/login", data=about)
        assert (answer.status_code, answer.headers["location"]) == (303, "/alerts?severity=high")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert client.get("/alerts?severity=high").status_code == 200


def test_a_wrong_password_shows_the_page_again(desk):
    with desk.browser() as client:
        answer = client.post("/login", data={"name": "analyst", "password": "wrong"})
        assert answer.status_code == 401
        assert "The name or the password is wrong." in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil"],
)
def test_nobody_is_led_elsewhere_after_logging_in(desk, elsewhere):
    with desk.browser() as client:
        answer = client.post("/login", data={"name": "analyst", "password": PASSWORD, "next": elsewhere})
        assert httpx.URL(answer.headers["location"]).host == ""
        assert answer.headers["location"].startswith("/")
        assert not answer.headers["location"].startswith(("//", "/\\"))


def test_a_link_logs_in_once_and_nobody_who_is_logged_in_already(desk):
    with desk.logged_in("viewer") as client:
        assert client.get(desk.link).headers["location"] == "/alerts"
        assert "<b>viewer</b>" in client.get("/alerts").text
    with desk.browser() as client:
        assert client.get(desk.link).headers["location"] == "/alerts"
        assert "<b>demo</b>" in client.get("/alerts").text
    with desk.running.service.records.transaction() as session:  # it is a log-in as by a password
        assert session.scalar(select(User).where(User.name == "demo")).last_login is not None
    with desk.browser() as client:
        answer = client.get(desk.link)
        assert answer.status_code == 401
        assert "used up" in answer.text
        assert client.get("/login/once/unknown").status_code == 401


def test_a_session_ends_with_logging_out(desk):
    with desk.logged_in() as client:
        cookie = client.cookies["tocsin_session"]
        assert client.post("/logout", data={"csrf": token_of(client)}).headers["location"] == "/login"
        client.cookies.set("tocsin_session", cookie)
        assert client.get("/alerts").status_code == 303


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, ""),
        ({}, "wrong"),
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({"Origin": "https://evil.example"}, None),
        ({"Origin": "http://["}, None),
    ],
)
def test_forms_that_another_site_could_send_change_nothing(desk, headers, token):
    with desk.logged_in() as client:
        given = token_of(client) if token is None else token
        ids = [alert["kibana.alert.uuid"] for alert in desk.alerts]
        about = {"csrf": given, "status": "closed", "id": ids}
        answer = client.post("/alerts/status", data=about, headers=headers)
        assert answer.status_code == 403
        assert client.post("/logout", data={"csrf": given}, headers=headers).status_code == 403
        assert client.get("/alerts").status_code == 200


def test_another_site_cannot_log_somebody_in(desk):
    with desk.browser() as client:
        about = {"name": "analyst", "password": PASSWORD}
        answer = client.post("/login", data=about, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_a_forged_session_is_nobodys(desk):
    with desk.browser(cookies={"tocsin_session": "x" * 43}) as client:
        assert client.get("/alerts").status_code == 303


def test_a_first_password_is_set_before_anything_else(desk):
    with desk.running.service.records.transaction() as session:
        once = access.add_user(session, local_actor("tests"), "newcomer", "analyst")
    with desk.browser() as client:
        answer = client.post("/login", data={"name": "newcomer", "password": once, "next": "/settings"})
        assert answer.headers["location"] == "/password"
        for path in ("/alerts", "/settings", "/access"):
            assert client.get(path).headers["location"] == "/password"
        page = client.get("/password")
        assert "At least 12 characters." in page.text
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        answer = client.post("/password", data={"csrf": token, "password": "a" * 12, "again": "b" * 12})
        assert (answer.status_code, "The two passwords differ." in answer.text) == (400, True)
        answer = client.post("/password", data={"csrf": token, "password": "short", "again": "short"})
        assert answer.status_code == 400
        answer = client.post("/password", data={"csrf": token, "password": "a" * 12, "again": "a" * 12})
        assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
        assert client.get("/alerts").status_code == 200


def test_pages_are_for_browsers_alone(desk):
    with httpx.Client(base_url=desk.url, trust_env=False) as client:
        assert client.get("/").headers["content-type"].startswith("application/json")
        assert client.get("/alerts").headers["content-type"].startswith("application/json")


def test_every_page_forbids_framing_and_foreign_scripts(desk):
    with desk.logged_in() as client:
        for path in ("/login", "/alerts", "/alerts/unknown", "/settings"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert headers["x-frame-options"] == "DENY"
