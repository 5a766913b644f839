"""The workflow of alerts: what each change does, and that the history and the audit log have it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from sqlalchemy import select

from tests.management.conftest import ACTOR
from tocsin.errors import InvalidError, NotFoundError
from tocsin.management import alerts
from tocsin.management.alert_changes import (
    NamesChange,
    UndoneChanges,
    WorkflowChange,
    change_alerts,
    undo_changes,
)
from tocsin.store.records import access
from tocsin.store.records.database import Records
from tocsin.store.records.models import AuditEntry, StoredAlert

STATUS, REASON = "kibana.alert.workflow_status", "kibana.alert.workflow_reason"


@pytest.fixture
def ids(session):
    for number, (name, building_block) in enumerate((("Alpha", False), ("Beta", False), ("Beta", True))):
        document = {STATUS: "open", "kibana.alert.rule.name": name, "number": number}
        session.add(
            StoredAlert(
                id=f"a{number}", rule_uuid="u", status="open", building_block=building_block, time=number,
                severity="low", created=number, changed=number + 1,
                document=orjson.dumps(document).decode(),
            )
        )  # fmt: skip
    session.flush()
    return ["a0", "a1", "a2"]


def documents(session):
    found = session.scalars(select(StoredAlert).order_by(StoredAlert.id))
    return [orjson.loads(alert.document) for alert in found]


def audited(session):
    return [(entry.action, entry.actor) for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


@pytest.mark.parametrize(
    ("status", "reason", "kept"),
    [
        ("acknowledged", None, ("acknowledged", None)),
        ("in-progress", None, ("acknowledged", None)),
        ("closed", None, ("closed", None)),
        ("closed", "duplicate", ("closed", "duplicate")),
        ("acknowledged", "duplicate", ("acknowledged", None)),
    ],
)
def test_a_status_is_set_once(session, ids, status, reason, kept):
    assert alerts.set_status(session, ACTOR, ["a0", "nowhere"], status, reason) == 1
    changed, other, _ = documents(session)
    assert (changed[STATUS], changed.get(REASON)) == kept
    assert other[STATUS] == "open"
    assert session.get(StoredAlert, "a0").status == kept[0]
    first = alerts.history(session, "a0")[0]
    assert (first.actor, first.field, first.old, first.new) == ("ann", "status", "open", kept[0])
    assert audited(session) == [("alerts.status", "ann")]


def test_the_same_status_changes_nothing(session, ids):
    assert alerts.set_status(session, ACTOR, ids, "open") == 0
    assert audited(session) == []


def test_an_alert_that_is_opened_again_has_no_reason(session, ids):
    alerts.set_status(session, ACTOR, ids, "closed", "other")
    assert alerts.set_status(session, ACTOR, ["a1"], "open") == 1
    assert [document.get(REASON) for document in documents(session)] == ["other", None, "other"]


@pytest.mark.parametrize("status", ["", "shut", "Closed"])
def test_no_other_status_is_known(session, ids, status):
    with pytest.raises(InvalidError, match="one of open, acknowledged, closed"):
        alerts.set_status(session, ACTOR, ids, status)


@pytest.mark.parametrize(
    ("change", "member"),
    [
        (alerts.set_tags, "kibana.alert.workflow_tags"),
        (alerts.set_assignees, "kibana.alert.workflow_assignee_ids"),
    ],
)
def test_names_are_added_and_removed(session, ids, change, member):
    assert change(session, ACTOR, ["a0", "a1"], ["x", "y", "x"], []) == 2
    assert change(session, ACTOR, ids, ["x"], ["y"]) == 3
    assert [document[member] for document in documents(session)] == [["x"], ["x"], ["x"]]
    assert change(session, ACTOR, ids, ["x"], ["y"]) == 0


def test_notes_are_added_one_behind_the_other(session, ids):
    for text in ("first", "second"):
        alerts.add_note(session, ACTOR, "a0", text)
    assert [note["text"] for note in documents(session)[0]["tocsin.notes"]] == ["first", "second"]


@pytest.mark.parametrize(("id_", "text", "error"), [("a0", " ", InvalidError), ("nowhere", "x", NotFoundError)])
def test_a_note_that_cannot_be_added_is_refused(session, ids, id_, text, error):
    with pytest.raises(error):
        alerts.add_note(session, ACTOR, id_, text)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({}, [1, 0]),
        ({"building_blocks": True}, [2, 1, 0]),
        ({"rule": "beta"}, [1]),
        ({"status": "closed"}, [0]),
        ({"rule": "gamma"}, []),
    ],
)
def test_the_newest_alerts_come_first(session, ids, options, numbers):
    if "status" in options:
        alerts.set_status(session, ACTOR, ["a0"], "closed")
    found = alerts.newest_alerts(session, 50, **options)
    assert [document["number"] for document in found] == numbers
    assert alerts.newest_alerts(session, 1, **options) == found[:1]


def test_a_step_of_the_guide_is_ticked_once_and_taken_back(session, ids):
    alert = session.get(StoredAlert, "a0")
    note = "## Steps\n\n- first, `code`\n- second\n\n## Response\n\n- later\n"
    document = orjson.loads(alert.document) | {"kibana.alert.rule.parameters": {"note": note}}
    alert.document = orjson.dumps(document).decode()
    step = alerts.set_step(session, ACTOR, "a0", 2, done=True)
    assert step is not None
    assert (step["number"], step["text"], step["done_by"]) == (2, "second", "ann")
    assert alerts.set_step(session, ACTOR, "a0", 2, done=True) == step
    first = alerts.set_step(session, ACTOR, "a0", 1, done=True)
    assert documents(session)[0][alerts.STEPS] == [first, step]
    assert alerts.set_step(session, ACTOR, "a0", 2, done=False) is None
    assert documents(session)[0][alerts.STEPS] == [first]
    changes = [(c.field, c.old, c.new) for c in alerts.history(session, "a0")]
    assert changes == [("step", None, "second"), ("step", None, "first, code"), ("step", "second", None)]
    assert audited(session) == [("alerts.step", "ann")] * 3


@pytest.mark.parametrize(("id_", "number"), [("a0", 1), ("nowhere", 1)])
def test_a_step_that_is_not_there_is_refused(session, ids, id_, number):
    with pytest.raises(NotFoundError):
        alerts.set_step(session, ACTOR, id_, number, done=True)


CLOSE = WorkflowChange(
    "closed", "benign_positive", "ours", NamesChange(["seen"]), NamesChange(["bea"], remove_others=True)
)


def workflow(document):
    names = (STATUS, REASON, "kibana.alert.workflow_tags", "kibana.alert.workflow_assignee_ids", "tocsin.notes")
    return {name: document.get(name) for name in names}


def test_one_change_sets_status_reason_note_tags_and_assignees(session, ids):
    alerts.set_assignees(session, ACTOR, ["a0"], ["ann"], [])
    outcome = change_alerts(session, ACTOR, ["a0", "nowhere", "a1"], CLOSE)
    assert [alert.id for alert in outcome.alerts] == ["a0", "a1"]
    assert outcome.unknown == ["nowhere"]
    for document in documents(session)[:2]:
        (note,) = document["tocsin.notes"]
        assert note["text"] == "ours"
        assert workflow(document) == {
            STATUS: "closed", REASON: "benign_positive", "kibana.alert.workflow_tags": ["seen"],
            "kibana.alert.workflow_assignee_ids": ["bea"], "tocsin.notes": [note],
        }  # fmt: skip
    assert [entry.field for entry in alerts.history(session, "a1")] == [
        "status", "reason", "tags", "assignees", "note",
    ]  # fmt: skip
    assert audited(session)[1:] == [(f"alerts.{name}", "ann") for name in ("status", "tags", "assignees", "note")]


def test_a_change_is_undone_exactly_and_the_history_has_it(session, ids):
    alerts.set_status(session, ACTOR, ["a0"], "closed", "duplicate")
    alerts.set_tags(session, ACTOR, ["a0"], ["old"], [])
    alerts.add_note(session, ACTOR, "a0", "ours")
    before = [workflow(document) for document in documents(session)]
    outcome = change_alerts(session, ACTOR, ids, CLOSE)
    assert undo_changes(session, ACTOR, outcome.alerts) == UndoneChanges(3, 0)
    after = [workflow(document) for document in documents(session)]
    empty: tuple[object, ...] = ([], None)
    for earlier, later in zip(before, after, strict=True):
        assert {n: v for n, v in earlier.items() if v not in empty} == {
            n: v for n, v in later.items() if v not in empty
        }
    assert [session.get(StoredAlert, id_).status for id_ in ids] == ["closed", "open", "open"]
    entries = [(entry.field, entry.old, entry.new) for entry in alerts.history(session, "a1")]
    assert entries[len(entries) // 2 :] == [
        ("status", "closed", "open"), ("reason", "benign_positive", None), ("tags", ["seen"], None),
        ("assignees", ["bea"], None), ("note", "ours", None),
    ]  # fmt: skip
    assert audited(session)[-1] == ("alerts.undo", "ann")


def test_what_was_changed_since_stays(session, ids):
    outcome = change_alerts(session, ACTOR, ["a0", "a1"], CLOSE)
    alerts.set_status(session, ACTOR, ["a0"], "acknowledged")
    alerts.add_note(session, ACTOR, "a1", "another")
    assert undo_changes(session, ACTOR, outcome.alerts) == UndoneChanges(2, 1)
    first, second, _ = documents(session)
    assert first[STATUS] == "acknowledged"
    assert "kibana.alert.workflow_tags" not in first
    assert second[STATUS] == "open"
    assert [note["text"] for note in second["tocsin.notes"]] == ["another"]
    assert undo_changes(session, ACTOR, outcome.alerts) == UndoneChanges(0, 2)


def test_alerts_are_assigned_to_those_who_may_respond(session):
    for name, role in (("zoe", "analyst"), ("vic", "viewer"), ("eve", "engineer"), ("oli", "analyst")):
        access.add_user(session, ACTOR, name, role, "a long password")
    access.change_user(session, ACTOR, "oli", enabled=False)
    assert alerts.assignable_users(session) == ["eve", "zoe"]


def test_changes_of_several_people_at_once_are_all_there(tmp_path):
    records = Records(f"sqlite:///{tmp_path}/several.db")
    records.upgrade()
    with records.transaction() as session:
        session.add(
            StoredAlert(
                id="a", rule_uuid="u", status="open", building_block=False, time=0, severity="low", created=0,
                changed=1, document=orjson.dumps({STATUS: "open"}).decode(),
            )
        )  # fmt: skip

    def tag(name):
        for number in range(20):
            with records.transaction() as session:
                alerts.set_tags(session, ACTOR, ["a"], [f"{name}{number}"], [])

    with ThreadPoolExecutor(3) as people:
        list(people.map(tag, "xyz"))
    with records.transaction() as session:
        document = orjson.loads(session.get_one(StoredAlert, "a").document)
    assert sorted(document["kibana.alert.workflow_tags"]) == sorted(f"{n}{i}" for n in "xyz" for i in range(20))
    records.close()
