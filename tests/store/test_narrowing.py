"""Scans that bound values and times read few rows, and never leave out one that is wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tocsin.moments import to_nanoseconds
from tocsin.store.events import Document, Scan
from tocsin.store.lake.lake import LakeSettings, LakeStore

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOSTS = ("WS-1", "WS-2", "WS-3")


def at(second: int) -> int:
    return to_nanoseconds(BEGIN + timedelta(seconds=second))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    lake = LakeStore(tmp_path_factory.mktemp("narrowing"), LakeSettings(flush_after=1e9, maintain_every=1e9))
    documents = []
    for number in range(3_000):
        event = {
            "@timestamp": (BEGIN + timedelta(seconds=number)).isoformat(), "number": number,
            "host": {"name": HOSTS[number % 50 % 3] if number % 50 < 3 else f"OTHER-{number % 50}"},
            "user": {"name": ["a", "b"] if number == 1_000 else "a"},
        }  # fmt: skip
        documents.append(Document("logs-a-default", at(number), orjson.dumps(event)))
    lake.add(documents)
    lake.flush()
    yield lake
    lake.close()


def numbers(store: LakeStore, **scan) -> tuple[list[int], int]:
    """Return the numbers of the events of the hosts that are asked for, and how many rows were read."""
    wanted, rows = [], 0
    for batch in store.scan(Scan(["*"], {"number"}, **scan)):
        rows += batch.rows
        documents = [orjson.loads(source) for source in batch.sources(list(range(batch.rows)))]
        assert batch.columns["number"].to_pylist() == [document["number"] for document in documents]
        assert len(batch.ids([0])) == 1
        hosts = scan["equal"].get("host.name", ())
        wanted += [document["number"] for document in documents if not hosts or document["host"]["name"] in hosts]
    return sorted(wanted), rows


def test_rows_of_other_hosts_are_not_read(store):
    own, rows = numbers(store, equal={"host.name": frozenset({"WS-2"})})
    assert own == list(range(1, 3_000, 50))
    assert rows == len(own)


def test_rows_outside_of_a_span_are_not_read_with_them(store):
    own, rows = numbers(store, equal={"host.name": frozenset({"WS-1", "WS-3"})}, start=at(100), end=at(203))
    assert own == [100, 102, 150, 152, 200, 202]
    assert rows == len(own)


def test_what_nearly_all_have_is_read_whole(store):
    _, rows = numbers(store, equal={"host.name": frozenset(HOSTS) | {f"OTHER-{n}" for n in range(3, 40)}})
    assert rows == 3_000


def test_a_field_of_several_values_leaves_nothing_out(store):
    own, _ = numbers(store, equal={"user.name": frozenset({"b"})})
    assert 1_000 in own


def test_a_value_that_no_event_has_reads_nothing(store):
    assert numbers(store, equal={"host.name": frozenset({"nowhere"})}) == ([], 0)


def test_a_field_that_no_event_has_reads_nothing(store):
    assert numbers(store, equal={"process.entity_id": frozenset({"a"})}) == ([], 0)


def test_a_name_of_an_index_leaves_nothing_out(store):
    assert numbers(store, equal={"_index": frozenset({"logs-a-default"})})[1] == 3_000
