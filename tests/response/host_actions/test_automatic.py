"""Actions that alerts of rules ask for by themselves: switched on by an engineer, once an alert, up to a limit."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.response.host_actions.conftest import SECRET
from tests.response.host_actions.receivers import Reply
from tocsin.errors import InvalidError
from tocsin.response.host_actions import requests
from tocsin.response.host_actions.automatic import (
    AutomaticActions,
    automatic_actions,
    switch_off,
    switch_on,
    wished_actions,
)
from tocsin.response.host_actions.policies import set_policy
from tocsin.store.records import access
from tocsin.store.records.models import StoredAlert, StoredRule

RULE = "0b3e8bd2-8f0f-4c9e-9d5a-6f1a1c2b3d4e"
NUMBERS = itertools.count(1)


@pytest.fixture
def automatic(office, receiver, webhook):
    receiver.respond = lambda _: Reply(document={"state": "succeeded"})
    now = datetime.now(UTC)
    rule = StoredRule(
        id=RULE, rule_id="r", name="Beacons", enabled=True, document={}, revision=0, changed=0, muted_until=None,
        watched_from=None, done_to=None, created=now, created_by="x", updated=now, updated_by="x",
    )  # fmt: skip
    with office.records.transaction() as session:
        session.add(rule)
    made = AutomaticActions(office.records, office.connectors, clock=lambda: office.now)
    yield made
    made.close()


def switched_on(office, webhook, who="engineer", **more):
    options = {"ceiling": 3, "now": 100, **more}
    with office.records.transaction() as session:
        return switch_on(
            session, office.people[who], RULE, options.pop("kind", "isolate"), webhook, **options
        ).id  # fmt: skip


def raise_alert(office, host="ws-1", created=None, **fields):
    number = next(NUMBERS)
    document = {"host": {"name": host}, "process": {"pid": 4242, "name": "a.exe"}, **fields}
    with office.records.transaction() as session:
        session.add(
            StoredAlert(
                id=f"alert{number}", rule_uuid=RULE, created=created or 100 + number, time=1, status="open",
                severity="high", building_block=False, group_key=None, counted_to=None, changed=number,
                document=orjson.dumps(document).decode(),
            )
        )  # fmt: skip
    return f"alert{number}"


def actions(office):
    with office.records.transaction() as session:
        return {action.alert_id: action for action in requests.actions_list(session)}


def test_an_alert_asks_once_and_not_before_it_is_switched_on(office, receiver, webhook, automatic):
    raise_alert(office, created=50)
    assert automatic.turn() == 0
    switched_on(office, webhook)
    alert = raise_alert(office)
    assert [automatic.turn(), automatic.turn()] == [1, 0]
    again = AutomaticActions(office.records, office.connectors)  # after a restart
    assert again.turn() == 0
    again.close()
    office.sender.turn()
    [action] = actions(office).values()
    assert (action.alert_id, action.state, action.requested_by) == (alert, "succeeded", "rule Beacons")
    assert [request.json["host"]["name"] for request in receiver.requests] == ["ws-1"]


def test_what_goes_beyond_the_ceiling_is_held_back_and_counted(office, receiver, webhook, automatic):
    switched_on(office, webhook)
    for number in range(5):
        raise_alert(office, f"ws-{number}")
    automatic.turn()
    states = [action.state for action in actions(office).values()]
    assert sorted(states) == ["approved"] * 3 + ["held back"] * 2
    with office.records.transaction() as session:
        [summary] = automatic_actions(session, office.now)
    assert (summary.last_hour, summary.all, summary.held_back) == (3, 3, 2)
    office.pass_time(minutes=61)
    alert = raise_alert(office, "ws-9")
    automatic.turn()
    assert actions(office)[alert].state == "approved"


def test_a_host_that_is_isolated_is_not_isolated_again(office, webhook, automatic):
    switched_on(office, webhook)
    first, second = raise_alert(office), raise_alert(office)
    automatic.turn()
    states = actions(office)
    assert [states[first].state, states[second].state] == ["approved", "held back"]
    assert "in effect" in states[second].detail


def test_an_alert_that_lacks_what_the_action_needs_says_so(office, webhook, automatic):
    switched_on(office, webhook, kind="block_indicator")
    lacks = raise_alert(office)
    has = raise_alert(office, process={"hash": {"sha256": "ab" * 32}})
    automatic.turn()
    assert "[value] is needed" in actions(office)[lacks].detail
    assert actions(office)[has].parameters == {"type": "sha256", "value": "ab" * 32}


def test_it_waits_for_a_second_person_where_its_kind_needs_one(office, receiver, webhook, automatic):
    with office.records.transaction() as session:
        set_policy(session, office.people["admin"], "isolate", "respond", four_eyes=True)
    switched_on(office, webhook)
    raise_alert(office)
    automatic.turn()
    [action] = actions(office).values()
    assert action.state == "awaiting approval"
    with pytest.raises(InvalidError, match="four eyes"):
        office.do(requests.approve_action, "engineer", action.id)  # who has switched it on
    office.do(requests.approve_action, "analyst", action.id)


def test_it_ends_with_the_right_of_who_has_switched_it_on(office, webhook, automatic):
    switched_on(office, webhook)
    with office.records.transaction() as session:
        access.change_user(session, office.people["admin"], "engineer", enabled=False)
    raise_alert(office)
    automatic.turn()
    [action] = actions(office).values()
    assert (action.state, "somebody else has to" in action.detail) == ("held back", True)


def test_what_is_switched_off_asks_no_more(office, webhook, automatic):
    id_ = switched_on(office, webhook)
    with office.records.transaction() as session:
        switch_off(session, office.people["engineer"], id_)
    raise_alert(office)
    assert automatic.turn() == 0


@pytest.mark.parametrize(
    ("who", "more", "message"),
    [
        ("analyst", {}, "may not switch"), ("engineer", {"ceiling": 0}, "ceiling"),
        ("engineer", {"ceiling": 1_000}, "ceiling"), ("engineer", {"kind": "disable_account"}, "is one of"),
        ("engineer", {"kind": "scan", "lives": timedelta(hours=1)}, "no end"),
    ],
)  # fmt: skip
def test_what_cannot_be_switched_on(office, webhook, automatic, who, more, message):
    with pytest.raises(InvalidError, match=message):
        switched_on(office, webhook, who, **more)


def test_a_receiver_that_does_not_answer_is_waited_for(office, receiver, automatic):
    defender = office.add_connector("crowdstrike", "falcon", client_id="x", client_secret=SECRET, url=receiver.url)
    switched_on(office, defender)
    receiver.respond = lambda _: Reply(503)
    raise_alert(office)
    assert automatic.turn() == 0
    assert actions(office) == {}
    office.pass_time(minutes=31)
    assert automatic.turn() == 1
    [action] = actions(office).values()
    assert action.state == "held back"


def test_elastic_s_own_response_actions_are_wishes_that_nobody_obeys():
    """`response_actions` of a rule in Kibana's rule schema: action types `.endpoint` and `.osquery`."""
    document = {
        "response_actions": [
            {"action_type_id": ".endpoint", "params": {"command": "isolate", "comment": ""}},
            {"action_type_id": ".endpoint", "params": {"command": "kill-process", "config": {"overwrite": True}}},
            {"action_type_id": ".osquery", "params": {"query": "select 1"}},
            "x",
        ]
    }
    assert wished_actions(document) == ["isolate", "kill_process"]
    assert wished_actions({"response_actions": "x"}) == []
