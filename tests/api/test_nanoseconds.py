"""Moments to the nanosecond through the official client: ranges, EQL, sequences, orders, and how they are told.

What a `date` and a `date_nanos` are told as is said in Elasticsearch's pages "Date nanoseconds field type" and
"Sort search results": sort values of `date` are milliseconds, of `date_nanos` nanoseconds; `fields` have three or
nine digits.
"""

from __future__ import annotations

from typing import Any

import pytest

INDEX = "logs-nanoseconds-default"
MS = 1_795_168_800_123
TIMES = {
    "first": "2026-11-20T10:00:00.123456788Z",
    "second": "2026-11-20T10:00:00.123456789Z",
    "third": "2026-11-20T12:00:00.123456790+02:00",
    "fourth": "2026-11-20T10:00:00.124Z",
}


@pytest.fixture(scope="module", params=["in memory", "in tables"])
def client(running, request):
    client = running.client()
    index = f"{INDEX}-{request.param.replace(' ', '-')}"
    for name, time in sorted(TIMES.items(), reverse=True):
        document = {"@timestamp": time, "name": name, "host": {"id": "h"}, "event": {"category": "process"}}
        client.index(index=index, document=document)
    if request.param == "in tables":
        running.service.store.flush()
    return client, index


def names(found):
    return [hit["_source"]["name"] for hit in found["hits"]["hits"]]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"gt": TIMES["first"]}, ["second", "third", "fourth"]),
        ({"gte": TIMES["second"]}, ["second", "third", "fourth"]),
        ({"lt": TIMES["second"]}, ["first"]),
        ({"lte": TIMES["second"]}, ["first", "second"]),
        ({"gt": TIMES["first"], "lt": TIMES["third"]}, ["second"]),
        ({"gte": "2026-11-20T10:00:00.123456789Z||+1h-1h", "lt": "2026-11-20T10:00:00.124Z"}, ["second", "third"]),
        ({"lte": "2026-11-20T10:00:00Z"}, ["first", "second", "third", "fourth"]),
        ({"gt": "2026-11-20T10:00:00Z"}, []),
        ({"gte": MS, "lt": MS + 1}, ["first", "second", "third"]),
        ({"gte": "1795168800", "lt": 1795168801, "format": "epoch_second"}, [*TIMES]),
        ({"gt": "2026/11/20 09:59", "lt": "2026/11/20 10:01", "format": "yyyy/MM/dd HH:mm"}, [*TIMES]),
        ({"gte": "20.11.2026", "lte": "20.11.2026", "format": "dd.MM.yyyy||epoch_millis"}, [*TIMES]),
        ({"gte": "2026-11-20T11:00", "lte": "2026-11-20T11:00", "time_zone": "+01:00"}, [*TIMES]),
    ],
)
def test_ranges(client, bounds, expected):
    client, index = client
    found = client.search(index=index, query={"range": {"@timestamp": bounds}}, sort=["@timestamp"])
    assert names(found) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f'@timestamp == "{TIMES["second"]}"', ["second"]),
        (f'@timestamp > "{TIMES["first"]}" and @timestamp < "{TIMES["third"]}"', ["second"]),
        (f'@timestamp != "{TIMES["second"]}"', ["first", "third", "fourth"]),
        (f'@timestamp in ("{TIMES["first"]}", "{TIMES["third"]}")', ["first", "third"]),
    ],
)
def test_eql(client, condition, expected):
    client, index = client
    found = client.eql.search(index=index, query=f"process where {condition}")
    assert [event["_source"]["name"] for event in found["hits"]["events"]] == expected


def test_sequences_are_in_the_order_of_nanoseconds(client):
    client, index = client
    query = 'sequence by host.id [any where name == "{}"] [any where name == "{}"]'
    for first, second, count in (("first", "second", 1), ("second", "first", 0), ("second", "third", 1)):
        found = client.eql.search(index=index, query=query.format(first, second))
        assert len(found["hits"]["sequences"]) == count, (first, second)


def test_a_term_is_a_span(client):
    client, index = client
    assert client.count(index=index, query={"term": {"@timestamp": TIMES["second"]}})["count"] == 1
    assert client.count(index=index, query={"term": {"@timestamp": "2026-11-20T10:00:00Z"}})["count"] == 4


@pytest.mark.parametrize(
    ("sort", "told"),
    [
        ({"order": "asc"}, [MS, MS, MS, MS + 1]),
        ({"order": "desc"}, [MS + 1, MS, MS, MS]),
        (
            {"order": "asc", "numeric_type": "date_nanos"},
            [MS * 10**6 + 456788, MS * 10**6 + 456789, MS * 10**6 + 456790, (MS + 1) * 10**6],
        ),
        (
            {"order": "asc", "format": "strict_date_optional_time_nanos", "numeric_type": "date_nanos"},
            [f"2026-11-20T10:00:00.{rest}Z" for rest in ("123456788", "123456789", "123456790", "124000000")],
        ),
        ({"order": "asc", "format": "epoch_second"}, ["1795168800.123"] * 3 + ["1795168800.124"]),
    ],
)
def test_orders(client, sort, told):
    client, index = client
    found = client.search(index=index, sort=[{"@timestamp": sort}])
    assert [hit["sort"] for hit in found["hits"]["hits"]] == [[one] for one in told]
    assert names(found) == ([*TIMES] if sort["order"] == "asc" else [*TIMES][::-1])


@pytest.mark.parametrize(
    "sort",
    [
        [{"@timestamp": {"order": "asc", "numeric_type": "date_nanos"}}],
        [
            {
                "@timestamp": {
                    "order": "asc",
                    "numeric_type": "date_nanos",
                    "format": "strict_date_optional_time_nanos",
                }
            }
        ],
        [{"@timestamp": "asc"}, {"name": "asc"}],
        [{"@timestamp": {"order": "desc", "format": "epoch_millis"}}, {"name": "desc"}],
    ],
)
def test_pages_lose_nothing(client, sort):
    client, index = client
    seen: list[str] = []
    after: dict[str, Any] = {}
    while hits := client.search(index=index, sort=sort, size=1, **after)["hits"]["hits"]:
        seen.append(hits[0]["_source"]["name"])
        after = {"search_after": hits[0]["sort"]}
    assert sorted(seen) == sorted(TIMES)


def test_fields_have_the_digits_of_their_type(client):
    client, index = client
    query = {"term": {"name": "second"}}
    [hit] = client.search(index=index, query=query, fields=["@timestamp"])["hits"]["hits"]
    assert hit["fields"] == {"@timestamp": ["2026-11-20T10:00:00.123Z"]}
    asked = [{"field": "@timestamp", "format": "strict_date_optional_time_nanos"}]
    for members in ({"fields": asked}, {"docvalue_fields": asked}):
        [hit] = client.search(index=index, query=query, **members)["hits"]["hits"]
        assert hit["fields"] == {"@timestamp": ["2026-11-20T10:00:00.123456789Z"]}
