"""Documents that have a name of some product's records are not taken for these, nor moved, nor refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.sources import shippers
from tests.sources.products import crowdstrike, endgame, m365_defender, sentinel_one
from tests.sources.products.case import Process
from tests.sources.ten_events import TEN
from tests.sources.test_exported import exported
from tocsin.ingest.intake import Intake
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.store.events import Document

Record = dict[str, Any]
PROCESS = Process("C:\\Windows\\System32\\cmd.exe", "cmd.exe /c run", original_file_name="Cmd.Exe")
WINDOWS = TEN["Sysmon 1"][0]
# A raw record of each product and form, and the index in which it lies.
RAW: dict[str, tuple[Record, str]] = {
    "endgame": (endgame.process_started(PROCESS), "endgame-default"),
    "crowdstrike": (crowdstrike.process_started(PROCESS), "logs-crowdstrike.fdr-default"),
    "crowdstrike host": (crowdstrike.HOST_RECORD, "logs-crowdstrike.fdr-default"),
    "m365_defender": (m365_defender.process_started(PROCESS), "logs-m365_defender.event-default"),
    "m365_defender row": (m365_defender.started(PROCESS), "logs-m365_defender.event-default"),
    "sentinel_one": (sentinel_one.process_started(PROCESS), "logs-sentinel_one_cloud_funnel.event-default"),
    "evtx": (WINDOWS, "logs-windows.sysmon_operational-default"),
    "nxlog": (shippers.nxlog(WINDOWS), "logs-windows.sysmon_operational-default"),
    "Get-WinEvent": (exported(WINDOWS), "logs-windows.sysmon_operational-default"),
    "EvtxECmd": (shippers.evtxecmd(WINDOWS), "logs-windows.sysmon_operational-default"),
    "Velociraptor": (shippers.velociraptor(WINDOWS), "logs-windows.sysmon_operational-default"),
}
TIME = "2026-11-20T10:00:00.000Z"
# Documents of other programs, which happen to have a name that shows a product's or Windows' records.
FOREIGN: dict[str, Record] = {
    "a type": {"event_type_full": "login_event", "user": {"name": "eve"}},
    "a type below endgame": {"endgame": {"event_type_full": "chess_event", "winner": "black"}},
    "a simple name": {"event_simpleName": "Login"},
    "an agent": {"aid": "7", "ComputerName": "x"},
    "an action": {"ActionType": "Click", "page": "/start"},
    "a source": {"dataSource.name": "SentinelOne", "rows": 7},
    "a mail": {"Channel": "email", "EventID": 7, "TimeCreated": TIME, "campaign": "spring"},
    "a sensor": {"Channel": "A", "EventID": "door-7", "EventTime": TIME, "Hostname": "gate"},
    "a log's name": {"LogName": "audit", "ProviderName": "acme"},
    "an event": {"Event": {"name": "opened"}},
    "a system": {"System": {"cpu": 7, "memory": 12}},
    "a payload": {"Payload": "{}", "EventId": 4},
}


def taken(record: Record, index: str) -> Document:
    found = Intake().take(index, None, orjson.dumps({"@timestamp": TIME, **record}))
    assert isinstance(found, Document), found
    return found


@pytest.mark.parametrize("title", FOREIGN)
@pytest.mark.parametrize("index", ["logs-acme.events-default", "logs-generic-default", "acme"])
def test_a_name_alone_does_not_make_a_document_a_products(title: str, index: str) -> None:
    document = {"@timestamp": TIME, **FOREIGN[title]}
    found = taken(document, index)
    assert (found.index, orjson.loads(found.source)) == (index, document)


# Records of Windows show themselves by channel, provider and id: ECS below `event` alone does not take that away.
OF_WINDOWS = frozenset(("evtx", "nxlog", "Get-WinEvent", "EvtxECmd", "Velociraptor"))


@pytest.mark.parametrize("title", sorted(RAW.keys() - OF_WINDOWS))
@pytest.mark.parametrize(
    "said",
    [{"event": {"kind": "event", "category": ["process"]}}, {"event": {"action": "opened"}}],
    ids=json.dumps,
)
def test_a_document_with_ecs_below_event_stays_as_it_is(title: str, said: Record) -> None:
    document = {"@timestamp": TIME, **RAW[title][0], **said}
    found = taken(document, "logs-generic-default")
    assert (found.index, orjson.loads(found.source)) == ("logs-generic-default", document)


@pytest.mark.parametrize("title", RAW)
@pytest.mark.parametrize(
    "said",
    [
        {"event": {"kind": "event", "category": ["process"]}, "process": {"name": "a.exe"}},
        {"event": {"action": "opened"}, "file": {"path": "C:\\a"}},
        {"event": {"dataset": "acme.events"}},
        {"event": {"module": "acme"}},
        {"data_stream": {"type": "logs", "dataset": "acme.events", "namespace": "default"}},
    ],
    ids=json.dumps,
)
def test_a_document_in_ecs_or_of_another_product_stays_as_it_is(title: str, said: Record) -> None:
    document = {"@timestamp": TIME, **RAW[title][0], **said}
    found = taken(document, "logs-generic-default")
    assert (found.index, orjson.loads(found.source)) == ("logs-generic-default", document)
    event = Documents().normalise(document)
    assert "acme" in str(event.get("_index", "acme"))


@pytest.mark.parametrize("title", RAW)
def test_a_record_in_another_products_index_stays_as_it_is(title: str) -> None:
    document = {"@timestamp": TIME, **RAW[title][0]}
    for index in (
        "logs-acme.events-default",
        "metricbeat-9.1.0",
        ".ds-logs-nginx.access-default-2026.11.20-000001",
    ):
        found = Intake().take(index, None, orjson.dumps(document))
        if isinstance(found, Document):  # a name that begins with a dot is refused whatever the document
            assert (found.index, orjson.loads(found.source)) == (index, document)


@pytest.mark.parametrize("title", RAW)
@pytest.mark.parametrize("index", ["logs-raw-default", "logs-generic-default", "filebeat-9.1.0", "events"])
def test_a_record_in_an_index_of_no_product_goes_to_its_own(title: str, index: str) -> None:
    record, own = RAW[title]
    assert taken(record, index).index == own


@pytest.mark.parametrize("title", RAW)
def test_a_record_in_an_index_of_its_own_product_stays_there(title: str) -> None:
    record, own = RAW[title]
    index = own.replace("-default", "-branch")
    found = taken(record, index)
    assert found.index == index
    event = orjson.loads(found.source)
    assert orjson.loads(event["event"]["original"]) == {"@timestamp": TIME, **record}
    assert "host" in event or "process" in event


@pytest.mark.parametrize("title", RAW)
def test_what_shippers_put_beside_a_record_does_not_hide_it(title: str) -> None:
    record, own = RAW[title]
    beside = {"@version": "1", "tags": ["x"], "ecs": {"version": "8.0.0"}, "agent": {"type": "filebeat"},
              "event": {"original": "…", "ingested": TIME}, "log": {"offset": 7},
              "input": {"type": "log"}}  # fmt: skip
    found = taken({**record, **beside}, "filebeat-9.1.0")
    assert found.index == own


@pytest.mark.parametrize("title", [title for title in RAW if title != "crowdstrike host"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_document_among_many_records_is_told(tmp_path: Path, title: str, foreign: str) -> None:
    record = RAW[title][0]
    lines = [orjson.dumps(record)] * 3000
    lines[2503] = orjson.dumps({"@timestamp": TIME, "marker": "foreign", **FOREIGN[foreign]})
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(lines))
    rejects = Rejects()
    batches = read_inputs(find_inputs([str(path)]), Wanted(frozenset(("process.name",))), rejects)
    events = list(whole_events(batches))
    assert rejects.total == 0
    assert [event.get("marker") for event in events if "marker" in event] == ["foreign"]
    assert len(events) == 3000
