"""Exceptions are created and changed here, also those of one rule; and which alerts one would have hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from tocsin.detection.alerts.exceptions import exception_condition
from tocsin.ecs import Schema
from tocsin.eql import syntax as s
from tocsin.errors import InvalidDocumentError, NotFoundError, QueryError
from tocsin.management.exceptions.documents import read_item
from tocsin.query_dsl.build import FALSE, all_of, terms
from tocsin.query_dsl.context import Context
from tocsin.store.records import exceptions as records
from tocsin.store.records.access import Actor
from tocsin.store.records.models import ExceptionItem, ExceptionList, StoredRule
from tocsin.store.records.rules import change_rule

_SYSTEMS = ("windows", "linux", "macos")
_NAMES_IN_ALERTS = {"@timestamp": "kibana.alert.original_time", "event.kind": "kibana.alert.original_event.kind"}


def create_item(session: Session, actor: Actor, body: Mapping[str, Any], schema: Schema) -> ExceptionItem:
    """Save a new exception. Raises InvalidError, ConflictError, and NotFoundError for a missing list.

    The list of Elastic Endpoint, which rules name, is created with its first exception.
    """
    document, expires = read_item(body, actor, schema)
    if document.get("list_id") == records.ENDPOINT_LIST:
        records.endpoint_list(session, actor)
    return records.add_item(session, actor, document, expires)


def change_item(
    session: Session, actor: Actor, item: ExceptionItem, body: Mapping[str, Any], schema: Schema
) -> None:
    """Change the document of an exception; its comments stay. Raises InvalidError."""
    document, expires = read_item(body, actor, schema, item.document)
    records.change_item(session, actor, item, document, expires)


def find_item(
    session: Session, id_: str | None, item_id: str | None, *, within: str | None = None
) -> ExceptionItem:
    """Return the exception with an id or an `item_id`, of the list `within` if that is given.

    Raises NotFoundError.
    """
    item = records.get_item(session, id_=id_, item_id=item_id)
    if within is not None and item.list_id != within:
        raise NotFoundError(f"the exception `{item.item_id}` is none of {within}")
    return item


def add_to_rule(
    session: Session, actor: Actor, rule: StoredRule, bodies: Iterable[Mapping[str, Any]], schema: Schema
) -> list[ExceptionItem]:
    """Add exceptions to one rule, in its own list, which is created with the first. Raises InvalidError."""
    ready = [read_item({"name": "", **body}, actor, schema) for body in bodies]
    if not ready:
        raise InvalidDocumentError("items: Required")
    list_id = _own_list(session, actor, rule)
    return [
        records.add_item(session, actor, {**document, "list_id": list_id}, expires) for document, expires in ready
    ]


def _own_list(session: Session, actor: Actor, rule: StoredRule) -> str:
    """Return the `list_id` of a rule's own list."""
    named = rule.document.get("exceptions_list") or []
    for reference in named:
        if reference.get("type") == "rule_default":
            return str(reference.get("list_id"))
    about = {"name": f"Exceptions of {rule.name}", "description": "", "type": "rule_default"}
    made = records.add_list(session, actor, about)
    reference = {"id": made.id, "list_id": made.list_id, "type": "rule_default", "namespace_type": "single"}
    change_rule(session, actor, rule, {**rule.document, "exceptions_list": [*named, reference]})
    return made.list_id


def count_systems(session: Session, exceptions: ExceptionList) -> dict[str, int]:
    """Return the number of a list's items by operating system, and their `total`."""
    items = records.items_of(session, [exceptions.list_id])
    systems = Counter(str(name) for item in items for name in item.document.get("os_types") or ())
    return {**{name: systems[name] for name in _SYSTEMS}, "total": len(items)}


def hidden_alerts(
    session: Session, body: Mapping[str, Any], schema: Schema, rules: Collection[str] | None = None
) -> s.Expression:
    """Return the condition of the alerts that an exception would have hidden; of rules with some ids, or of all.

    Raises InvalidDocumentError. `schema` is that of the alerts' index.
    """
    context = Context(schema)
    try:
        item = {**body, "entries": _of_alerts(body.get("entries"))}
        hides = exception_condition([item], context, lambda id_: records.values_of(session, id_))
        if rules is None:
            return hides
        return all_of((hides, terms("kibana.alert.rule.uuid", list(rules), context) if rules else FALSE))
    except QueryError as error:
        raise InvalidDocumentError(error.message) from None


def _of_alerts(entries: Any) -> Any:
    """Return entries with the names under which an alert keeps what it has values of its own of."""
    if not isinstance(entries, list):
        return entries
    return [
        {**entry, "field": _NAMES_IN_ALERTS.get(str(entry.get("field")), entry.get("field"))}
        if isinstance(entry, dict)
        else entry
        for entry in entries
    ]
