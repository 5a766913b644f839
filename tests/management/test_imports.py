"""Exports are taken in object by object: what each becomes, and why it is refused, is in the result."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlalchemy import select

from tests.management.conftest import rule, save
from tocsin.errors import ConflictError, NotFoundError
from tocsin.management.exports import export_rules
from tocsin.management.imports import Overwrite
from tocsin.store.records.models import AuditEntry, Connector, ExceptionItem, ExceptionList, StoredRule

ENTRY = {"field": "process.name", "operator": "included", "type": "match", "value": "good.exe"}
LIST = {"list_id": "known", "name": "Known", "description": "", "type": "detection"}
ITEM = {"list_id": "known", "item_id": "i", "name": "Good", "type": "simple", "entries": [ENTRY]}
REFERENCE = {"id": "x", "list_id": "known", "type": "detection", "namespace_type": "single"}
CONNECTOR: dict[str, Any] = {
    "id": "team", "type": "action",
    "attributes": {"actionTypeId": ".webhook", "name": "Team", "config": {"url": "http://127.0.0.1:9/x"}},
}  # fmt: skip
ACTION = {"id": "team", "group": "default", "action_type_id": ".webhook", "params": {}}


def names(session, column):
    return list(session.scalars(select(column).order_by(column)))


def test_what_a_rule_names_is_saved_before_it_wherever_it_stands(session):
    whole = rule(actions=[ACTION], exceptions_list=[REFERENCE])
    result = save(session, whole, ITEM, LIST, CONNECTOR)
    assert (result.saved_rules, result.lists, result.items, len(result.connectors)) == (1, 1, 1, 1)
    assert (result.refused, result.refused_exceptions, result.warnings) == ([], [], [])
    assert names(session, ExceptionItem.item_id) == ["i"]
    actions = set(session.scalars(select(AuditEntry.action)))
    assert {"rule.created", "exception_list.created", "exception.created", "connector.imported"} <= actions
    assert set(session.scalars(select(AuditEntry.actor))) == {"ann"}


@pytest.mark.parametrize(
    ("line", "id_", "reason"),
    [
        (b"{", "(line 2)", "line 2 is no JSON"),
        (b'"rule_id"', "(line 2)", "line 2 is no object"),
        (b'{"type": "dashboard"}', "(line 2)", "line 2 is no rule, exception list, exception or connector"),
        ({"rule_id": "b", "risk_score": 1}, "b", "name: Required"),
        (rule("b", interval="0m"), "b", "interval"),
        (rule("b", query="process where"), "b", "query"),
        (rule("b", actions=[{**ACTION, "id": "nowhere"}]), "b", "1 connector is missing"),
    ],
)
def test_an_object_that_is_refused_stops_no_other(session, line, id_, reason):
    result = save(session, rule("a"), line, rule("c"))
    assert [refusal.id for refusal in result.refused] == [id_]
    assert reason in result.refused[0].error.message
    assert names(session, StoredRule.rule_id) == ["a", "c"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({**LIST, "name": 5}, "[name] is 5, and must be a text"),
        ({**LIST, "type": 5}, "[type] is 5, and must be a text"),
        ({**ITEM, "os_types": "windows"}, "[os_types] is `windows`, and must be a list"),
        ({**ITEM, "list_id": "nowhere"}, '"nowhere" does not exist'),
        ({**ITEM, "entries": [{**ENTRY, "type": "unheard"}]}, "unheard"),
        ({**ITEM, "expire_time": "soon"}, "[expire_time]"),
    ],
)
def test_an_exception_that_is_refused_stops_no_other(session, document, reason):
    result = save(session, {**LIST, "list_id": "known"} if "item_id" in document else rule("a"), document, rule())
    assert len(result.refused_exceptions) == 1
    assert reason in result.refused_exceptions[0].error.message
    assert result.refused_exceptions[0].list_id == document["list_id"]
    assert "r" in names(session, StoredRule.rule_id)


@pytest.mark.parametrize("list_id", [False, 5, {"a": 1}, ["a"], None])
def test_an_exception_whose_list_is_named_by_no_text_is_refused_alone(session, list_id):
    result = save(session, {**ITEM, "list_id": list_id}, rule())
    [refusal] = result.refused_exceptions
    assert refusal.list_id == (None if list_id is None else str(list_id))
    assert "r" in names(session, StoredRule.rule_id)


def test_missing_connectors_are_named_with_the_rule(session):
    result = save(session, rule(actions=[{**ACTION, "id": name} for name in ("x", "y")]))
    [refusal] = result.refused
    assert isinstance(refusal.error, NotFoundError)
    assert tuple(refusal.connectors) == ("x", "y")


def test_a_reference_to_a_list_that_is_not_there_is_removed_and_told(session):
    result = save(session, rule(exceptions_list=[REFERENCE]))
    [(rule_id, problem)] = result.warnings
    assert (rule_id, problem.field) == ("r", "exceptions_list")
    assert session.scalar(select(StoredRule)).document["exceptions_list"] == []


@pytest.mark.parametrize("enabled", [True, False, None])
def test_a_new_rule_is_enabled_where_it_says_so(session, enabled):
    save(session, rule(**({} if enabled is None else {"enabled": enabled})))
    assert session.scalar(select(StoredRule)).enabled is (enabled is True)


@pytest.mark.parametrize("overwrite", [Overwrite(), Overwrite(True, True, True)])
def test_what_is_there_stays_unless_it_is_to_be_overwritten(session, overwrite):
    save(session, rule(), LIST, ITEM, CONNECTOR)
    other = {**CONNECTOR, "attributes": {**CONNECTOR["attributes"], "name": "changed"}}
    changed = ({**rule(), "name": "changed"}, {**LIST, "name": "changed"}, {**ITEM, "name": "changed"})
    result = save(session, *changed, other, overwrite=overwrite)
    found = [session.scalar(select(kind)) for kind in (StoredRule, ExceptionList, ExceptionItem)]
    shown = [one.document["name"] for one in found] + [session.scalar(select(Connector)).name]
    assert shown == (["changed"] * 4 if overwrite.rules else ["Rule r", "Known", "Good", "Team"])
    assert [isinstance(one.error, ConflictError) for one in result.known_rules] == [True] * (not overwrite.rules)


def test_an_export_is_taken_in_as_it_was(session):
    save(session, rule("a", exceptions_list=[REFERENCE], actions=[ACTION]), rule("b"), LIST, ITEM, CONNECTOR)
    exported = export_rules(session)
    summary = orjson.loads(exported.splitlines()[-1])
    assert (summary["exported_count"], summary["exported_rules_count"]) == (5, 2)
    again = save(session, *exported.splitlines(), overwrite=Overwrite(True, True, True))
    assert (again.saved_rules, again.lists, again.items) == (2, 1, 1)
    untimed = [_untimed(text) for text in (exported, export_rules(session))]
    assert untimed[0] == untimed[1]


def _untimed(exported):
    dropped = {"updated_at", "revision"}
    return [
        {name: value for name, value in orjson.loads(line).items() if name not in dropped}
        for line in exported.splitlines()
    ]


def test_an_export_names_the_rules_that_are_not_there(session):
    save(session, rule("a"), rule("b"))
    exported = export_rules(session, ["b", "nowhere"]).splitlines()
    assert orjson.loads(exported[0])["rule_id"] == "b"
    assert orjson.loads(exported[-1])["missing_rules"] == [{"rule_id": "nowhere"}]
    assert len(export_rules(session, ["b"], summary=False).splitlines()) == 1
