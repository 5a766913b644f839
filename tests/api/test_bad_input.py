"""What is wrong is told, with the right status, and nothing acknowledged is lost."""

from __future__ import annotations

import gzip
import socket
import zlib
from datetime import UTC, datetime

import orjson
import pytest

from tests.api.conftest import run_service
from tests.postgresql import binaries, cluster
from tocsin.nesting import TOO_DEEP
from tocsin.store.lake.lake import LakeStore

NDJSON = {"Content-Type": "application/x-ndjson"}


def event(**fields):
    return {"@timestamp": datetime.now(UTC).isoformat(), **fields}


def bulk(*documents, index="logs-bad"):
    action = orjson.dumps({"create": {"_index": index}})
    return b"".join(action + b"\n" + (d if isinstance(d, bytes) else orjson.dumps(d)) + b"\n" for d in documents)


def kept(running, index):
    with running.http() as http:
        return http.get(f"/{index}/_count?ignore_unavailable=true").json()["count"]


WHOLE = {
    "nothing": (b"", "required"),
    "no last line end": (b'{"create":{"_index":"logs-bad"}}\n{"a":1}', "terminated by a newline"),
    "no JSON in an action": (b"{create}\n{}\n", "Malformed action/metadata line [1]"),
    "an unknown action": (b'{"upsert":{}}\n{}\n', "but found [upsert]"),
    "two actions in a line": (b'{"index":{},"create":{}}\n{}\n', "one action"),
    "no document": (b'{"create":{"_index":"logs-bad"}}\n', "is missing"),
    "an action that is a list": (b"[1]\n{}\n", "line [1]"),
    "an id that is an object": (b'{"create":{"_id":{}}}\n{}\n', "are text"),
}


@pytest.mark.parametrize(("body", "reason"), WHOLE.values(), ids=WHOLE)
def test_what_is_no_bulk_request_is_refused_whole(running, body, reason):
    with running.http() as http:
        answer = http.post("/_bulk", content=body, headers=NDJSON)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["reason"]


ITEMS = {
    "no JSON": b"{not json}",
    "half a line": b'{"@timestamp":"2026-',
    "a list": b"[1, 2]",
    "a number": b"7",
    "no UTF-8": b'{"@timestamp":"2026-11-20T12:00:00Z","a":"\xff\xfe"}',
    "a timestamp that is an object": b'{"@timestamp":{"a":1}}',
    "a timestamp of the year 1": b'{"@timestamp":"0001-01-01T00:00:00Z"}',
    "a timestamp of the year 9999": b'{"@timestamp":"9999-12-31T23:59:59Z"}',
    "an endless number": b'{"@timestamp":"2026-11-20T12:00:00Z","a":1e999}',
    "no end": b'{"a":' * 2000,
}


@pytest.mark.parametrize("document", ITEMS.values(), ids=ITEMS)
def test_a_bad_document_is_refused_alone_and_kept(running, document, request):
    index = "logs-item-" + request.node.callspec.id.replace(" ", "-").lower()
    with running.http() as http:
        answer = http.post("/_bulk", content=bulk(event(n=1), document, event(n=2), index=index), headers=NDJSON)
    statuses = [item["create"]["status"] for item in answer.json()["items"]]
    assert statuses in ([201, 400, 201], [201, 201, 201])
    assert statuses == [201, 400, 201] or "endless" in index
    assert kept(running, index) == statuses.count(201)
    if 400 in statuses:
        day = f"{datetime.now(UTC):%Y-%m-%d}.ndjson"
        rejected = (running.service.config.data / "rejected" / day).read_bytes()
        assert orjson.loads(rejected.splitlines()[-1])["index"] == index


def test_conflicting_types_keep_every_document(running):
    documents = [
        event(n=1, code=5),
        event(n=2, code="text"),
        event(n=3, code={"deep": 1}),
        event(n=4, code=[1, "x"]),
    ]
    with running.http() as http:
        answer = http.post("/_bulk", content=bulk(*documents, index="logs-conflict"), headers=NDJSON).json()
        assert answer["errors"] is False
        found = http.get("/logs-conflict/_search?sort=n").json()["hits"]["hits"]
        assert [hit["_source"] for hit in found] == documents
        ignored = http.post("/logs-conflict/_count", json={"query": {"exists": {"field": "_ignored"}}})
        assert ignored.json()["count"] == 2


def test_clocks_that_are_years_off(running):
    years = (1679, 1970, 2099, 2261)
    documents = [{"@timestamp": f"{year}-06-01T00:00:00Z", "n": year} for year in years]
    with running.http() as http:
        assert (
            http.post("/_bulk", content=bulk(*documents, index="logs-clocks"), headers=NDJSON).json()["errors"]
            is False
        )
        running.service.store.flush()
        for year in years:
            query = {"range": {"@timestamp": {"gte": f"{year}-01-01", "lte": f"{year}-12-31"}}}
            hits = http.post("/logs-clocks/_search", json={"query": query}).json()["hits"]["hits"]
            assert [hit["_source"]["n"] for hit in hits] == [year]


