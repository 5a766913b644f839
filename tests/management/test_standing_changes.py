"""What became of an alert by its history: with what was taken back, it is as if that had never been."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.management.conftest import ACTOR
from tocsin.management.activity import activity_since, closed_since
from tocsin.management.alert_changes import NamesChange, WorkflowChange, change_alerts, undo_changes
from tocsin.management.alert_workflows import alert_workflows, all_alert_workflows
from tocsin.management.standing_changes import AlertWorkflow, Closing, HistoryChange, workflow_of
from tocsin.moments import EPOCH, to_datetime
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import StoredAlert

KEY = Actor("key:robot", frozenset(Scope), key_id="k")


def changes(*written):
    """Return changes of (field, old, new), perhaps with who made them; with `undo` they take one back."""
    made = []
    for time, (field, old, new, *more) in enumerate(written, 1):
        actor = next((word for word in more if word != "undo"), "ann")
        made.append(HistoryChange(time, actor, field, old, new, "undo" in more))
    return made


@pytest.mark.parametrize(
    ("written", "workflow"),
    [
        ([], AlertWorkflow()),
        ([("status", "open", "acknowledged")], AlertWorkflow(1)),
        ([("status", "open", "acknowledged", "key:robot")], AlertWorkflow()),
        ([("assignees", [], ["bea"])], AlertWorkflow(1)),
        ([("assignees", None, ["bea"], "key:robot"), ("assignees", ["bea"], ["bea", "cy"])], AlertWorkflow(2)),
        ([("assignees", None, ["bea"], "key:robot"), ("assignees", ["bea"], [])], AlertWorkflow()),
        ([("status", "open", "acknowledged"), ("status", "acknowledged", "open")], AlertWorkflow(1)),
        ([("status", "open", "acknowledged"), ("status", "acknowledged", "open", "undo")], AlertWorkflow()),
        ([("status", "open", "closed")], AlertWorkflow(None, Closing(1, "ann", None))),
        (
            [("status", "open", "closed"), ("reason", None, "duplicate"), ("reason", "duplicate", "other")],
            AlertWorkflow(None, Closing(1, "ann", "other")),
        ),
        ([("status", "open", "closed"), ("status", "closed", "open")], AlertWorkflow()),
        (
            [("status", "open", "closed"), ("status", "closed", "open"), ("status", "open", "closed", "bea")],
            AlertWorkflow(None, Closing(3, "bea", None)),
        ),
        # That it was opened again was taken back: it has been closed all the time.
        (
            [("status", "open", "closed"), ("status", "closed", "open"), ("status", "open", "closed", "undo")],
            AlertWorkflow(None, Closing(1, "ann", None)),
        ),
        (
            [
                ("status", "open", "acknowledged"), ("status", "acknowledged", "closed"),
                ("status", "closed", "acknowledged", "undo"),
            ],
            AlertWorkflow(1),
        ),
        # What is taken back was noted before such notes were: the change stands for itself.
        ([("status", "closed", "open", "undo")], AlertWorkflow()),
    ],
)  # fmt: skip
def test_a_history_tells_who_took_an_alert_up_first_and_who_closed_it_last(written, workflow):
    assert workflow_of(changes(*written)) == workflow


@pytest.mark.parametrize(
    ("actor", "reason", "is_automatic"),
    [
        ("ann", None, False),
        ("ann", "false_positive", False),
        ("ann", "automated_closure", True),
        ("key:robot", "true_positive", True),
    ],
)
def test_a_closing_is_automatic_by_who_or_why(actor, reason, is_automatic):
    assert Closing(1, actor, reason).is_automatic is is_automatic


VALUES = {
    "status": st.sampled_from(["open", "acknowledged", "closed"]),
    "reason": st.sampled_from([None, "duplicate", "automated_closure"]),
    "assignees": st.lists(st.sampled_from(["ann", "bea"]), unique=True, max_size=2),
}
STEPS = st.lists(
    st.one_of(
        st.just("undo"),
        *(
            st.tuples(st.just(field), value, st.sampled_from(["ann", "key:robot"]))
            for field, value in VALUES.items()
        ),
    ),
    max_size=25,
)


@given(STEPS)
def test_with_what_was_taken_back_it_is_as_if_that_had_never_been(steps):
    now: dict[str, Any] = {"status": "open", "reason": None, "assignees": []}
    history, standing = list[HistoryChange](), list[HistoryChange]()
    for time, step in enumerate(steps):
        if step == "undo":
            if standing:
                undone = standing.pop()
                history.append(undone._replace(time=time, old=undone.new, new=undone.old, undoes=True))
                now[undone.field] = undone.old
        elif now[step[0]] != step[1]:
            field, value, actor = step
            change = HistoryChange(time, actor, field, now[field], value)
            history.append(change)
            standing.append(change)
            now[field] = value
    workflow = workflow_of(history)
    assert workflow == workflow_of(standing)
    assert (workflow.closing is not None) == (now["status"] == "closed")
    if workflow.closing:
        closings = [c.time for c in standing if c.field == "status" and c.new == "closed"]
        assert (workflow.closing.time, workflow.closing.reason) == (max(closings), now["reason"])
    assigned = [c for c in standing if c.field == "assignees" and set(c.new) - set(c.old)]
    taken_up = [c.time for c in standing if c.actor == "ann" and (c in assigned or c.new == "acknowledged")]
    assert workflow.taken_up == min(taken_up, default=None)


# ---- in records

CLOSE = WorkflowChange("closed", "benign_positive", "seen")
TAKE = WorkflowChange("acknowledged", assignees=NamesChange(["ann"]))
ALWAYS = (EPOCH, to_datetime(2**62))


@pytest.fixture
def ids(session):
    for number in range(3):
        document = {"kibana.alert.workflow_status": "open", "kibana.alert.rule.name": "Rule"}
        session.add(
            StoredAlert(
                id=f"a{number}", rule_uuid="u", status="open", building_block=False, time=number, severity="low",
                created=number, changed=number + 1, document=orjson.dumps(document).decode(),
            )
        )  # fmt: skip
    session.flush()
    return ["a0", "a1", "a2"]


def test_what_became_of_alerts_is_read_from_their_histories(session, ids):
    change_alerts(session, ACTOR, ids[:2], TAKE)
    undone = change_alerts(session, ACTOR, ids[:1], CLOSE)
    undo_changes(session, ACTOR, undone.alerts)
    change_alerts(session, KEY, ids[1:], CLOSE)
    workflows = alert_workflows(session, [*ids, "another"])
    assert dict(all_alert_workflows(session)) == {id_: workflows[id_] for id_ in ids}
    assert workflows["another"] == AlertWorkflow()
    assert [workflows[id_].taken_up is not None for id_ in ids] == [True, True, False]
    assert workflows["a0"].closing is None
    for id_ in ids[1:]:
        closing = workflows[id_].closing
        assert closing is not None
        assert (closing.actor, closing.reason, closing.is_automatic) == ("key:robot", "benign_positive", True)


def test_who_took_a_closing_back_has_not_closed(session, ids):
    undone = change_alerts(session, ACTOR, ids[:2], CLOSE)
    undo_changes(session, ACTOR, undone.alerts)
    change_alerts(session, ACTOR, ids[1:], CLOSE)
    change_alerts(session, ACTOR, ids[2:], WorkflowChange("open"))
    (activity,) = activity_since(session, *ALWAYS)
    assert (activity.statuses, activity.others) == ({"closed": 2, "open": 1}, 2)
    assert [(alert.id, alert.actor, alert.reason) for alert in closed_since(session, *ALWAYS)] == [
        ("a1", "ann", "benign_positive")
    ]
