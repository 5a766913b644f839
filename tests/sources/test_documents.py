"""What a record is taken for: recognised one by one, or overridden by name; and nothing goes uncounted."""

from __future__ import annotations

import copy
import gzip
import io
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenario import Machine
from tests.shared import needs_shared, shared
from tests.sources.products import crowdstrike, elastic, endgame, m365_defender, sentinel_one
from tests.sources.products.case import Process, Record
from tests.sources.test_exported import exported
from tocsin.errors import InputError
from tocsin.sources.batch import Rejects, Wanted, gather
from tocsin.sources.catalogue import find_source
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.formats.json_events import read_json
from tocsin.sources.formats.json_text import JsonText
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

PROCESS = Process("C:\\Windows\\System32\\cmd.exe", "cmd.exe /c run", original_file_name="Cmd.Exe")
WINDOWS = Machine("WS-0142.corp.example.com", "CORP\\m.weber", 5).process(
    PROCESS.image, "", "C:\\a.exe", "Cmd.Exe"
)
NXLOG = {"Channel": "Security", "EventID": 4634, "SourceName": "Microsoft-Windows-Security-Auditing"}
# One record of each source, and the dataset under which it is counted.
RECORDS: dict[str, Record] = {
    "m365_defender.event": m365_defender.process_started(PROCESS),
    "sentinel_one_cloud_funnel.event": sentinel_one.process_started(PROCESS),
    "crowdstrike.fdr": crowdstrike.process_started(PROCESS),
    "endgame": endgame.process_started(PROCESS),
    "endpoint.events.process": elastic.defend_process_started(PROCESS),
    "winlogbeat": elastic.winlogbeat_process_started(PROCESS),
    "windows.sysmon_operational": WINDOWS,
    "system.security": NXLOG,
    "ecs": {"@timestamp": "2026-10-06T09:00:00Z", "process": {"name": "a.exe"}},
}
FIELDS = frozenset(("process.name", "@timestamp", "_index"))