def test_ten_thousand_fields(running):
    wide = event(**{f"field{n}": n for n in range(10_000)})
    with running.http() as http:
        assert http.post("/_bulk", content=bulk(wide, index="logs-wide"), headers=NDJSON).json()["errors"] is False
        [hit] = http.get("/logs-wide/_search").json()["hits"]["hits"]
        assert hit["_source"] == wide
        running.service.store.flush()
        [hit] = http.get("/logs-wide/_search?q=field7:7").json()["hits"]["hits"]
        assert hit["_source"] == wide


def test_documents_and_requests_that_are_too_large(running):
    with running.http() as http:
        large = bulk(event(text="x" * (17 << 20)), event(n=1), index="logs-large")
        answer = http.post("/_bulk", content=large, headers=NDJSON)
        assert [item["create"]["status"] for item in answer.json()["items"]] == [413, 201]
        huge = bulk(event(text="x" * (101 << 20)), index="logs-large")
        assert http.post("/_bulk", content=huge, headers=NDJSON).status_code == 413
        packed = gzip.compress(huge, 1)
        assert len(packed) < 1 << 20
        bomb = http.post("/_bulk", content=packed, headers={**NDJSON, "Content-Encoding": "gzip"})
        assert bomb.status_code == 413
        assert http.get("/").is_success
    assert kept(running, "logs-large") == 1


BROKEN = {
    "no gzip at all": b"plain text",
    "cut off": gzip.compress(bulk(event(n=1)))[:-10],
    "damaged in the middle": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\xff" * 50,
    "zlib without gzip": zlib.compress(b"{}"),
    "something behind its end": gzip.compress(bulk(event(n=1))) + b"junk",
    "very many members": gzip.compress(b"") * 2_000,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken_gzip(running, body):
    with running.http() as http:
        answer = http.post("/_bulk", content=body, headers={**NDJSON, "Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert "gzip" in answer.json()["error"]["reason"]


def test_an_unknown_encoding(running):
    with running.http() as http:
        assert http.post("/_bulk", content=b"x", headers={**NDJSON, "Content-Encoding": "br"}).status_code == 415


def head(running, length):
    lines = (
        "POST /_bulk HTTP/1.1",
        "Host: x",
        f"Authorization: ApiKey {running.key}",
        f"Content-Length: {length}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def test_slow_clients_are_given_up(tmp_path):
    with run_service(tmp_path, body_timeout=0.3) as running:
        port = int(running.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head(running, 1000) + b"{")
            answer = connection.recv(4096)
        assert b" 408 " in answer.split(b"\r\n")[0]
        with running.http() as http:
            assert http.get("/").is_success


def test_a_client_that_goes_away(running):
    port = int(running.url.rsplit(":", 1)[1])
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head(running, 9999) + bulk(event(n=1), index="logs-away"))
    assert kept(running, "logs-away") == 0


def test_a_full_disk(tmp_path):
    with run_service(tmp_path) as running, running.http() as http:
        assert http.post("/_bulk", content=bulk(event(n=1)), headers=NDJSON).json()["errors"] is False
        lake = running.service.ingest.store
        assert isinstance(lake, LakeStore)
        lake.settings = type(lake.settings)(reserve=1 << 60)
        refused = http.post("/_bulk", content=bulk(event(n=2)), headers=NDJSON)
        assert refused.status_code == 429
        assert "disk is full" in refused.json()["error"]["reason"]
        assert int(refused.headers["Retry-After"]) > 0
        assert http.get("/readyz").status_code == 503
        assert http.get("/_cluster/health").json()["status"] == "red"
        assert http.get("/logs-bad/_count").json()["count"] == 1
        lake.settings = type(lake.settings)()
        assert http.post("/_bulk", content=bulk(event(n=2)), headers=NDJSON).json()["errors"] is False
        assert http.get("/readyz").is_success


@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")
def test_a_database_that_is_gone(tmp_path):
    with cluster() as postgresql:
        url = postgresql.create("tocsin")
        with run_service(tmp_path, database_url=url) as running, running.http() as http:
            assert http.post("/_bulk", content=bulk(event(n=1)), headers=NDJSON).json()["errors"] is False
            postgresql.stop()
            running.service.gate.forget()
            try:
                answer = http.post("/_bulk", content=bulk(event(n=2)), headers=NDJSON)
                assert answer.status_code == 503
                assert "does not answer" in answer.json()["error"]["reason"]
                assert "records" in http.get("/readyz").json()["problems"]
                assert http.get("/healthz").is_success
            finally:
                postgresql.start()
            assert http.get("/readyz").is_success
            assert http.get("/logs-bad/_count").json()["count"] == 1
            with running.service.records.transaction():
                pass


@pytest.mark.parametrize("path", ["/", "/_search", "/logs-x/_eql/search", "/_security/api_key", "/api/session"])
@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b"nul"])
def test_bodies_that_are_no_json_objects(running, path, body):
    with running.http() as http:
        answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 405)


