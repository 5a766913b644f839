"""Why a record is rejected is said in words that name the record's own values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

SYSTEM = {"Provider": {"#attributes": {"Name": "P"}}, "EventID": 1, "Channel": "C"}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in SYSTEM.items() if key != name}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"Event": {"System": without("EventID")}}, "it has no EventID"),
        ({"Event": {"System": {**SYSTEM, "EventID": None}}}, "it has no EventID"),
        ({"Event": {"System": {**SYSTEM, "EventID": "x"}}}, "EventID is 'x', and no number"),
        ({"Event": {"System": {**SYSTEM, "EventID": {"Value": "x"}}}}, "EventID"),
        ({"Event": {"System": {**SYSTEM, "EventID": [1, 2]}}}, "EventID"),
        ({"Event": {"System": {**SYSTEM, "Channel": 7}}}, "Channel is a number"),
        ({"Event": {"System": "x"}}, "what holds EventID is no object"),
        ({"Event": {"System": []}}, "what holds EventID is no object"),
        ({"winlog": {"channel": "Security", "event_data": {"a": 1}}}, "EventID"),
        ({"winlog": {"channel": "Security", "event_id": "x", "event_data": {"a": 1}}}, "EventID is 'x'"),
        ({"LogName": "C", "ProviderName": "P", "Id": "x", "Properties": []}, "EventID is 'x'"),
        ({"Channel": "C", "EventId": None, "Payload": "{}", "MapDescription": ""}, "EventID"),
    ],
)
def test_a_record_that_is_no_windows_event(tmp_path: Path, record: dict[str, Any], said: str) -> None:
    path = tmp_path / "events.json"
    path.write_bytes(orjson.dumps(record))
    rejects = Rejects()
    list(read_inputs(find_inputs([str(path)]), Wanted(frozenset(("process.name",))), rejects))
    (reject,) = rejects.first.values()
    assert said in reject.detail
    assert "Error" not in reject.detail
