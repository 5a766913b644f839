"""Documents of Windows' logs of which something made ECS in part: a category, a type, a process' id.

A pipeline of somebody's own, a Logstash filter or `fields` in a Beat's configuration sets a field or two beside
`winlog.event_data`, in ECS' words or in none (`event.category: windows`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.sources import shippers
from tests.sources.ten_events import TEN
from tocsin.ingest.intake import Intake
from tocsin.sources.batch import EventBatch, Rejects, Wanted, flatten, unflatten
from tocsin.sources.convert import write_parquet
from tocsin.sources.document import Documents
from tocsin.sources.formats.json_events import layout_of
from tocsin.sources.formats.json_layout import DocumentLayout
from tocsin.sources.inputs import Input
from tocsin.sources.read import read_inputs
from tocsin.sources.windows.unfinished import is_unfinished
from tocsin.store.events import Document

SYSMON_1, _ = TEN["Sysmon 1"]

# What something set: the fields that it set, and what these and some others are then.
PARTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a category": (
        {"event.category": ["process"]},
        {"event.category": ["process"], "event.type": ["start"], "process.name": "cmd.exe"},
    ),
    "a category and a type": (
        {"event.category": ["process"], "event.type": ["start"]},
        {"event.category": ["process"], "event.type": ["start"], "process.name": "cmd.exe"},
    ),
    "another type": (
        {"event.category": ["process"], "event.type": ["info"]},
        {"event.type": ["info", "start"], "process.name": "cmd.exe"},
    ),
    "a category that ECS does not know": (
        {"event.category": "windows"},
        {"event.category": ["windows", "process"], "event.type": ["start"], "process.name": "cmd.exe"},
    ),
    "a category of another kind": (
        {"event.category": ["host"]},
        {"event.category": ["host", "process"], "event.type": ["start"], "process.name": "cmd.exe"},
    ),
    "an empty category": (
        {"event.category": []},
        {"event.category": ["process"], "event.type": ["start"], "process.name": "cmd.exe"},
    ),
    "a process id of its own": (
        {"event.category": ["process"], "process.pid": 3000},
        {"process.pid": 3000, "process.name": "cmd.exe"},
    ),
    "a name and a type of its own": (
        {"event.category": ["process"], "event.type": ["start"], "process.name": "svchost.exe"},
        {"process.name": "svchost.exe", "process.args": ["cmd.exe", "/c", "echo hi"]},
    ),
    "an action of its own": (
        {"event.category": ["process"], "event.action": "created"},
        {"event.action": "created", "process.name": "cmd.exe"},
    ),
    "the task for an action": (
        {"event.category": ["process"], "event.action": "Process Create (rule: ProcessCreate)"},
        {"event.action": "Process creation", "process.name": "cmd.exe"},
    ),
}


def document(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what Winlogbeat 8 sends, and some fields beside."""
    return unflatten(flatten(shippers.winlogbeat(SYSMON_1, "8.17.0")) | fields)


def finished() -> list[dict[str, Any]]:
    """Return ten documents of which a pipeline has made ECS."""
    found = []
    for record, _ in TEN.values():
        event = Documents().normalise(shippers.winlogbeat(record, "8.17.0"))
        event.pop("_index")
        found.append(unflatten(event))
    return found


@pytest.mark.parametrize("title", PARTS)
def test_the_tables_give_what_a_document_lacks(title: str) -> None:
    given, expected = PARTS[title]
    event = Documents().normalise(document(given))
    assert {name: event.get(name) for name in expected} == expected


@pytest.mark.parametrize("title", PARTS)
def test_bulk_requests_store_what_the_tables_give(title: str) -> None:
    given, expected = PARTS[title]
    taken = Intake().take("logs-test-default", None, orjson.dumps(document(given)))
    assert isinstance(taken, Document)
    stored = flatten(orjson.loads(taken.source))
    assert {name: stored.get(name) for name in expected} == expected


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
@pytest.mark.parametrize("title", PARTS)
def test_among_finished_documents_the_tables_give_what_one_lacks(title: str, form: str, tmp_path: Path) -> None:
    given, expected = PARTS[title]
    lines = finished() * 20
    lines.insert(150, document(given))
    path = tmp_path / f"events.{form}"
    if form == "ndjson":
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    else:
        with path.open("wb") as file:
            write_parquet(map(flatten, lines), file)
    batches = list(read_inputs([Input(path.name, path)], Wanted(frozenset(expected)), Rejects()))
    found = [row for batch in batches for row in rows_of(batch, expected)]
    assert len(found) == len(lines)
    assert expected in found


