"""Connectors are encrypted at rest; keys change, get lost and are damaged."""

from __future__ import annotations

import stat
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tocsin.store.records.database import Records
from tocsin.store.records.encryption import KEY_FILE, Cipher, EncryptionError, open_cipher
from tocsin.store.records.models import Connector

SECRET = "hooks-T0/B0/veryverysecret"
FIRST, SECOND = "the first key, which is long enough", "the second key, which is long enough"


def opened(url, *keys):
    records = Records(url, Cipher(keys))
    records.upgrade()
    return records


def add_connector(records, id_="hook"):
    with records.transaction() as session:
        session.add(
            Connector(
                id=id_, name=id_, type=".webhook", config={"url": f"https://chat.example/{SECRET}"},
                secrets={"user": "u", "password": SECRET}, created=datetime.now(UTC), created_by="tests",
            )
        )  # fmt: skip


def read(records, id_="hook"):
    with records.transaction() as session:
        found = session.get_one(Connector, id_)
        return found.config, found.secrets, found.is_undecryptable


def kept(records):
    with records.transaction() as session:
        return str(session.execute(text("SELECT config, secrets FROM connectors")).all())


EXPECTED = ({"url": f"https://chat.example/{SECRET}"}, {"user": "u", "password": SECRET}, False)


def test_the_database_holds_no_secret_and_gives_it_back(database_url):
    records = opened(database_url, FIRST)
    add_connector(records)
    assert SECRET not in kept(records)
    assert read(records) == EXPECTED
    records.close()


def test_what_an_earlier_version_kept_plain_is_encrypted_and_leaves_no_trace(tmp_path):
    url = f"sqlite:///{tmp_path}/records.db"
    records = opened(url, FIRST)
    with records.transaction() as session:
        session.execute(
            text(
                "INSERT INTO connectors (id, name, type, config, secrets, created, created_by) VALUES "
                "('hook', 'hook', '.webhook', :config, :secrets, '2026-11-27 00:00:00.000000', 'tests')"
            ),
            {"config": f'{{"url": "https://chat.example/{SECRET}"}}', "secrets": f'{{"password": "{SECRET}"}}'},
        )
    assert records.encrypt_connectors() == []
    assert read(records)[0] == EXPECTED[0]
    records.close()
    assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_new_key_takes_over_and_the_former_one_may_go(database_url):
    records = opened(database_url, FIRST)
    add_connector(records)
    records.close()
    rotated = opened(database_url, SECOND, FIRST)
    assert rotated.encrypt_connectors() == []
    rotated.close()
    after = opened(database_url, SECOND)
    assert (after.encrypt_connectors(), read(after)) == ([], EXPECTED)
    after.close()


def test_without_its_key_a_connector_is_named_and_kept_for_the_key_to_come_back(database_url):
    records = opened(database_url, FIRST)
    add_connector(records)
    records.close()
    without = opened(database_url, SECOND)
    assert without.encrypt_connectors() == ["hook"]
    assert read(without) == ({}, {}, True)
    without.close()
    again = opened(database_url, SECOND, FIRST)
    assert (again.encrypt_connectors(), read(again)) == ([], EXPECTED)
    again.close()


def test_records_without_a_cipher_write_no_connector(database_url):
    records = Records(database_url)
    records.upgrade()
    with pytest.raises(Exception, match="without the key"):
        add_connector(records)
    records.close()


def test_a_folder_gets_a_key_of_its_own_that_its_owner_alone_reads(tmp_path):
    open_cipher(tmp_path)
    first = (tmp_path / KEY_FILE).read_text()
    open_cipher(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == first
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    (tmp_path / KEY_FILE).chmod(0o644)
    open_cipher(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe\x00 not a key at all, and longer than thirty-two"])
def test_a_damaged_key_is_put_aside(tmp_path, content):
    (tmp_path / KEY_FILE).write_bytes(content)
    open_cipher(tmp_path)
    assert len((tmp_path / KEY_FILE).read_text().strip()) >= 32
    [aside] = tmp_path.glob(f"{KEY_FILE}.damaged-*")
    assert aside.read_bytes() == content


def test_a_key_that_is_given_makes_no_file_and_the_folders_still_decrypts(tmp_path):
    open_cipher(tmp_path, FIRST)
    assert not list(tmp_path.iterdir())
    encrypted = open_cipher(tmp_path).encrypt({"password": SECRET})
    assert open_cipher(tmp_path, FIRST).decrypt(encrypted) == {"password": SECRET}
    assert not open_cipher(tmp_path, FIRST).is_current(encrypted)


def test_a_short_key_is_refused():
    with pytest.raises(EncryptionError, match="at least 32 characters"):
        Cipher(["short"])
