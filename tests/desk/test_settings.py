"""Own settings: what a browser keeps of how pages look, and one's own password."""

from __future__ import annotations

import re

import pytest

from tests.api.conftest import PASSWORD
from tests.desk.conftest import token_of
from tests.desk.test_access import logged_in, new_user
from tocsin.desk.translations import translations

HAS_CHINESE = pytest.mark.skipif(
    translations("zh-CN").gettext("Log in") == "Log in",
    reason="the catalogues are not compiled: make test does it",
)


def save(client, **fields):
    return client.post("/settings", data={"csrf": token_of(client), **fields})


def shown_time(client, desk):
    page = client.get(f"/alerts/{desk.alerts[0]['kibana.alert.uuid']}").text
    return re.findall(r"<time datetime=\"([^\"]+)\"[^>]*>([^<]+)</time>", page)[0]


def test_the_browsers_zone_gives_way_to_one_that_is_chosen(desk):
    with desk.logged_in() as client:
        client.cookies.set("tocsin_zone", "Asia/Tokyo")
        assert '<span class="zone" title="' in client.get("/settings").text
        assert ">Asia/Tokyo</span>" in client.get("/settings").text
        _, in_tokyo = shown_time(client, desk)
        assert save(client, zone="Asia/Kathmandu", theme="auto", language="en").status_code == 303
        assert ">Asia/Kathmandu</span>" in client.get("/settings").text
        moment, in_kathmandu = shown_time(client, desk)
        assert in_kathmandu != in_tokyo
        assert in_kathmandu[14:16] == f"{(int(moment[14:16]) + 45) % 60:02}"  # 5:45 h before UTC
        save(client, zone="", theme="auto", language="en")
        assert ">Asia/Tokyo</span>" in client.get("/settings").text


def test_theme_and_language_are_kept(desk):
    with desk.logged_in() as client:
        save(client, zone="", theme="dark", language="zh-CN")
        page = client.get("/settings").text
        assert '<html lang="zh-CN" data-theme="dark">' in page
        save(client, zone="", theme="auto", language="en")
        assert '<html lang="en">' in client.get("/settings").text


@pytest.mark.parametrize("value", ["../../etc/passwd", "<script>", "x" * 3_000, "Europe/Atlantis"])
def test_settings_that_there_are_not_are_not_kept(desk, value):
    with desk.logged_in() as client:
        assert save(client, zone=value, theme=value, language=value).status_code == 303
        page = client.get("/settings").text
        assert '<html lang="en">' in page
        assert ">UTC</span>" in page
        for name in ("tocsin_zone", "tocsin_theme", "tocsin_language"):
            client.cookies.set(name, value[:1_000])
        assert '<html lang="en">' in client.get("/settings").text


def test_a_password_is_changed_by_who_knows_it(desk):
    name, _ = new_user(desk)
    client, other = logged_in(desk, name)[0], logged_in(desk, name)[0]
    new = "another long enough"

    def change(current, password, again):
        fields = {"csrf": token_of(client), "current": current, "password": password, "again": again}
        return client.post("/settings/password", data=fields)

    assert change("wrong", new, new).status_code == 403
    assert change(PASSWORD, new, "different").status_code == 400
    assert change(PASSWORD, "short", "short").status_code == 400
    assert other.get("/alerts").status_code == 200
    assert change(PASSWORD, new, new).headers["location"] == "/settings?done=password"
    assert client.get("/alerts").status_code == 200
    assert other.get("/alerts").status_code == 303
    assert logged_in(desk, name)[1].status_code == 401
    assert logged_in(desk, name, new)[1].status_code == 303


def test_guessing_the_password_of_a_session_is_slowed_down(desk):
    name, _ = new_user(desk)
    client, _ = logged_in(desk, name)
    fields = {"csrf": token_of(client), "current": "guess", "password": "x" * 12, "again": "x" * 12}
    statuses = [client.post("/settings/password", data=fields).status_code for _ in range(7)]
    assert statuses == [403] * 5 + [429] * 2


def test_only_a_one_time_password_is_replaced_without_knowing_it(desk):
    with desk.logged_in() as client:
        assert client.get("/password").headers["location"] == "/settings"
        fields = {"csrf": token_of(client), "password": "x" * 12, "again": "x" * 12}
        assert client.post("/password", data=fields).status_code == 403


@pytest.mark.parametrize(
    ("role", "label"), [("viewer", "Viewer"), ("analyst", "Analyst"), ("admin", "Administrator")]
)
def test_the_head_says_who_is_logged_in(desk, role, label):
    with desk.logged_in(role) as client:
        page = client.get("/settings").text
        menu = re.findall(r"<details class=\"user-menu\".*?</details>", page, re.DOTALL)[0]
        assert f"<b>{role}</b>" in menu
        assert label in menu
        assert ('href="/access"' in page) == (role == "admin")


@HAS_CHINESE
def test_the_log_in_page_is_in_the_language_of_the_browser_or_the_one_chosen(desk):
    with desk.browser(headers={"Accept-Language": "zh-CN,zh;q=0.9"}) as client:
        assert "登录" in client.get("/login").text
        answer = client.post("/login/language", data={"language": "en", "next": "/alerts?q=a"})
        assert answer.headers["location"] == "/login?next=%2Falerts%3Fq%3Da"
        page = client.get(answer.headers["location"]).text
        assert '<html lang="en">' in page
        assert 'value="/alerts?q=a"' in page
        client.post("/login/language", data={"language": "zh-CN"})
        assert '<html lang="zh-CN">' in client.get("/login").text


def test_another_site_does_not_choose_the_language(desk):
    with desk.browser() as client:
        answer = client.post(
            "/login/language", data={"language": "zh-CN"}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
