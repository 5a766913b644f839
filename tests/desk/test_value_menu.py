"""The menu of a value: what it offers on which page, and that hostile values stay values."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.desk.conftest import token_of


def links(client, field, value, page="/alerts", **more):
    """Return the links of a value's menu, by what they say."""
    about = {"csrf": token_of(client), "field": field, "value": json.dumps(value), "page": page, **more}
    answer = client.post("/desk/value-menu", data=about, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    return {
        text: unescape(href) for href, text in re.findall(r'<a [^>]*href="([^"]*)"[^>]*>([^<]*)</a>', answer.text)
    }


def parameters(address):
    return parse_qs(urlsplit(address).query)


@pytest.mark.parametrize(
    "value", ["WS-0142.corp.example.com", 'say "hi" \\ and or not', "x\r\ny", "\u202eexe", 7, True]
)
def test_a_filter_is_added_to_the_query_of_the_page_and_all_else_of_it_stays(desk, value):
    page = "/alerts?q=event.kind%3A+signal&status=open&status=closed&from=now-1h&sort=risk&page=3"
    with desk.logged_in() as client:
        filters = links(client, "host.name", value, page)
        shown = client.get(filters["Filter for this value"]).text
    assert 'class="problem"' not in shown
    for label, words in (("Filter for this value", ""), ("Filter this value out", "not ")):
        asked = parameters(filters[label])
        assert asked["q"][0].startswith(f"event.kind: signal and {words}host.name: ")
        assert (asked["status"], asked["from"], asked["sort"]) == (["open", "closed"], ["now-1h"], ["risk"])
        assert "page" not in asked


def test_a_filter_finds_the_alerts_with_the_value_and_its_opposite_the_others(desk):
    line = next(alert for alert in desk.alerts if "command_line" in alert["process"])["process"]["command_line"]
    with desk.logged_in() as client:
        filters = links(client, "process.command_line", line, "/alerts?from=")
        counts = [client.get(address).text.count("data-row") for address in list(filters.values())[:2]]
    same = sum(alert["process"].get("command_line") == line for alert in desk.alerts)
    assert counts == [same, len(desk.alerts) - same]


def test_what_the_first_page_shows_by_itself_stays_with_a_filter(desk):
    with desk.logged_in() as client:
        asked = parameters(links(client, "user.name", "x")["Filter for this value"])
    assert (asked["status"], asked["from"]) == (["open"], ["now-7d"])


def test_a_page_without_a_query_leads_to_the_alerts(desk):
    with desk.logged_in() as client:
        offered = links(client, "user.name", "x", "/alerts/some-id?show=event")
    assert "Filter for this value" not in offered
    assert parameters(offered["Open in alerts"])["q"] == ['user.name: "x"']


@pytest.mark.parametrize(
    ("field", "value", "services"),
    [
        ("process.hash.sha256", "a" * 64, {"VirusTotal", "Hybrid-Analysis", "Cisco Talos", "Any.run"}),
        ("destination.ip", "8.8.8.8", {"VirusTotal", "Cisco Talos", "Any.run", "AbuseIPDB"}),
        ("threat.indicator.ip", "8.8.8.8", {"VirusTotal", "Cisco Talos", "Any.run", "AbuseIPDB"}),
        ("destination.ip", "10.0.0.1", set()),
        ("process.command_line", "curl https://cdn.example.com/a.txt", {"VirusTotal", "Hybrid-Analysis"}),
        ("url.full", "javascript:alert(1)", set()),
        ("process.name", "cmd.exe", set()),
    ],
)
def test_observables_are_looked_up_by_a_click_alone(desk, field, value, services):
    with desk.logged_in() as client:
        about = {"csrf": token_of(client), "field": field, "value": json.dumps(value), "page": "/alerts"}
        text = client.post("/desk/value-menu", data=about, headers={"HX-Request": "true"}).text
    outside = re.findall(r'<a [^>]*href="https:[^>]*>', text)
    assert services <= set(re.findall(r">([^<]+)</a>", text))
    assert bool(services) == bool(outside)
    assert all('rel="noopener noreferrer"' in link for link in outside)
    assert 'href="javascript' not in text


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"csrf": "wrong"}, 403),
        ({"value": "{"}, 400),
        ({"value": '{"a": 1}'}, 400),
        ({"page": "//[::bad"}, 200),
        ({"page": "https://elsewhere.example/alerts?q=x"}, 200),
        ({"time": "never"}, 200),
        ({"value": json.dumps('<script>alert(1)</script>"')}, 200),
        ({"value": ""}, 200),
    ],
)
def test_what_is_no_value_is_refused_and_nothing_of_it_becomes_a_page(desk, about, status):
    with desk.logged_in("viewer") as client:
        known = {"csrf": token_of_viewer(client), "field": "a", "value": '"x"', "page": "/alerts"}
        answer = client.post("/desk/value-menu", data={**known, **about}, headers={"HX-Request": "true"})
    assert answer.status_code == status
    assert "<script" not in answer.text
    assert "elsewhere" not in answer.text


def token_of_viewer(client):
    """A viewer's pages have the token for what changes nothing as well."""
    return json.loads(unescape(re.findall(r"hx-headers='([^']*)'", client.get("/alerts").text)[0]))["x-csrf-token"]


def test_a_value_that_the_page_has_in_part_is_not_copied_as_if_it_were_whole(desk):
    with desk.logged_in() as client:
        about = {"field": "message", "value": "", "page": "/alerts", "csrf": token_of(client)}
        part = client.post("/desk/value-menu", data=about).text
        whole = client.post("/desk/value-menu", data=about | {"whole": "1"}).text
    assert "is shown in part" in part
    assert "data-copy-value" not in part
    assert "data-copy-value" in whole


def test_a_value_that_is_too_long_for_an_address_is_said_so(desk):
    with desk.logged_in() as client:
        about = {"csrf": token_of(client), "field": "a", "value": json.dumps("\u4e2d" * 8_000), "page": "/alerts"}
        text = client.post("/desk/value-menu", data=about, headers={"HX-Request": "true"}).text
    assert "too long for a filter" in text
    assert "Filter for" not in text
