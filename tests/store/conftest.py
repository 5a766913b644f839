"""Databases of records: SQLite and a real PostgreSQL."""

from __future__ import annotations

import itertools

import pytest

from tests.postgresql import binaries, cluster
from tocsin.store.records.database import Records

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgresql():
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    return request.getfixturevalue("postgresql").create(f"records{next(_NUMBERS)}")


@pytest.fixture
def records(database_url):
    opened = Records(database_url)
    opened.upgrade()
    yield opened
    opened.close()
