"""Raw records of each product become the ECS events that its public integration makes of them."""

from __future__ import annotations

import copy
import io
import itertools
import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.products import CASES, crowdstrike, readable_as_columns
from tests.sources.products.case import Case
from tocsin.engine.table import EventTable, table_from_events
from tocsin.sources.batch import Rejects, Wanted, gather
from tocsin.sources.document import Documents
from tocsin.sources.formats.json_events import read_json
from tocsin.sources.mapping import DATASETS
from tocsin.sources.products.product import PRODUCTS

ALL = [pytest.param(name, case, id=f"{name}: {case.title}") for name, cases in CASES.items() for case in cases]


def documents() -> Documents:
    """Return documents that know the hosts and users of the records here."""
    taught = Documents()
    taught.row_of(crowdstrike.HOST_RECORD)
    taught.row_of(crowdstrike.USER_RECORD)
    return taught


def test_every_product_has_cases() -> None:
    assert CASES.keys() == PRODUCTS.keys()


@pytest.mark.parametrize(("name", "case"), ALL)
def test_a_record_becomes_what_the_integration_makes_of_it(name: str, case: Case) -> None:
    event = documents().normalise(case.record)
    expected = case.integration | {field: value for field, (value, _) in case.differs.items()}
    assert {field: event.get(field) for field in expected} == expected
    assert event["event.dataset"] == event["data_stream.dataset"] == name


@pytest.mark.parametrize(("name", "case"), ALL)
def test_a_difference_from_the_integration_is_one(name: str, case: Case) -> None:
    same = [field for field, (value, _) in case.differs.items() if case.integration.get(field) == value]
    assert same == []


# ---- many records at once


def read(records: list[Any], fields: frozenset[str]) -> tuple[list[dict[str, Any]], bool]:
    """Return fields of records that are read as lines, and whether they were read as columns."""
    file = io.BytesIO("".join(json.dumps(record) + "\n" for record in records).encode())
    events: list[dict[str, Any]] = []
    columnar = False
    for batch in gather(read_json(file, "x", Wanted(fields), Rejects(), documents()), fields, 1):
        columnar = columnar or batch.table.is_columnar
        columns = {name: values_of(batch.table, name) for name in fields}
        events += [{name: columns[name][row] for name in fields} for row in range(batch.table.rows)]
    return events, columnar


def values_of(table: EventTable, name: str) -> list[Any]:
    """Return a field of every row as the evaluator sees it: a list of values."""
    column = table.column(name)
    if column is None:
        return [[]] * table.rows
    values = [None if code < 0 else column.objects[code] for code in column.codes.tolist()]
    offsets = range(len(values) + 1) if column.offsets is None else column.offsets.tolist()
    return [[v for v in values[a:b] if v is not None] for a, b in itertools.pairwise(offsets)]


def one_by_one(records: list[Any], fields: frozenset[str]) -> list[dict[str, Any]]:
    """Return fields of records that are read one by one."""
    taught = documents()
    table = table_from_events([taught.row_of(record) for record in records], fields)
    columns = {name: values_of(table, name) for name in fields}
    return [{name: columns[name][row] for name in fields} for row in range(table.rows)]


def fields_of(name: str) -> frozenset[str]:
    """Return every field that a product's records may have."""
    dataset = DATASETS[name]
    kept = {"crowdstrike": "AuthenticationId", "m365_defender.event": "MachineGroup"}.get(dataset.kept, "x")
    targets = (*(row.target for row in dataset.rows), *(one.target for one in dataset.derived))
    return frozenset((*targets, "event.category", "event.dataset", "_index", f"{dataset.kept}.{kept}"))


@pytest.mark.parametrize("name", CASES)
def test_records_read_as_columns_are_what_they_are_one_by_one(name: str) -> None:
    records = random.Random(5).choices(readable_as_columns(name), k=600)
    events, columnar = read(records, fields_of(name))
    assert columnar
    assert events == one_by_one(records, fields_of(name))


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", "-", "\\", "a\\b", "1.2.3.4;;::1;", "type: 1",
                     "{", "[]", '{"direction":"In"}', "S-1-5-18"]),
    st.lists(st.text(max_size=3), max_size=2), st.dictionaries(st.text(max_size=3), st.none(), max_size=1),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, name: str) -> list[Any]:
    """Draw records of a product, some of whose values are gone or odd."""
    records = []
    for case in draw(st.lists(st.sampled_from(CASES[name]), min_size=1, max_size=6)):
        record = copy.deepcopy(case.record)
        body: dict[str, Any] = record.get("properties") or record.get("endgame") or record
        for key in draw(st.lists(st.sampled_from(sorted(body)), max_size=3)):
            body[key] = draw(ODD)
        for key in draw(st.lists(st.sampled_from(sorted(body)), max_size=2)):
            body.pop(key, None)
        records.append(record)
    return records


@pytest.mark.parametrize("name", CASES)
@settings(deadline=None)
@given(data=st.data())
def test_odd_values_are_read_alike_as_columns_and_one_by_one(name: str, data: st.DataObject) -> None:
    records = data.draw(mutated(name))
    fields = fields_of(name)
    events, _ = read(records, fields)
    assert events == one_by_one([orjson.loads(json.dumps(record)) for record in records], fields)
