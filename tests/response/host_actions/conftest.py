"""Records with people, a receiver, and a sender whose clock a test sets."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.response.host_actions.receivers import Receiver
from tocsin.actions.egress import EgressPolicy, networks_of
from tocsin.response.host_actions import requests
from tocsin.response.host_actions.connectors import OpenConnectors, add_response_connector
from tocsin.response.host_actions.preparing import prepared
from tocsin.response.host_actions.requests import NewAction
from tocsin.response.host_actions.sending import ActionSender
from tocsin.store.records import access
from tocsin.store.records.access import Actor, local_actor
from tocsin.store.records.database import Records
from tocsin.store.records.encryption import open_cipher
from tocsin.store.records.host_actions import HostAction

PEOPLE = {
    "analyst": "analyst", "second": "analyst", "viewer": "viewer", "engineer": "engineer", "admin": "admin",
}  # fmt: skip
PASSWORD = "correct horse battery"
SECRET = "a secret of more than 24 bytes"
LOOPBACK = EgressPolicy(networks_of(["127.0.0.0/8"]))


@dataclass
class Office:
    """Records, the people in them, connectors that are open, and the time."""

    records: Records
    people: dict[str, Actor]
    egress: EgressPolicy = LOOPBACK
    seconds: float = 10
    passed: timedelta = timedelta()

    def __post_init__(self):
        self.restart()

    @property
    def now(self):
        return datetime.now(UTC) + self.passed

    def restart(self):
        """Begin anew, as a service that was killed: what was in memory is gone."""
        self.connectors = OpenConnectors(self.records, self.egress, self.seconds)
        self.sender = ActionSender(self.records, self.connectors, clock=lambda: self.now)

    def pass_time(self, **span):
        self.passed += timedelta(**span)

    def add_connector(self, type_name="webhook", name="receiver", **settings):
        with self.records.transaction() as session:
            return add_response_connector(session, self.people["admin"], name, type_name, settings).id

    def request(self, who="analyst", kind="isolate", host="ws-1", **more):
        action = prepared(self.connectors, self.people[who], NewAction(kind, host=host, **more))
        with self.records.transaction() as session:
            return requests.request_action(session, self.people[who], action).id

    def do(self, change, who, *arguments, **named):
        with self.records.transaction() as session:
            return change(session, self.people[who], *arguments, **named)

    def action(self, id_) -> HostAction:
        with self.records.transaction() as session:
            return session.get_one(HostAction, id_)

    def state(self, id_):
        return self.action(id_).state

    def steps(self, id_):
        with self.records.transaction() as session:
            return [step.state for step in requests.action_steps(session, id_)]


def open_office(url, folder, **options) -> Office:
    records = Records(url, open_cipher(folder))
    if records.is_empty():
        records.upgrade()
        with records.transaction() as session:
            for name, role in PEOPLE.items():
                access.add_user(session, local_actor("tests"), name, role, PASSWORD)
    with records.transaction() as session:
        people = {name: access.as_actor(access.find_user(session, name), "127.0.0.1") for name in PEOPLE}
    return Office(records, people, **options)


@pytest.fixture(scope="session")
def made_records(tmp_path_factory):
    """A folder with records in which the people are; their passwords take long to hash."""
    folder = tmp_path_factory.mktemp("records")
    open_office(f"sqlite:///{folder}/records.db", folder).records.close()
    return folder


@pytest.fixture
def office(tmp_path, made_records):
    shutil.copytree(made_records, tmp_path, dirs_exist_ok=True)
    opened = open_office(f"sqlite:///{tmp_path}/records.db", tmp_path)
    yield opened
    opened.sender.close()
    opened.records.close()


@pytest.fixture
def receiver():
    with Receiver() as started:
        yield started


@pytest.fixture
def webhook(office, receiver):
    return office.add_connector(url=receiver.url + "/act", secret=SECRET)
