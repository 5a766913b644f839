"""What one index's mapping or documents do to it does nothing to the others."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.test_lake import SLOW, document, sources
from tests.waiting import eventually
from tocsin.store.events import DocumentResult, Scan, StoreError
from tocsin.store.lake.lake import LakeStore
from tocsin.store.lake.repair import check, repair
from tocsin.store.mappings.merging import merged
from tocsin.store.mappings.reading import read_mapping
from tocsin.store.mappings.types import MappingError

ODD, PLAIN = "logs-odd-default", "logs-plain-default"
MOMENT = "2026-11-27T08:00:00Z"

# A type that a mapping may give a field that the store fills or copies, and values for it.
TYPES = [
    ("keyword", ["x", ["x", "y"]]),
    ("long", [5, [5, 6], "7"]),
    ("double", [1.5, [1.5, 2]]),
    ("boolean", [True, [True, False]]),
    ("ip", ["192.0.2.1", ["192.0.2.1", "192.0.2.2"]]),
    ("version", ["1.2", ["1.2", "1.3"]]),
    ("date", [MOMENT, [MOMENT, "2026-11-28T08:00:00Z"]]),
    ("date_nanos", ["2026-11-27T08:00:00.123456Z", [MOMENT, "2026-11-28T08:00:00Z"]]),
    ("text", ["some text", ["some", "text"]]),
    ("wildcard", ["x", ["x", "y"]]),
    ("flattened", [{"a": "b"}, [{"a": "b"}, {"a": "c"}]]),
    ("object", [{"a": 1}, [{"a": 1}, {"a": 2}]]),
    ("nested", [{"a": 1}, [{"a": 1}, {"a": 2}]]),
    ("binary", ["aaaa"]),
    ("geo_point", ["1,2", [1, 2]]),
]


@pytest.fixture
def lake(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    yield lake
    lake.close()


def mapped(field, about):
    return read_mapping({"properties": {field: about}}, {"index.mapping.ignore_malformed": True})


def found(lake, index):
    return sorted(orjson.loads(source)["n"] for source in sources(lake, patterns=(index,)))


def columns(lake, index, field):
    batches = lake.scan(Scan([index], {field}))
    return [value for batch in batches if field in batch.columns for value in batch.columns[field].to_pylist()]


@pytest.mark.parametrize("field", ["event.ingested", "user.name", "host.name", "@timestamp"])
@pytest.mark.parametrize(("kind", "values"), TYPES, ids=[kind for kind, _ in TYPES])
def test_a_field_of_the_stores_own_may_have_any_type(tmp_path, field, kind, values):
    """A mapping comes with a template, which whoever may send events may give."""
    lake = LakeStore(tmp_path, SLOW)
    lake.begin(ODD, mapped(field, {"type": kind}))
    number = 0
    for value in (None, *values, None):  # a commit each: the index's table has to take all of them
        number += 1
        given = {} if value is None or field == "@timestamp" else {field: value}
        lake.add([document(ODD, n=number, **given), document(PLAIN, n=number)])
        for index in (ODD, PLAIN):
            assert found(lake, index) == list(range(1, number + 1))
        lake.flush()
    lake.close()
    lake = LakeStore(tmp_path, SLOW)
    assert lake.set_aside() == []
    for index in (ODD, PLAIN):
        assert found(lake, index) == list(range(1, number + 1))
    columns(lake, ODD, field)
    lake.close()


NAMES = ["event.ingested", "user.name", "host.name", "process.pid", "a", "a.b"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.just(MOMENT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab."), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=20, deadline=None)
@given(
    kinds=st.dictionaries(st.sampled_from(NAMES), st.sampled_from([kind for kind, _ in TYPES]), max_size=4),
    commits=st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), min_size=1, max_size=4),
)
def test_no_mapping_and_no_value_sets_an_index_aside(tmp_path_factory, kinds, commits):
    folder = tmp_path_factory.mktemp("lake")
    lake = LakeStore(folder, SLOW)
    for name, kind in kinds.items():  # one that contradicts another is none
        with suppress(MappingError):
            lake.begin(ODD, merged(lake.mapping(ODD), mapped(name, {"type": kind})))
    for number, given_ in enumerate(commits):
        lake.add([document(ODD, n=number, **given_)])
        lake.flush()
    assert found(lake, ODD) == list(range(len(commits)))
    for name in NAMES:
        columns(lake, ODD, name)
    assert lake.set_aside() == []
    lake.close()


@pytest.mark.parametrize(
    "about", [{"type": "date"}, {"type": "date_nanos"}, {"type": "date", "format": "epoch_millis"}]
)
@pytest.mark.parametrize("flushed", [False, True])
def test_when_an_event_was_ingested_is_when_it_arrived_unless_it_says(lake, about, flushed):
    lake.begin(ODD, mapped("event.ingested", about))
    said, several = 1_764_230_400_000, [1_764_230_400_000, 1_764_316_800_000]
    lake.add([document(ODD, n=1), document(ODD, n=2, **{"event.ingested": said})])
    lake.add([document(ODD, n=3, **{"event.ingested": several})])
    if flushed:
        lake.flush()
    shown = columns(lake, ODD, "event.ingested")
    flat = [[value] if not isinstance(value, list) else value for value in shown]
    assert sorted(map(len, flat)) == [1, 1, 2]
    of_2025 = [value for values in flat for value in values if value.year == 2025]
    assert len(of_2025) == 3, "those that events say"


def contradicted(folder):
    """A store with an index whose mapping says something else of a field than its table has."""
    lake = LakeStore(folder, SLOW)
    lake.add([document(index, n=1, place=5) for index in (ODD, PLAIN)])
    lake.flush()
    lake.begin(ODD, mapped("place", {"type": "keyword"}))
    lake.add([document(ODD, n=2, place="here"), document(PLAIN, n=2)])
    return lake


def set_aside(lake):
    return [one.name for one in lake.set_aside()]


def test_an_index_whose_table_takes_no_more_events_is_set_aside(tmp_path):
    lake = contradicted(tmp_path)
    with suppress(StoreError):  # that it is tried again
        lake.flush()
    eventually(lambda: set_aside(lake) == [ODD])
    outcomes = lake.add([document(ODD, n=3), document(PLAIN, n=3)])
    assert [one.result for one in outcomes] == [DocumentResult.SET_ASIDE, DocumentResult.CREATED]
    lake.flush()
    assert found(lake, PLAIN) == [1, 2, 3]
    assert lake.check() is None, "nothing is wrong with the store itself"
    lake.close()
    again = LakeStore(tmp_path, SLOW)
    eventually(lambda: set_aside(again) == [ODD])
    again.add([document(PLAIN, n=4)])
    again.flush()
    assert found(again, PLAIN) == [1, 2, 3, 4]
    again.close()


def test_such_an_index_is_found_by_a_check_and_mended_by_a_repair(tmp_path, caplog):
    contradicted(tmp_path).close()
    assert [one.name for one in check(tmp_path)] == [ODD]
    assert "Traceback" not in caplog.text
    told: list[str] = []
    assert repair(tmp_path, told.append) == [], told
    lake = LakeStore(tmp_path, SLOW)
    assert found(lake, ODD) == found(lake, PLAIN) == [1, 2]
    assert sorted(columns(lake, ODD, "place")) == ["5", "here"]
    lake.close()
