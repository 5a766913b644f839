"""A Windows event's head and data are read in whatever way a converter of XML spells them.

Spellings are those of xml-js (`_text`, `_attributes`), xml2js (`_`, `$`), BadgerFish (`$`), org.json (`content`),
x2js, Velociraptor (`Value`), objects with a `value`, and Sumo Logic's collector (`Provider` at the root).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

SYSMON = "Microsoft-Windows-Sysmon"
CHANNEL = f"{SYSMON}/Operational"
DATA = {"UtcTime": "2026-11-20 10:00:00.120", "Image": "C:\\a.exe", "CommandLine": "a.exe --url http://x/y; z: 1"}
ITEMS = list(DATA.items())


def record(data: Any = DATA, **head: Any) -> dict[str, Any]:
    system = {
        "Provider": {"#attributes": {"Name": SYSMON}}, "EventID": 1, "Channel": CHANNEL, "Computer": "w",
        "TimeCreated": {"#attributes": {"SystemTime": "2026-11-20T10:00:00Z"}},
    }  # fmt: skip
    return {"Event": {"System": {**system, **head}, "EventData": data}}


def fields_of(event: dict[str, Any]) -> list[Any]:
    found = Documents().normalise(json.loads(json.dumps(event)))
    return [found.get(name) for name in ("event.code", "host.name", "process.executable", "process.command_line")]


EXPECTED = ["1", "w", DATA["Image"], DATA["CommandLine"]]
HEADS: list[dict[str, Any]] = [
    {"EventID": {"Value": 1, "Qualifiers": 0}}, {"EventID": {"value": 1}}, {"EventID": {"$": "1"}},
    {"EventID": {"_text": "1"}}, {"EventID": {"#text": "1"}}, {"EventID": {"_": "1"}},
    {"EventID": {"content": "1"}}, {"EventID": {"text": "1"}}, {"EventID": [1]}, {"EventID": "0x1"},
    {"EventID": 1.0}, {"EventID": "1.0"},
    {"EventID": " 1 "}, {"EventID": [{"_": "1", "$": {"Qualifiers": "0"}}]}, {"Channel": {"#text": CHANNEL}},
    {"Channel": [CHANNEL]}, {"Computer": {"#text": "w"}}, {"Computer": {"_text": "w"}},
    {"Provider": {"Name": SYSMON, "Guid": "{1}"}}, {"Provider": {"_attributes": {"Name": SYSMON}}},
]  # fmt: skip


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_the_head_is_read_however_its_elements_are_spelled(head: dict[str, Any]) -> None:
    assert fields_of(record(**head)) == EXPECTED


DATAS: dict[str, Any] = {
    "name and text": {"Data": [{"Name": name, "text": value} for name, value in ITEMS]},
    "name and content": {"Data": [{"Name": name, "content": value} for name, value in ITEMS]},
    "@Name and @Value": {"Data": [{"@Name": name, "@Value": value} for name, value in ITEMS]},
    "@attributes and $": {"Data": [{"@attributes": {"Name": name}, "$": value} for name, value in ITEMS]},
    "_attributes and _text": {"Data": [{"_attributes": {"Name": name}, "_text": value} for name, value in ITEMS]},
    "attributes and text": {"Data": [{"attributes": {"Name": name}, "text": value} for name, value in ITEMS]},
    "$ and _": {"Data": [{"$": {"Name": name}, "_": value} for name, value in ITEMS]},
    "an object each": [{name: value} for name, value in ITEMS],
    "pairs": [list(item) for item in ITEMS],
    "XML": "".join(f'<Data Name="{name}">{value}</Data>' for name, value in ITEMS),
    "XML within its element": "<EventData xmlns='http://x'>"
    + "".join(f'<Data Name="{name}">{value}</Data>' for name, value in ITEMS)
    + "</EventData>",
    "text": "; ".join(f"{name}: {value}" for name, value in ITEMS),
}


@pytest.mark.parametrize("spelling", DATAS)
def test_event_data_is_read_however_it_is_spelled(spelling: str) -> None:
    assert fields_of(record(DATAS[spelling])) == EXPECTED


def test_an_event_with_its_head_at_the_root_is_read() -> None:
    event = {
        "TimeCreated": "2026-11-20T10:00:00Z", "EventID": "1", "Task": "Process Create", "Correlation": "",
        "Channel": CHANNEL, "Security": "", "Provider": {"Guid": "{1}", "Name": SYSMON}, "EventRecordID": 11,
        "Execution": {"ThreadID": 4, "ProcessID": 4}, "Computer": "w", "Level": "Information", "EventData": DATA,
    }  # fmt: skip
    assert fields_of(event) == EXPECTED


def test_a_value_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(json.dumps(record(Computer={"a": 1, "b": 2})))
    rejects = Rejects()
    list(whole_events(read_inputs(find_inputs([str(tmp_path / "e.json")]), Wanted(frozenset()), rejects)))
    assert rejects.first["malformed Windows event"].detail == "not a Windows event: Computer is an object"


XML = (
    f"<Event><System><Provider Name='{SYSMON}'/><EventID>1</EventID><Channel>{CHANNEL}</Channel>"
    f"<Computer>w</Computer></System><EventData>{DATAS['XML']}</EventData></Event>"
)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([XML]),
        json.dumps({"data_type": "windows:evtx:record", "message": "[1 / 0x1]", "xml_string": XML}),
        f'TimeCreated,Id,Xml\n11/20/2026,1,"{XML.replace(chr(34), chr(34) * 2)}"\n',
        json.dumps({"winlogbeat": record()}),
        json.dumps({"json": record()}),
        json.dumps({"id": "A", "content": {"attributes": record()}}),
    ],
    ids=["a list of XML", "plaso", "a column Xml", "winlogbeat", "json", "Datadog"],
)
def test_what_tools_put_an_event_in_is_opened(content: str, tmp_path: Path) -> None:
    (tmp_path / "e").write_text(content)
    rejects = Rejects()
    (event,) = whole_events(read_inputs(find_inputs([str(tmp_path / "e")]), Wanted(frozenset()), rejects))
    assert event["process.command_line"] == DATA["CommandLine"]
    assert not rejects.anything
