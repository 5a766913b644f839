"""A real service that is killed while it sends, and two people who approve at once, on PostgreSQL too."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.postgresql import binaries, cluster
from tests.response.host_actions.conftest import SECRET, open_office
from tests.response.host_actions.receivers import Receiver, Reply
from tests.serving import Serve
from tests.waiting import eventually
from tocsin.errors import ConflictError
from tocsin.response.host_actions import requests
from tocsin.response.host_actions.policies import set_policy

LOOPBACK = {"TOCSIN_CONNECTOR_NETWORKS": "127.0.0.0/8"}


def test_a_service_that_is_killed_while_it_sends_does_nothing_twice(tmp_path, receiver):
    """One receiver tells repetitions and is sent it again; of the other one nobody knows, and people are told."""
    released = threading.Event()
    receiver.respond = lambda _: Reply(document={"state": "succeeded"}, hold=released)
    office = open_office(f"sqlite:///{tmp_path}/records.db", tmp_path)
    with Serve(tmp_path, env=LOOPBACK) as service:
        once = office.add_connector(name="once", url=f"{receiver.url}/once", secret=SECRET, idempotent="yes")
        plain = office.add_connector(name="plain", url=f"{receiver.url}/plain", secret=SECRET)
        repeatable, doubtful = office.request(connector_id=once), office.request(connector_id=plain)
        eventually(lambda: len(receiver.requests) == 2)
        service.process.send_signal(signal.SIGKILL)
        service.process.wait()
    released.set()
    assert [office.state(repeatable), office.state(doubtful)] == ["sending", "sending"]
    with Serve(tmp_path, env=LOOPBACK):
        eventually(lambda: office.state(repeatable) == "succeeded")
        eventually(lambda: office.state(doubtful) == "unknown")
    keys = [(request.path, request.headers["idempotency-key"]) for request in receiver.requests]
    assert sorted(keys) == sorted([("/once", repeatable), ("/once", repeatable), ("/plain", doubtful)])
    office.sender.close()
    office.records.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_office(request, tmp_path):
    if request.param == "sqlite":
        yield open_office(f"sqlite:///{tmp_path}/records.db", tmp_path)
        return
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as started:
        office = open_office(started.create("actions"), tmp_path)
        yield office
        office.sender.close()
        office.records.close()


def test_two_approvals_at_once_are_one(shared_office):
    office = shared_office
    with Receiver(lambda _: Reply(document={"state": "succeeded"})) as receiver:
        webhook = office.add_connector(url=receiver.url, secret=SECRET)
        with office.records.transaction() as session:
            set_policy(session, office.people["admin"], "isolate", "respond", four_eyes=True)
        ids = [office.request(connector_id=webhook, host=f"ws-{number}") for number in range(5)]
        for id_ in ids:
            outcomes: list[str] = []
            together = threading.Barrier(3)

            def approve(name, id_=id_, outcomes=outcomes, together=together):
                together.wait()
                try:
                    office.do(requests.approve_action, name, id_)
                    outcomes.append("approved")
                except ConflictError:
                    outcomes.append("conflict")

            threads = [threading.Thread(target=approve, args=(name,)) for name in ("second", "engineer", "admin")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(outcomes) == ["approved", "conflict", "conflict"]
        office.sender.turn()
        assert sorted(request.json["id"] for request in receiver.requests) == sorted(ids)
