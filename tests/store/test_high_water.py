"""Records that have gone back since they were last written: told by the next start, whatever made them go back."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing, contextmanager

import pytest

from tests.scheduler.virtual import ROOT, rule
from tocsin.store.records.access import add_user
from tocsin.store.records.database import Records
from tocsin.store.records.high_water import HIGH_WATER
from tocsin.store.records.rules import add_rule


@contextmanager
def opened(folder):
    records = Records(f"sqlite:///{folder}/records.db", high_water=folder / HIGH_WATER)
    with closing(records):
        records.upgrade()
        yield records


def change(records, name):
    with records.transaction() as session:
        add_user(session, ROOT, name, "viewer")


def told(folder):
    with opened(folder) as records:
        return records.behind()


@pytest.fixture
def folder(tmp_path):
    with opened(tmp_path) as records:
        change(records, "ann")
    return tmp_path


@contextmanager
def killed(folder):
    """Give records, and a copy of their folder as a kill leaves it after what is done with them."""
    copy = folder.parent / f"{folder.name}-killed"
    with opened(folder) as records:
        yield records, copy
        shutil.copytree(folder, copy)


def test_records_that_nothing_happened_to_are_not_behind(folder):
    assert told(folder) is None
    with killed(folder) as (records, copy):
        change(records, "bob")
    assert told(copy) is None
    assert told(folder) is None


@pytest.mark.parametrize("damage", ["remove", "empty", "zero"])
def test_a_log_that_is_lost_after_a_kill(folder, damage):
    with killed(folder) as (records, copy):
        change(records, "bob")
    log = copy / "records.db-wal"
    if damage == "remove":
        log.unlink()
    else:
        log.write_bytes(bytes(log.stat().st_size if damage == "zero" else 0))
    assert "they have gone back" in str(told(copy))
    assert "number 2 of" in str(told(copy))  # until it is accepted


@pytest.mark.parametrize("more", [0, 1, 5])
def test_an_older_copy_is_known_even_after_it_was_changed(folder, more):
    shutil.copy(folder / "records.db", folder / "older")
    with killed(folder) as (records, copy):
        change(records, "bob")
        for path in folder.glob("records.db-*"):
            path.touch()
    for path in copy.glob("records.db-*"):
        path.unlink()
    shutil.move(copy / "older", copy / "records.db")
    with opened(copy) as records:
        for number in range(more):
            change(records, f"u{number}")
    assert "they have gone back" in str(told(copy))
    with opened(copy) as records:
        records.accept()
    assert told(copy) is None


def test_ticks_that_are_lost(folder):
    with opened(folder) as records, records.transaction() as session:
        add_rule(session, ROOT, rule("r"), enabled=True).done_to = 1_000_000_000_000_000_000
    with opened(folder) as records, records.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE rules SET done_to = 900000000000000000")
    assert "rules had been run up to 2001-09-09" in str(told(folder))


def test_a_byte_that_changed_since_the_stop(folder):
    path = folder / "records.db"
    content = path.read_bytes()
    at = content.index(b"viewer")  # a person's role, which SQLite has no sum of
    path.write_bytes(content[:at] + b"editor" + content[at + 6 :])
    assert "is not what it was at the last stop" in str(told(folder))
    with opened(folder) as records:
        change(records, "bob")
    assert "is not what it was at the last stop" in str(told(folder))


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"audit": "x"}'])
def test_a_mark_that_is_damaged(folder, content):
    path = folder / HIGH_WATER
    path.unlink() if content is None else path.write_bytes(content)
    with opened(folder) as records:
        assert f"{HIGH_WATER} {'is gone' if content is None else 'cannot be read'}" in str(
            records.behind(expected=True)
        )
        records.accept()
        assert records.behind(expected=True) is None


def test_records_in_use_by_several_processes_at_once(folder):
    with opened(folder) as service:
        change(service, "bob")
        with opened(folder) as command:
            change(command, "cid")
        change(service, "dan")
        assert service.behind() is None
    assert told(folder) is None


def test_a_dump_of_postgresql_that_was_put_back(postgresql, tmp_path):
    """`pg_dump` and `psql` themselves, on a cluster of its own."""
    url = postgresql.create("put_back")
    dump = tmp_path / "dump.sql"

    def run(program, *arguments):
        subprocess.run([postgresql.programs / program, *arguments], check=True, stdout=subprocess.DEVNULL)

    def behind(*, accept=False):
        with closing(Records(url, high_water=tmp_path / HIGH_WATER)) as records:
            told = records.behind(expected=True)
            if accept:
                records.accept()
            return told

    with closing(Records(url, high_water=tmp_path / HIGH_WATER)) as records:
        records.upgrade()
        change(records, "ann")
        run("pg_dump", "--clean", "--file", dump, url)
        change(records, "bob")
    assert behind() is None
    run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", dump, url)
    for _ in range(2):  # it is told until it is accepted
        assert "they have gone back" in (behind() or "")
    with closing(Records(url, high_water=tmp_path / HIGH_WATER)) as records:
        change(records, "eve")  # the same number in the audit log, made at another moment
    assert "they have gone back" in (behind(accept=True) or "")
    assert behind() is None
