"""Exports on their way in and out, in Kibana's form: rules, lists and connectors that they name, one a line."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.kibana.connector_objects import (
    exported_connector,
    imported_connector,
    is_connector,
    misses_secrets,
)
from tocsin.api.kibana.exception_objects import kept_item, kept_list, shown_item, shown_list
from tocsin.api.kibana.rule_objects import checked, save_changed, save_new, shown
from tocsin.api.kibana.rule_references import (
    connectors_of,
    missing_connectors,
    told_of_missing,
    without_missing_lists,
)
from tocsin.ecs import Schema
from tocsin.errors import TocsinError
from tocsin.store.records import exceptions as lists
from tocsin.store.records.access import Actor, record
from tocsin.store.records.models import Connector, ExceptionItem, ExceptionList, StoredRule

MOST_OBJECTS = 10_000  # of a file, as Kibana has it in `xpack.securitySolution.maxRuleImportExportSize`


def lines_of(data: bytes) -> list[bytes]:
    """Return the lines of a file. Raises ApiError for far more lines than objects may be."""
    if data.count(b"\n") > 10 * MOST_OBJECTS:
        raise _too_many()
    return data.splitlines()


def _too_many() -> ApiError:
    return bad_request(f"the file has more than {MOST_OBJECTS:,} objects")


class Import:
    """An export on its way in."""

    def __init__(
        self,
        session: Session,
        actor: Actor,
        schema: Schema,
        overwrite: bool = False,
        overwrite_exceptions: bool = False,
        overwrite_connectors: bool = False,
    ) -> None:
        self.session, self.actor, self.schema = session, actor, schema
        self.overwrite, self.overwrite_exceptions = overwrite, overwrite_exceptions
        self.overwrite_connectors = overwrite_connectors
        self.rules = self.done = self.lists = self.items = 0
        self.errors: list[dict[str, Any]] = []  # of what was not taken
        self.notes: list[dict[str, Any]] = []  # of what was, but not as it was given
        self.list_errors: list[dict[str, Any]] = []
        self.connectors: list[Connector] = []
        self.connector_errors: list[dict[str, Any]] = []

    def take(self, lines: Sequence[bytes], go_on: Callable[[], None] = lambda: None) -> None:
        """Take the objects of an export, its lists and connectors first: rules name them.

        Raises ApiError for too many, and what `go_on` raises, which is asked before each.
        """
        if len(lines) > MOST_OBJECTS and sum(map(bool, map(bytes.strip, lines))) > MOST_OBJECTS:
            raise _too_many()
        rules: list[dict[str, Any]] = []
        items: list[dict[str, Any]] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            go_on()
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._refuse(f"(line {number})", 400, f"line {number} is no JSON: {error}")
                continue
            if not isinstance(found, dict):
                self._refuse(f"(line {number})", 400, f"line {number} is no object")
            elif is_connector(found):
                self._connector(found)
            elif "entries" in found and "list_id" in found:
                items.append(found)
            elif "list_id" in found:
                self._list(found)
            elif "exported_count" in found or "exported_exception_list_count" in found:
                continue
            elif "rule_id" in found or "risk_score" in found:
                rules.append(found)
            else:
                told = f"line {number} is no rule, exception list, exception or connector"
                self._refuse(f"(line {number})", 400, told)
        for item in items:
            go_on()
            self._item(item)
        for rule in rules:
            go_on()
            self._rule(rule)

    def _refuse(self, rule_id: str, status: int, message: str) -> None:
        self.errors.append(_error(rule_id, status, message))

    def _connector(self, found: dict[str, Any]) -> None:
        given = imported_connector(found, self.actor)
        known = self.session.get(Connector, given.id)
        if known is None:
            self.session.add(given)
        elif self.overwrite_connectors:
            known.name, known.type, known.config, known.secrets = (
                given.name,
                given.type,
                given.config,
                given.secrets,
            )
        else:
            return
        self.session.flush()
        record(self.session, self.actor, "connector.imported", given.id, type=given.type)
        self.connectors.append(known or given)

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

    def _rule(self, found: dict[str, Any]) -> None:
        self.rules += 1
        rule_id = str(found.get("rule_id") or uuid.uuid4())
        body = {**found, "rule_id": rule_id}
        known = self.session.scalar(select(StoredRule).where(StoredRule.rule_id == rule_id))
        if known is not None and not self.overwrite:
            self._refuse(rule_id, 409, f'rule_id: "{rule_id}" already exists')
            return
        try:
            checked(body, self.schema)
        except ApiError as error:
            self._refuse(rule_id, error.status, error.reason)
            return
        missing = missing_connectors(self.session, body)
        if missing:
            self._refuse(rule_id, 404, told_of_missing(missing))
            self.connector_errors.append(
                {**_error(rule_id, 404, told_of_missing(missing)), "id": ",".join(missing)}
            )
            return
        body, removed = without_missing_lists(self.session, self.actor, body)
        self.notes += [_error(rule_id, 400, one.message) for one in removed]
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
        errors = [*self.errors, *self.notes]
        lacking = sum(map(misses_secrets, self.connectors))
        words = "connector has" if lacking == 1 else "connectors have"
        told = f"{lacking} {words} sensitive information that require updates."
        warnings = [{"type": "action_required", "message": told, "actionPath": "", "buttonLabel": ""}]
        return {
            "success": not errors, "success_count": self.done, "rules_count": self.rules,
            "errors": errors, "exceptions_success": not self.list_errors,
            "exceptions_success_count": self.lists + self.items, "exceptions_errors": self.list_errors,
            "action_connectors_success": not self.connector_errors,
            "action_connectors_success_count": len(self.connectors),
            "action_connectors_errors": self.connector_errors,
            "action_connectors_warnings": warnings if lacking else [],
        }  # fmt: skip


def _error(rule_id: str, status: int, message: str) -> dict[str, Any]:
    return {"rule_id": rule_id, "error": {"status_code": status, "message": message}}


def exported(
    session: Session, rules: Sequence[StoredRule], missing: Sequence[str] = (), *, details: bool = True
) -> bytes:
    """Return rules as an export."""
    named = {name for rule in rules for name in lists.lists_of(rule.document)}
    found = list(session.scalars(select(ExceptionList).where(ExceptionList.list_id.in_(named))))
    items = lists.items_of(session, named)
    wanted = {name for rule in rules for name in connectors_of(rule.document)}
    connectors = [one for name in sorted(wanted) if (one := session.get(Connector, name)) is not None]
    lacking = sorted(wanted - {one.id for one in connectors})
    lines = [
        *map(shown, rules), *map(shown_list, found), *map(shown_item, items), *map(exported_connector, connectors)
    ]  # fmt: skip
    summary = {
        "exported_count": len(lines), "exported_rules_count": len(rules),
        "missing_rules": [{"rule_id": name} for name in missing], "missing_rules_count": len(missing),
        **_counted(found, items, named - {one.list_id for one in found}),
        "exported_action_connector_count": len(connectors), "missing_action_connection_count": len(lacking),
        "missing_action_connections": [{"id": name, "type": "action"} for name in lacking],
        "excluded_action_connection_count": 0,
        "excluded_action_connections": [],
    }  # fmt: skip
    return b"".join(orjson.dumps(line) + b"\n" for line in ([*lines, summary] if details else lines))


def exported_lists(session: Session, found: Sequence[ExceptionList]) -> bytes:
    """Return exception lists with their items as an export."""
    items = lists.items_of(session, [one.list_id for one in found])
    lines = [*map(shown_list, found), *map(shown_item, items), _counted(found, items)]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def _counted(
    found: Sequence[ExceptionList], items: Sequence[ExceptionItem], missing: Collection[str] = ()
) -> dict[str, Any]:
    return {
        "exported_exception_list_count": len(found), "exported_exception_list_item_count": len(items),
        "missing_exception_list_items": [], "missing_exception_list_items_count": 0,
        "missing_exception_lists": [{"list_id": name} for name in sorted(missing)],
        "missing_exception_lists_count": len(missing),
    }  # fmt: skip
