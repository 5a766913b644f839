"""The official `elasticsearch` client, as it is, against the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from benchmarks.fleet import Fleet
from elasticsearch import ApiError, AuthenticationException, BadRequestError, ConflictError, NotFoundError, helpers

NOW = datetime.now(UTC)


def event(number, **fields):
    return {"@timestamp": (NOW - timedelta(minutes=number)).isoformat(), "n": number, **fields}


@pytest.fixture(scope="module")
def client(running):
    client = running.client()
    rows = [
        event(
            n,
            event={"category": ["process"], "type": ["start" if n % 2 else "end"]},
            host={"name": f"WS-{n % 5}", "id": f"h{n % 5}"},
            user={"name": f"user{n % 7}"},
            process={
                "name": "MpCmdRun.exe" if n % 50 == 0 else f"tool{n % 10}.exe",
                "pid": n,
                "args": ["x.exe", f"--n={n}"],
                "command_line": f"C:\\x.exe --n={n}",
                "entity_id": f"p{n // 2}",
            },
            message=f"Process {n} was started by the scheduler",
        )
        for n in range(500)
    ]
    actions = ({"_op_type": "create", "_index": "logs-endpoint.events.process-default", **row} for row in rows)
    created, errors = helpers.bulk(client, actions)
    assert (created, errors) == (500, [])
    return client


INDEX = "logs-endpoint.events.process-default"


def numbers(response):
    return [hit["_source"]["n"] for hit in response["hits"]["hits"]]


# ---- info and ingest


def test_info(client):
    info = client.info()
    assert info["tagline"] == "You Know, for Search"
    assert client.ping()
    assert client.cluster.health()["status"] == "green"


@pytest.mark.parametrize("compressed", [True, False])
def test_streaming_bulk(running, compressed):
    client = running.client(http_compress=compressed)
    index = f"logs-stream-{str(compressed).lower()}"
    actions = [{"_op_type": "create", "_index": index, "_id": str(n), **event(n)} for n in range(1200)]
    results = list(helpers.streaming_bulk(client, actions, chunk_size=500))
    assert all(ok for ok, _ in results)
    assert {item["create"]["_index"] for _, item in results} == {index}
    again = list(helpers.streaming_bulk(client, actions, raise_on_error=False))
    assert {item["create"]["status"] for _, item in again} == {409}
    assert client.count(index=index)["count"] == 1200


def test_parallel_bulk(running):
    client = running.client()
    actions = ({"_op_type": "create", "_index": "logs-parallel", **event(n)} for n in range(3000))
    assert all(ok for ok, _ in helpers.parallel_bulk(client, actions, thread_count=3, chunk_size=300))
    assert client.count(index="logs-parallel")["count"] == 3000


def test_errors_are_told_item_by_item(client):
    actions = [
        {"_op_type": "create", "_index": "logs-items", **event(1)},
        {"_op_type": "create", "_index": "logs-items", "no": "timestamp"},  # has that of its arrival
        {"_op_type": "create", "_index": "Logs-Upper", **event(2)},
        {"_op_type": "index", "_index": "logs-items", "_id": "x", **event(3)},
        {"_op_type": "index", "_index": "logs-items", "_id": "x", **event(3)},
        {"_op_type": "index", "_index": "logs-items", "_id": "x", **event(4)},
        {"_op_type": "delete", "_index": "logs-items", "_id": "x"},
        {"_op_type": "create", "_index": "logs-items", "@timestamp": "yesterday"},
    ]
    created, errors = helpers.bulk(client, actions, raise_on_error=False)
    assert isinstance(errors, list)
    assert created == 4
    told = [next(iter(error.values())) for error in errors]
    assert [(error["status"], error["error"]["type"]) for error in told] == [
        (400, "invalid_index_name_exception"),
        (409, "version_conflict_engine_exception"),
        (400, "illegal_argument_exception"),
        (400, "document_parsing_exception"),
    ]
    assert client.count(index="logs-items")["count"] == 3


def test_index_and_create_and_get(client):
    made = client.index(index="logs-one", document=event(1))
    assert (made["result"], made.meta.status) == ("created", 201)
    assert client.get(index="logs-one", id=made["_id"])["_source"]["n"] == 1
    assert client.exists(index="logs-one", id=made["_id"])
    assert not client.exists(index="logs-one", id="another")
    client.create(index="logs-one", id="mine", document=event(2))
    with pytest.raises(ConflictError):
        client.create(index="logs-one", id="mine", document=event(2))
    assert client.get_source(index="logs-one", id="mine")["n"] == 2
    with pytest.raises(NotFoundError):
        client.get(index="logs-one", id="none")


def test_wrong_credentials(running):
    with pytest.raises(AuthenticationException):
        running.client(api_key="d3Jvbmc6a2V5").info()
    with pytest.raises(AuthenticationException):
        running.client(api_key=None, basic_auth=("admin", "wrong")).info()
    assert running.client(api_key=None, basic_auth=("admin", "correct horse battery")).info()["name"] == "tocsin"


# ---- EQL


def test_eql_events(client):
    found = client.eql.search(index="logs-*", query='process where process.name : "mpcmdrun.exe"', size=100)
    assert [hit["_source"]["n"] for hit in found["hits"]["events"]] == list(range(450, -1, -50))
    assert not found["is_partial"]
    assert found["hits"]["events"][0]["_index"] == INDEX


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 3}, [2, 1, 0]),
        ({"size": 3, "result_position": "head"}, [499, 498, 497]),
        ({"size": 2, "filter": {"term": {"host.name": "WS-3"}}}, [8, 3]),
        ({"size": 2, "filter": {"range": {"process.pid": {"gte": 100, "lt": 110}}}}, [101, 100]),
    ],
)
def test_eql_options(client, options, expected):
    found = client.eql.search(index=INDEX, query="process where true", **options)
    assert [hit["_source"]["n"] for hit in found["hits"]["events"]] == expected


@pytest.mark.parametrize(
    ("pipes", "expected"),
    [
        ("| head 2", [499, 498]),
        ("| tail 2", [1, 0]),
        ("| head 5 | tail 2", [496, 495]),
        ("| unique host.name", [499, 498, 497, 496, 495]),
        ("| filter process.pid < 3", [2, 1, 0]),
    ],
)
def test_eql_pipes(client, pipes, expected):
    found = client.eql.search(index=INDEX, query=f"process where true {pipes}")
    assert [hit["_source"]["n"] for hit in found["hits"]["events"]] == expected


def test_eql_sequences(client):
    query = """sequence by process.entity_id with maxspan=5m
        [process where event.type == "start" and process.pid < 100] [process where event.type == "end"]"""
    found = client.eql.search(index=INDEX, query=query, size=3)
    assert [s["join_keys"] for s in found["hits"]["sequences"]] == [["p2"], ["p1"], ["p0"]]
    assert [e["_source"]["n"] for e in found["hits"]["sequences"][-1]["events"]] == [1, 0]
    filtered = client.eql.search(index=INDEX, query=query, filter={"term": {"process.entity_id": "p7"}})
    assert [s["join_keys"] for s in filtered["hits"]["sequences"]] == [["p7"]]


def test_eql_fields(client):
    found = client.eql.search(
        index=INDEX, query="process where process.pid == 7", fields=["process.*", "user.name"]
    )
    assert found["hits"]["events"][0]["fields"]["user.name"] == ["user0"]
    assert found["hits"]["events"][0]["fields"]["process.pid"] == [7]


def test_eql_async(client):
    started = client.eql.search(
        index=INDEX, query="process where true", wait_for_completion_timeout="0ms", keep_on_completion=True
    )
    status = client.eql.get_status(id=started["id"])
    assert status["id"] == started["id"]
    found = client.eql.get(id=started["id"], wait_for_completion_timeout="30s")
    assert len(found["hits"]["events"]) == 10
    assert not found["is_running"]
    assert client.eql.delete(id=started["id"])["acknowledged"]
    with pytest.raises(NotFoundError):
        client.eql.get(id=started["id"])


@pytest.mark.parametrize(
    ("index", "query", "error", "reason"),
    [
        (INDEX, "process where proces.name == 1", BadRequestError, "process.name"),
        (INDEX, "process where", BadRequestError, "line 1"),
        (INDEX, 'process where process.nme == "x"', BadRequestError, "process.name"),
        ("logs-none-default", "process where true", NotFoundError, "no such index"),
    ],
)
def test_eql_errors(client, index, query, error, reason):
    with pytest.raises(error, match=reason):
        client.eql.search(index=index, query=query)


# ---- _search


QUERIES = {
    "match_all": ({"match_all": {}}, 500),
    "term": ({"term": {"user.name": "user3"}}, 71),
    "term, other case": ({"term": {"user.name": {"value": "USER3", "case_insensitive": True}}}, 71),
    "term of a number as text": ({"term": {"process.pid": "7"}}, 1),
    "terms": ({"terms": {"user.name": ["user3", "user4", "nobody"]}}, 142),
    "terms of numbers": ({"terms": {"process.pid": [1, 2, 999]}}, 2),
    "term in a list": ({"term": {"process.args": "--n=77"}}, 1),
    "match on a keyword": ({"match": {"host.name": "WS-1"}}, 100),
    "match words": ({"match": {"message": "SCHEDULER nothing"}}, 500),
    "match every word": ({"match": {"message": {"query": "process 77 scheduler", "operator": "and"}}}, 1),
    "match_phrase": ({"match_phrase": {"message": "process 77 was started"}}, 1),
    "match_phrase, other order": ({"match_phrase": {"message": "77 process"}}, 0),
    "range": ({"range": {"process.pid": {"gte": 10, "lt": 20}}}, 10),
    "range of time, date math": (
        {"range": {"@timestamp": {"gte": f"{NOW.isoformat()}||-10m", "lte": f"{NOW.isoformat()}||"}}},
        11,
    ),
    "range of time, from now": ({"range": {"@timestamp": {"gte": "now-2d", "lte": "now+1m"}}}, 500),
    "range of time, rounded": ({"range": {"@timestamp": {"lte": "now/d"}}}, 500),
    "range of a date": ({"range": {"@timestamp": {"gt": "2100-01-01"}}}, 0),
    "exists": ({"exists": {"field": "user.name"}}, 500),
    "exists for an object": ({"exists": {"field": "process"}}, 500),
    "exists for nothing": ({"exists": {"field": "file"}}, 0),
    "wildcard": ({"wildcard": {"process.name": "tool1*"}}, 50),
    "wildcard, other case": ({"wildcard": {"process.name": {"value": "MPCMD*", "case_insensitive": True}}}, 10),
    "wildcard is case-sensitive": ({"wildcard": {"process.name": "MPCMD*"}}, 0),
    "wildcard with a backslash": ({"wildcard": {"process.command_line": "C:\\\\x.exe*--n=1"}}, 1),
    "prefix": ({"prefix": {"process.name": "tool"}}, 490),
    "regexp": ({"regexp": {"process.name": "tool[12]\\.exe"}}, 100),
    "bool": (
        {
            "bool": {
                "filter": [{"term": {"host.name": "WS-1"}}, {"range": {"process.pid": {"lt": 100}}}],
                "must_not": {"term": {"user.name": "user1"}},
            }
        },
        17,
    ),
    "should": ({"bool": {"should": [{"term": {"process.pid": 1}}, {"term": {"process.pid": 2}}]}}, 2),
    "should beside a filter": (
        {"bool": {"filter": {"range": {"process.pid": {"lt": 5}}}, "should": {"term": {"process.pid": 1}}}},
        5,
    ),
    "minimum_should_match": (
        {
            "bool": {
                "should": [
                    {"term": {"user.name": "user3"}},
                    {"term": {"host.name": "WS-3"}},
                    {"range": {"process.pid": {"lt": 50}}},
                ],
                "minimum_should_match": 2,
            }
        },
        sum((n % 7 == 3) + (n % 5 == 3) + (n < 50) >= 2 for n in range(500)),
    ),
    "query_string": ({"query_string": {"query": "process.name:MpCmdRun.exe AND host.name:WS-0"}}, 10),
    "query_string with a group": (
        {"query_string": {"query": 'user.name:(user1 OR "user2") NOT process.pid:>=10'}},
        4,
    ),
    "query_string, range": ({"query_string": {"query": "process.pid:[10 TO 19] OR process.pid:{30 TO 33}"}}, 12),
    "query_string, wildcard": ({"query_string": {"query": "process.name:mp* OR process.name:Mp*"}}, 10),
    "query_string, exists": ({"query_string": {"query": "_exists_:user.name AND NOT _exists_:file.name"}}, 500),
    "query_string without a field": ({"query_string": {"query": "WS\\-1"}}, 100),
    "constant_score": ({"constant_score": {"filter": {"term": {"process.pid": 3}}}}, 1),
    "multi_match": ({"multi_match": {"query": "WS-1", "fields": ["host.name", "user.name"]}}, 100),
}


@pytest.mark.parametrize(("query", "expected"), QUERIES.values(), ids=QUERIES)
def test_queries(client, query, expected):
    assert client.search(index=INDEX, query=query, size=0)["hits"]["total"]["value"] == expected
    assert client.count(index=INDEX, query=query)["count"] == expected


def test_ids(client):
    some = client.search(index=INDEX, size=3)["hits"]["hits"]
    wanted = [hit["_id"] for hit in some]
    found = client.search(index="logs-*", query={"ids": {"values": [*wanted, "none"]}})
    assert {hit["_id"] for hit in found["hits"]["hits"]} == {*wanted}


def test_sort_size_from_and_search_after(client):
    order = [{"host.name": "desc"}, {"@timestamp": {"order": "asc"}}]
    page = client.search(index=INDEX, sort=order, size=4)
    assert numbers(page) == [499, 494, 489, 484]
    assert numbers(client.search(index=INDEX, sort=order, size=2, from_=2)) == [489, 484]
    seen, after = [], None
    while True:
        options: dict[str, Any] = {} if after is None else {"search_after": after}
        page = client.search(index=INDEX, sort=order, size=90, **options)
        if not page["hits"]["hits"]:
            break
        seen += numbers(page)
        after = page["hits"]["hits"][-1]["sort"]
    assert len(seen) == len(set(seen)) == 500


@pytest.mark.parametrize(
    ("source", "members"),
    [
        (False, None),
        (["process.pid", "user.*"], {"process", "user"}),
        ({"excludes": ["process.*", "event", "message"]}, {"@timestamp", "n", "host", "user"}),
    ],
)
def test_source_filters(client, source, members):
    [hit] = client.search(index=INDEX, size=1, source=source)["hits"]["hits"]
    assert ("_source" in hit and set(hit["_source"])) == (members or False)


def test_fields(client):
    query = {"term": {"process.pid": 5}}
    [hit] = client.search(index=INDEX, query=query, fields=["user.name", "process.args"], source=False)["hits"][
        "hits"
    ]
    assert hit["fields"] == {"user.name": ["user5"], "process.args": ["x.exe", "--n=5"]}


def test_aggregations(client):
    found = client.search(
        index=INDEX,
        size=0,
        aggs={
            "names": {
                "terms": {"field": "process.name", "size": 2, "order": {"_key": "asc"}},
                "aggs": {
                    "users": {"cardinality": {"field": "user.name"}},
                    "newest": {"top_hits": {"size": 1, "sort": [{"@timestamp": "desc"}], "_source": ["n"]}},
                    "pids": {"stats": {"field": "process.pid"}},
                },
            },
            "hours": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h"}},
            "days": {
                "date_histogram": {"field": "@timestamp", "calendar_interval": "day", "time_zone": "Asia/Kolkata"}
            },
            "hosts": {"cardinality": {"field": "host.name"}},
            "low": {
                "filter": {"range": {"process.pid": {"lt": 10}}},
                "aggs": {"sum": {"sum": {"field": "process.pid"}}},
            },
            "without": {"missing": {"field": "file.name"}},
        },
    )["aggregations"]
    names = found["names"]
    assert [(b["key"], b["doc_count"]) for b in names["buckets"]] == [("MpCmdRun.exe", 10), ("tool0.exe", 40)]
    assert names["sum_other_doc_count"] == 450
    assert names["buckets"][0]["users"]["value"] == 7
    assert names["buckets"][0]["newest"]["hits"]["hits"][0]["_source"] == {"n": 0}
    assert names["buckets"][0]["pids"] == {"count": 10, "min": 0, "max": 450, "avg": 225, "sum": 2250}
    assert sum(b["doc_count"] for b in found["hours"]["buckets"]) == 500
    assert len(found["hours"]["buckets"]) in (9, 10)
    assert all(b["key_as_string"].endswith("18:30:00.000Z") for b in found["days"]["buckets"])
    assert found["hosts"]["value"] == 5
    assert found["low"] == {"doc_count": 10, "sum": {"value": 45}}
    assert found["without"]["doc_count"] == 500


def test_field_caps_and_mapping(client):
    caps = client.field_caps(index=INDEX, fields=["process.*", "@timestamp", "n"])["fields"]
    assert caps["process.pid"]["long"]["searchable"]
    assert caps["@timestamp"]["date"]["type"] == "date"
    assert caps["n"]["long"]["aggregatable"]
    assert caps["process"]["object"]["searchable"] is False
    assert "user.name" not in caps
    mapping = client.indices.get_mapping(index=INDEX)[INDEX]["mappings"]["properties"]
    assert mapping["process"]["properties"]["name"]["type"] == "keyword"


def test_cat_indices(client):
    listed = client.cat.indices(index="logs-endpoint*", format="json")
    assert [(row["index"], row["docs.count"]) for row in listed] == [(INDEX, "500")]
    assert INDEX in str(client.cat.indices(v=True))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"query": {"fuzzy": {"user.name": "x"}}}, "unknown query"),
        ({"query": {"term": {"process.pid": "many"}}}, "no number"),
        ({"query": {"range": {"@timestamp": {"gte": "soon"}}}}, "failed to parse date"),
        ({"query": {"query_string": {"query": "(a AND b"}}}, "never closed"),
        ({"query": {"bool": {"maybe": []}}}, "does not support"),
        ({"query": {"regexp": {"user.name": "a~b"}}}, "~"),
        ({"size": 20_000}, "Result window is too large"),
        ({"sort": [{"a": "up"}]}, "asc or desc"),
        ({"aggs": {"a": {"sum_bucket": {"field": "x"}}}}, "unknown aggregation"),
        ({"script": "x"}, "unknown key"),
    ],
)
def test_search_errors(client, body, reason):
    with pytest.raises(BadRequestError, match=reason):
        client.search(index=INDEX, body=body)


def test_a_fleet_over_many_indices(running):
    client = running.client()
    rows = list(Fleet(11).events(3000))
    actions = [{"_op_type": "create", "_index": row.pop("_index", "logs-fleet-default"), **row} for row in rows]
    assert helpers.bulk(client, actions)[0] == 3000
    running.service.store.flush()
    busy = client.search(
        index="logs-fleet*,endgame-*", size=0, aggs={"u": {"terms": {"field": "user.name", "size": 1}}}
    )
    name, count = (busy["aggregations"]["u"]["buckets"][0][key] for key in ("key", "doc_count"))
    expected = sum(row.get("user", {}).get("name") == name for row in rows)
    assert count == expected
    found = client.search(index="logs-fleet*,endgame-*", query={"term": {"user.name": name}}, size=1000)
    assert all(hit["_source"]["user"]["name"] == name for hit in found["hits"]["hits"])
    assert found["hits"]["total"]["value"] == expected


def test_api_errors_name_their_type(client):
    with pytest.raises(ApiError) as raised:
        client.search(index="none-at-all")
    assert raised.value.body["error"]["type"] == "index_not_found_exception"
