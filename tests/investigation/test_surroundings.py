"""What was beside a host or a user, and its logons, are found the same whether by one search or by two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.store.memory import MemoryStore
from tocsin.investigation.surroundings import host_of, user_of
from tocsin.moments import to_nanoseconds
from tocsin.search.selection import Clock
from tocsin.search.tasks import SearchTask
from tocsin.store.events import Document

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVENT = {"host.name": "WS-1", "user.name": "anna"}


@pytest.fixture(scope="module")
def store():
    memory = MemoryStore()
    for minute, (host, user, code) in enumerate(
        [("WS-1", "anna", "1"), ("WS-1", "anna", "4624"), ("WS-1", "bert", "4624"), ("WS-2", "anna", "4624")]
    ):
        at = NOW + timedelta(minutes=minute)
        event = {
            "@timestamp": at.isoformat(), "event": {"code": code}, "host": {"name": host}, "user": {"name": user},
        }  # fmt: skip
        memory.add([Document("logs-a-default", to_nanoseconds(at), orjson.dumps(event))])
    return memory


@pytest.mark.parametrize(
    ("party", "others", "logons"),
    [
        (host_of(EVENT), {"anna": 2, "bert": 1}, ["WS-1 bert", "WS-1 anna"]),
        (user_of(EVENT), {"WS-1": 2, "WS-2": 1}, ["WS-2 anna", "WS-1 anna"]),
    ],
    ids=["host", "user"],
)
def test_others_and_last_logons_of_a_party(store, party, others, logons):
    start = to_nanoseconds(NOW)
    answers = [
        orjson.loads(SearchTask(["*"], body)(store, Clock()))
        for body in party.beside_and_logons((start, start + 3_600_000_000_000))
    ]
    buckets = answers[0]["aggregations"]["others"]["buckets"]
    assert {bucket["key"]: bucket["doc_count"] for bucket in buckets} == others
    hits = answers[-1]["hits"]
    assert hits["total"]["value"] == len(logons)
    fields = [hit["fields"] for hit in hits["hits"]]
    assert [f"{of['host.name'][0]} {of['user.name'][0]}" for of in fields] == logons


def test_logons_of_a_host_are_among_its_events_and_are_searched_with_them():
    party = host_of(EVENT)
    assert party is not None
    assert len(party.beside_and_logons(None)) == 1
