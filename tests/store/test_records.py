"""Users, keys, sessions and the audit log, on SQLite and on PostgreSQL."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import select, text

from tests.serving import tocsin
from tocsin.store.records import access
from tocsin.store.records.access import AccessError, Actor, Scope, local_actor
from tocsin.store.records.database import Records, RecordsError, alembic_config
from tocsin.store.records.migrations import versions as migrations
from tocsin.store.records.models import ApiKey, AuditEntry, Base, ClientObject, User, WebSession

ADMIN = local_actor("root")
PASSWORD = "correct horse battery"


def actions(records):
    with records.transaction() as session:
        return [entry.action for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def test_migrations_make_the_tables_of_the_models(records):
    with records.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    records.upgrade()  # again is the same as once


# SHA-256 of each migration that was released. Folders have been through them: a change goes into a new one.
RELEASED = {
    "r0001_access.py": "0d251465ae2fb5c2757e00bf17f44f460a943b9f67485e5d6a1698bc95091c69",
    "r0002_watch.py": "ea6bbbe80f463808fb55de5b319d5943f0cbadb9828a9aba1297a430fd9e784f",
    "r0003_execution_uuid.py": "530a04aabaff7bcc4ab5c325cace4a6ae8a5d1f49e722e578529856269673a76",
    "r0004_owners.py": "7e05a9b625f99d58410927903be4351d72cad18d67d771f5c3f043eb0d1eb5fd",
    "r0005_saved_objects.py": "b01d466ca3760fa14d81850566547e147d1ed6a76239da55a4fed39340e2ed44",
    "r0006_rule_versions.py": "e48b96e83248e994d4b3f496c0bccff4dfa21ac11042f2587481055167232722",
    "r0007_host_actions.py": "dada0fdbcd1533bf55e5fcc6262bf083a57141fff6d69d308364d65408c14612",
    "r0008_reputation.py": "bc589d7ed2c921033e6cf8596f863151aab6621e75f1fe5e10c96d7bd020dd65",
    "r0009_undone_changes.py": "b0dcfa9605925ddb28a54d1443c74cb3d26fae83e2b30b7e2c7427539db8d22c",
    "r0010_cases.py": "1f6577c3630a3c2332eff7dd1945b5e9c764ec2d7e6c65c6059f46faa5365582",
    "r0011_hosts.py": "7c4deab07e572d053e1aef679ca84714d5a7409c19a9ebebe2eefeeb6ebbe81d",
}


def test_a_released_migration_is_never_changed():
    folder = Path(migrations.__file__).parent
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("r*.py")}
    assert {name: sums.get(name) for name in RELEASED} == RELEASED
    assert sums.keys() - RELEASED.keys() == set(), "name the new migration above"


def test_what_a_changed_migration_left_out_is_added(records):
    with records.engine.begin() as connection:  # as folders are whose second migration was an earlier one
        for lost in (
            "ALTER TABLE rules DROP COLUMN muted_until",
            "DROP TABLE connectors",
            "DROP TABLE deliveries",
        ):
            connection.execute(text(lost))
    records.upgrade()
    with records.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_tables_that_are_not_those_of_the_models_are_refused(records):
    with records.engine.begin() as connection:
        connection.execute(text("ALTER TABLE rules RENAME COLUMN document TO documents"))
    with pytest.raises(RecordsError, match="not those of this version"):
        records.upgrade()


def test_tables_of_a_newer_tocsin_are_not_touched(records, database_url):
    with records.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordsError, match="newer tocsin"):
        Records(database_url).upgrade()


def test_the_first_start_makes_an_admin_with_a_one_time_password(records):
    with records.transaction() as session:
        password = access.ensure_admin(session)
        assert password is not None
        assert access.ensure_admin(session) is None
        actor = access.check_password(session, "admin", password, "127.0.0.1")
        assert actor is not None
        assert actor.one_time
        assert not any(actor.may(scope) for scope in Scope)
        access.set_password(session, actor, "admin", PASSWORD)
        actor = access.check_password(session, "admin", PASSWORD, "127.0.0.1")
        assert actor is not None
        assert all(actor.may(scope) for scope in Scope)
        assert access.check_password(session, "admin", password, "") is None


MAY = {
    "viewer": {"read"},
    "analyst": {"read", "respond"},
    "engineer": {"read", "respond", "write_rules", "ingest"},
    "admin": set(Scope),
}


@pytest.mark.parametrize("role", MAY)
def test_roles(records, role):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "someone", role, PASSWORD)
        actor = access.check_password(session, "someone", PASSWORD, "")
        assert actor is not None
        assert {scope for scope in Scope if actor.may(scope)} == MAY[role]


def test_passwords_are_hashed_as_rfc_9106_says(tmp_path):
    """In a process of its own: those of tests hash with cheaper parameters."""
    added = tocsin("users", "add", "someone", "--role", "viewer", data=tmp_path)
    assert added.returncode == 0, added.stderr
    with (
        contextlib.closing(Records(f"sqlite:///{tmp_path}/records.db")) as records,
        records.transaction() as session,
    ):
        kept = access.find_user(session, "someone").password_hash
    assert extract_parameters(kept) == RFC_9106_LOW_MEMORY


def test_passwords_are_kept_as_argon2_hashes(records):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "someone", "viewer", PASSWORD)
        assert access.find_user(session, "someone").password_hash.startswith("$argon2id$")


REFUSED = {
    "a name twice": (lambda s: access.add_user(s, ADMIN, "someone", "viewer", PASSWORD), "already"),
    "no name": (lambda s: access.add_user(s, ADMIN, "", "viewer", PASSWORD), "printable"),
    "a name with a colon": (lambda s: access.add_user(s, ADMIN, "a:b", "viewer", PASSWORD), "colon"),
    "an unknown role": (lambda s: access.add_user(s, ADMIN, "x", "boss", PASSWORD), "no role called `boss`"),
    "a short password": (lambda s: access.add_user(s, ADMIN, "x", "viewer", "short"), "12 to 1024"),
    "an unknown user": (lambda s: access.set_password(s, ADMIN, "x", PASSWORD), "no user called"),
    "the last admin's role": (lambda s: access.change_user(s, ADMIN, "boss", role="viewer"), "only admin"),
    "the last admin": (lambda s: access.change_user(s, ADMIN, "boss", enabled=False), "only admin"),
    "an unknown scope": (lambda s: access.add_key(s, ADMIN, "k", ["fly"]), "no scope called `fly`"),
    "no scope": (lambda s: access.add_key(s, ADMIN, "k", []), "needs a scope"),
    "a key that may more than its owner": (
        lambda s: access.add_key(s, Actor("v", frozenset({Scope.READ})), "k", ["ingest"]),
        "may not ingest",
    ),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_changes_that_are_refused_change_nothing(records, change, reason):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "boss", "admin", PASSWORD)
        access.add_user(session, ADMIN, "someone", "viewer", PASSWORD)
    before = actions(records)
    with pytest.raises(AccessError, match=reason), records.transaction() as session:
        change(session)
    assert actions(records) == before


def test_keys(records):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "owner", "engineer", PASSWORD)
        owner = access.check_password(session, "owner", PASSWORD, "")
        assert owner is not None
        key = access.add_key(session, owner, "shipper", ["ingest"])
        old = access.add_key(session, owner, "old", ["read"], timedelta(seconds=-1))
    with records.transaction() as session:
        actor = access.check_key(session, key.encoded, "10.0.0.1")
        assert actor is not None
        assert (actor.name, actor.scopes) == ("key:shipper", frozenset({Scope.INGEST}))
        assert access.check_key(session, old.encoded, "") is None
        stored = session.get(ApiKey, key.id)
        assert stored is not None
        assert key.secret not in str(vars(stored))
        other = "y" if key.secret.endswith("x") else "x"
        wrong = base64.b64encode(f"{key.id}:{key.secret[:-1]}{other}".encode()).decode()
        for encoded in (wrong, "", "!!", base64.b64encode(b"\xff\xfe").decode(), "eDp5"):
            assert access.check_key(session, encoded, "") is None
        access.change_user(session, ADMIN, "owner", enabled=False)
        assert access.check_key(session, key.encoded, "") is None
        access.change_user(session, ADMIN, "owner", enabled=True)
        assert access.revoke_keys(session, ADMIN, [key.id, "unknown"]) == [key.id]
        assert access.revoke_keys(session, ADMIN, [key.id]) == []
        assert access.check_key(session, key.encoded, "") is None


def sign(session, name):
    actor = access.check_password(session, name, PASSWORD, "10.0.0.1")
    assert actor is not None
    return actor


def asked(session, key):
    actor = access.check_key(session, key.encoded, "10.0.0.1")
    assert actor is not None
    return actor


# A key's scopes, its owner's role when it is made and afterwards, and what the key may do then.
DEMOTED = [
    (["admin"], "admin", "viewer", {Scope.READ}),
    (["admin"], "admin", "engineer", set(access.ROLES["engineer"])),
    (["ingest", "read"], "engineer", "analyst", {Scope.READ}),
    (["write_rules"], "engineer", "viewer", set()),
    (["read"], "viewer", "admin", {Scope.READ}),
]


@pytest.mark.parametrize(("scopes", "before", "after", "may"), DEMOTED)
def test_a_key_may_do_no_more_than_its_owner_may_now(records, scopes, before, after, may):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "boss", "admin", PASSWORD)
        access.add_user(session, ADMIN, "owner", before, PASSWORD)
        owner = sign(session, "owner")
        key = access.add_key(session, owner, "k", scopes)
        made = access.check_key(session, key.encoded, "")
        assert made is not None
        child = access.add_key(session, made, "child", scopes)
        access.change_user(session, ADMIN, "owner", role=after)
    with records.transaction() as session:
        for one in (key, child):
            actor = access.check_key(session, one.encoded, "")
            assert actor is not None
            assert {scope for scope in Scope if actor.may(scope)} == may
            assert actor.user_id == owner.user_id


def test_what_a_key_makes_is_the_same_persons_and_ends_with_it(records):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "owner", "admin", PASSWORD)
        first = access.add_key(session, sign(session, "owner"), "first", ["admin"])
        second = access.add_key(session, asked(session, first), "second", ["admin"])
        third = access.add_key(session, asked(session, second), "third", ["read"])
        other = access.add_key(session, sign(session, "owner"), "other", ["read"])
    with records.transaction() as session:
        assert access.revoke_keys(session, ADMIN, [first.id]) == [first.id, second.id, third.id]
        assert [access.check_key(session, key.encoded, "") for key in (first, second, third)] == [None] * 3
        assert access.check_key(session, other.encoded, "") is not None


def test_names_of_keys_are_unique_for_an_owner_and_nobody_is_known_by_one(records):
    with records.transaction() as session:
        for name in ("a", "b"):
            access.add_user(session, ADMIN, name, "engineer", PASSWORD)
        keys = [access.add_key(session, sign(session, name), "same", ["read"]) for name in ("a", "b")]
        actors = [access.check_key(session, key.encoded, "") for key in keys]
        assert len({actor.id for actor in actors if actor}) == 2
        with pytest.raises(AccessError, match="a key called `same` already"):
            access.add_key(session, sign(session, "a"), "same", ["read"])
        access.revoke_keys(session, ADMIN, [keys[0].id])
        access.add_key(session, sign(session, "a"), "same", ["read"])


def test_keys_of_before_belong_to_the_people_that_they_named(records):
    """As the third migration left them: an owner's name, `key:NAME` for a key that a key had made."""
    rows = [
        ("k1", "one", "someone"), ("k2", "two", "key:one"), ("k3", "twin", "root"), ("k4", "twin", "root"),
        ("k5", "lost", "key:twin"), ("k6", "self", "key:self"),
    ]  # fmt: skip
    with records.transaction() as session:
        access.add_user(session, ADMIN, "someone", "viewer", PASSWORD)
    config = alembic_config()
    with records.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        for id_, name, owner in rows:
            values = {"id": id_, "name": name, "owner": owner, "now": "2026-11-20 10:00:00"}
            connection.execute(
                text(
                    "INSERT INTO api_keys (id, name, secret_hash, scopes, owner, created) "
                    "VALUES (:id, :name, 'x', '[\"read\"]', :owner, :now)"
                ),
                values,
            )
    records.upgrade()
    with records.transaction() as session:
        someone = access.find_user(session, "someone").id
        found = {
            key.id: (key.owner_id, key.made_by_key, key.revoked is None) for key in session.scalars(select(ApiKey))
        }
    assert found == {
        "k1": (someone, None, True),
        "k2": (someone, "k1", True),
        "k3": (None, None, True),
        "k4": (None, None, True),
        "k5": (None, None, False),
        "k6": (None, None, False),
    }


