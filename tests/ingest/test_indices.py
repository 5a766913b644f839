"""Which indices a sender may begin: one does not take all that there may be."""

from __future__ import annotations

import orjson
import pytest

from tests.store.test_lake import SLOW
from tocsin.ingest.bulk import Action, Ingest
from tocsin.ingest.rejected import Rejected
from tocsin.store.lake.lake import LakeStore

EVENT = orjson.dumps({"@timestamp": "2026-11-20T10:00:00Z", "event": {"category": "process"}})


@pytest.fixture
def lake(tmp_path):
    store = LakeStore(tmp_path / "data", SLOW)
    yield store
    store.close()


@pytest.fixture
def ingest(lake, tmp_path):
    return Ingest(lake, Rejected(tmp_path / "rejected"), most_indices=16)


def sent(ingest, owner, names):
    """Return whether each of some indices took an event of a sender."""
    answers = ingest.store_all([Action("index", name, None, EVENT) for name in names], owner)
    refused = [answer["error"]["reason"] for answer in answers if "error" in answer]
    assert all("this key or user has begun as many" in reason for reason in refused), refused
    return ["error" not in answer for answer in answers]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_sender_begins_at_most_half_of_the_indices_that_others_have_left(lake, ingest, at_once):
    names = [f"logs-{number}" for number in range(16)]
    taken = sent(ingest, "key:a", names) if at_once else [sent(ingest, "key:a", [name])[0] for name in names]
    assert taken == [True] * 8 + [False] * 8
    assert sent(ingest, "key:b", [f"others-{number}" for number in range(8)]) == [True] * 4 + [False] * 4
    assert sent(ingest, "user:1", ["more-1", "more-2", "more-3"]) == [True, True, False]
    assert len(lake.names()) == 14


def test_indices_that_are_there_take_events_of_everybody(ingest):
    sent(ingest, "key:a", [f"logs-{number}" for number in range(16)])
    assert sent(ingest, "key:a", [f"logs-{number}" for number in range(8)]) == [True] * 8
    assert sent(ingest, "key:b", [f"logs-{number}" for number in range(8)]) == [True] * 8


def test_whoever_works_in_the_folder_begins_as_many_as_there_may_be(ingest):
    answers = ingest.store_all([Action("index", f"logs-{number}", None, EVENT) for number in range(16)])
    assert all("error" not in answer for answer in answers)
