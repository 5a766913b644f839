"""Searches over addresses: found, counted, sorted and shown as one value however they are spelled.

The order is Elasticsearch's, whose `ip` fields are 128 bits: IPv4 addresses stand from `::ffff:0:0` on.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.store.memory import MemoryStore
from tocsin.search.eql import read_eql, run_eql
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.selection import Clock
from tocsin.store.events import Document, EventStore
from tocsin.store.lake.lake import LakeSettings, LakeStore

START = 1_795_176_000_000_000_000
SPELLED: list[Any] = [
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "9.9.9.9",
    "2001:DB8:0::1",
    "::1",
    "::FFFF:A01:203",
    ["10.1.2.4", "2001:db8::1"],
    None,
]


@pytest.fixture(scope="module", params=["lake", "memory"])
def store(request, tmp_path_factory):
    documents = [
        Document(
            "logs-a",
            START + n * 1_000_000,
            orjson.dumps(
                {
                    "@timestamp": START // 1_000_000 + n,
                    "event": {"category": "network"},
                    "n": n,
                    "source": {"ip": ip},
                }
            ),
            str(n),
        )
        for n, ip in enumerate(SPELLED)
    ]
    if request.param == "memory":
        memory: EventStore = MemoryStore()
        memory.add(documents)
        yield memory
        return
    lake = LakeStore(
        tmp_path_factory.mktemp("addresses"), LakeSettings(flush_after=1e9, maintain_every=1e9, quiet=0)
    )
    lake.add(documents[:5])
    lake.flush()
    lake.add(documents[5:])
    yield lake
    lake.close()


def search(store, **body):
    context = context_of(store, ["*"])
    return run_search(store, ["*"], read_search(body, context), context.schema, Clock(), parsed=True)


def numbers(answer):
    return [hit["_source"]["n"] for hit in answer.hits]


def eql(store, query, **body):
    context = context_of(store, ["*"])
    request = read_eql({"query": query, **body}, context)
    return run_eql(store, ["*"], request, context.schema, Clock(), parsed=True)


FOUND = [
    ({"term": {"source.ip": "::ffff:10.1.2.3"}}, [0, 1, 5]),
    ({"term": {"source.ip": "10.1.2.3"}}, [0, 1, 5]),
    ({"terms": {"source.ip": ["2001:db8::1", "9.9.9.9"]}}, [2, 3, 6]),
    ({"range": {"source.ip": {"gte": "10.0.0.0", "lt": "10.1.2.4"}}}, [0, 1, 5]),
    ({"query_string": {"query": "source.ip:[9.0.0.0 TO 10.1.2.3]"}}, [0, 1, 2, 5]),
]


@pytest.mark.parametrize(("query", "found"), FOUND, ids=lambda value: str(value)[:40])
def test_events_are_found(store, query, found):
    assert sorted(numbers(search(store, query=query))) == found


def test_events_are_found_by_eql(store):
    found = eql(store, 'network where source.ip == "10.1.2.3"', fields=["source.ip"])["events"]
    assert [event["_source"]["n"] for event in found] == [0, 1, 5]
    assert [event["_source"]["source"]["ip"] for event in found] == [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "::FFFF:A01:203",
    ]
    assert [event["fields"]["source.ip"] for event in found] == [["10.1.2.3"]] * 3


def test_buckets_are_of_one_spelling(store):
    def buckets(**about):
        answer = search(store, size=0, aggs={"ips": {"terms": {"field": "source.ip", **about}}})
        return [(one["key"], one["doc_count"]) for one in answer.aggregations["ips"]["buckets"]]

    counted = [("10.1.2.3", 3), ("2001:db8::1", 2), ("::1", 1), ("9.9.9.9", 1), ("10.1.2.4", 1)]
    assert buckets() == counted
    assert buckets(order={"_key": "asc"}) == [counted[n] for n in (2, 3, 0, 4, 1)]
    assert buckets(include=["::ffff:10.1.2.3", "::1"]) == [("10.1.2.3", 3), ("::1", 1)]
    found = search(store, size=0, aggs={"n": {"cardinality": {"field": "source.ip"}}}).aggregations
    assert found == {"n": {"value": 5}}


def test_hits_are_sorted_as_addresses_and_go_on_behind_one(store):
    sort = [{"source.ip": "asc"}, {"n": "asc"}]
    answer = search(store, sort=sort)
    assert numbers(answer) == [4, 2, 0, 1, 5, 6, 3, 7]
    assert [hit["sort"] for hit in answer.hits] == [
        ["::1", 4], ["9.9.9.9", 2], ["10.1.2.3", 0], ["10.1.2.3", 1], ["10.1.2.3", 5], ["10.1.2.4", 6],
        ["2001:db8::1", 3], [None, 7],
    ]  # fmt: skip
    assert numbers(search(store, sort=sort, search_after=["::ffff:10.1.2.3", 1])) == [5, 6, 3, 7]
    assert numbers(search(store, sort=[{"source.ip": "desc"}, {"n": "asc"}])) == [3, 6, 0, 1, 5, 2, 4, 7]


def test_hits_are_shown_as_they_were_sent_and_their_fields_in_one_spelling(store):
    query = {"term": {"n": 6}}
    [hit] = search(store, query=query, fields=["source.*"]).hits
    assert hit["fields"]["source.ip"] == ["10.1.2.4", "2001:db8::1"]
    [hit] = search(store, query={"term": {"n": 3}}, fields=["source.ip"]).hits
    assert (hit["_source"]["source"]["ip"], hit["fields"]["source.ip"]) == ("2001:DB8:0::1", ["2001:db8::1"])
