"""Events that have their time under another name than `@timestamp`, in every format that is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tocsin.ecs import TIMESTAMP
from tocsin.engine.candidates import whole_numbers
from tocsin.moments import iso, read_moment
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.event_time import NAMES, named_times, rank_of
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs
from tocsin.sources.unseen import Judge, Reason, is_timed

PROCESS = {"event": {"category": "process"}, "process": {"name": "a.exe"}}
AT = "2026-11-20T10:00:00"
WANTED = Wanted(
    frozenset({TIMESTAMP, "process.name", "event.category"}),
    judge=Judge(frozenset({"process.name"}), frozenset({()})),
)


def as_lines(path: Path, events: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def as_array(path: Path, events: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(events))


def as_hits(path: Path, events: list[dict[str, Any]]) -> None:
    as_lines(path, [{"_index": "logs-a-b", "_id": str(n), "_source": event} for n, event in enumerate(events)])


def as_parquet(path: Path, events: list[dict[str, Any]]) -> None:
    names = dict.fromkeys(name for event in events for name in event)
    pq.write_table(pa.table({name: [event.get(name) for event in events] for name in names}), path)


WRITERS = [as_lines, as_array, as_hits, as_parquet]
Writer = Callable[[Path, list[dict[str, Any]]], None]


def read(path: Path) -> tuple[list[str | None], list[str | None], Rejects]:
    """Return the times in the tables and of the whole events, to the second, and what was not seen."""
    rejects = Rejects()
    of_table: list[str | None] = []
    whole: list[str | None] = []
    for batch in read_inputs(find_inputs([str(path)]), WANTED, rejects):
        times, timed = whole_numbers(batch.table.column(TIMESTAMP), np.arange(batch.table.rows, dtype=np.int64))
        of_table += [iso(int(at))[:19] if is_timed else None for at, is_timed in zip(times, timed, strict=True)]
        for row in range(batch.table.rows):
            event = batch.raw(row).event()
            whole.append(iso(read_moment(event[TIMESTAMP]))[:19] if is_timed(event.get(TIMESTAMP)) else None)
    return of_table, whole, rejects


# What an event has beside its fields, and the time that it gets.
HELD: dict[str, tuple[dict[str, Any], str | None]] = {
    **{name: ({name: f"{AT}Z"}, AT) for name in (
        "TimeGenerated", "TimeCreated", "timestamp", "Timestamp", "TimeStamp", "EventTime", "eventTime",
        "event_time", "_time", "time", "ts", "created", "createdAt", "date", "Date", "datetime", "@t", "UtcTime",
        "published", "createdDateTime", "CreationTime", "event.created", "TimeGenerated [UTC]", "Time (UTC)",
    )},
    "ECS' own, nested": ({"event": {"category": "process", "created": f"{AT}Z"}}, AT),
    "seconds with a fraction": ({"ts": 1795168800.5}, AT),
    "seconds as text": ({"_time": "1795168800.500"}, AT),
    "milliseconds": ({"timestamp": 1795168800000}, AT),
    "text that Kibana writes": ({"timestamp": "Nov 20, 2026 @ 10:00:00.123"}, AT),
    "a list": ({"timestamp": [f"{AT}Z"]}, AT),
    "a date by number": ({"timestamp": "20.11.2026 10:00:00"}, AT),
    "a zone": ({"time": "2026-11-20T11:00:00+01:00"}, AT),
    "the first name before a later one": ({"created": "2020-01-01T00:00:00Z", "timestamp": f"{AT}Z"}, AT),
    "a later name where the first is none": ({"timestamp": "yesterday", "created": f"{AT}Z"}, AT),
    "the parts of a date, as Jackson writes `LocalDateTime`": ({"@timestamp": [2026, 11, 20, 10, 0, 0, 5]}, AT),
    "the parts of a date without what is 0": ({"@timestamp": [2026, 11, 20, 10, 0]}, AT),
    "the parts of a date under another name": ({"timestamp": [2026, 11, 20, 10, 0]}, AT),
    "a number in a list": ({"@timestamp": [1795168800000]}, AT),
    "several numbers": ({"@timestamp": [1795168800000, 5]}, AT),
    "several times": ({"@timestamp": [f"{AT}Z", "2020-01-01T00:00:00Z"]}, AT),
    "a day and a time of day": ({"date": "2026-11-20", "time": "10:00:00"}, AT),
    "a compact day and a time of day": ({"Date": "20261120", "Time": "10:00:00"}, AT),
    "`@timestamp` that is none": ({"@timestamp": "yesterday", "time": f"{AT}Z"}, AT),
    "`@timestamp` before any": ({"@timestamp": f"{AT}Z", "timestamp": "2020-01-01T00:00:00Z"}, AT),
    "a duration": ({"time": 12.5}, None),
    "a time of day alone": ({"time": "10:00:00"}, None),
    "an object": ({"created": {"by": f"{AT}Z"}}, None),
    "a name inside another object": ({"file": {"created": f"{AT}Z"}}, None),
    "nothing": ({}, None),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize(("held", "time"), HELD.values(), ids=HELD)
def test_the_time_is_taken_from_whichever_field_has_it(
    held: dict[str, Any], time: str | None, count: int, write: Writer, tmp_path: Path
) -> None:
    write(tmp_path / "events", [{**PROCESS, **held}] * count)
    of_table, whole, rejects = read(tmp_path / "events")
    assert of_table == [time] * count
    assert whole == [time] * count
    assert rejects.unseen.total(Reason.NO_TIME) == (count if time is None else 0)
    assert not rejects.total


@pytest.mark.parametrize("write", WRITERS)
def test_events_that_name_it_otherwise_are_found_among_those_that_do_not(write: Writer, tmp_path: Path) -> None:
    stamped = {"@timestamp": f"{AT}Z", **PROCESS}
    events: list[dict[str, Any]] = [stamped] * 3000
    events += [{**PROCESS, "timestamp": f"{AT}Z"}, PROCESS, {**PROCESS, "ts": "no time"}]
    write(tmp_path / "events", events)
    of_table, whole, rejects = read(tmp_path / "events")
    assert sorted(map(str, of_table)) == sorted(map(str, whole)) == [AT] * 3001 + ["None"] * 2
    assert rejects.unseen.total(Reason.NO_TIME) == 2


UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "another name": ({"ts": "gestern"}, "where `ts` is 'gestern'"),
    "the first of several": ({"time": "10:00:00", "EventTime": "now"}, "where `EventTime` is 'now'"),
    "`@timestamp`": ({"@timestamp": "2026-02-30T00:00:00Z"}, "where `@timestamp` is '2026-02-30T00:00:00Z'"),
    "too few parts of a date": ({"@timestamp": [2026, 11]}, "where `@timestamp` is [2026, 11]"),
    "parts of no date": ({"@timestamp": [2026, 13, 1]}, "where `@timestamp` is '2026-13-01T"),
    "a number": ({"time": 12.5}, "where `time` is 12.5"),
    "what would change a terminal": ({"time": "\x1b[31m"}, r"where `time` is '\x1b[31m'"),
    "a long text": ({"time": "x" * 5000}, f"where `time` is '{'x' * 59}): "),
}


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize(("held", "told"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_field_that_cannot_be_read_is_named_with_its_value(
    held: dict[str, Any], told: str, count: int, write: Writer, tmp_path: Path
) -> None:
    write(tmp_path / "events", [{**PROCESS, **held}] * count)
    _, _, rejects = read(tmp_path / "events")
    (line,) = rejects.unseen.lines()
    assert f"no time that can be read ({tmp_path / 'events'} {count:,}, {told}" in line


def test_records_of_a_product_name_theirs(tmp_path: Path) -> None:
    row = {"Timestamp": "gestern", "ActionType": "ProcessCreated", "FileName": "a.exe", "DeviceName": "h"}
    as_lines(tmp_path / "rows", [row] * 300)
    as_lines(tmp_path / "streamed", [{"category": "AdvancedHunting-DeviceProcessEvents", "properties": row}] * 300)
    _, _, rejects = read(tmp_path)
    (line,) = rejects.unseen.lines()
    assert line.count("where `Timestamp` is 'gestern'") == 2


def test_names_are_compared_by_their_letters_and_figures() -> None:
    found = named_times({"created": 1, "Time-Stamp": 2, "name": 3})
    assert [one.name for one in found] == [
        "Time-Stamp",
        "created",
    ]
    assert [rank_of(name) for name in NAMES] == list(range(len(NAMES)))
    assert rank_of("runtime") is None


def test_every_name_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
    assert all(f"`{name}`" in text for name in NAMES)