def rows_of(batch: EventBatch, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return some fields of each event of a batch, as rules see them."""
    columns = {name: column.to_pylist() for name in names if (column := batch.table.raw(name)) is not None}
    return [
        {name: columns[name][row] if name in columns else None for name in names}
        for row in range(batch.table.rows)
    ]


def test_finished_documents_stay_as_they_are_and_are_read_as_columns() -> None:
    lines = finished()
    assert [is_unfinished(line) for line in lines] == [False] * len(lines)
    block = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    layout = layout_of(lines, frozenset(("event.category", "process.name")), Documents())
    assert isinstance(layout, DocumentLayout)
    columns = layout.read(block, len(lines))
    assert columns is not None
    assert columns.rows == len(lines)
    for line in lines:
        assert Documents().normalise(line) == flatten(line) | {"_index": "winlogbeat-default"}


@pytest.mark.parametrize("kind", range(len(TEN)))
@pytest.mark.parametrize("with_data", [True, False], ids=["with event data", "without event data"])
def test_documents_of_kinds_that_the_sample_lacks_are_judged_too(kind: int, with_data: bool) -> None:
    """A layout made of one kind reads a block of all kinds, with documents that lack something among them."""
    lines = finished()
    sample = lines[kind] if with_data else without_event_data(lines[kind])
    listed = (
        given for given, _ in PARTS.values() if isinstance(given["event.category"], list)
    )  # as all of a column
    mixed = [line for pair in zip(lines, map(document, cycle(listed)), strict=False) for line in pair]
    block = b"".join(orjson.dumps(line) + b"\n" for line in mixed)
    layout = layout_of([sample] * 64, frozenset(("event.category", "process.name")), Documents())
    assert isinstance(layout, DocumentLayout)
    columns = layout.read(block, len(mixed))
    assert columns is not None
    assert set(columns.left) >= {number for number, line in enumerate(mixed) if is_unfinished(line)}
    assert not {number for number, line in enumerate(mixed) if number % 2 == 0} & set(columns.left)


def without_event_data(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as a pipeline leaves it that removes event data."""
    return {
        **document,
        "winlog": {name: value for name, value in document["winlog"].items() if name != "event_data"},
    }


def test_a_category_alone_does_not_make_a_document_of_another_log_a_windows_event() -> None:
    event = {"@timestamp": "2026-11-20T10:00:00Z", "event": {"category": ["process"], "code": "1"}}
    assert not is_unfinished(event)


def test_a_time_before_any_sysmon_is_none() -> None:
    sent = document({"winlog.event_data.UtcTime": "1601-01-01 00:00:00.000"})
    assert Documents().normalise(sent)["@timestamp"] == sent["@timestamp"]


def test_version_3_of_a_logon_has_its_names() -> None:
    """The order is that of real events of Windows 11 24H2: RemoteCredentialGuard follows RestrictedAdminMode."""
    record = {
        "TimeCreated": "2026-11-20 10:00:00 +0000", "ProviderName": "Microsoft-Windows-Security-Auditing",
        "EventID": 4624, "Version": 3, "Channel": "Security", "Computer": "w",
        "StringInserts": [
            "S-1-0-0", "-", "-", "0x0", "S-1-5-21-1-2-3-1002", "bob", "LAB", "0x99", "3", "NtLmSsp ", "NTLM", "X",
            "{12345678-1234-1234-1234-123456789012}", "-", "NTLM V2", "128", "0x0", "-", "198.51.100.7", "5000",
            "%%1833", "-", "%%1842", "-", "-", "%%1843", "0x0", "%%1842",
        ],
    }  # fmt: skip
    event = Documents().normalise(record)
    assert event["user.name"] == "bob"
    assert event["source.ip"] == "198.51.100.7"
    assert event["winlog.event_data.RemoteCredentialGuard"] == "%%1842"
    assert event["winlog.event_data.ElevatedToken"] == "%%1842"
