"""Pages of indicators: lists, hunts, services, and what is known of an alert's observables."""

from __future__ import annotations

import re
from contextlib import contextmanager

import pytest

from tests.desk.conftest import token_of
from tests.response.reputation.vendors import BAD_HASH, KEY, vendor, virustotal
from tests.waiting import eventually

HOSTILE = 'http://evil-domain.com/"><script>alert(1)</script>'
CSRF = "csrf"


@contextmanager
def posting(desk, name):
    """Yield a function that sends a form as a user, and the client."""
    with desk.logged_in(name) as client:
        token = token_of(client)
        yield lambda path, /, **fields: client.post(path, data={CSRF: token, **fields}), client


def digest_of(desk):
    """Return a hash of an alert's process, and the alert."""
    for alert in desk.alerts:
        for name in ("sha256", "sha1", "md5"):
            value = alert.get("process", {}).get("hash", {}).get(name)
            if value:
                return str(value), alert
    pytest.fail("no alert of the bundled telemetry has a hash")


def test_a_list_is_made_searched_added_to_and_removed(desk):
    with posting(desk, "engineer") as (post, client):
        made = post("/indicators", name="From the desk", source="me", indicators="10.9.9.9\nwords of no kind\n")
        assert made.status_code == 303
        address = made.headers["location"]
        shown = client.get(address).text
        assert ("10.9.9.9" in shown, "value of no known kind" in shown) == (True, True)
        assert 'threat.feed.name: "From the desk"' in shown.replace("&#34;", '"')
        post(address, indicators=f"indicator\n{HOSTILE}\n")
        shown = client.get(f"{address}?q=evil-DOMAIN").text
        assert "<script>alert" not in shown
        assert ("evil-domain.com" in shown, "10.9.9.9" in shown) == (True, False)
        post(address, remove="1", value="10.9.9.9")
        assert "10.9.9.9" not in client.get(address).text
        assert "From the desk" in client.get("/indicators").text
        assert post("/indicators", name="From the desk").status_code == 400
        assert post(f"{address}/remove").status_code == 303
        assert client.get(address).status_code == 404


def test_files_are_loaded_into_a_list(desk):
    with posting(desk, "engineer") as (post, client):
        address = post("/indicators", name="Files").headers["location"]
        files = [("file", ("a.csv", b"ip\n10.9.9.1\n")), ("file", ("b.txt", b"10.9.9.2\n"))]
        headers = {"x-csrf-token": token_of(client), "hx-request": "true"}
        loaded = client.post(f"{address}/load", files=files, data={"mode": "replace"}, headers=headers)
        assert loaded.headers["hx-redirect"] == address
        shown = client.get(address).text
        assert ("10.9.9.1" in shown, "10.9.9.2" in shown) == (True, True)
        post(f"{address}/remove")


def test_a_hunt_shows_where_indicators_were_seen_and_becomes_a_rule(desk):
    value, alert = digest_of(desk)
    with posting(desk, "engineer") as (post, client):
        asked = post("/indicators/hunts", name="The dropper", indicators=value)
        address = asked.headers["location"]
        eventually(lambda: "hx-trigger" not in client.get(address, headers={"hx-request": "true"}).text)
        shown = client.get(address).text
        assert (value in shown, alert["host"]["name"] in shown) == (True, True)
        drafted = post(f"{address}/rule")
        draft = client.get(drafted.headers["location"]).text
        assert "logs-ti_custom.indicator-lists" in draft
        assert "process.hash.sha256" in draft
        assert 'threat.feed.name: "The dropper"' in draft.replace("&#34;", '"')
        assert "The dropper" in client.get("/indicators").text
        assert post("/indicators/hunts", name="x", indicators="no value").status_code == 400


@pytest.mark.parametrize("name", ["viewer", "analyst"])
def test_nobody_is_shown_what_would_be_refused(desk, name):
    with posting(desk, name) as (post, client):
        lists, hunts = client.get("/indicators").text, client.get("/indicators/hunts").text
        assert ("New list of indicators" in lists, "New hunt" in hunts) == (False, name == "analyst")
        assert "/indicators/services" not in lists
        assert post("/indicators", name="x").status_code == 403
        assert client.get("/indicators/services").status_code == 403
        assert post("/indicators/services", service="virustotal").status_code == 403
        asked = {"type": "hash", "value": BAD_HASH, "service": "virustotal"}
        assert post("/reputation", **asked).status_code == (400 if name == "analyst" else 403)
        assert client.post("/reputation", data=asked).status_code == 403  # another site's page has no token


def test_an_observable_has_its_own_data_and_lists_at_once_and_services_by_a_click(desk):
    value, alert = digest_of(desk)
    with posting(desk, "admin") as (post, client), vendor(virustotal) as server:
        address = post("/indicators", name="Known bad", indicators=value, confidence="High").headers["location"]
        panel = f"/alerts/{alert['kibana.alert.uuid']}/events?show=observables"
        shown = client.get(panel, headers={"hx-request": "true"}).text
        assert ("Known bad" in shown, re.search(r"\d+ events?, on 1 host", shown) is not None) == (True, True)
        assert "VirusTotal</b>" not in shown
        post("/indicators/services", service="virustotal", enabled="1", key=KEY, address=server.url)
        settings = client.get("/indicators/services").text
        assert (KEY in settings, "there is one; it is not shown" in settings) == (False, True)
        shown = client.get(panel, headers={"hx-request": "true"}).text
        assert ("VirusTotal</b>" in shown, server.url in shown, server.asked) == (True, True, [])
        asked = {"type": "hash", "value": BAD_HASH, "service": "virustotal"}
        assert post("/reputation", **asked).status_code == 303
        said = client.get(f"/reputation?type=sha256&value={BAD_HASH}").text
        assert ("41 of 70 engines" in said, len(server.asked)) == (True, 1)
        private = post("/reputation", type="ip", value="10.0.0.1", service="virustotal")
        assert (private.status_code, "never sent" in private.text) == (400, True)
        # What is switched on to be asked by itself is asked when the page is looked at.
        post("/indicators/services", service="virustotal", enabled="1", automatic="1", address=server.url)
        assert 'hx-trigger="submit, load"' in client.get(panel, headers={"hx-request": "true"}).text
        post("/indicators/services", service="virustotal", address=server.url, remove_key="1")
        post(f"{address}/remove")


def test_own_domains_are_kept(desk):
    with posting(desk, "admin") as (post, client):
        assert post("/indicators/services/own-domains", own_domains="contoso.com\r\n").status_code == 303
        assert "contoso.com" in client.get("/indicators/services").text
        assert post("/indicators/services/own-domains", own_domains="a b").status_code == 400
        post("/indicators/services/own-domains", own_domains="")


@pytest.mark.parametrize(
    "query", ["type=colour&value=x", "type=hash&value=", "type=hash", "type=ip&value=" + "1" * 3000]
)
def test_what_is_no_observable_is_refused(desk, query):
    with desk.logged_in("viewer") as client:
        assert client.get(f"/reputation?{query}").status_code == 400
