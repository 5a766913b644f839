"""What is done with many rules: each action, for whom it fails, and that it is in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from tests.management.conftest import ACTOR, rule, save, schemas
from tocsin.errors import InvalidError, NotFoundError
from tocsin.management.rules.bulk_actions import ACTIONS, Change, apply_action, select_rules
from tocsin.moments import to_nanoseconds
from tocsin.store.records.exceptions import add_item, add_list
from tocsin.store.records.models import AuditEntry, ExceptionItem, Gap, Run, StoredRule


def rules_of(session):
    return list(session.scalars(select(StoredRule).order_by(StoredRule.rule_id)))


def apply(session, name, options=None, **more):
    return apply_action(name, rules_of(session), Change(session, ACTOR, schemas, options or {}), **more)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_dry_run_changes_nothing(session, action):
    save(session, rule("a"), rule("b"))
    session.flush()
    before = [one.document for one in rules_of(session)]
    entries = len(list(session.scalars(select(AuditEntry))))
    assert apply(session, action, dry_run=True).succeeded == 2
    assert [one.document for one in rules_of(session)] == before
    assert len(list(session.scalars(select(AuditEntry)))) == entries


def test_rules_are_enabled_and_disabled_once_each(session):
    save(session, rule("a"), rule("b", enabled=True))
    assert [one["enabled"] for one in apply(session, "enable").updated] == [True, True]
    assert [one["enabled"] for one in apply(session, "disable").updated] == [False, False]
    told = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
    assert [one for one in told if one in ("rule.enabled", "rule.disabled")] == [
        "rule.enabled", "rule.enabled", "rule.disabled", "rule.disabled",
    ]  # fmt: skip


def test_rules_are_deleted(session):
    save(session, rule("a"), rule("b"))
    assert [one["rule_id"] for one in apply(session, "delete").deleted] == ["a", "b"]
    assert rules_of(session) == []


@pytest.mark.parametrize(("options", "items"), [({}, 2), ({"include_expired_exceptions": False}, 1)])
def test_a_copy_of_a_rule_has_copies_of_its_own_exceptions(session, options, items):
    own = add_list(session, ACTOR, {"name": "own", "type": "rule_default", "list_id": "own"})
    for name, expires in (("a", None), ("b", datetime(2020, 1, 1, tzinfo=UTC))):
        add_item(session, ACTOR, {"name": name, "list_id": "own", "entries": []}, expires)
    save(session, rule(enabled=True, exceptions_list=[{"id": own.id, "list_id": "own", "type": "rule_default"}]))
    [made] = apply(session, "duplicate", {"duplicate": options}).created
    assert (made["name"], made["enabled"]) == ("Rule r [Duplicate]", False)
    [reference] = made["exceptions_list"]
    assert reference["list_id"] != "own"
    copied = session.scalars(select(ExceptionItem).where(ExceptionItem.list_id == reference["list_id"]))
    assert len(list(copied)) == items


def test_a_copy_without_exceptions_names_none(session):
    add_list(session, ACTOR, {"name": "own", "type": "rule_default", "list_id": "own"})
    save(session, rule(exceptions_list=[{"id": "x", "list_id": "own", "type": "rule_default"}]))
    [made] = apply(session, "duplicate", {"duplicate": {"include_exceptions": False}}).created
    assert made["exceptions_list"] == []


def test_an_edit_that_fails_for_one_rule_is_made_in_the_others(session):
    save(session, rule("a"), rule("b", type="query", language="kuery", query="process.name: x"))
    edit = [{"type": "set_alert_suppression", "value": {"group_by": list("abcd")}}]
    failed = apply(session, "edit", {"edit": edit})
    assert [failure.name for failure in failed.failures] == ["Rule a", "Rule b"]
    done = apply(session, "edit", {"edit": [{"type": "add_tags", "value": ["new"]}]})
    assert [one["tags"] for one in done.updated] == [["new"], ["new"]]


HOUR = 3600 * 10**9


def runs_of(session):
    return [(run.kind, run.start, run.end, run.asked_by) for run in session.scalars(select(Run).order_by(Run.id))]


@pytest.mark.parametrize(
    ("action", "kind"),
    [("run", "manual"), ("fill_gaps", "backfill")],
)
def test_a_run_is_requested_over_a_span(session, action, kind):
    save(session, rule())
    span = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-01T01:00:00Z"}
    assert apply(session, action, {action: span}).succeeded == 1
    start = to_nanoseconds(span["start_date"])
    assert runs_of(session) == [(kind, start, start + HOUR, "ann")]


def test_without_a_span_the_window_that_ends_now_is_run(session):
    save(session, rule())
    before = to_nanoseconds(datetime.now(UTC))
    apply(session, "run")
    [(kind, start, end, _)] = runs_of(session)
    assert kind == "manual"
    assert before <= start == end <= to_nanoseconds(datetime.now(UTC))


def test_without_a_span_every_gap_that_is_not_filled_is(session):
    save(session, rule("a"), rule("b"))
    first, other = rules_of(session)
    gap = {"cause": "down", "detected": datetime.now(UTC)}
    for uuid, number, filled in ((first.id, 1, None), (first.id, 2, datetime.now(UTC)), (other.id, 3, None)):
        session.add(Gap(rule_uuid=uuid, first_tick=number, last_tick=number + 10, filled=filled, **gap))
    session.flush()
    assert apply(session, "fill_gaps").succeeded == 2
    assert [(start, end) for _, start, end, _ in runs_of(session)] == [(1, 11), (3, 13)]


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ({"start_date": "2026-01-02", "end_date": "2026-01-01"}, "[start_date] lies behind [end_date]"),
        ({"start_date": "soon", "end_date": "2026-01-01"}, "[start_date]: `soon`"),
        ({"start_date": "2026-01-01", "end_date": 5}, "[end_date] is a moment, not `5`"),
        ({"start_date": "2000-01-01", "end_date": "2026-01-01"}, "windows of the rule; a run has at most"),
    ],
)
@pytest.mark.parametrize("action", ["run", "fill_gaps"])
def test_a_span_that_cannot_be_run_is_refused(session, action, span, reason):
    save(session, rule())
    [failure] = apply(session, action, {action: span}).failures
    assert reason in failure.error.message
    assert runs_of(session) == []


def test_rules_are_selected_by_ids_and_by_filters(session):
    save(session, rule("a", tags=["x"]), rule("b"))
    first, other = rules_of(session)
    assert select_rules(session, None, None, None) == ([first, other], [])
    assert select_rules(session, None, None, "alert.attributes.tags: x") == ([first], [])
    assert select_rules(session, [other.id], None, None) == ([other], [])
    assert select_rules(session, None, ["a", other.id], None) == ([first, other], [])
    rules, [missing] = select_rules(session, ["a", first.id], None, None)  # `a` is a `rule_id`
    assert (rules, missing.id) == ([first], "a")
    assert isinstance(missing.error, NotFoundError)
    with pytest.raises(InvalidError, match="filter"):
        select_rules(session, None, None, "alert.attributes.nme: x")