@pytest.mark.parametrize("name", ["", "a\nb", "a\x1b[2J", "\u202eexe.txt", "\u200b", "x" * 129])
def test_names_hold_no_control_or_direction_characters(records, name):
    with records.transaction() as session, pytest.raises(AccessError, match="printable"):
        access.add_key(session, ADMIN, name, ["read"])
    with records.transaction() as session, pytest.raises(AccessError, match="printable"):
        access.add_user(session, ADMIN, name, "viewer")


def test_sessions(records):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "someone", "analyst", PASSWORD)
        actor = access.check_password(session, "someone", PASSWORD, "")
        assert actor is not None
        first, second, third = (access.sign_in(session, actor) for _ in range(3))
    with records.transaction() as session:
        found = access.check_session(session, first.token, "1.2.3.4")
        assert found is not None
        assert (found[0].name, found[0].role, found[1]) == ("someone", "analyst", first.csrf)
        assert access.check_session(session, "another", "") is None
        access.sign_out(session, actor, first.token)
        assert access.check_session(session, first.token, "") is None
        for row in session.scalars(select(WebSession)):
            assert {second.token, third.token}.isdisjoint(vars(row).values())
        session.get(WebSession, access._digest(second.token)).expires = datetime.now(UTC)
        assert access.check_session(session, second.token, "") is None
        access.set_password(session, actor, "someone", PASSWORD + "!")
        assert access.check_session(session, third.token, "") is None


