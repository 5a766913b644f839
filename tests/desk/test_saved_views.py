"""Saved views of the list of alerts: own and shared ones, and the one with which a list begins."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.desk.conftest import token_of

_QUERY = "from=&status=closed&columns=host%2Crule&sort=host%3Aasc&group=host&page=3"


def save(client, name, **more):
    """Save a view; return its address."""
    about = {"csrf": token_of(client), "do": "save", "name": name, "query": _QUERY, **more}
    answer = client.post("/alerts/views", data=about)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def names(client):
    """Return the names of the views that somebody is offered."""
    listed = re.search(r'<ul class="saved-views">(.*?)</ul>', client.get("/alerts?from=").text, re.DOTALL)
    return [unescape(name) for name in re.findall(r"<a [^>]*>([^<]*)</a>", listed[1])] if listed else []


def change(client, address, kind, query=_QUERY):
    view = re.findall(r"view=([^&]+)", address)[0]
    about = {"csrf": token_of(client), "do": kind, "view": view, "query": query}
    return client.post("/alerts/views", data=about)


def test_a_view_is_saved_shown_overwritten_and_removed(desk):
    with desk.logged_in() as client:
        address = save(client, "Closed by host")
        text = client.get(address).text
        assert "Closed by host" in names(client)
        assert "data-set>\n  <summary>Closed by host</summary>" in text
        assert re.search(r'aria-current="true">by host', text)
        answer = change(client, address, "overwrite", "from=now-1h&sort=risk")
        assert "sort=risk" in answer.headers["location"]
        assert "group" not in answer.headers["location"]
        assert change(client, address, "remove").status_code == 303
        assert "Closed by host" not in names(client)


def test_own_views_are_seen_by_their_owner_and_shared_ones_by_all(desk):
    with desk.logged_in() as analyst, desk.logged_in("viewer") as viewer:
        own, shared = save(analyst, "Mine alone"), save(analyst, "For all", shared="true")
        assert {"Mine alone", "For all"} <= set(names(analyst))
        assert "For all" in names(viewer)
        assert "Mine alone" not in names(viewer)
        assert change(viewer, own, "overwrite").status_code == 404
        assert change(viewer, shared, "remove").status_code == 400
        assert 'value="remove"' not in viewer.get(shared).text
        for address in (own, shared):
            change(analyst, address, "remove")


def test_a_viewer_saves_own_views_and_shares_none(desk):
    with desk.logged_in("viewer") as viewer:
        token = re.findall(r'"x-csrf-token": "([^"]*)"', unescape(viewer.get("/alerts?from=").text))[0]
        about = {"csrf": token, "do": "save", "name": "A viewer's", "query": _QUERY}
        answer = viewer.post("/alerts/views", data=about)
        assert answer.status_code == 303
        assert viewer.post("/alerts/views", data={**about, "shared": "true"}).status_code == 400
        assert 'name="shared"' not in viewer.get("/alerts?from=").text
        change(viewer, answer.headers["location"], "remove")


def test_a_list_begins_with_the_view_that_its_reader_has_chosen_until_it_is_gone(desk):
    with desk.logged_in() as client, desk.logged_in("viewer") as viewer:
        address = save(client, "Begin here", shared="true")
        change(client, address, "begin")
        assert client.get("/alerts").headers["location"] == address
        assert viewer.get("/alerts").status_code == 200
        assert client.get("/alerts?from=").status_code == 200
        change(client, address, "begin-as-usual")
        assert client.get("/alerts").status_code == 200
        change(client, address, "begin")
        change(client, address, "remove")
        assert client.get("/alerts").status_code == 200


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"name": " "}, 400),
        ({"name": "x" * 300}, 400),
        ({"do": "burn"}, 400),
        ({"do": "begin", "view": "unknown"}, 404),
        ({"csrf": "wrong"}, 403),
        ({"query": "&".join(f"host=h{n}" for n in range(1_000))}, 400),
    ],
)
def test_what_cannot_be_saved_is_refused(desk, about, status):
    with desk.logged_in() as client:
        known = {"csrf": token_of(client), "do": "save", "name": "n", "query": _QUERY}
        assert client.post("/alerts/views", data={**known, **about}).status_code == status


def test_a_hostile_name_stays_a_name(desk):
    with desk.logged_in() as client:
        address = save(client, '<script>alert(1)</script>"\u202e')
        text = client.get(address).text
        assert "<script>alert" not in text
        assert "\u202e" not in text
        change(client, address, "remove")
