"""Converted events are the events that rules read: as many, with every field."""

import io
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenario import EXAMPLES
from tests.sources.products import crowdstrike
from tocsin.eql.functions import to_string
from tocsin.sources.batch import Rejects, Wanted, flatten
from tocsin.sources.convert import whole_events, write_ndjson, write_parquet
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

NAMES = st.sampled_from(("process.name", "process.pid", "event.category", "x.y", "x.z", "message"))
SCALARS = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e6, 1e6) | st.text(max_size=3)
EVENTS = st.lists(
    st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, min_size=1, max_size=3), max_size=4), max_size=6
)


def parquet(events: list[dict[str, Any]]) -> Any:
    out = io.BytesIO()
    assert write_parquet(iter(events), out) == len(events)
    out.seek(0)
    return pq.read_table(out)


@pytest.mark.parametrize(
    ("values", "type_", "held"),
    [
        ([1, None, 2], "int64", [1, None, 2]),
        ([1, 2.5], "double", [1.0, 2.5]),
        ([2**53 + 1, 2.5], "string", ["9007199254740993", "2.5"]),
        ([True], "bool", [True]),
        (["a", "b"], "string", ["a", "b"]),
        (["a", ["b", "c"]], "list<element: string>", [["a"], ["b", "c"]]),
        ([1, "a", True], "string", ["1", "a", "true"]),
        ([2**64 - 1, 1], "string", ["18446744073709551615", "1"]),
        ([True, 1], "string", ["true", "1"]),
    ],
)
def test_a_column_has_the_narrowest_type_that_holds_its_values(
    values: list[Any], type_: str, held: list[Any]
) -> None:
    table = parquet([{"a.b": value} if value is not None else {"c": "x"} for value in values])
    assert str(table.schema.field("a.b").type) == type_
    assert table.column("a.b").to_pylist() == held


def test_no_events_are_an_empty_file() -> None:
    assert parquet([]).num_rows == 0


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_parquet_keeps_every_value_of_every_event(events: list[dict[str, Any]]) -> None:
    def items(value: Any) -> list[Any]:
        return value if isinstance(value, list) else [value]

    def same(held: Any, given: Any) -> bool:
        return bool(held == given) or held == to_string(given)

    rows = parquet(events).to_pylist()
    assert len(rows) == len(events)
    for row, event in zip(rows, events, strict=True):
        assert {name for name, value in row.items() if value is not None} == event.keys()
        for name, value in event.items():
            assert all(map(same, items(row[name]), items(value)))
            assert len(items(row[name])) == len(items(value))


def test_ndjson_reads_back_as_the_same_events() -> None:
    def events(paths: list[str]) -> list[dict[str, Any]]:
        return list(whole_events(read_inputs(find_inputs(paths), Wanted(frozenset()), Rejects())))

    before = events([str(EXAMPLES)])
    out = io.BytesIO()
    assert write_ndjson(iter(before), out) == len(before) == 329
    assert [flatten(orjson.loads(line)) for line in out.getvalue().splitlines()] == before


def test_the_original_record_is_kept_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "fdr.ndjson"
    path.write_bytes(orjson.dumps(crowdstrike.HOST_RECORD))
    (event,) = whole_events(
        read_inputs(find_inputs([str(path)]), Wanted(frozenset()), Rejects()), with_original=True
    )
    assert orjson.loads(event["event.original"]) == crowdstrike.HOST_RECORD