def test_every_change_is_in_the_audit_log(records):
    with records.transaction() as session:
        access.ensure_admin(session)
        access.add_user(session, ADMIN, "someone", "viewer", PASSWORD)
        access.change_user(session, ADMIN, "someone", role="analyst")
        actor = access.check_password(session, "someone", PASSWORD, "10.1.1.1")
        assert actor is not None
        signed_in = access.sign_in(session, actor)
        access.sign_out(session, actor, signed_in.token)
        access.reset_password(session, ADMIN, "someone")
        key = access.add_key(session, ADMIN, "k", ["read"])
        access.revoke_keys(session, ADMIN, [key.id])
    changes = "user.add user.add user.change session.begin session.end user.password key.add key.revoke"
    assert actions(records) == changes.split()
    with records.transaction() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "session.begin")).one()
        assert (entry.actor, entry.address, entry.target) == ("someone", "10.1.1.1", "someone")
        assert entry.actor_id == f"user:{actor.user_id}"
        assert PASSWORD not in str([vars(e) for e in session.scalars(select(AuditEntry))])


def test_a_transaction_that_fails_leaves_nothing(records):
    with contextlib.suppress(ZeroDivisionError), records.transaction() as session:
        access.add_user(session, ADMIN, "someone", "viewer", PASSWORD)
        raise ZeroDivisionError
    with records.transaction() as session:
        assert session.scalars(select(User)).all() == []


