"""New alerts of a list: counted since the list was shown."""

from __future__ import annotations

import html
import re

import pytest

from tests.desk.many_alerts import desk_with_alerts, raise_alerts
from tocsin.store.records.models import StoredAlert


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with desk_with_alerts(tmp_path_factory.mktemp("arrivals"), 3) as desk:
        yield desk


@pytest.fixture
def analyst(desk):
    with desk.logged_in() as client:
        yield client


def address_in(text):
    return html.unescape(re.findall(r'data-arrivals="([^"]*)"', text)[0])


def count(client, address):
    answer = client.get(address, headers={"hx-request": "true"})
    assert answer.status_code == 200, answer.text
    return answer.json()["count"]


@pytest.mark.parametrize(
    ("filter_", "fits"),
    [
        ("?status=open", 4),
        ("?from=", 4),
        ("?from=now-1h&host=HOST-0", 1),
        ("?q=host.name:HOST-1", 1),
        ("?status=open&page=3&sort=oldest", 4),
        ("?status=open&status=closed&severity=low", 4),
        ("?severity=high", 0),
    ],
)
def test_those_are_counted_that_fit_the_list(desk, analyst, filter_, fits):
    address = address_in(analyst.get(f"/alerts{filter_}").text)
    assert count(analyst, address) == 0
    raise_alerts(desk.running.service.records, 4)
    assert count(analyst, address) == fits


def test_those_of_the_moment_of_the_newest_one_are_counted_too(desk, analyst):
    """Rules that run at one time raise their alerts at one moment, one rule after the other."""
    records = desk.running.service.records
    (first,) = raise_alerts(records, 1)
    address = address_in(analyst.get("/alerts?from=").text)
    (second,) = raise_alerts(records, 1)
    with records.transaction() as session:
        session.get_one(StoredAlert, second).created = session.get_one(StoredAlert, first).created
    assert count(analyst, address) == 1


def test_what_a_colleague_closes_is_new_no_more(desk, analyst):
    address = address_in(analyst.get("/alerts?status=open").text)
    raise_alerts(desk.running.service.records, 2)
    ids = raise_alerts(desk.running.service.records, 1)
    assert count(analyst, address) == 3
    token = re.findall(r'name="csrf" value="([^"]+)"', analyst.get("/alerts").text)[0]
    analyst.post("/alerts/status", data={"csrf": token, "status": "closed", "id": ids})
    assert count(analyst, address) == 2


@pytest.mark.parametrize(
    "filter_", ["?status=closed", "?not.status=open", "?tag=a", "?assignee=ann", "?from=now-2d&to=now-1d"]
)
def test_a_list_that_no_new_alert_can_be_in_is_not_counted(analyst, filter_):
    assert address_in(analyst.get(f"/alerts{filter_}").text) == ""


@pytest.mark.parametrize("since", ["", "1.2", "a.b.c", "1.2.3.4", "-1.2.3", f"{'9' * 30}.1.1", "\u0663.1.1"])
def test_a_mark_of_no_list_is_refused(analyst, since):
    answer = analyst.get("/alerts/arrivals", params={"since": since}, headers={"hx-request": "true"})
    assert answer.status_code == 400
    assert "no mark of a list" in answer.text


def test_whoever_is_logged_out_is_told_so(desk):
    with desk.browser() as client:
        answer = client.get("/alerts/arrivals?since=1.1.1", headers={"hx-request": "true"})
    assert answer.status_code == 401
