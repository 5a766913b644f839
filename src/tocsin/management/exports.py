"""Exports in Kibana's form: rules, with the exception lists and connectors that they name, one object a line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.management.connectors.documents import exported_connector
from tocsin.management.exceptions.documents import item_document, list_document
from tocsin.management.rules.documents import rule_document
from tocsin.management.rules.references import connectors_of
from tocsin.store.records.exceptions import items_of, lists_of
from tocsin.store.records.models import Connector, ExceptionItem, ExceptionList, StoredRule


def export_rules(session: Session, rule_ids: Collection[str] | None = None, *, summary: bool = True) -> bytes:
    """Return the rules with some `rule_id`s, or all, as an export; ids that no rule has are in its summary."""
    rules = list(session.scalars(select(StoredRule).order_by(StoredRule.name, StoredRule.rule_id)))
    if rule_ids is None:
        return exported_rules(session, rules, summary=summary)
    known = {rule.rule_id for rule in rules}
    missing = [rule_id for rule_id in rule_ids if rule_id not in known]
    return exported_rules(session, [rule for rule in rules if rule.rule_id in rule_ids], missing, summary=summary)


def exported_rules(
    session: Session, rules: Sequence[StoredRule], missing: Sequence[str] = (), *, summary: bool = True
) -> bytes:
    """Return rules as an export; `missing` are the requested `rule_id`s that no rule has."""
    list_ids = {list_id for rule in rules for list_id in lists_of(rule.document)}
    lists = list(session.scalars(select(ExceptionList).where(ExceptionList.list_id.in_(list_ids))))
    items = items_of(session, list_ids)
    named = {id_ for rule in rules for id_ in connectors_of(rule.document)}
    connectors = [known for id_ in sorted(named) if (known := session.get(Connector, id_)) is not None]
    lines: list[dict[str, Any]] = [
        *map(rule_document, rules), *map(list_document, lists), *map(item_document, items),
        *map(exported_connector, connectors),
    ]  # fmt: skip
    if summary:
        lacking = sorted(named - {connector.id for connector in connectors})
        lines.append(
            {
                "exported_count": len(lines), "exported_rules_count": len(rules),
                "missing_rules": [{"rule_id": rule_id} for rule_id in missing],
                "missing_rules_count": len(missing),
                **_counted(lists, items, list_ids - {known.list_id for known in lists}),
                "exported_action_connector_count": len(connectors),
                "missing_action_connection_count": len(lacking),
                "missing_action_connections": [{"id": id_, "type": "action"} for id_ in lacking],
                "excluded_action_connection_count": 0,
                "excluded_action_connections": [],
            }
        )  # fmt: skip
    return _written(lines)


def exported_lists(session: Session, lists: Sequence[ExceptionList]) -> bytes:
    """Return exception lists with their items as an export."""
    items = items_of(session, [exception_list.list_id for exception_list in lists])
    return _written([*map(list_document, lists), *map(item_document, items), _counted(lists, items)])


def _written(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def _counted(
    lists: Sequence[ExceptionList], items: Sequence[ExceptionItem], missing: Collection[str] = ()
) -> dict[str, Any]:
    return {
        "exported_exception_list_count": len(lists), "exported_exception_list_item_count": len(items),
        "missing_exception_list_items": [], "missing_exception_list_items_count": 0,
        "missing_exception_lists": [{"list_id": list_id} for list_id in sorted(missing)],
        "missing_exception_lists_count": len(missing),
    }  # fmt: skip
