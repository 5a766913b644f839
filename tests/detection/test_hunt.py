"""Hunts over events as files hold them: what windows let through, and what is told of events that no rule sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tocsin.detection.hunt import Hunt, Report
from tocsin.detection.prepare import prepare
from tocsin.detection.schedule import Window
from tocsin.moments import to_nanoseconds
from tocsin.rules.model import Rule
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs

EVENT_QUERY = 'any where process.name == "x"'
SEQUENCE = 'sequence by host.name [any where process.name == "x"] [any where process.name == "x"]'
SAMPLE = 'sample by host.name [any where process.name == "x"] [any where process.pid == 1]'


def hunted(path: Path, query: str = EVENT_QUERY, window: Window = Window()) -> Report:  # noqa: B008 (frozen)
    rule = Rule(rule_id="r", name="r", type="eql", severity="low", risk_score=1, language="eql", query=query)
    ready, skipped = prepare([rule])
    assert not skipped
    return Hunt(ready, window).run(find_inputs([str(path)]), Rejects())


def event(time: Any, **more: Any) -> dict[str, Any]:
    about = {"process": {"name": "x", "pid": 1}, "host": {"name": "h"}, **more}
    return about if time is None else {"@timestamp": time, **about}


def lines(path: Path, *events: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return path


UNREADABLE = [None, "yesterday", "", True, "2026-02-30T00:00:00Z", [], ["yesterday"], {"at": 1}]


@pytest.mark.parametrize("query", [EVENT_QUERY, SEQUENCE, SAMPLE])
@pytest.mark.parametrize("time", UNREADABLE)
@pytest.mark.parametrize("whole", [False, True], ids=["lines", "array"])
def test_events_without_a_readable_time_end_no_hunt_with_a_window(
    tmp_path: Path, time: Any, query: str, whole: bool
) -> None:
    events = [event(time), event(time)]
    path = lines(tmp_path / "e.json", *events)
    if whole:
        path.write_text(json.dumps(events))
    window = Window(to_nanoseconds("2026-01-01"), to_nanoseconds("2027-01-01"))
    report = hunted(path, query, window)
    assert report.total_events == 2
    assert not report.alerts


@pytest.mark.parametrize(
    ("time", "inside"),
    [
        ("2026-11-20T10:00:00Z", True),
        ("2026-11-21T00:00:00Z", False),
        ("2026-11-19T23:59:59Z", False),
        (["2026-11-20T10:00:00Z"], True),
        ("Nov 20, 2026 @ 10:00:00.123", True),
        ("Nov 21, 2026 @ 10:00:00.123", False),
        ("11/20/2026, 3:40:20.000 PM", True),
        (1795189220, True),
        (1795189220.123, True),
        (1795189220123, True),
    ],
)
def test_a_window_takes_events_by_their_time_however_it_is_written(
    tmp_path: Path, time: Any, inside: bool
) -> None:
    window = Window(to_nanoseconds("2026-11-20"), to_nanoseconds("2026-11-21"))
    report = hunted(lines(tmp_path / "e.ndjson", event(time), event("yesterday")), window=window)
    assert len(report.alerts) == inside