def lines(records: list[Record]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def counted(content: bytes, rejects: Rejects, source: str | None = None) -> dict[str, int]:
    found: dict[str, int] = {}
    documents = Documents(source)
    for batch in gather(read_json(io.BytesIO(content), "x", Wanted(FIELDS), rejects, documents), FIELDS, 1):
        for name in FIELDS:
            batch.table.column(name)
        for name, count in batch.counts.items():
            found[name] = found.get(name, 0) + count
    return found


def test_each_record_of_a_mixed_file_is_recognised() -> None:
    rejects = Rejects()
    found = counted(lines([*RECORDS.values(), exported(WINDOWS)] * 3), rejects)
    assert found == {name: 6 if name == "windows.sysmon_operational" else 3 for name in RECORDS}
    assert rejects.total == 0


@pytest.mark.parametrize("among", RECORDS)
@pytest.mark.parametrize("stranger", RECORDS)
def test_a_single_record_of_another_source_is_not_lost_among_many(among: str, stranger: str) -> None:
    records = [RECORDS[among]] * 3000
    records[2503] = RECORDS[stranger]  # where a sample of lines does not see it
    expected = {among: 3000} if among == stranger else {among: 2999, stranger: 1}
    assert counted(lines(records), Rejects()) == expected


def test_a_record_of_a_product_without_its_values_is_rejected() -> None:
    rejects = Rejects()
    broken = {**RECORDS["m365_defender.event"], "properties": "cut off"}
    assert counted(json.dumps(broken).encode(), rejects) == {}
    assert dict(rejects.counts) == {"not an event": 1}


def test_a_document_of_endgame_in_ecs_is_kept_as_it_is() -> None:
    document = {
        "event": {"category": ["process"], "module": "endgame"},
        "endgame": {"event_type_full": "process_event"},
    }
    event = Documents().normalise(document)
    assert (event["event.category"], event["_index"]) == (["process"], "endgame-default")


# ---- names that other records hold


def test_hosts_and_users_are_named_wherever_their_records_lie(tmp_path: Path) -> None:
    (tmp_path / "a-events.ndjson.gz").write_bytes(gzip.compress(lines([crowdstrike.process_started(PROCESS)] * 3)))
    (tmp_path / "b-users.ndjson").write_bytes(lines([crowdstrike.USER_RECORD]))
    (tmp_path / "c-hosts.gz").write_bytes(gzip.compress(lines([crowdstrike.HOST_RECORD])))
    batches = read_inputs(find_inputs([str(tmp_path)]), Wanted(frozenset()), Rejects())
    started = [event for event in whole_events(batches) if event.get("event.action") == "ProcessRollup2"]
    assert [(event["host.name"], event["user.name"], event["user.domain"]) for event in started] == [
        ("WS-0142", "m.weber", "CORP")
    ] * 3


def test_a_host_without_a_record_has_its_agents_id_and_no_name() -> None:
    event = Documents().normalise(crowdstrike.process_started(PROCESS))
    assert (event["host.id"], event.get("host.name")) == (crowdstrike.AGENT, None)


# ---- stable ids


def test_a_process_has_the_same_id_in_every_table_of_defender() -> None:
    started = Documents().normalise(m365_defender.process_started(PROCESS))
    acting = {
        "InitiatingProcessId": PROCESS.pid,
        "InitiatingProcessCreationTime": PROCESS.started.replace("Z", "0Z"),
        "InitiatingProcessParentId": PROCESS.parent_pid,
        "InitiatingProcessParentCreationTime": PROCESS.parent_started,
    }
    connected = Documents().normalise(
        m365_defender.wrapped("DeviceNetworkEvents", {"ActionType": "ConnectionSuccess", **acting})
    )
    for name in ("process.entity_id", "process.parent.entity_id"):
        assert started[name] == connected[name]
    other = Documents().normalise(
        m365_defender.wrapped("DeviceNetworkEvents", {"ActionType": "ConnectionSuccess", "InitiatingProcessId": 1})
    )
    assert "process.entity_id" not in other, "a process number alone is used again"


# ---- overriding


@pytest.mark.parametrize(
    ("action", "source", "destination", "direction"),
    [
        ("ConnectionSuccess", ("10.1.2.3", 445), ("10.1.2.9", 50112), None),
        ("InboundConnectionAccepted", ("10.1.2.9", 50112), ("10.1.2.3", 445), "inbound"),
    ],
)
def test_a_connection_that_defender_accepted_came_from_the_remote_end(
    action: str, source: tuple[str, int], destination: tuple[str, int], direction: str | None
) -> None:
    ends = {"LocalIP": "10.1.2.3", "LocalPort": 445, "RemoteIP": "10.1.2.9", "RemotePort": 50112}
    event = Documents().normalise(
        m365_defender.wrapped("DeviceNetworkEvents", {**m365_defender.INITIATING, **ends, "ActionType": action})
    )
    assert (event["source.ip"], event["source.port"]) == source
    assert (event["destination.ip"], event["destination.port"]) == destination
    assert event.get("network.direction") == direction


def test_a_named_source_is_what_records_are_taken_for() -> None:
    rejects = Rejects()
    assert counted(lines([RECORDS["endgame"], RECORDS["ecs"]]), rejects, "endgame") == {"endgame": 1}
    assert rejects.first["not an event"].detail.startswith("not a record of endgame")
    event = Documents("windows.sysmon_operational").normalise(NXLOG)
    assert event["event.dataset"] == "windows.sysmon_operational"
    event = Documents("endpoint.events.process").normalise(RECORDS["ecs"])
    assert event["_index"] == "logs-endpoint.events.process-default"


def test_a_source_may_be_named_by_a_part() -> None:
    assert find_source("m365") == "m365_defender.event"
    with pytest.raises(InputError, match="could be any of"):
        find_source("windows")
    with pytest.raises(InputError, match="no source"):
        find_source("carbon black")


# ---- nothing uncounted


def mutate(draw: st.DrawFn, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        kind = draw(st.sampled_from(("put", "cut", "turn")))
        if kind == "put":
            changed[at:at] = draw(
                st.sampled_from([b"\x00", b"\xff", b'"', b"{", b"}", b"\\", b"\n", b"9", b"[", b" "])
            )
        elif kind == "cut":
            del changed[at : at + draw(st.integers(1, 40))]
        elif changed:
            changed[at] = draw(st.integers(0, 255))
    return bytes(changed)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    first = draw(st.sampled_from(list(RECORDS.values())))
    rest = draw(st.lists(st.sampled_from(list(RECORDS.values())), min_size=1, max_size=5))
    return lines([first]) + b"".join(mutate(draw, lines([record])) for record in rest)


@st.composite
def damaged_lines(draw: st.DrawFn, real: list[bytes]) -> bytes:
    first, *rest = draw(st.lists(st.sampled_from(real), min_size=2, max_size=6))
    return first + b"\n" + b"".join(mutate(draw, line) + b"\n" for line in rest)


@given(content=damaged_files())
@settings(deadline=None, max_examples=200)
def test_every_value_of_a_damaged_file_is_an_event_or_rejected(content: bytes) -> None:
    rejects = Rejects()
    found = counted(content, rejects)
    written = list(JsonText().read(content, last=True))  # which test_json_text.py holds against the bytes
    assert sum(found.values()) + rejects.total == len(written)


ODD: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [path]
    return [path, *(found for key, inner in value.items() for found in paths(inner, (*path, key)))]


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_a_record_with_odd_values_is_an_event_or_malformed(data: st.DataObject) -> None:
    record: Any = copy.deepcopy(data.draw(st.sampled_from([*RECORDS.values(), exported(WINDOWS)])))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(record)))
        if not path:
            continue
        inner = record
        for key in path[:-1]:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[path[-1]] = data.draw(ODD)
    try:
        event = Documents().normalise(record)
    except ValueError:
        return
    assert all(isinstance(name, str) for name in event)


@needs_shared("events/mordor")
@pytest.mark.slow
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_every_value_of_damaged_real_telemetry_is_an_event_or_rejected(data: st.DataObject) -> None:
    content = data.draw(damaged_lines(real_lines()))
    rejects = Rejects()
    found = counted(content, rejects)
    written = list(JsonText().read(content, last=True))  # which test_json_text.py holds against the bytes
    assert sum(found.values()) + rejects.total == len(written)


def real_lines() -> list[bytes]:
    if not _REAL:
        import zipfile

        archive = sorted(shared("events/mordor").rglob("*.zip"))[0]
        with zipfile.ZipFile(archive) as opened:
            member = max(opened.infolist(), key=lambda info: info.file_size)
            _REAL.extend(line for line in opened.open(member).read().splitlines()[:400] if orjson.loads(line))
    return _REAL


_REAL: list[bytes] = []
