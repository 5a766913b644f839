"""`_eql/search`: which results are kept, and how many of a key.

The events and answers of samples are of the kind that Elasticsearch's test_sample and test_sample_multi have:
results stand in order of their keys, `size` keeps the first, and `max_samples_per_key` says how many a key has.
"""

from __future__ import annotations

import orjson
import pytest

from tests.store.memory import MemoryStore
from tocsin.search.eql import read_eql, run_eql
from tocsin.search.errors import SearchError
from tocsin.search.hits import context_of
from tocsin.search.selection import Clock
from tocsin.store.events import Document

ORDERED = (
    # category, host, os, port
    ("success", "GTA", "x", 9),
    ("alert", "GTA", "x", 9),
    ("success", "doom", "x", 10),
    ("alert", "doom", "y", 10),
    ("success", "zed", "y", 100),
    ("alert", "zed", "y", 100),
    ("alert", "zed", "y", 100),
)
NAMES = ("event_type", "host", "os", "port")
HOSTS = "sample by host [success where true] [alert where true]"


@pytest.fixture(scope="module")
def store():
    found = MemoryStore()
    for number, event in enumerate(ORDERED):
        time = 1_700_000_000_000 + number
        document = {"@timestamp": time, "id": number, **dict(zip(NAMES, event, strict=True))}
        found.add([Document("logs-a", time * 1_000_000, orjson.dumps(document), str(number))])
    return found


def asked(store, query, **body):
    context = context_of(store, ["*"])
    request = read_eql({"query": query, "event_category_field": "event_type", **body}, context)
    return run_eql(store, ["*"], request, context.schema, Clock(), parsed=True)


def keys(answer):
    return [tuple(one["join_keys"]) for one in answer["sequences"]]


def ids(answer):
    return [[event["_source"]["id"] for event in one["events"]] for one in answer["sequences"]]


@pytest.mark.parametrize("position", ["head", "tail"])
@pytest.mark.parametrize(
    ("query", "size", "expected"),
    [
        (HOSTS, 10, ["GTA", "doom", "zed"]),
        (HOSTS, 2, ["GTA", "doom"]),
        (HOSTS, 1, ["GTA"]),
        (HOSTS, 0, []),
        (HOSTS.replace("by host", "by port"), 2, [9, 10]),  # numbers in their own order
        (HOSTS.replace("by host", "by ?none.such"), 2, [None]),
    ],
)
def test_size_keeps_the_first_samples(store, query, size, expected, position):
    assert keys(asked(store, query, size=size, result_position=position)) == [(key,) for key in expected]


@pytest.mark.parametrize(
    ("most", "query", "expected"),
    [
        (1, "sample by os [success where true] [alert where true]", [[0, 1], [4, 3]]),
        (2, "sample by os [success where true] [alert where true]", [[0, 1], [2, 1], [4, 3], [4, 5]]),
        (3, "sample by os [success where true] [alert where true]", [[0, 1], [2, 1], [4, 3], [4, 5], [4, 6]]),
        (9, "sample by os [alert where true] [success where true]", [[1, 0], [1, 2], [3, 4], [5, 4], [6, 4]]),
        (2, "sample by os [alert where true] [any where port == 100]", [[3, 4], [3, 5]]),
        (9, "sample by host [alert where host == \"zed\"] [any where true]",
         [[5, 4], [5, 6], [6, 4], [6, 5]]),  # within a sample the events differ
        (4, "sample [success where true] by os [alert where true] by os",
         [[0, 1], [2, 1], [4, 3], [4, 5], [4, 6]]),
    ],
)  # fmt: skip
def test_a_key_has_so_many_samples(store, most, query, expected):
    assert ids(asked(store, query, max_samples_per_key=most)) == expected


def test_size_counts_samples_and_not_keys(store):
    query = "sample by os [success where true] [alert where true]"
    assert ids(asked(store, query, max_samples_per_key=3, size=3)) == [[0, 1], [2, 1], [4, 3]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"size": 2}, [["doom"], ["zed"]]),
        ({"size": 2, "result_position": "head"}, [["GTA"], ["doom"]]),
        ({"size": 2, "result_position": "head", "max_samples_per_key": 5}, [["GTA"], ["doom"]]),
    ],
)
def test_of_sequences_the_position_says_which_are_kept(store, body, expected):
    found = asked(store, HOSTS.replace("sample", "sequence"), **body)
    assert [one["join_keys"] for one in found["sequences"]] == expected


@pytest.mark.parametrize("fetch_size", [2, 3, 10_000])
def test_the_answer_does_not_depend_on_how_it_is_fetched(store, fetch_size):
    assert keys(asked(store, HOSTS, fetch_size=fetch_size)) == [("GTA",), ("doom",), ("zed",)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"max_samples_per_key": 0}, r"\[max_samples_per_key\] is a whole number of 1 or more, not 0"),
        ({"max_samples_per_key": "2"}, r"\[max_samples_per_key\] is a whole number"),
        ({"fetch_size": 1}, r"\[fetch_size\] is a whole number of 2 or more, not 1"),
        ({"size": -1}, r"\[size\]"),
        ({"result_position": "middle"}, r"\[result_position\] is head or tail"),
    ],
)
def test_what_cannot_be_is_refused(store, body, says):
    with pytest.raises(SearchError, match=says):
        asked(store, HOSTS, **body)
