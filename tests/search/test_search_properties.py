"""Searches give what reading every event one by one would give."""

from __future__ import annotations

import fnmatch
import multiprocessing
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.memory import MemoryStore
from tocsin.moments import to_nanoseconds
from tocsin.search.errors import SearchError, SearchStoppedError
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.remote import Answers, RemoteReader
from tocsin.search.selection import Clock
from tocsin.store.events import Document, EventStore
from tocsin.store.lake.lake import LakeSettings, LakeStore

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORDS = ("x", "xy", "Xy", "y", "z.exe", "", "a b")
INDICES = ("logs-one", "logs-two")


def events():
    """Two hundred events with few values, some of several, some missing."""
    found = []
    for n in range(200):
        event: dict[str, Any] = {"@timestamp": (START + timedelta(minutes=n * 7 % 200)).isoformat(), "id": n}
        if n % 5:
            event["user"] = {"name": WORDS[n % len(WORDS)]}
        if n % 3:
            event["process"] = {"pid": n % 17, "args": [WORDS[n % 4], WORDS[n * 3 % 7]]}
        if n % 7 == 0:
            event["tags2"] = [WORDS[n % 3], WORDS[n % 2]] if n % 2 else WORDS[n % 3]
        if n % 4:
            event["score"] = n % 9 / 2
        found.append((INDICES[n % 2], event))
    return found


EVENTS = events()


@pytest.fixture(scope="module", params=["lake", "memory", "other process"])
def store(request, tmp_path_factory):
    documents = [Document(i, to_nanoseconds(e["@timestamp"]), orjson.dumps(e)) for i, e in EVENTS]
    if request.param == "memory":
        memory: EventStore = MemoryStore()
        memory.add(documents)
        yield memory
        return
    settings_ = LakeSettings(flush_after=1e9, maintain_every=1e9, quiet=0, clean_after=0)
    lake = LakeStore(tmp_path_factory.mktemp("search"), settings_)
    lake.add(documents[:80])
    lake.flush()
    lake.add(documents[80:150])
    lake.flush()
    lake.maintain()
    lake.add(documents[150:])  # these stay in the journal
    if request.param == "lake":
        yield lake
    else:
        with as_another_process_reads(lake) as reader:
            yield reader
    lake.close()


@contextmanager
def as_another_process_reads(lake):
    """Yield what reads a store over a connection, as searches do in processes of their own."""
    ours, theirs = multiprocessing.Pipe()
    answers = Answers(lake, lake)

    def answer():
        with suppress(EOFError):
            while True:
                _, name, arguments = ours.recv()
                ours.send(answers.answer(name, arguments))

    thread = threading.Thread(target=answer)
    thread.start()
    yield RemoteReader(theirs)
    theirs.close()
    thread.join()


# ---- queries, and what they mean said plainly


def values(event, name):
    found: Any = event
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, list) else [] if found is None else [found]


def holds(query, event):
    [(kind, about)] = query.items()
    if kind == "bool":
        needed = all(holds(q, event) for q in about.get("must", []) + about.get("filter", []))
        forbidden = any(holds(q, event) for q in about.get("must_not", []))
        least = 0 if about.get("must") or about.get("filter") else 1
        possible = sum(holds(q, event) for q in about.get("should", []))
        return needed and not forbidden and (not about.get("should") or possible >= least)
    if kind == "exists":
        return bool(values(event, about["field"]))
    [(name, wanted)] = about.items()
    test = {
        "term": lambda v: v == wanted,
        "terms": lambda v: v in wanted,
        "prefix": lambda v: v.startswith(wanted),
        "wildcard": lambda v: fnmatch.fnmatchcase(v, wanted),
        "range": lambda v: wanted.get("gte", v) <= v < wanted.get("lt", v + 1),
    }[kind]
    return any(test(value) for value in values(event, name))


TEXTS = st.sampled_from(["user.name", "process.args", "tags2"])
WORD = st.sampled_from(WORDS)
BOUND = st.integers(-1, 18)
NUMBERS = st.sampled_from(["process.pid", "score"])
FIELDS = st.sampled_from(["user.name", "process.pid", "process.args", "score", "@timestamp"])
LEAVES = (
    st.builds(lambda f, v: {"term": {f: v}}, TEXTS, WORD)
    | st.builds(lambda v: {"term": {"process.pid": v}}, BOUND)
    | st.builds(lambda f, v: {"terms": {f: v}}, TEXTS, st.lists(WORD, min_size=1, max_size=3))
    | st.builds(lambda f, v: {"prefix": {f: v}}, TEXTS, st.sampled_from(["x", "z", "X"]))
    | st.builds(lambda f, v: {"wildcard": {f: v}}, TEXTS, st.sampled_from(["x*", "*y", "?", "z*e", "*"]))
    | st.builds(lambda f, a, b: {"range": {f: {"gte": a, "lt": b}}}, NUMBERS, BOUND, BOUND)
    | st.builds(
        lambda f: {"exists": {"field": f}}, st.sampled_from(["user.name", "process.pid", "tags2", "score"])
    )
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {}, optional={key: st.lists(inner, max_size=2) for key in ("must", "filter", "should", "must_not")}
    ).map(lambda about: {"bool": about}),
    max_leaves=6,
)  # fmt: skip


