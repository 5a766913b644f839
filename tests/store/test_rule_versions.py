"""The documents that rules had before, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import func, select, update

from tocsin.errors import NotFoundError
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records, alembic_config
from tocsin.store.records.models import RuleVersion, StoredRule
from tocsin.store.records.rule_versions import MOST_VERSIONS, find_version, made_of, newest_version, versions_of
from tocsin.store.records.rules import add_rule, change_rule, find_rule, remove_rule, set_enabled

ANN, BOB = local_actor("ann"), local_actor("bob")
BEGIN = datetime(2026, 11, 27, 9, tzinfo=UTC)


def document(number):
    return {"rule_id": "r", "name": f"Rule {number}", "query": f"any where {number}"}


def changed(session, rule, number, actor=BOB):
    change_rule(session, actor, rule, document(number), BEGIN + timedelta(hours=number))


def test_each_change_keeps_the_document_before_with_when_and_by_whom(records):
    with records.transaction() as session:
        rule = add_rule(session, ANN, document(0), enabled=False, now=BEGIN)
        changed(session, rule, 1)
        changed(session, rule, 2, ANN)
    with records.transaction() as session:
        rule = find_rule(session, rule_id="r")
        kept = versions_of(session, rule)
        assert [(v.revision, v.document, v.made, v.made_by) for v in kept] == [
            (1, document(1), BEGIN + timedelta(hours=1), BOB.name),
            (0, document(0), BEGIN, ANN.name),
        ]
        assert made_of(rule, newest_version(session, rule)) == (BEGIN + timedelta(hours=2), ANN.name)


def test_a_document_that_stays_as_it_is_and_a_switch_make_no_version(records):
    with records.transaction() as session:
        rule = add_rule(session, ANN, document(0), enabled=False)
        changed(session, rule, 0)
        set_enabled(session, ANN, rule, True)
        assert versions_of(session, rule) == []


def test_the_oldest_versions_are_let_go_of(records):
    with records.transaction() as session:
        rule = add_rule(session, ANN, document(0), enabled=False)
        for number in range(1, MOST_VERSIONS + 6):
            changed(session, rule, number)
        revisions = [version.revision for version in versions_of(session, rule)]
        assert revisions == list(range(MOST_VERSIONS + 4, 4, -1))
        with pytest.raises(NotFoundError):
            find_version(session, rule, 4)


def test_versions_of_other_rules_stay_and_those_of_a_removed_rule_go(records):
    with records.transaction() as session:
        rule = add_rule(session, ANN, document(0), enabled=False)
        other = add_rule(session, ANN, {**document(0), "rule_id": "other"}, enabled=False)
        changed(session, rule, 1)
        change_rule(session, ANN, other, {**document(1), "rule_id": "other"})
        remove_rule(session, ANN, rule)
        assert session.scalars(select(RuleVersion.rule_uuid)).all() == [other.id]


def test_a_rule_of_an_older_folder_begins_with_its_present_document(records, database_url):
    with records.engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")
    with records.transaction() as session:
        rule = add_rule(session, ANN, document(0), enabled=False)
        session.execute(update(StoredRule).values(revision=7))
    older = Records(database_url)
    older.upgrade()
    with older.transaction() as session:
        rule = find_rule(session, rule_id="r")
        assert versions_of(session, rule) == []
        assert made_of(rule, None) == (None, None)
        changed(session, rule, 1)
        (first,) = versions_of(session, rule)
        assert (first.revision, first.document, first.made) == (7, document(0), None)
        assert session.scalar(select(func.count()).select_from(RuleVersion)) == 1
    older.engine.dispose()
