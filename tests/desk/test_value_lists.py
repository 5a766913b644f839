"""Lists of values in the desk, over a real service."""

from __future__ import annotations

import re

import pytest

from tests.desk.watched import watched_desk

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with watched_desk(tmp_path_factory.mktemp("watched")) as started:
        yield started


@pytest.fixture
def client(watched):
    with watched.desk.logged_in("engineer") as logged_in:
        yield logged_in


def token_of(client) -> str:
    return str(re.findall(r'name="csrf" value="([^"]+)"', client.get("/value-lists").text)[0])


def values_in(text: str) -> list[str]:
    return re.findall(r'<td class="mono" title="[^"]*">([^<]*)</td>', text)


def test_a_list_is_made_searched_filled_exported_and_removed(client):
    given = {"csrf": token_of(client), "name": f"hashes/{HOSTILE}", "type": "keyword", "values": "b\r\na\r\n\r\n"}
    answer = client.post("/value-lists", data=given)
    assert answer.status_code == 303
    address = answer.headers["location"]
    text = client.get(address).text
    assert "<script>alert" not in text
    assert values_in(text) == ["a", "b"]
    files = {"file": ("more.csv", "\ufeffc100%\nc1000\n".encode())}
    upload = address.replace("/values?", "/upload?")
    loaded = client.post(upload, files=files, headers={"x-csrf-token": given["csrf"], "hx-request": "true"})
    assert loaded.headers["hx-redirect"] == address
    assert values_in(client.get(address).text) == ["a", "b", "c100%", "c1000"]
    assert values_in(client.get(f"{address}&q=C100%25").text) == ["c100%"]  # a sign that SQL knows
    gone = {"csrf": given["csrf"], "remove": "1", "value": ["a", "c1000"]}
    assert client.post(address, data=gone).status_code == 303
    exported = client.get(address.replace("/values?", "/export?"))
    assert exported.text == "b\nc100%\n"
    assert exported.headers["content-type"].startswith("text/plain")
    removed = client.post(address.replace("/values?", "/remove?"), data={"csrf": given["csrf"]})
    assert removed.status_code == 303
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "", "type": "keyword"}, "the name has 1 to 250 characters"),
        ({"name": "x", "type": "shape"}, "is one of keyword"),
        ({"name": "x", "type": "ip", "values": "10.0.0.1\n10.0.0.x"}, "`10.0.0.x` is no value"),
    ],
)
def test_what_cannot_be_made_says_why_and_keeps_what_was_given(client, given, words):
    answer = client.post("/value-lists", data={"csrf": token_of(client), **given})
    assert answer.status_code == 400
    assert words in answer.text
    assert given.get("values", "") in answer.text
    assert client.get("/value-lists/values?id=x").status_code == 404


def test_values_are_added_and_refused_by_their_type(client):
    token = token_of(client)
    client.post("/value-lists", data={"csrf": token, "name": "scanners", "type": "ip_range"})
    address = "/value-lists/values?id=scanners"
    assert client.post(address, data={"csrf": token, "values": "10.1.0.0/16"}).status_code == 303
    again = client.post(address, data={"csrf": token, "values": "10.1.0.0/16"})
    assert "already exists" in again.text
    refused = client.post(address, data={"csrf": token, "values": "10.0.0.0/33"})
    assert refused.status_code == 400
    assert "`10.0.0.0/33` is no value" in refused.text


def test_a_list_says_who_uses_it(watched, client):
    token = token_of(client)
    client.post("/value-lists", data={"csrf": token, "name": "hosts", "type": "keyword", "values": "ws-1"})
    place = client.post("/exceptions", data={"csrf": token, "name": "Builds"}).headers["location"]
    item = {
        "csrf": token, "name": "Hosts of builds", "use-0": "on", "field-0": "host.name", "operator-0": "in_list",
        "list-0": "hosts",
    }  # fmt: skip
    assert client.post(f"{place}/items/new", data=item).status_code == 303
    text = client.get("/value-lists/values?id=hosts").text
    assert f'<a href="{place}">Hosts of builds</a>' in text
    assert '<a href="/value-lists/values?id=hosts">hosts</a>' in client.get(place).text


@pytest.mark.parametrize("name", ["viewer", "analyst"])
def test_lists_are_read_by_all_and_changed_by_those_who_may(watched, name):
    with watched.desk.logged_in("engineer") as engineer:
        engineer.post("/value-lists", data={"csrf": token_of(engineer), "name": "read", "values": "a"})
    with watched.desk.logged_in(name) as client:
        text = client.get("/value-lists/values?id=read").text
        assert values_in(text) == ["a"]
        assert text.count('method="post"') == 1  # to log out
        token = token_of(client)
        for change in ("/value-lists", "/value-lists/values?id=read", "/value-lists/remove?id=read"):
            assert client.post(change, data={"csrf": token, "values": "b"}).status_code == 403
        assert client.post("/value-lists/upload?id=read", files={"file": b"b"}).status_code == 403