def found(store, body, patterns=("logs-*",)):
    context = context_of(store, patterns)
    request = read_search(body, context)
    return run_search(store, patterns, request, context.schema, Clock(), parsed=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES)
def test_a_query_finds_what_it_says(store, query):
    answer = found(store, {"query": query, "size": 1000})
    expected = {event["id"] for _, event in EVENTS if holds(query, event)}
    assert {hit["_source"]["id"] for hit in answer.hits} == expected
    assert answer.total == len(expected) == len(answer.hits)


def rank(event, name, order):
    """Order an event by a field: without a value last, of several the smallest, or the largest when descending."""
    there = values(event, name)
    if not there:
        return (1, 0)
    return (0, max(there) if order == "desc" else min(there))


SORTS = st.lists(
    st.tuples(FIELDS, st.sampled_from(["asc", "desc"])),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key[0],
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SORTS, st.integers(1, 70))
def test_pages_by_search_after_are_the_whole_in_order(store, keys, size):
    keys = [*keys, ("id", "asc")]
    expected = [event for _, event in EVENTS]
    for name, order in reversed(keys):
        expected.sort(key=lambda event: _mixed(event, name, order))
    sort = [{name: order} for name, order in keys]
    pages: list[int] = []
    after = None
    while True:
        body = {"sort": sort, "size": size, **({} if after is None else {"search_after": after})}
        hits = found(store, body).hits
        if not hits:
            break
        pages += [hit["_source"]["id"] for hit in hits]
        after = hits[-1]["sort"]
    assert pages == [event["id"] for event in expected]


class _Reversed:
    """A value that comes first when it is larger."""

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return other.value < self.value

    def __eq__(self, other):
        return other.value == self.value


def _mixed(event, name, order):
    missing, value = rank(event, name, order)
    return (missing, _Reversed(value) if order == "desc" and not missing else value)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, st.sampled_from(["user.name", "process.args", "tags2", "process.pid"]))
def test_aggregations_count_what_the_query_finds(store, query, name):
    answer = found(
        store,
        {
            "query": query,
            "size": 0,
            "aggs": {
                "values": {"terms": {"field": name, "size": 100}, "aggs": {"n": {"cardinality": {"field": "id"}}}},
                "distinct": {"cardinality": {"field": name}},
                "hours": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h", "min_doc_count": 1}},
                "pids": {"stats": {"field": "process.pid"}},
                "last": {"max": {"field": "@timestamp"}},
                "without": {"missing": {"field": name}},
            },
        },
    )
    matching = [event for _, event in EVENTS if holds(query, event)]
    counts = Counter(value for event in matching for value in set(values(event, name)))
    buckets = answer.aggregations["values"]["buckets"]
    assert {bucket["key"]: bucket["doc_count"] for bucket in buckets} == counts
    assert all(bucket["n"]["value"] == bucket["doc_count"] for bucket in buckets)
    assert answer.aggregations["distinct"]["value"] == len(counts)
    hours = Counter(event["@timestamp"][:13] for event in matching)
    spans = answer.aggregations["hours"]["buckets"]
    assert {bucket["key_as_string"][:13]: bucket["doc_count"] for bucket in spans} == hours
    pids = [pid for event in matching for pid in values(event, "process.pid")]
    stats = answer.aggregations["pids"]
    assert (stats["count"], stats["sum"]) == (len(pids), sum(pids))
    assert (stats["min"], stats["max"]) == ((min(pids), max(pids)) if pids else (None, None))
    last = max((to_nanoseconds(event["@timestamp"]) // 1_000_000 for event in matching), default=None)
    assert answer.aggregations["last"]["value"] == last
    assert answer.aggregations["without"]["doc_count"] == sum(not values(event, name) for event in matching)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("logs-one",), {"logs-one"}),
        (("logs-*", "-logs-two"), {"logs-one"}),
        (("*",), {*INDICES}),
        (("none*",), set()),
    ],
)
def test_patterns_choose_indices(store, patterns, expected):
    assert {hit["_index"] for hit in found(store, {"size": 500}, patterns).hits} == expected


def test_a_search_ends_when_its_time_is_up(store):
    context = context_of(store, ["*"])
    request = read_search({}, context)
    with pytest.raises(SearchStoppedError, match="too long"):
        run_search(store, ["*"], request, context.schema, Clock(until=0))
    with pytest.raises(SearchStoppedError, match="cancelled"):
        run_search(store, ["*"], request, context.schema, Clock(cancelled=lambda: True))


@pytest.mark.parametrize(
    ("where", "kind"), [("figures.MOST_VALUES", "cardinality"), ("buckets.MOST_VALUES", "terms")], ids=lambda x: x
)
def test_more_values_than_are_held_are_refused(store, monkeypatch, where, kind):
    monkeypatch.setattr(f"tocsin.search.{where}", 50)
    with pytest.raises(SearchError, match=r"values|buckets"):
        found(store, {"size": 0, "aggs": {"a": {kind: {"field": "id"}}}})
