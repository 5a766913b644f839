"""A run over a span of the past tells which events it does not see: late ones, those behind its last window."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.scheduler.virtual import BAD, MINUTE, ROOT, START, Office, rule
from tocsin.store.records.models import Run, StoredRule
from tocsin.store.records.rules import ask_run

HOUR = 60 * MINUTE
BY_ARRIVAL = {"timestamp_override": "event.ingested"}
OWN_TIME = {"timestamp_override": "event.created"}


def run(office: Office, start: int, end: int, kind: str = "manual") -> dict[str, Any]:
    """Ask for a run, let the service do it, and return what came of it."""
    with office.records.transaction() as session:
        stored = session.scalars(select(StoredRule)).one()
        asked = ask_run(session, ROOT, stored, kind, (start, end)).id
    for _ in range(20):
        office.turn()
        with office.records.transaction() as session:
            done = session.get_one(Run, asked)
            if done.done is not None:
                return done.result or {}
    raise AssertionError("the run was not done")


# Of an event that happened at START - 6 h and arrived at START: the rule, the span in hours before START, and what
# of it the run does not see: whose moment counts, and how many events lie outside.
SPANS = [
    pytest.param(BY_ARRIVAL, (-7, -5), (True, 1, START), id="by arrival: it happened within, and came in later"),
    pytest.param(BY_ARRIVAL, (-0.5, 0.5), (True, 0, 0), id="by arrival: it came in within"),
    pytest.param(
        {}, (-0.5, 0.5), (False, 1, START - 6 * HOUR), id="by time: it came in within, and happened before"
    ),
    pytest.param({}, (-7, -5), (False, 0, 0), id="by time: it happened within"),
    pytest.param(OWN_TIME, (-0.5, 0.5), (False, 1, START - 6 * HOUR), id="by a time that it lacks: by @timestamp"),
]


@pytest.mark.parametrize(("times", "hours", "outside"), SPANS)
def test_what_the_other_clock_has_within_the_span_is_counted(tmp_path, times, hours, outside):
    office = Office(tmp_path, [rule(**times)])
    office.event(time=START - 6 * HOUR, **BAD)
    office.pass_(HOUR)
    start, end = (START + int(hour * HOUR) for hour in hours)
    result = run(office, start, end)
    seen = result["outside"]
    assert (seen["by_arrival"], seen["events"], seen["first"]) == outside
    assert result["matches"] == 0 if outside[1] else result["matches"] > 0


@pytest.mark.parametrize("times", [BY_ARRIVAL, {}])
def test_what_lies_behind_the_last_window_is_counted(tmp_path, times):
    office = Office(tmp_path, [rule(**times)])
    office.pass_(6 * MINUTE)
    office.event(**BAD)
    office.pass_(MINUTE)
    result = run(office, START, office.now)
    assert (result["matches"], result["outside"]["behind"], result["outside"]["end"]) == (0, 1, START + 5 * MINUTE)
    office.pass_(3 * MINUTE)
    result = run(office, START, office.now)
    assert (result["matches"], result["outside"]["behind"]) == (1, 0)


def test_events_of_other_indices_are_not_counted(tmp_path):
    office = Office(tmp_path, [rule(index=["logs-a"], **BY_ARRIVAL)])
    office.event(time=START - 6 * HOUR, index="logs-b", **BAD)
    office.pass_(HOUR)
    assert run(office, START - 7 * HOUR, START - 5 * HOUR)["outside"]["events"] == 0