def test_a_part_of_a_transaction_waits_for_another_that_writes(records):
    """What is read within a savepoint is not out of date by the time that it is changed."""
    begun, written = threading.Event(), threading.Event()

    def other():
        begun.wait()
        with records.transaction() as session:
            session.add(ClientObject(kind="k", name="other", body={}))
        written.set()

    thread = threading.Thread(target=other)
    thread.start()
    with records.transaction() as session, session.begin_nested():
        names = list(session.scalars(select(ClientObject.name)))
        begun.set()
        written.wait(0.2)
        session.add(ClientObject(kind="k", name="mine", body={}))
        session.flush()
    thread.join()
    with records.transaction() as session:
        assert names == []
        assert sorted(session.scalars(select(ClientObject.name))) == ["mine", "other"]


def test_moments_keep_their_zone(records):
    with records.transaction() as session:
        access.add_user(session, ADMIN, "someone", "viewer", PASSWORD)
    with records.transaction() as session:
        assert access.find_user(session, "someone").created.tzinfo is not None


def test_a_database_that_is_gone(postgresql):
    records = Records(postgresql.create("gone"))
    records.upgrade()
    assert records.check() is None
    postgresql.stop()
    try:
        assert records.check()
        with pytest.raises(RecordsError, match="does not answer"), records.transaction() as session:
            access.ensure_admin(session)
    finally:
        postgresql.start()
    assert records.check() is None
    with records.transaction() as session:
        assert access.ensure_admin(session)
    records.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "not the URL"),
        ("oracle9://x/y", "not the URL"),
        ("postgresql://u:secret@127.0.0.1:1/x", "answer"),
    ],
)
def test_urls_that_lead_nowhere(url, reason):
    with pytest.raises(RecordsError, match=reason) as raised:
        Records(url).upgrade()
    assert "secret" not in str(raised.value)
