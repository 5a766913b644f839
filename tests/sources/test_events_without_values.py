"""Windows events that came without their values are counted, whichever way they come in and whoever asks."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources import shippers
from tests.sources.ten_events import TEN
from tests.sources.test_events_without_names import fluent_bit, xml_of
from tocsin.ecs import default_schema
from tocsin.ingest.files import send_files
from tocsin.ingest.intake import Intake
from tocsin.sources.batch import Rejects, Wanted, unflatten
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.mapping import ALWAYS, DATASETS
from tocsin.sources.read import read_inputs
from tocsin.sources.unseen import Judge, Reason, lacks_values
from tocsin.sources.windows.record import to_ecs

Record = dict[str, Any]
SYSMON, SECURITY = TEN["Sysmon 1"][0], TEN["Security 4688"][0]


def emptied(record: Record) -> Record:
    """Return a record whose values were left out."""
    found = copy.deepcopy(record)
    found["Event"]["EventData"] = {}
    return found


def in_ecs(record: Record) -> Record:
    """Return what a pipeline made of a record."""
    event = to_ecs(record)
    return {name: value for name, value in unflatten(event).items() if name != "_index"}


def as_lines(records: list[Record], path: Path) -> None:
    path.write_bytes(b"\n".join(map(orjson.dumps, records)))


def as_array(records: list[Record], path: Path) -> None:
    path.write_text(json.dumps(records, indent=1))


def as_hits(records: list[Record], path: Path) -> None:
    as_lines([{"_index": "logs-x-default", "_id": str(n), "_source": one} for n, one in enumerate(records)], path)


def as_parquet(records: list[Record], path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(records), path)


def as_xml(records: list[Record], path: Path) -> None:
    path.write_text("\n".join(map(xml_of, records)))


def without_message(record: Record) -> Record:
    return {**fluent_bit(record, with_values=False), "Message": "Ein Prozess wurde erstellt."}


def numbered_in_ecs(record: Record) -> Record:
    """Return what a pipeline made of numbered values: a category, and nothing else."""
    document = in_ecs(emptied(record))
    document["winlog"]["event_data"] = {"param1": "of what?"}
    return document


def shipped(record: Record) -> Record:
    document = shippers.winlogbeat(record)
    if not record["Event"]["EventData"]:
        document["winlog"].pop("event_data")
    return document


WAYS: dict[str, tuple[Callable[[Record], Record], Callable[[Record], Record], Callable[..., None]]] = {
    # what a whole event becomes, what one without its values, and how both are written
    "shipped, lines": (shipped, lambda r: shipped(emptied(r)), as_lines),
    "shipped, an array": (shipped, lambda r: shipped(emptied(r)), as_array),
    "shipped, hits": (shipped, lambda r: shipped(emptied(r)), as_hits),
    "shipped, Parquet": (shipped, lambda r: shipped(emptied(r)), as_parquet),
    "in ECS, lines": (in_ecs, numbered_in_ecs, as_lines),
    "in ECS, an array": (in_ecs, numbered_in_ecs, as_array),
    "in ECS, hits": (in_ecs, numbered_in_ecs, as_hits),
    "in ECS, Parquet": (in_ecs, numbered_in_ecs, as_parquet),
    "XML": (lambda r: r, emptied, as_xml),
    "nested": (lambda r: r, emptied, as_lines),
    "Fluent Bit": (fluent_bit, without_message, as_lines),
}
FIELDS = frozenset(("@timestamp", "event.category", "process.name"))


def written(way: str, tmp_path: Path) -> Path:
    """Return a file of three events, one of them without its values."""
    whole, without, write = WAYS[way]
    path = tmp_path / "events"
    write([whole(SYSMON), without(SYSMON), whole(SECURITY)], path)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_a_hunt_counts_events_without_their_values(tmp_path: Path, way: str) -> None:
    rejects = Rejects()
    wanted = Wanted(FIELDS, None, Judge(FIELDS))
    batches = list(read_inputs(find_inputs([str(written(way, tmp_path))]), wanted, rejects))
    assert sum(batch.events for batch in batches) == 3
    assert rejects.unseen.total(Reason.NO_VALUES) == 1, rejects.unseen.document()
    assert rejects.total == 0
    (line,) = rejects.unseen.lines()
    assert "none of the values of their kind" in line


@pytest.mark.parametrize("way", WAYS)
def test_a_conversion_counts_them(tmp_path: Path, way: str) -> None:
    rejects = Rejects()
    batches = read_inputs(find_inputs([str(written(way, tmp_path))]), Wanted(FIELDS), rejects)
    assert len(list(whole_events(batches, unseen=rejects.unseen))) == 3
    assert rejects.unseen.total(Reason.NO_VALUES) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_ingested_counts_them(tmp_path: Path, way: str) -> None:
    rejects = Rejects()
    inputs = find_inputs([str(written(way, tmp_path))])
    send_files(inputs, lambda actions: [{"status": 201} for _ in actions], rejects)
    assert rejects.unseen.total(Reason.NO_VALUES) == 1


@pytest.mark.parametrize("way", ["shipped, lines", "in ECS, lines", "nested", "Fluent Bit"])
def test_a_bulk_request_counts_them_by_index(way: str) -> None:
    whole, without, _ = WAYS[way]
    intake = Intake()
    for record in (whole(SYSMON), without(SYSMON), whole(SECURITY)):
        assert not hasattr(intake.take("logs-windows.sysmon-default", None, orjson.dumps(record)), "reason")
    assert sum(intake.unseen.document()[Reason.NO_VALUES.value].values()) == 1


@pytest.mark.parametrize("title", TEN)
def test_what_each_kind_always_has_it_has(title: str) -> None:
    event = to_ecs(TEN[title][0])
    assert (event["event.dataset"], event["event.code"]) in ALWAYS
    assert not lacks_values(event.get)
    assert lacks_values(to_ecs(emptied(TEN[title][0])).get)


def test_what_kinds_always_have_are_fields_that_exist() -> None:
    for dataset in DATASETS.values():
        for kind in dataset.kinds.values():
            assert not kind.always or default_schema().find(kind.always) is not None, (dataset.name, kind)


def test_documents_of_no_known_kind_are_not_judged() -> None:
    event = Documents().normalise({"@timestamp": "2026-11-20T10:00:00Z", "event": {"code": "1", "dataset": "x.y"}})
    assert not lacks_values(event.get)
