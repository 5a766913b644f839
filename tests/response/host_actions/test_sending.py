"""What becomes of an action: sent once, asked after, tried again where that is safe, undone at its end."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tests.response.host_actions.conftest import SECRET
from tests.response.host_actions.receivers import Reply
from tests.waiting import eventually
from tocsin.actions.egress import EgressPolicy
from tocsin.errors import ConflictError, InvalidError
from tocsin.response.host_actions import requests
from tocsin.response.host_actions.policies import set_policy
from tocsin.response.host_actions.states import find_action

RUNNING = {"state": "running", "reference": "r-1"}


def test_an_action_is_sent_and_its_answer_is_its_result(office, receiver, webhook):
    receiver.respond = lambda _: Reply(
        document={"state": "succeeded", "detail": "cut off", "result": {"vlan": 99}}
    )
    id_ = office.request(connector_id=webhook, comment="beacon")
    office.sender.turn()
    action = office.action(id_)
    assert (action.state, action.detail, action.result) == ("succeeded", "cut off", {"vlan": 99})
    assert office.steps(id_) == ["approved", "sending", "succeeded"]
    [sent] = receiver.requests
    assert sent.json["id"] == id_ == sent.headers["idempotency-key"]
    assert (sent.json["host"]["name"], sent.json["requested_by"]) == ("ws-1", "analyst")


def test_a_receiver_that_says_no_is_not_asked_again(office, receiver, webhook):
    receiver.respond = lambda _: Reply(403, {"error": f"not you, {SECRET}"})
    id_ = office.request(connector_id=webhook)
    office.sender.turn()
    office.pass_time(hours=1)
    office.sender.turn()
    assert office.state(id_) == "failed"
    assert "not you" in office.action(id_).detail
    assert SECRET not in office.action(id_).detail
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("target", ["/elsewhere", "http://127.0.0.1:1/", "http://169.254.169.254/latest"])
def test_a_redirect_is_followed_nowhere(office, receiver, webhook, target):
    receiver.respond = lambda _: Reply(307, headers={"Location": target})
    id_ = office.request(connector_id=webhook)
    office.sender.turn()
    assert office.state(id_) == "failed"
    assert "no redirect is followed" in office.action(id_).detail
    assert [request.path for request in receiver.requests] == ["/act"]


def test_nothing_is_sent_to_this_machine_unless_the_administrator_allows_it(office, receiver, webhook):
    id_ = office.request(connector_id=webhook)
    office.egress = EgressPolicy()
    office.restart()
    office.sender.turn()
    assert office.state(id_) == "failed"
    assert "connector_networks" in office.action(id_).detail
    assert receiver.requests == []


def test_what_has_not_arrived_is_tried_again_with_growing_pauses(office, receiver, webhook):
    replies = [Reply(429, headers={"Retry-After": "90"}), Reply(document={"state": "succeeded"})]
    receiver.respond = lambda _: replies.pop(0)
    id_ = office.request(connector_id=webhook)
    office.sender.turn()
    assert office.state(id_) == "approved"
    office.pass_time(seconds=60)
    assert office.sender.turn() == 0  # the receiver said 90 seconds
    office.pass_time(seconds=60)
    office.sender.turn()
    assert (office.state(id_), office.action(id_).tries) == ("succeeded", 2)
    first, second = receiver.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_receiver_that_nobody_reaches_is_given_up_after_some_tries(office, receiver, webhook):
    id_ = office.request(connector_id=webhook)
    receiver.stop()
    for _ in range(12):
        office.sender.turn()
        office.pass_time(minutes=11)
    action = office.action(id_)
    assert (action.state, action.tries) == ("failed", 10)
    assert "given up after 10 tries" in action.detail


@pytest.mark.parametrize("reply", [Reply(500), Reply(200, text="<html>"), Reply(408)])
def test_an_action_that_may_have_been_done_is_not_sent_again(office, receiver, webhook, reply):
    receiver.respond = lambda _: reply
    id_ = office.request(connector_id=webhook)
    for _ in range(3):
        office.sender.turn()
        office.pass_time(minutes=5)
    assert office.state(id_) == "unknown"
    assert len(receiver.requests) == 1


def test_a_receiver_that_tells_repetitions_is_sent_it_again(office, receiver):
    webhook = office.add_connector(url=receiver.url, secret=SECRET, idempotent="yes")
    replies = [Reply(500), Reply(502), Reply(document={"state": "succeeded"})]
    receiver.respond = lambda _: replies.pop(0)
    id_ = office.request(connector_id=webhook)
    for _ in range(3):
        office.sender.turn()
        office.pass_time(minutes=1)
    assert office.state(id_) == "succeeded"
    assert {request.headers["idempotency-key"] for request in receiver.requests} == {id_}


def test_a_connector_that_times_out_leaves_it_unknown_until_people_look(office, receiver, webhook):
    released = threading.Event()
    receiver.respond = lambda _: Reply(hold=released)
    office.seconds = 0.3
    office.restart()
    id_ = office.request(connector_id=webhook)
    office.sender.turn()
    released.set()
    assert office.state(id_) == "unknown"
    assert "not over within 0.3 seconds" in office.action(id_).detail
    with pytest.raises(InvalidError, match="reason"):
        office.do(requests.settle_action, "second", id_, "succeeded", " ")
    office.do(requests.settle_action, "second", id_, "succeeded", "it is in the quarantine VLAN")
    assert office.state(id_) == "succeeded"
    assert "settled by second" in office.action(id_).detail


def test_a_receiver_that_can_be_asked_tells_what_became_of_it(office, receiver):
    def respond(request):
        return (
            Reply(500) if request.method == "POST" else Reply(document={"state": "succeeded", "reference": "r-7"})
        )

    receiver.respond = respond
    webhook = office.add_connector(url=receiver.url, secret=SECRET, status_url=receiver.url + "/{id}")
    id_ = office.request(connector_id=webhook)
    office.sender.turn()
    office.pass_time(minutes=1)
    office.sender.turn()
    assert (office.state(id_), office.action(id_).receipt["reference"]) == ("succeeded", "r-7")
    assert len(receiver.sent("POST")) == 1
    assert receiver.sent("GET", f"/{id_}")


def test_a_killed_service_leaves_its_request_to_the_next_one(office, receiver, webhook):
    """`sending` is what a service leaves that was killed between the request and its answer."""
    id_ = office.request(connector_id=webhook)
    with office.records.transaction() as session:
        action = find_action(session, id_)
        action.state, action.tries, action.sent, action.next_try = "sending", 1, office.now, None
    office.restart()
    assert office.sender.turn() == 0  # another one would have it in its hands
    assert office.sender.recover() == 1
    office.sender.turn()
    assert office.state(id_) == "unknown"
    assert receiver.requests == []


def test_an_action_that_runs_is_asked_after_until_there_is_a_result(office, receiver):
    states = [RUNNING, RUNNING, {"state": "failed", "detail": "the agent is gone"}]
    receiver.respond = lambda _: Reply(document=states.pop(0))
    webhook = office.add_connector(url=receiver.url, secret=SECRET, status_url=receiver.url + "/{id}")
    id_ = office.request(connector_id=webhook)
    for _ in range(3):
        office.sender.turn()
        office.pass_time(minutes=2)
    assert (office.state(id_), office.action(id_).detail) == ("failed", "the agent is gone")


def test_an_action_without_a_result_in_time_has_timed_out_and_can_be_asked_after(office, receiver):
    receiver.respond = lambda _: Reply(202, RUNNING)
    webhook = office.add_connector(url=receiver.url, secret=SECRET, status_url=receiver.url + "/{id}")
    id_ = office.request(connector_id=webhook)
    office.sender.turn()
    office.pass_time(hours=2)
    office.sender.turn()
    assert office.state(id_) == "timed out"
    receiver.respond = lambda _: Reply(document={"state": "succeeded"})
    office.do(requests.ask_again, "analyst", id_)
    office.sender.turn()
    assert office.state(id_) == "succeeded"


def test_a_temporary_block_ends_by_itself_also_after_a_restart(office, receiver, webhook):
    receiver.respond = lambda _: Reply(document={"state": "succeeded"})
    block = {"type": "ip", "value": "203.0.113.9"}
    id_ = office.request(
        kind="block_indicator", host="", connector_id=webhook, parameters=block, lives=timedelta(hours=4)
    )
    office.sender.turn()
    office.restart()
    office.pass_time(hours=3)
    office.sender.turn()
    assert office.state(id_) == "succeeded"
    office.pass_time(hours=2)
    office.sender.turn()
    assert office.state(id_) == "undone"
    blocked, unblocked = (request.json for request in receiver.requests)
    assert (unblocked["action"], unblocked["undoes"]) == ("unblock_indicator", id_)
    assert blocked["parameters"] == unblocked["parameters"] == block


def test_an_end_that_fails_is_tried_again(office, receiver, webhook):
    replies = [Reply(), Reply(403), Reply()]
    receiver.respond = lambda _: replies.pop(0)
    id_ = office.request(connector_id=webhook, lives=timedelta(minutes=10))
    office.sender.turn()
    office.pass_time(minutes=11)
    office.sender.turn()
    assert office.state(id_) == "succeeded"
    assert office.sender.turn() == 0
    office.pass_time(minutes=3)
    office.sender.turn()
    assert office.state(id_) == "undone"


def test_an_action_is_undone_once(office, receiver, webhook):
    id_ = office.request(connector_id=webhook)
    with pytest.raises(ConflictError, match="nothing to undo"):
        office.do(requests.undo_action, "analyst", id_)
    office.sender.turn()
    undo = office.do(requests.undo_action, "second", id_).id
    with pytest.raises(ConflictError, match="being undone"):
        office.do(requests.undo_action, "analyst", id_)
    office.sender.turn()
    assert (office.state(id_), office.state(undo)) == ("undone", "succeeded")
    assert receiver.requests[1].json["action"] == "release"


def test_a_connector_that_hangs_does_not_hold_up_others(office, receiver, webhook):
    released = threading.Event()
    receiver.respond = lambda request: Reply(hold=released if request.path == "/slow" else None)
    slow = office.add_connector(name="slow", url=receiver.url + "/slow", secret=SECRET)
    held, quick = office.request(connector_id=slow), office.request(connector_id=webhook)
    working = office.sender.begin()
    eventually(lambda: office.state(quick) == "succeeded")
    assert office.state(held) == "sending"
    released.set()
    assert [one.result() for one in working] == [1, 1]


def test_four_eyes(office, receiver, webhook):
    with office.records.transaction() as session:
        set_policy(session, office.people["admin"], "isolate", "respond", four_eyes=True)
    id_ = office.request(connector_id=webhook)
    office.sender.turn()
    assert (office.state(id_), receiver.requests) == ("awaiting approval", [])
    with pytest.raises(InvalidError, match="four eyes"):
        office.do(requests.approve_action, "analyst", id_)
    with pytest.raises(InvalidError, match="respond"):
        office.do(requests.approve_action, "viewer", id_)
    office.do(requests.approve_action, "second", id_)
    with pytest.raises(ConflictError, match="faster"):
        office.do(requests.approve_action, "admin", id_)
    office.sender.turn()
    assert office.state(id_) == "succeeded"
    assert receiver.requests[0].json["approved_by"] == "second"


def test_what_was_rejected_or_withdrawn_is_never_sent(office, receiver, webhook):
    with office.records.transaction() as session:
        set_policy(session, office.people["admin"], "isolate", "respond", four_eyes=True)
    rejected = office.request(connector_id=webhook)
    office.do(requests.reject_action, "second", rejected, "the host runs the plant")
    withdrawn = office.request(connector_id=webhook)
    with pytest.raises(InvalidError, match="takes it back"):
        office.do(requests.withdraw_action, "second", withdrawn)
    office.do(requests.withdraw_action, "analyst", withdrawn)
    office.sender.turn()
    assert [office.state(rejected), office.state(withdrawn)] == ["rejected", "withdrawn"]
    assert receiver.requests == []


def test_the_same_action_is_asked_for_once(office, receiver, webhook):
    office.request(connector_id=webhook)
    with pytest.raises(ConflictError, match="under way"):
        office.request(connector_id=webhook)
    office.request(connector_id=webhook, host="ws-2")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kind": "explode"}, "is one of"),
        ({"host": ""}, "host"),
        ({"kind": "kill_process"}, "pid"),
        ({"kind": "kill_process", "parameters": {"pid": "4"}}, "above 4"),
        ({"kind": "kill_process", "parameters": {"pid": "1; rm -rf"}}, "pid"),
        ({"kind": "block_indicator", "parameters": {"type": "ip", "value": "127.0.0.1"}}, "cannot be blocked"),
        ({"kind": "block_indicator", "parameters": {"type": "sha256", "value": "abc"}}, "64 hexadecimal"),
        ({"kind": "block_indicator", "parameters": {"type": "url", "value": "javascript:alert(1)"}}, "no address"),
        ({"kind": "collect_file", "parameters": {"path": "a" * 5_000}}, "4,096"),
        ({"kind": "isolate", "parameters": {"x": "1"}}, "no parameter"),
        ({"kind": "scan", "lives": timedelta(hours=1)}, "cannot be undone"),
        ({"lives": timedelta(days=400)}, "90 days"),
        ({"comment": "a" * 3_000}, "comment"),
    ],
)
def test_what_cannot_be_is_refused_by_name(office, webhook, more, message):
    with pytest.raises(InvalidError, match=message):
        office.request(connector_id=webhook, **more)
