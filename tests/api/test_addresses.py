"""Addresses with and without indices: one handler, and what the query names is as if it stood in the path."""

from __future__ import annotations

import orjson
import pytest

from tests.api.conftest import run_service


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("addresses")) as running:
        client = running.http(running.add_key("ingest", "read"))
        lines = [
            line
            for index in ("logs-a-x", "logs-b-x")
            for line in ({"create": {"_index": index}}, {"@timestamp": "2026-01-01T00:00:00Z", "message": index})
        ]
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        client.post("/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"}).raise_for_status()
        running.service.store.flush()
        yield client


HEADER = b'{}\n{"size":0}\n'


@pytest.mark.parametrize(
    ("method", "path", "named", "content"),
    [
        ("GET", "/_search", "/logs-a-x/_search", None),
        ("POST", "/_search", "/logs-a-x/_search", b"{}"),
        ("GET", "/_count", "/logs-a-x/_count", None),
        ("POST", "/_count", "/logs-a-x/_count", b'{"query":{"match_all":{}}}'),
        ("POST", "/_msearch", "/logs-a-x/_msearch", HEADER),
        ("GET", "/_mapping", "/logs-a-x/_mapping", None),
        ("GET", "/_mapping/field/message", "/logs-a-x/_mapping/field/message", None),
        ("GET", "/_field_caps", "/logs-a-x/_field_caps", None),
        ("POST", "/_field_caps", "/logs-a-x/_field_caps", b'{"fields":["message"]}'),
        ("GET", "/_cat/indices", "/_cat/indices/logs-a-x", None),
    ],
)
def test_indices_are_named_in_the_path_or_in_the_query(http, method, path, named, content):
    """Elasticsearch's handlers read `request.param("index")`, which is of the path or of the query."""

    def asked(address, **parameters):
        answer = http.request(method, address, content=content, params={"format": "json", **parameters})
        assert answer.status_code == 200, answer.text
        return orjson.loads(answer.text.replace('"took":', '"took":0,"x":'))

    of_all, of_one, by_query = asked(path), asked(named), asked(path, index="logs-a-x")
    untimed = [_without(one, "x") for one in (of_all, of_one, by_query)]
    assert untimed[1] == untimed[2]
    assert untimed[0] != untimed[1]


def _without(value, name):
    if isinstance(value, dict):
        return {key: _without(inner, name) for key, inner in value.items() if key != name}
    return [_without(inner, name) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("address", ["/logs-c-x/_bulk", "/_bulk?index=logs-c-x"])
def test_documents_go_where_the_address_says_if_they_do_not(http, address):
    body = b'{"create":{}}\n{"@timestamp":"2026-01-01T00:00:00Z"}\n'
    answer = http.post(address, content=body, headers={"Content-Type": "application/x-ndjson"}).json()
    assert answer["items"][0]["create"]["_index"] == "logs-c-x"


def test_documents_without_an_index_are_refused(http):
    body = b'{"create":{}}\n{"@timestamp":"2026-01-01T00:00:00Z"}\n'
    for address in ("/_bulk", "/_bulk?index="):
        answer = http.post(address, content=body, headers={"Content-Type": "application/x-ndjson"})
        assert answer.json()["items"][0]["create"]["status"] == 400
