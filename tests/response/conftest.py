"""Records on SQLite and on PostgreSQL, and alerts in them."""

from __future__ import annotations

import itertools
import shutil

import orjson
import pytest

from tests.store.conftest import postgresql
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

__all__ = ["postgresql"]
_NUMBERS = itertools.count()

NOTE = """## Triage
### Steps
- Look at it.
### Response and remediation
- Isolate the host.
  - Stop the *process*.
- Reset passwords.
### Related rules
- Another.
"""
SHA256 = "ab" * 32


def alert_document(number, **more):
    return {
        "kibana.alert.workflow_status": "open", "kibana.alert.rule.name": "Remote File Download",
        "kibana.alert.rule.uuid": "rule-1", "kibana.alert.rule.parameters": {"note": NOTE}, "number": number,
        "process": {"hash": {"sha256": SHA256}}, "destination": {"ip": ["10.0.0.1", "203.0.113.9", "8.8.8.8"]},
        **more,
    }  # fmt: skip


def add_alerts(session, count, severity="medium", start=0, **more):
    """Add alerts, and return their ids."""
    numbers = range(start, start + count)
    session.add_all(
        StoredAlert(
            id=f"a{number}", rule_uuid="rule-1", status="open", building_block=False, time=number,
            severity=severity, created=number, changed=number + 1,
            document=orjson.dumps(alert_document(number, **more)).decode(),
        )
        for number in numbers
    )  # fmt: skip
    session.flush()
    return [f"a{number}" for number in numbers]


@pytest.fixture(scope="session")
def empty_records(tmp_path_factory):
    """Make a file of records once."""
    path = tmp_path_factory.mktemp("records") / "records.db"
    made = Records(f"sqlite:///{path}")
    made.upgrade()
    made.close()
    return path


@pytest.fixture
def database():
    """Say which database a test is run on, unless it has a parameter of this name."""
    return "sqlite"


@pytest.fixture
def records(request, database, empty_records, tmp_path):
    if database == "postgresql":
        opened = Records(request.getfixturevalue("postgresql").create(f"cases{next(_NUMBERS)}"))
        opened.upgrade()
    else:
        opened = Records(f"sqlite:///{shutil.copy(empty_records, tmp_path / 'records.db')}")
    yield opened
    opened.close()


@pytest.fixture
def session(records):
    with records.transaction() as session:
        yield session
