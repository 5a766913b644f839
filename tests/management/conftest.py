"""Records in a folder of their own, and what tests say of rules and exceptions."""

from __future__ import annotations

import orjson
import pytest

from tests.scheduler.virtual import CIPHER
from tocsin.ecs import default_schema
from tocsin.management.imports import import_objects
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records

ACTOR = local_actor("ann")


def schemas(document):
    """Give every rule the schema that is known without any event."""
    return default_schema()


def rule(rule_id="r", **more):
    """Return a rule that can be saved."""
    return {
        "rule_id": rule_id, "name": f"Rule {rule_id}", "description": "d", "type": "eql", "language": "eql",
        "severity": "low", "risk_score": 21, "query": "process where true", "index": ["logs-*"], **more,
    }  # fmt: skip


def lines(*documents):
    return [one if isinstance(one, bytes) else orjson.dumps(one) for one in documents]


def save(session, *documents, **options):
    return import_objects(session, ACTOR, lines(*documents), schemas, **options)


@pytest.fixture
def session(tmp_path):
    records = Records(f"sqlite:///{tmp_path}/records.db", CIPHER)
    records.upgrade()
    with records.transaction() as session:
        yield session
    records.close()
