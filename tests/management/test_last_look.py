"""When somebody last looked: it moves when they say so, is theirs alone, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.errors import InvalidError
from tocsin.management.last_look import LastLook, last_look, set_last_look
from tocsin.store.records import access
from tocsin.store.records.access import Actor, local_actor
from tocsin.store.records.database import Records

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def records(tmp_path) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{tmp_path}/records.db")) as opened:
        opened.upgrade()
        yield opened


def person(records: Records, name: str) -> Actor:
    with records.transaction() as session:
        access.add_user(session, local_actor("tests"), name, "viewer", "correct horse battery")
        return access.as_actor(access.find_user(session, name), "")


def test_it_moves_when_they_say_so_and_keeps_the_moment_before(records: Records) -> None:
    anna, bert = person(records, "anna"), person(records, "bert")
    with records.transaction() as session:
        assert last_look(session, anna) is None
        assert set_last_look(session, anna, NOON) == LastLook(NOON)
        later = NOON + timedelta(hours=1)
        assert set_last_look(session, anna, later) == LastLook(later, NOON)
        assert last_look(session, anna) == LastLook(later, NOON)
        assert last_look(session, bert) is None
        assert set_last_look(session, anna, NOON) == LastLook(NOON, later)


def test_what_is_to_come_has_not_been_seen(records: Records) -> None:
    anna = person(records, "anna")
    with records.transaction() as session, pytest.raises(InvalidError, match="lies in the future"):
        set_last_look(session, anna, datetime.now(UTC) + timedelta(hours=1))


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"]
)
def test_a_moment_that_records_do_not_have_has_not_been_seen(records: Records, moment: str) -> None:
    anna = person(records, "anna")
    with records.transaction() as session, pytest.raises(InvalidError, match="before 1970"):
        set_last_look(session, anna, datetime.fromisoformat(moment))
