"""Actions on hosts over HTTP: a dry run first, a second person, and who may what."""

from __future__ import annotations

import pytest

from tests.api.conftest import PASSWORD
from tests.response.host_actions.receivers import Receiver, Reply
from tests.waiting import eventually
from tocsin.response.host_actions.connectors import add_response_connector
from tocsin.response.host_actions.policies import set_policy
from tocsin.store.records.access import local_actor

ACTIONS = "/api/response/actions"
ADMIN = local_actor("tests")


@pytest.fixture(scope="module")
def receiver():
    with Receiver(lambda _: Reply(document={"state": "succeeded"})) as started:
        yield started


@pytest.fixture(scope="module")
def connector(running, receiver):
    given = {"url": receiver.url, "secret": "a secret of more than 24 bytes"}
    with running.service.records.transaction() as session:
        return add_response_connector(session, ADMIN, "webhook", "webhook", given).id


def as_user(running, name):
    return running.http("", auth=(name, PASSWORD))


def test_an_action_is_shown_asked_for_and_undone(running, receiver, connector):
    body = {"action": "isolate", "connector_id": connector, "host": "ws-1"}
    with as_user(running, "analyst") as client:
        shown = client.post(ACTIONS, json=body).json()
        assert (shown["state"], shown["id"], len(shown["plan"])) == ("dry run", None, 1)
        assert receiver.requests == []
        id_ = client.post(ACTIONS, json={**body, "dry_run": False, "expires_after": 3600}).json()["id"]
        eventually(lambda: client.get(f"{ACTIONS}/{id_}").json()["state"] == "succeeded")
        undo = client.post(f"{ACTIONS}/{id_}/_undo").json()
        eventually(lambda: client.get(f"{ACTIONS}/{id_}").json()["state"] == "undone")
        listed = client.get(ACTIONS, params={"host": "ws-1"}).json()["actions"]
        assert [each["id"] for each in listed] == [undo["id"], id_]
        assert client.post(f"{ACTIONS}/{id_}/_undo").status_code == 409
        assert client.get("/api/response/connectors").json()["connectors"][0]["name"] == "webhook"


def test_a_second_person_approves(running, receiver, connector):
    with running.service.records.transaction() as session:
        set_policy(session, ADMIN, "scan", "respond", four_eyes=True)
    body = {"action": "scan", "connector_id": connector, "host": "ws-2", "dry_run": False}
    with as_user(running, "analyst") as asks, as_user(running, "engineer") as decides:
        id_ = asks.post(ACTIONS, json=body).json()["id"]
        assert asks.post(f"{ACTIONS}/{id_}/_approve").status_code == 400
        assert decides.post(f"{ACTIONS}/{id_}/_reject", json={"reason": "not now"}).json()["state"] == "rejected"
        assert decides.post(f"{ACTIONS}/{id_}/_approve").status_code == 409
        again = asks.post(ACTIONS, json=body).json()["id"]
        assert asks.post(f"{ACTIONS}/{again}/_withdraw").json()["state"] == "withdrawn"
        assert asks.post(f"{ACTIONS}/{again}/_settle", json={"state": "failed", "reason": "x"}).status_code == 409
        third = asks.post(ACTIONS, json=body).json()["id"]
        assert decides.post(f"{ACTIONS}/{third}/_approve").status_code == 200
        eventually(lambda: asks.get(f"{ACTIONS}/{third}").json()["state"] == "succeeded")
    with as_user(running, "admin") as administrator:
        entries = administrator.get("/api/audit", params={"size": 200}).json()["entries"]
    assert {entry["action"] for entry in entries} >= {
        "response.requested", "response.approved", "response.rejected", "response.withdrawn", "response.policy",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "explode"}, 400), ({"action": "isolate", "host": "a\x00b"}, 400), ({"action": "isolate"}, 400),
        ({"action": "scan", "host": "ws-1", "expires_after": 60}, 400),
        ({"action": "isolate", "host": "ws-1", "connector_id": "nobody"}, 404),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(running, connector, body, status):
    with as_user(running, "analyst") as client:
        assert client.post(ACTIONS, json={"connector_id": connector, **body}).status_code == status


def test_a_viewer_reads_and_no_more(running, connector):
    with as_user(running, "viewer") as client:
        assert client.get(ACTIONS).status_code == 200
        assert client.get(f"{ACTIONS}/nothing%00").status_code == 404
        body = {"action": "isolate", "connector_id": connector, "host": "ws-1"}
        assert client.post(ACTIONS, json=body).status_code == 403
