"""When something was seen first and last, over all of a store's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.investigation.seen import SeenTask, spans_back, spans_onward
from tocsin.moments import iso, to_nanoseconds
from tocsin.search.selection import Clock
from tocsin.store.events import Document
from tocsin.store.lake.lake import LakeSettings, LakeStore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    lake = LakeStore(tmp_path_factory.mktemp("seen"), LakeSettings(flush_after=1e9, maintain_every=1e9))
    for host, days in (("always", (0, 1, 40, 90)), ("once", (33,))):
        for day in days:
            at = NOW - timedelta(days=day)
            event = {"@timestamp": at.isoformat(), "host": {"name": host}}
            lake.add([Document("logs-a-default", to_nanoseconds(at), orjson.dumps(event))])
    yield lake
    lake.close()


@pytest.mark.parametrize(("host", "first", "last"), [("always", 90, 0), ("once", 33, 33), ("never", None, None)])
def test_first_and_last_are_found_wherever_they_are(store, host, first, last):
    seen = orjson.loads(SeenTask({"term": {"host.name": host}})(store, Clock()))
    moments = [None if day is None else iso(to_nanoseconds(NOW - timedelta(days=day))) for day in (first, last)]
    assert [seen["first"], seen["last"]] == moments


@given(st.integers(0, 10**18), st.integers(0, 10**17))
def test_spans_cover_all_time_without_a_gap(start, length):
    end = start + length
    back, onward = list(spans_back(start, end)), list(spans_onward(start, end))
    for spans in (back[::-1], onward):
        assert (spans[0][0], spans[-1][1]) == (start, end)
        assert all(before[1] + 1 == after[0] for before, after in pairwise(spans))