DEEP = '{"a":' * 150 + "1" + "}" * 150
# A path, and the status that it is answered with: never 500, and never the end of the connection.
HOSTILE = {
    "a filter of 1,200 parts": ("/?filter_path=" + ".".join(["a"] * 1200), 400),
    "a filter of 1,200 patterns": ("/?filter_path=" + ",".join(["a"] * 1200), 400),
    "a filter of many stars": ("/_search?filter_path=" + ".".join(["**", "x*y*z*x*y*z*q"] * 12), 200),
    "an error with such a filter": ("/nothing-here/_search?filter_path=" + ".".join(["a"] * 1200), 404),
    "a page beyond numbers, of rules": (f"/api/detection_engine/rules/_find?page={10**20 - 1}", 400),
    "a page beyond numbers, of lists": (f"/api/lists/_find?page={10**20 - 1}", 400),
    "a page beyond numbers, of exceptions": (f"/api/exception_lists/_find?page={10**20 - 1}", 400),
    "the mapping of a deep document": ("/logs-deep/_mapping", 200),
    "the fields of a deep document": ("/logs-deep/_field_caps?fields=*", 200),
}


@pytest.mark.parametrize(("path", "status"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_addresses_are_answered(running, path, status):
    document = b'{"@timestamp":"2026-11-20T12:00:00Z","n":1,"deep":' + DEEP.encode() + b"}"
    with running.http(running.add_key("admin")) as http:
        http.post("/_bulk", content=bulk(document, index="logs-deep"), headers=NDJSON)
        found = http.get(path)
        assert found.status_code == status
        assert isinstance(found.json(), dict)


def test_all_members_of_gzip_are_read(running):
    body = b"".join(gzip.compress(bulk(event(n=number), index="logs-members")) for number in range(3))
    with running.http() as http:
        answer = http.post("/_bulk", content=body, headers={**NDJSON, "Content-Encoding": "gzip"})
        assert [item["create"]["status"] for item in answer.json()["items"]] == [201] * 3


DEEPEST = b'{"a":' * 1_000 + b"1" + b"}" * 1_000
BODIES = {
    "a search": ("POST", "/logs-x/_search"),
    "several searches": ("POST", "/_msearch"),
    "a mapping": ("PUT", "/logs-x/_mapping"),
    "a part of a template": ("PUT", "/_component_template/deep"),
    "a pipeline": ("PUT", "/_ingest/pipeline/deep"),
    "a policy": ("PUT", "/_ilm/policy/deep"),
    "a document": ("POST", "/logs-x/_doc"),
    "a rule": ("POST", "/api/detection_engine/rules"),
    "a search of alerts": ("POST", "/api/detection_engine/signals/search"),
}


@pytest.mark.parametrize(("method", "path"), BODIES.values(), ids=BODIES)
def test_bodies_that_are_nested_too_deep_are_refused_and_say_so(running, method, path):
    body = b"{}\n" + DEEPEST + b"\n" if path == "/_msearch" else DEEPEST
    with running.http(running.add_key("admin")) as http:
        answer = http.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert TOO_DEEP in answer.text


def test_a_document_that_is_nested_too_deep_costs_no_other_one(running):
    with running.http() as http:
        body = bulk(DEEPEST, b'{"@timestamp":"2026-11-20T12:00:00Z","n":1}', index="logs-beside-deep")
        items = http.post("/_bulk", content=body, headers=NDJSON).json()["items"]
        assert [item["create"]["status"] for item in items] == [400, 201]
        assert http.get("/logs-beside-deep/_count").json()["count"] == 1


def test_what_lies_too_deep_is_kept_and_named(running):
    document = b'{"@timestamp":"2026-11-20T12:00:00Z","deep":' + DEEP.encode() + b"}"
    with running.http() as http:
        assert http.post("/_bulk", content=bulk(document, index="logs-deeper"), headers=NDJSON).is_success
        [hit] = http.get("/logs-deeper/_search").json()["hits"]["hits"]
        assert orjson.dumps(hit["_source"]["deep"]) == DEEP.encode()
        ignored = http.post("/logs-deeper/_count", json={"query": {"exists": {"field": "_ignored"}}})
        assert ignored.json()["count"] == 1
