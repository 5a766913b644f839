"""Alerts in records as measures see them: what changed since, groups of hosts, rules, exceptions, CSV."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest

from tests.management.conftest import ACTOR, rule
from tests.scheduler.virtual import CIPHER
from tocsin.errors import InvalidError
from tocsin.management.alert_changes import WorkflowChange, change_alerts, undo_changes
from tocsin.moments import DAY, SECOND, iso
from tocsin.response.measures.figures import Measure
from tocsin.response.measures.groups import CountedAs, Measured, MeasureGrouping
from tocsin.response.measures.host_groups import (
    OTHER_HOSTS,
    HostGroup,
    define_host_groups,
    grouped_hosts,
    host_groups,
    read_host_groups,
)
from tocsin.response.measures.measured_alerts import CodedTexts, MeasuredAlertsReader
from tocsin.response.measures.rule_figures import ending_exceptions, rule_figures, silent_rules
from tocsin.response.measures.tables import TABLES, csv_rows
from tocsin.store.alerts.alert_index import AlertIndex
from tocsin.store.records.database import Records
from tocsin.store.records.models import ExceptionItem, ExceptionList, StoredAlert, StoredRule

CLOSE = WorkflowChange("closed", "false_positive")
NOW = time.time_ns()


@pytest.fixture
def records(tmp_path):
    records = Records(f"sqlite:///{tmp_path}/records.db", CIPHER)
    records.upgrade()
    yield records
    records.close()


@pytest.fixture
def reader(records):
    return MeasuredAlertsReader(records, AlertIndex(records))


def add(
    records, id_, host="ws-1", *, of="r1", raised=NOW - 60 * SECOND, severity="low", block=False, run="scheduled"
):
    """Add an alert of a rule that was raised ten seconds after its event."""
    document = {
        "@timestamp": iso(raised, 9), "kibana.alert.uuid": id_, "kibana.alert.workflow_status": "open",
        "kibana.alert.severity": severity, "kibana.alert.rule.name": f"Rule {of}", "kibana.alert.rule.uuid": of,
        "kibana.alert.rule.execution.type": run, **({"host": {"name": host}} if host else {}),
        **({"kibana.alert.building_block_type": "default"} if block else {}),
    }  # fmt: skip
    with records.transaction() as session:
        session.add(
            StoredAlert(
                id=id_, rule_uuid=of, status="open", building_block=block, time=raised - 10 * SECOND,
                severity=severity, created=raised, changed=raised, document=orjson.dumps(document).decode(),
            )
        )  # fmt: skip


def change(records, change, *ids):
    with records.transaction() as session:
        return change_alerts(session, ACTOR, ids, change).alerts


def ids(measured, kind):
    return set(measured.alerts.ids.filter(measured.marks(kind)).to_pylist())


def of_month(alerts, grouping=MeasureGrouping.RULE, **more):
    return Measured(alerts, NOW - 30 * DAY, NOW + DAY, grouping, **more)


def test_what_became_of_alerts_is_seen_by_the_next_question(records, reader):
    for id_ in ("a1", "a2", "a3"):
        add(records, id_)
    add(records, "block", block=True)
    assert ids(of_month(reader.read()), CountedAs.WAITING) == {"a1", "a2", "a3"}
    change(records, WorkflowChange("acknowledged"), "a1")
    closed = change(records, CLOSE, "a1", "a2")
    measured = of_month(reader.read())
    assert ids(measured, CountedAs.CLOSED) == ids(measured, CountedAs.FALSE_POSITIVE) == {"a1", "a2"}
    assert ids(measured, CountedAs.UNACKNOWLEDGED) == {"a2"}
    assert len(measured.durations(Measure.MTTA).places) == 1
    with records.transaction() as session:
        undo_changes(session, ACTOR, closed)
    measured = of_month(reader.read())
    assert ids(measured, CountedAs.CLOSED) == set()
    assert ids(measured, CountedAs.WAITING) == {"a2", "a3"}
    assert len(measured.durations(Measure.MTTA).places) == 1
    with records.transaction() as session:
        session.delete(session.get_one(StoredAlert, "a1"))
    add(records, "a4")
    change(records, CLOSE, "a4")
    measured = of_month(reader.read())
    assert ids(measured, CountedAs.RAISED) == {"a2", "a3", "a4"}
    assert ids(measured, CountedAs.CLOSED) == {"a4"}


def test_a_reader_that_comes_later_sees_the_same(records, reader):
    for number in range(2_100):  # more than are read by their ids
        add(records, f"a{number}", raised=NOW - number * SECOND)
    reader.read()
    change(records, CLOSE, *(f"a{number}" for number in range(0, 2_100, 7)))
    later = MeasuredAlertsReader(records, AlertIndex(records)).read()
    alerts = reader.read()
    assert alerts.ids.equals(later.ids)
    for name in ("created", "event_times", "taken_up", "closed", "automatic", "by_hand"):
        assert np.array_equal(getattr(alerts, name), getattr(later, name)), name
    assert ids(of_month(alerts), CountedAs.CLOSED) == {f"a{number}" for number in range(0, 2_100, 7)}


def test_alerts_are_measured_by_what_they_are_of(records, reader):
    add(records, "a1", "WS-1", of="r1", severity="high")
    add(records, "a2", "srv-1", of="r1", raised=NOW - 40 * DAY)
    add(records, "a3", "dc1", of="r2", run="manual")
    add(records, "a4", None, of="r2")
    alerts = reader.read()
    groups = [HostGroup("Workstations", ["ws-*"]), HostGroup("Servers", ["srv-?"])]

    def raised(grouping, **more):
        return {group.value: group.raised for group in of_month(alerts, grouping, **more).by_group()}

    assert raised(MeasureGrouping.RULE) == {"r1": 1, "r2": 2}
    assert raised(MeasureGrouping.SEVERITY) == {"high": 1, "low": 2}
    assert raised(MeasureGrouping.HOST_GROUP) == {"WS-1": 1, "dc1": 1, "": 1}
    assert raised(MeasureGrouping.HOST_GROUP, host_groups=groups) == {"Workstations": 1, OTHER_HOSTS: 1, "": 1}
    assert ids(of_month(alerts, MeasureGrouping.HOST_GROUP, group=""), CountedAs.RAISED) == {"a4"}
    assert ids(of_month(alerts, group="r2"), CountedAs.RAISED) == {"a3", "a4"}
    # That of a run by hand tells nothing of how long detecting takes.
    assert of_month(alerts, group="r2").durations(Measure.MTTD).seconds.tolist() == pytest.approx([10])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Servers", "line 1"),
        ("\n: a", "line 2"),
        ("A: ,", "line 1"),
        ("A: a\nA: b", "two groups"),
        ("*: a", "no `*`"),
    ],
)
def test_groups_of_hosts_that_are_not_of_the_form_are_refused(text, message):
    with pytest.raises(InvalidError, match=message.replace("*", r"\*")):
        read_host_groups(text)


def test_the_first_group_that_fits_has_a_host(records):
    groups = read_host_groups("Servers: srv-*, dc?\n\nAll: *, srv-1\nOdd: [x]*")
    with records.transaction() as session:
        define_host_groups(session, ACTOR, groups)
    with records.transaction() as session:
        assert host_groups(session, ACTOR) == groups
        define_host_groups(session, ACTOR, [])
        assert host_groups(session, ACTOR) == []
    hosts = ["SRV-9", "dc1", "dc10", "[x]1"]
    grouped = grouped_hosts(CodedTexts(np.array([0, 1, 2, 3, -1]), hosts), [*groups[:1], groups[2]])
    assert [grouped.text(place) for place in range(5)] == ["Servers", "Servers", OTHER_HOSTS, "Odd", ""]


def test_rules_are_told_by_what_they_raise_and_what_of_it_was_wrong(records, reader):
    for id_, host in (("a1", "h1"), ("a2", "h1"), ("a3", "h2")):
        add(records, id_, host)
    add(records, "b1", of="r2")
    change(records, CLOSE, "a1", "a2")
    change(records, WorkflowChange("closed", "true_positive"), "a3")
    change(records, WorkflowChange("closed", "automated_closure"), "b1")
    alerts = reader.read()
    first, second = rule_figures(alerts, NOW - DAY, NOW + DAY)
    assert (first.name, first.raised, first.hosts, first.closed, first.false_positives) == ("Rule r1", 3, 2, 3, 2)
    assert first.false_positive_share == pytest.approx(2 / 3)
    assert (second.raised, second.closed, second.false_positive_share) == (1, 0, None)
    with records.transaction() as session:
        for id_, enabled in (("r1", True), ("r3", True), ("r4", False)):
            session.add(
                StoredRule(
                    id=id_, rule_id=id_, name=id_, enabled=enabled, document=rule(id_), revision=0, changed=1,
                    created=datetime.now(UTC), created_by="ann", updated=datetime.now(UTC), updated_by="ann",
                )
            )  # fmt: skip
        session.flush()
        assert [silent.id for silent in silent_rules(session, alerts)] == ["r3"]


def test_exceptions_are_told_before_and_shortly_after_they_expire(records, reader):
    now = datetime.now(UTC)
    signed = {"created": now, "created_by": "ann", "updated": now, "updated_by": "ann"}
    with records.transaction() as session:
        session.add(ExceptionList(id="l", list_id="list", document={"name": "Ours"}, **signed))
        for days in (-8, -1, 3, 29, 31):
            document = {"name": f'=cmd|"{days}"'}
            session.add(
                ExceptionItem(
                    id=f"i{days}", item_id=f"i{days}", list_id="list", document=document,
                    expires=now + timedelta(days=days), **signed,
                )
            )  # fmt: skip
        session.flush()
        ending = ending_exceptions(session, now)
        assert [(item.item_id, item.is_expired) for item in ending] == [
            ("i-1", True),
            ("i3", False),
            ("i29", False),
        ]
        rows = list(csv_rows(session, of_month(reader.read()), "exceptions", now))
    assert rows[1][:3] == ["Ours", "i-1", '\'=cmd|"-1"']


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_rows_as_wide_as_its_head(records, reader, table):
    add(records, "a1")
    add(records, "a2", "=1+1", of="-r")
    change(records, CLOSE, "a1")
    with records.transaction() as session:
        rows = list(csv_rows(session, of_month(reader.read()), table, datetime.now(UTC)))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "-"))]
