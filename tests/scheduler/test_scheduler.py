"""What the scheduler does, step by step, in virtual time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select

from tests.scheduler.virtual import BAD, MINUTE, ROOT, SECOND, START, Office, rule
from tests.store.memory import MemoryStore
from tests.waiting import eventually
from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.detection.rule_types.query import query_findings
from tocsin.scheduler import scheduler as scheduler_module
from tocsin.scheduler.active_rules import ActiveRules
from tocsin.scheduler.settings import SchedulerSettings
from tocsin.scheduler.timeouts import run_with_timeout
from tocsin.store.alerts.alert_index import AlertIndex
from tocsin.store.composite import CompositeStore
from tocsin.store.records.exceptions import add_item, add_list
from tocsin.store.records.models import StoredRule
from tocsin.store.records.rules import change_rule, remove_rule


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path, [rule()])


def run_until(office, moment, every=MINUTE):
    while office.now < moment:
        office.turn()
        office.pass_(every)
    office.turn()


def test_an_event_becomes_one_alert_however_many_windows_hold_it(office):
    office.turn()
    office.pass_(90 * SECOND)
    office.event(**BAD, host={"name": "ws-1"})
    run_until(office, START + 30 * MINUTE)
    (alert,) = office.documents()
    assert alert["kibana.alert.rule.name"] == "r"
    assert alert["host"]["name"] == "ws-1"
    assert alert["event"]["kind"] == "signal"
    assert alert["kibana.alert.original_time"].startswith("2026-01-05T00:01:30")
    runs = [(e.first_tick - START, e.matches, e.written, e.duplicates) for e in office.executions()]
    assert runs == [(5 * MINUTE, 1, 1, 0), (10 * MINUTE, 1, 0, 1), (15 * MINUTE, 0, 0, 0)]
    assert sum(e.ticks for e in office.executions()) == 6


def test_a_service_that_was_down_runs_every_window_that_was_due(tmp_path):
    """Each by its own bounds: a sequence that only a missed window holds is found."""
    query = 'sequence [process where process.name == "a"] [process where process.name == "b"]'
    office = Office(tmp_path, [rule(query=query)])
    office.turn()
    for minutes, name in ((1, "a"), (3, "b")):
        office.until(START + minutes * MINUTE)
        office.event(event={"category": "process"}, process={"name": name})
    office.turn()
    office.stop()
    office.until(START + 61 * MINUTE)
    office.turn()
    assert [d["kibana.alert.depth"] for d in office.documents()].count(2) == 1
    assert [d.get("kibana.alert.building_block_type") for d in office.documents()].count("default") == 2
    (gap,) = office.gaps()
    assert (gap.cause, gap.first_tick - START, gap.last_tick - START) == ("service down", 5 * MINUTE, 55 * MINUTE)
    assert gap.filled_by == "tocsin"


def test_a_late_event_has_the_windows_run_again_that_hold_it(tmp_path):
    query = 'sequence with maxspan=5m [process where process.name == "a"] [process where process.name == "b"]'
    office = Office(tmp_path, [rule(query=query)])
    office.until(START + MINUTE)
    office.event(event={"category": "process"}, process={"name": "b"}, time=START + 3 * MINUTE)
    run_until(office, START + 3 * 60 * MINUTE, 5 * MINUTE)
    assert office.alerts() == []
    office.event(event={"category": "process"}, process={"name": "a"}, time=START + 2 * MINUTE)
    run_until(office, office.now + 10 * MINUTE)
    assert len(office.alerts()) == 3


def test_a_rule_by_ingestion_finds_old_events_that_come_in_now(tmp_path):
    office = Office(tmp_path, [rule(timestamp_override="event.ingested")])
    office.turn()
    office.event(time=START - 90 * 86_400 * SECOND, **BAD)
    run_until(office, START + 10 * MINUTE)
    assert len(office.alerts()) == 1


def test_alerts_beyond_the_most_are_left_out_and_told(tmp_path):
    office = Office(tmp_path, [rule(max_signals=3)])
    office.turn()
    for _ in range(5):
        office.event(**BAD)
    office.until(START + 5 * MINUTE)
    office.turn()
    assert len(office.alerts()) == 3
    (run,) = office.executions()
    assert (run.status, run.messages) == ("warning", ["max alerts reached: 3 of 5"])


@pytest.mark.parametrize(
    ("index", "status", "told"),
    [
        (["logs-*"], "succeeded", []),
        (["logs-*", "winlogbeat-*"], "succeeded", ["no index fits the pattern winlogbeat-*"]),
        (["winlogbeat-*", "logs-*", "-logs-z", "x"], "succeeded", ["no index fits the pattern winlogbeat-*, x"]),
        (
            ["winlogbeat-*", "endgame-*", "-logs-z"],
            "warning",
            ["no index fits any pattern of the rule, so that it sees no event: winlogbeat-*, endgame-*"],
        ),
        (
            ["winlogbeat-*"],
            "warning",
            ["no index fits any pattern of the rule, so that it sees no event: winlogbeat-*"],
        ),
    ],
)
def test_patterns_that_fit_no_index_are_named_and_a_warning_where_none_fits(tmp_path, index, status, told):
    """As in Kibana, whose integration tests of `create_rules` have a rule succeed with one pattern of two."""
    office = Office(tmp_path, [rule(index=index)])
    office.event(**BAD)
    run_until(office, START + 20 * MINUTE)
    first, *others = office.executions()
    assert [(one.status, one.messages) for one in (first, *others)] == [(status, told)] * (1 + len(others))
    assert first.events == (status == "succeeded")


def test_a_warning_is_told_before_the_patterns_that_fit_no_index(tmp_path):
    office = Office(tmp_path, [rule(index=["logs-*", "winlogbeat-*"], max_signals=1)])
    for _ in range(2):
        office.event(**BAD)
    run_until(office, START + 5 * MINUTE)
    (run,) = office.executions()
    assert run.status == "warning"
    assert run.messages == ["max alerts reached: 1 of 2", "no index fits the pattern winlogbeat-*"]


def test_a_rule_that_cannot_run_fails_and_delays_no_other(tmp_path):
    office = Office(tmp_path, [rule("broken", "process where"), rule("good")])
    office.turn()
    office.event(**BAD)
    run_until(office, START + 12 * MINUTE)
    assert len(office.alerts()) == 1
    failed = [e for e in office.executions() if e.status == "failed"]
    assert sum(e.ticks for e in failed) == 2
    assert "process where" in failed[0].messages[0]
    (gap,) = office.gaps()
    assert (gap.cause, gap.filled) == ("failed", None)


def test_events_that_a_window_read_are_counted(tmp_path):
    office = Office(tmp_path, [rule()])
    office.turn()
    for minute in range(20):
        office.until(START + minute * MINUTE + 1)
        office.event(event={"category": "process"}, process={"name": "good.exe"})
        office.event(index="other", event={"category": "process"})
        office.turn()
    (run,) = office.executions()
    assert run.ticks == 3
    assert run.events == 5 + 9 + 9


def test_a_rule_that_takes_long_holds_up_no_other(tmp_path, monkeypatch):
    """Its execution goes on beside the others, and its result is recorded when it is done."""
    go_on, began = threading.Event(), list[float]()

    def slow(asked, rows, window):
        if asked.rule.name == "slow":
            began.append(time.monotonic())
            go_on.wait()
        return query_findings(asked, rows, window)

    waits = []

    def waiting(work, seconds):
        waits.append(seconds)
        return run_with_timeout(work, seconds)

    monkeypatch.setitem(RULE_TYPES, "eql", replace(RULE_TYPES["eql"], findings=slow))
    monkeypatch.setattr(scheduler_module, "run_with_timeout", waiting)
    on_alerts = rule(
        "reader", "kibana.alert.rule.name: slow", type="query", language="kuery", index=[".alerts-*"],
        interval="1m",
    )  # fmt: skip
    office = Office(
        tmp_path, [rule("slow"), rule("quick"), on_alerts], SchedulerSettings(longest_wait=SECOND // 5)
    )
    office.seen = CompositeStore(office.store, [AlertIndex(office.records)])
    office.turn()
    office.until(START + 2 * MINUTE)
    office.event(**BAD)
    for minute in (5, 10):
        office.until(START + minute * MINUTE)
        office.turn()
    assert [name for name, _ in office.named_alerts()] == ["quick"]
    assert len([run for run in office.executions() if office.names()[run.rule_uuid] == "slow"]) == 0
    eventually(lambda: time.monotonic() > began[0] + 0.2)  # it has taken longer than others wait
    go_on.set()
    eventually(lambda: alerts_after_a_turn(office) == {"quick": 1, "slow": 1})
    assert sorted(name for name, _ in office.named_alerts()) == ["quick", "slow"]
    eventually(lambda: ticks_after_a_turn(office, "slow") == 2)
    assert sorted(set(waits)) == [0, 0.2]  # for the next execution of a rule that took long nobody waits
    run_until(office, office.now + 2 * MINUTE)  # a rule that reads alerts finds the one that came late
    assert sorted(name for name, _ in office.named_alerts()) == ["quick", "reader", "slow"]


def test_a_rule_that_has_to_read_much_of_the_past_holds_up_no_other(tmp_path):
    """It is run when it has read all, and finds what it would have found on time."""
    office = Office(tmp_path, [rule("quick")], SchedulerSettings(longest_wait=SECOND // 5))
    office.seen = store = SlowPastStore(office.clock)
    office.store = store
    office.turn()
    store.go_on.clear()
    office.until(START + MINUTE)
    office.event(**BAD)
    office.until(START + 2 * MINUTE)
    office.turn()
    office.add(rule("new"))
    for minute in (3, 5, 10):
        office.until(START + minute * MINUTE)
        office.event(**BAD)
        office.turn()
    assert alerts_by_rule(office) == {"quick": 3}
    store.go_on.set()
    eventually(lambda: alerts_after_a_turn(office) == {"quick": 3, "new": 3})
    (gap,) = office.gaps()
    assert (gap.cause, gap.filled_by, gap.first_tick - START) == ("overload", "tocsin", 5 * MINUTE)


class SlowPastStore(MemoryStore):
    """A store in which threads beside the turns wait, while `go_on` is not set, before they read events."""

    def __init__(self, clock):
        super().__init__(clock)
        self.go_on, self._turns = threading.Event(), threading.current_thread()
        self.go_on.set()

    def scan(self, scan):
        if threading.current_thread() is not self._turns:
            self.go_on.wait()
        yield from super().scan(scan)


def alerts_by_rule(office):
    return Counter(name for name, _ in office.named_alerts())


def alerts_after_a_turn(office):
    office.turn()
    return alerts_by_rule(office)


def ticks_after_a_turn(office, name):
    office.turn()
    return sum(run.ticks for run in office.executions() if office.names()[run.rule_uuid] == name)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"severity": "high"}, True),
        ({"max_signals": 7}, True),
        ({"interval": "10m"}, False),
        ({"index": ["logs-*", "other"]}, False),
        ({"query": 'process where process.name == "bad.exe" and true and host.name != "x"'}, False),
        ({"alert_suppression": {"group_by": ["host.name"]}}, False),
        ({"exceptions_list": [{"list_id": "l", "type": "detection"}]}, False),
        ({"timestamp_override": "event.ingested"}, False),
    ],
)
def test_a_rule_that_looks_at_the_same_events_as_before_does_not_read_the_past_anew(office, change, same):
    office.turn()
    office.pass_(MINUTE)
    office.event(**BAD)
    office.turn()
    [uuid] = office.scheduler.states
    memory = office.scheduler.states[uuid].buffer
    with office.records.transaction() as session:
        item = {"list_id": "l", "name": "n", "entries": [{"field": "host.name", "type": "exists"}]}
        add_list(session, ROOT, {"list_id": "l", "name": "l"})
        add_item(session, ROOT, item, None)
        stored = session.get(StoredRule, uuid)
        change_rule(session, ROOT, stored, {**stored.document, **change})
    run_until(office, START + 30 * MINUTE)
    assert (office.scheduler.states[uuid].buffer is memory) is same
    (alert,) = office.documents()
    assert alert["kibana.alert.severity"] == change.get("severity", "low")


def test_a_rule_that_is_removed_or_run_elsewhere_meanwhile_stops_no_other(tmp_path, monkeypatch):
    """Its tick is lost; it is read anew, or is gone, and what has come in since is looked at all the same."""
    office = Office(tmp_path, [rule("moved"), rule("gone"), rule("good")])
    office.turn()
    office.until(START + 4 * MINUTE)
    office.event(**BAD)
    office.until(START + 5 * MINUTE - 10 * SECOND)
    office.turn()
    whole = ActiveRules.take_up

    def meanwhile(self, *arguments):
        whole(self, *arguments)
        with office.records.transaction() as session:
            for stored in session.scalars(select(StoredRule)):
                if stored.name == "moved":
                    stored.done_to = START + 5 * MINUTE
                if stored.name == "gone":
                    remove_rule(session, ROOT, stored)

    office.until(START + 5 * MINUTE + 5 * SECOND)
    office.event(**BAD)
    office.pass_(5 * SECOND)
    with monkeypatch.context() as patched:
        patched.setattr(ActiveRules, "take_up", meanwhile)
        office.turn()
    office.until(START + 10 * MINUTE)
    office.turn()
    assert alerts_by_rule(office) == {"good": 2, "moved": 2}


def test_the_events_of_a_sequence_are_at_hand_when_it_is_raised(tmp_path, monkeypatch):
    """Those of a step that many events fit, if an event before had their join key."""
    query = 'sequence by host.name [process where process.name == "a"] [process where process.name == "b"]'
    office = Office(tmp_path, [rule(query=query)])
    office.turn()
    for minute, names in ((1, "a"), (2, "b" * 1000)):
        office.until(START + minute * MINUTE)
        for number, name in enumerate(names):
            office.event(event={"category": "process"}, process={"name": name}, host={"name": f"ws-{number}"})
        office.turn()
    monkeypatch.delattr(office.store.__class__, "find")
    office.until(START + 5 * MINUTE)
    office.turn()
    assert len(office.alerts()) == 3
