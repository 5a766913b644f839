"""Exports on their way in and out, in Kibana's form: rules and the exception lists that they name, one a line."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.api.answers import ApiError
from tocsin.api.kibana.exception_objects import kept_item, kept_list, shown_item, shown_list
from tocsin.api.kibana.rule_objects import checked, save_changed, save_new, shown
from tocsin.ecs import Schema
from tocsin.errors import TocsinError
from tocsin.store.records import exceptions as lists
from tocsin.store.records.access import Actor
from tocsin.store.records.models import ExceptionItem, ExceptionList, StoredRule


class Import:
    """An export on its way in."""

    def __init__(
        self,
        session: Session,
        actor: Actor,
        schema: Schema,
        overwrite: bool = False,
        overwrite_exceptions: bool = False,
    ) -> None:
        self.session, self.actor, self.schema = session, actor, schema
        self.overwrite, self.overwrite_exceptions = overwrite, overwrite_exceptions
        self.rules = self.done = self.lists = self.items = 0
        self.errors: list[dict[str, Any]] = []
        self.list_errors: list[dict[str, Any]] = []

    def take(self, lines: Iterable[bytes]) -> None:
        """Take the objects of an export, its lists first: rules name them."""
        rules: list[dict[str, Any]] = []
        items: list[dict[str, Any]] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._refuse(f"(line {number})", 400, f"line {number} is no JSON: {error}")
                continue
            if not isinstance(found, dict):
                self._refuse(f"(line {number})", 400, f"line {number} is no object")
            elif "entries" in found and "list_id" in found:
                items.append(found)
            elif "list_id" in found:
                self._list(found)
            elif "exported_count" in found or "exported_exception_list_count" in found:
                continue
            elif "rule_id" in found or "risk_score" in found:
                rules.append(found)
        for item in items:
            self._item(item)
        known_lists = lists.list_ids(self.session)
        for rule in rules:
            self._rule(rule, known_lists)

    def _refuse(self, rule_id: str, status: int, message: str) -> None:
        self.errors.append({"rule_id": rule_id, "error": {"status_code": status, "message": message}})

    def _list(self, found: dict[str, Any]) -> None:
        found = {**found, "list_id": str(found["list_id"])}
        known = self.session.scalar(select(ExceptionList).where(ExceptionList.list_id == found["list_id"]))
        if known is None:
            lists.add_list(self.session, self.actor, kept_list({"name": found["list_id"], **found}))
        elif self.overwrite_exceptions:
            lists.change_list(self.session, self.actor, known, kept_list({"name": found["list_id"], **found}))
        else:
            return
        self.lists += 1

    def _item(self, found: dict[str, Any]) -> None:
        item_id = str(found.get("item_id") or uuid.uuid4())
        known = self.session.scalar(select(ExceptionItem).where(ExceptionItem.item_id == item_id))
        try:
            document, expires = kept_item({**found, "item_id": item_id}, self.actor, self.schema)
            if known is None:
                lists.add_item(self.session, self.actor, document, expires)
            elif self.overwrite_exceptions:
                lists.change_item(self.session, self.actor, known, document, expires)
            else:
                return
            self.items += 1
        except (ApiError, TocsinError) as error:
            message = error.reason if isinstance(error, ApiError) else error.message
            self.list_errors.append(
                {"error": {"status_code": 400, "message": message}, "id": item_id, "list_id": found.get("list_id")}
            )

    def _rule(self, found: dict[str, Any], known_lists: set[str]) -> None:
        self.rules += 1
        rule_id = str(found.get("rule_id") or uuid.uuid4())
        body = {**found, "rule_id": rule_id}
        known = self.session.scalar(select(StoredRule).where(StoredRule.rule_id == rule_id))
        if known is not None and not self.overwrite:
            self._refuse(rule_id, 409, f'rule_id: "{rule_id}" already exists')
            return
        try:
            checked(body, self.schema, known_lists)
        except ApiError as error:
            self._refuse(rule_id, error.status, error.reason)
            return
        if known is None:
            save_new(self.session, self.actor, {"enabled": False, **body})
        else:
            save_changed(self.session, self.actor, known, body)
        self.done += 1

    def told_of_lists(self) -> dict[str, Any]:
        """Return what is told about an import of exception lists, as Kibana does."""
        errors = [*self.list_errors, *self.errors]
        return {
            "success": not errors, "success_count": self.lists + self.items, "errors": errors,
            "success_exception_lists": not self.errors, "success_count_exception_lists": self.lists,
            "success_exception_list_items": not self.list_errors, "success_count_exception_list_items": self.items,
        }  # fmt: skip

    def told(self) -> dict[str, Any]:
        """Return what is told about the import, as Kibana does."""
        return {
            "success": not self.errors, "success_count": self.done, "rules_count": self.rules,
            "errors": self.errors, "exceptions_success": not self.list_errors,
            "exceptions_success_count": self.lists + self.items, "exceptions_errors": self.list_errors,
            "action_connectors_success": True, "action_connectors_success_count": 0,
            "action_connectors_errors": [], "action_connectors_warnings": [],
        }  # fmt: skip


def exported(
    session: Session, rules: Sequence[StoredRule], missing: Sequence[str] = (), *, details: bool = True
) -> bytes:
    """Return rules as an export."""
    named = {name for rule in rules for name in lists.lists_of(rule.document)}
    found = list(session.scalars(select(ExceptionList).where(ExceptionList.list_id.in_(named))))
    items = lists.items_of(session, named)
    lines = [*map(shown, rules), *map(shown_list, found), *map(shown_item, items)]
    summary = {
        "exported_count": len(lines), "exported_rules_count": len(rules),
        "missing_rules": [{"rule_id": name} for name in missing], "missing_rules_count": len(missing),
        **_counted(found, items), "exported_action_connector_count": 0, "missing_action_connection_count": 0,
        "missing_action_connections": [], "excluded_action_connection_count": 0,
        "excluded_action_connections": [],
    }  # fmt: skip
    return b"".join(orjson.dumps(line) + b"\n" for line in ([*lines, summary] if details else lines))


def exported_lists(session: Session, found: Sequence[ExceptionList]) -> bytes:
    """Return exception lists with their items as an export."""
    items = lists.items_of(session, [one.list_id for one in found])
    lines = [*map(shown_list, found), *map(shown_item, items), _counted(found, items)]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def _counted(found: Sequence[ExceptionList], items: Sequence[ExceptionItem]) -> dict[str, Any]:
    return {
        "exported_exception_list_count": len(found), "exported_exception_list_item_count": len(items),
        "missing_exception_list_items": [], "missing_exception_list_items_count": 0,
        "missing_exception_lists": [], "missing_exception_lists_count": 0,
    }  # fmt: skip
