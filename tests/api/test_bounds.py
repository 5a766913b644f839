"""Bounds of requests: what is too large is refused in the form of the API, and nothing of it is done.

Kibana's bounds are those of elastic/kibana where nobody has changed them: `server.maxPayload` 1,048,576 bytes,
`maxRuleImportExportSize` 10,000 objects, `maxRuleImportPayloadBytes` 10,485,760 bytes, of the values of lists
`xpack.lists.maxImportPayloadBytes` 9,000,000 bytes.
"""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.conftest import run_service
from tests.api.hostile_changes import upload
from tests.api.test_hostile_searches import client_of, planted, served, worked
from tests.waiting import eventually
from tocsin.ingest.bulk import Action, BulkError, parse

KIBANA = {"kbn-xsrf": "1"}
NDJSON = {"content-type": "application/x-ndjson"}
RULES, LISTS = "/api/detection_engine/rules", "/api/lists"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("bounds"), bulk_actions=1_000) as running:
        yield running.http(running.add_key("admin", "read", "ingest", "write_rules"), headers=KIBANA)


REFUSED = [
    ("POST", RULES, b'{"name":"' + b"x" * (1 << 20) + b'"}', 413, "larger than 1,048,576"),
    ("POST", "/logs-*/_search", b'{"a":"' + b"x" * (8 << 20) + b'"}', 413, "larger than 8,388,608"),
    ("POST", "/logs-*/_search", b'{"a":[' + b"[]," * 600_000 + b"1]}", 413, "500,000 values"),
    ("POST", "/_msearch", b"{}\n{}\n" * 2_000, 400, "1,000 searches"),
    ("POST", f"{RULES}/_bulk_action", orjson.dumps({"action": "edit", "ids": ["x"] * 100_000}), 400, "10,000"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "told"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_is_too_large_is_refused(client, method, path, body, status, told):
    answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    document = answer.json()
    assert told in (document.get("message") or document["error"]["reason"])


UPLOADS = [
    (upload("", f"{RULES}/_import", b"{}\n" * 10_001), 400, "10,000 objects"),
    (upload("", f"{RULES}/_import", b" " * (10 << 20)), 413, "10,485,760"),
    (upload("", "/api/exception_lists/_import", b"{}\n" * 10_001), 400, "10,000 objects"),
    (upload("", f"{LISTS}/items/_import?type=ip", b"10.0.0.1\n" * 1_000_001), 413, "9,000,000"),
]


@pytest.mark.parametrize(("sent", "status", "told"), UPLOADS, ids=lambda one: getattr(one, "path", None))
def test_files_that_are_too_large_are_refused(client, sent, status, told):
    answer = client.post(sent.path, content=sent.body, headers=sent.headers)
    assert answer.status_code == status
    assert told in answer.json()["message"]


def test_a_long_list_of_values_comes_by_pages_or_as_a_file(client):
    values = [f"{n:06}" for n in range(10_500)]
    sent = upload("", f"{LISTS}/items/_import?type=keyword", "\n".join(values).encode())
    assert client.post(sent.path, content=sent.body, headers=sent.headers).json()["id"] == "a.txt"
    page = client.get(f"{LISTS}/items/_find", params={"list_id": "a.txt", "per_page": 100, "page": 105}).json()
    assert [one["value"] for one in page["data"]] == values[-100:]
    assert page["total"] == len(values)
    whole = client.get(f"{LISTS}/items", params={"list_id": "a.txt"})
    assert whole.status_code == 400
    assert "10,500 values" in whole.json()["message"]
    assert [one["value"] for one in client.get(f"{LISTS}/items?list_id=a.txt&value=000007").json()] == ["000007"]
    assert client.post(f"{LISTS}/items/_export?list_id=a.txt").text.split() == values


def test_a_bulk_request_of_too_many_actions_is_refused_whole_and_counted(client):
    lines = b'{"create":{}}\n{}\n'
    assert client.post("/logs-most-default/_bulk", content=lines * 1_000, headers=NDJSON).status_code == 200
    for body in (lines * 1_001, b'{"delete":{"_id":"a"}}\n' * 1_001, b"\n" * 2_001 + lines):
        answer = client.post("/logs-more-default/_bulk", content=body, headers=NDJSON)
        assert answer.status_code == 413
        assert "at most 1,000 actions" in answer.json()["error"]["reason"]
    assert client.get("/logs-more-default/_count").status_code == 404
    told = client.get("/metrics").text
    assert 'tocsin_bulk_actions_bucket{le="1000.0"} 1.0' in told
    assert "tocsin_bulk_actions_under_way 0.0" in told


@given(
    st.lists(st.tuples(st.sampled_from(["create", "delete", ""]), st.text("ab", max_size=3)), max_size=30),
    st.data(),
)
def test_actions_are_the_same_however_long_the_lines_are(found, data):
    long = data.draw(st.sampled_from([0, 1 << 20, (1 << 20) - 7]))
    lines, expected = [], []
    for kind, text in found:
        if kind == "delete":
            lines.append(orjson.dumps({"delete": {"_id": text or "x"}}))
            expected.append(Action("delete", "i", text or "x", None))
        elif kind == "create":
            source = orjson.dumps({"a": text + "b" * long})
            lines += [b'{"create":{}}', source]
            expected.append(Action("create", "i", None, source))
        else:
            lines.append(b" " * len(text))
    body = b"".join(line + b"\n" for line in lines)
    if body.strip():
        assert parse(body, "i", 30) == expected
    else:
        with pytest.raises(BulkError):
            parse(body, "i", 30)


@pytest.mark.slow
def test_a_signal_ends_searches_soon_and_they_are_told(tmp_path):
    conditions = (f'concat(process.command_line, "{n}") : "*b*a*c*"' for n in range(900))
    endless = {"query": "any where " + " or ".join(conditions)}
    answers: list[httpx.Response] = []

    with served(tmp_path, search_timeout=600) as (service, client):
        planted(client)

        def ask() -> None:
            with suppress(httpx.HTTPError), client_of(service.url, client.headers["Authorization"][7:]) as mine:
                answers.append(mine.post("/logs-*/_eql/search", json=endless))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        before = worked(service.process.pid)
        eventually(lambda: worked(service.process.pid) != before)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(60)
        for thread in threads:
            thread.join()
    assert [answer.status_code for answer in answers] == [503] * 4
    assert {answer.json()["error"]["type"] for answer in answers} == {"service_unavailable_exception"}
