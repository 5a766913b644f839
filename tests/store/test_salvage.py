"""Records in a file that is damaged: what can be read of them is saved, and what was damaged is kept and told."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import func, select

from tests.scheduler.virtual import ROOT, rule
from tests.torture.damage import HOW
from tocsin.store.records.database import Records, RecordsError
from tocsin.store.records.models import StoredRule
from tocsin.store.records.rules import add_rule
from tocsin.store.records.salvage import damage_of, salvage

RULES = 400


@pytest.fixture
def folder(tmp_path):
    records = Records(f"sqlite:///{tmp_path}/records.db")
    records.upgrade()
    with records.transaction() as session:
        for number in range(RULES):
            add_rule(session, ROOT, rule(f"r{number}", note="n" * 2000), enabled=True)
    records.close()
    with closing(sqlite3.connect(tmp_path / "records.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tmp_path


def rules(folder):
    records = Records(f"sqlite:///{folder}/records.db")
    records.upgrade()
    with records.transaction() as session:
        found = session.scalar(select(func.count()).select_from(StoredRule))
    records.close()
    return found


def test_sound_records_are_left_as_they_are(folder):
    assert salvage(f"sqlite:///{folder}/records.db", folder / "damaged") is None
    assert rules(folder) == RULES
    assert not (folder / "damaged").exists()


def test_rules_run_the_last_day_again_whose_alerts_may_be_lost(folder):
    """No rule goes back behind the moment from which it has been enabled, nor one that has never run anywhere."""
    day, now = 86_400 * 10**9, 1_795_000_000 * 10**9
    with closing(sqlite3.connect(folder / "records.db")) as connection, connection:
        connection.execute("UPDATE rules SET watched_from = ?, done_to = ?", (now - 9 * day, now))
        connection.execute("UPDATE rules SET watched_from = ? WHERE rule_id = 'r1'", (now - day // 2,))
        connection.execute("UPDATE rules SET done_to = NULL WHERE rule_id = 'r2'")
    cut = folder / "records.db"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 3 // 4])
    assert salvage(f"sqlite:///{folder}/records.db", folder / "damaged") is not None
    with closing(sqlite3.connect(folder / "records.db")) as connection:
        places = dict(connection.execute("SELECT rule_id, done_to FROM rules"))
    assert (places["r0"], places["r1"], places["r2"]) == (now - day, now - day // 2, None)


def test_most_rules_are_saved_from_a_file_with_blank_pages(folder):
    path = folder / "records.db"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4 * 4096] = bytes(4 * 4096)
    path.write_bytes(content)
    assert damage_of(path) is not None
    told = salvage(f"sqlite:///{folder}/records.db", folder / "damaged")
    assert told is not None
    assert "rules could be read" in told or "rules," in told
    assert RULES // 4 < rules(folder) < RULES
    assert [kept.read_bytes() for kept in (folder / "damaged").rglob("records.db")] == [bytes(content)]
    assert damage_of(path) is None


@pytest.mark.parametrize("byte", [b"{", b"\xff", b"\x01"])
def test_a_changed_byte_in_a_rule_costs_at_most_this_rule(folder, byte):
    """SQLite has no checksums: the rule's JSON was none, or no text, and no rule could be read."""
    path = folder / "records.db"
    content = path.read_bytes()
    at = content.index(b'"rule_id": "r7"')
    path.write_bytes(content[:at] + byte + content[at + 1 :])
    told = salvage(f"sqlite:///{folder}/records.db", folder / "damaged")
    assert told is not None
    assert "1 row of rules cannot be read" in told
    assert RULES - 1 <= rules(folder) <= RULES
    records = Records(f"sqlite:///{folder}/records.db")
    with records.transaction() as session:
        assert all(stored.document for stored in session.scalars(select(StoredRule)))
    records.close()
    assert damage_of(path) is None


@pytest.mark.parametrize("part", [0.1, 0.9])
def test_the_first_rules_are_saved_from_a_file_that_was_cut(folder, part):
    path = folder / "records.db"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert salvage(f"sqlite:///{folder}/records.db", folder / "damaged") is not None
    assert rules(folder) >= (RULES // 4 if part == 0.9 else 0)
    assert damage_of(path) is None


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("seed", range(2))
def test_after_any_damage_there_are_records_that_can_be_used(folder, how, seed):
    HOW[how](folder / "records.db", random.Random(seed))
    salvage(f"sqlite:///{folder}/records.db", folder / "damaged")
    records = Records(f"sqlite:///{folder}/records.db")
    records.upgrade()
    with records.transaction() as session:
        add_rule(session, ROOT, rule("another"), enabled=True)
    records.close()


def test_records_that_are_damaged_are_told_to_be_and_not_a_traceback(folder):
    (folder / "records.db").write_bytes((folder / "records.db").read_bytes()[:5000])
    with pytest.raises(RecordsError, match="damaged"):
        rules(folder)
