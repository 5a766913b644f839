"""Rules are saved here: checked, with the lists and connectors that they name, and with warnings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from tocsin.detection.rule_checks import Problem, rule_problems
from tocsin.ecs import Schema
from tocsin.errors import InvalidDocumentError, InvalidError, RuleError
from tocsin.management.rules.documents import rule_document, without_managed
from tocsin.management.rules.references import check_connectors, connectors_of, without_missing_lists
from tocsin.rules.files import read_rule
from tocsin.store.events import EventStore
from tocsin.store.records import rules as records
from tocsin.store.records.access import Actor
from tocsin.store.records.models import StoredRule

SchemaOf = Callable[[Mapping[str, Any]], Schema]
_REQUIRED = ("name", "description", "risk_score", "severity", "type")


class InvalidRuleError(InvalidError):
    """A rule with `problems` for which it cannot be saved, each of a field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class SavedRule:
    """A rule as it is saved now, and the warnings about it."""

    rule: StoredRule
    warnings: Sequence[Problem] = ()

    def document(self) -> dict[str, Any]:
        """Return the rule's document in Kibana's form, with `warnings` if there are any."""
        warnings = [{"field": problem.field, "message": problem.message} for problem in self.warnings]
        return {**rule_document(self.rule), **({"warnings": warnings} if warnings else {})}


def schema_of(store: EventStore) -> SchemaOf:
    """Return a function that returns the schema for checking a rule: that of the indices of its patterns."""
    known: dict[tuple[str, ...], Schema] = {}

    def schema(document: Mapping[str, Any]) -> Schema:
        given = document.get("index")
        named = isinstance(given, list) and given and all(isinstance(pattern, str) for pattern in given)
        patterns = tuple(given) if named and given else ("*",)
        if patterns not in known:
            known[patterns] = store.schema(patterns)
        return known[patterns]

    return schema


def find_rule(session: Session, id_: str | None = None, rule_id: str | None = None) -> StoredRule:
    """Return the rule with an id or a `rule_id`. Raises NotFoundError, and InvalidError without either."""
    if id_ is None and rule_id is None:
        raise InvalidError("either `id` or `rule_id` must be set")
    return records.find_rule(session, id_=id_, rule_id=rule_id)


def check_rule(document: Mapping[str, Any], schema: Schema) -> list[Problem]:
    """Return the warnings about a rule. Raises InvalidError, which names the wrong field."""
    for name in _REQUIRED:
        if name not in document:
            raise InvalidDocumentError(f"{name}: Required")
    try:
        rule = read_rule(document, strict=True)
    except RuleError as error:
        raise InvalidDocumentError(error.message) from None
    try:
        problems = rule_problems(rule, schema)
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise InvalidDocumentError(f"a part of the rule has not the form that it needs: {error}") from None
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise InvalidRuleError(fatal)
    return problems


def create_rule(session: Session, actor: Actor, body: Mapping[str, Any], schemas: SchemaOf) -> SavedRule:
    """Save a new rule, enabled unless its document says otherwise. Raises InvalidError, and ConflictError."""
    document, warnings = prepare_document(session, actor, body, schemas)
    return SavedRule(add_document(session, actor, document), warnings)


def change_rule(
    session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any], schemas: SchemaOf
) -> SavedRule:
    """Change the document of a rule. Connectors that it already names may be missing. Raises InvalidError."""
    whole = {**body, "rule_id": rule.rule_id}
    document, warnings = prepare_document(session, actor, whole, schemas, connectors_of(rule.document))
    change_document(session, actor, rule, document)
    return SavedRule(rule, warnings)


def prepare_document(
    session: Session,
    actor: Actor,
    body: Mapping[str, Any],
    schemas: SchemaOf,
    connectors: Collection[str] = (),
) -> tuple[dict[str, Any], list[Problem]]:
    """Return a rule's document as it is saved, and the warnings about it. Raises InvalidError.

    `connectors` are those that the rule already names: they may be missing by now.
    """
    warnings = check_rule(body, schemas(body))
    warnings += check_connectors(session, body, connectors)
    document, removed = without_missing_lists(session, actor, body)
    return document, warnings + removed


def add_document(session: Session, actor: Actor, body: Mapping[str, Any]) -> StoredRule:
    """Save a checked document as a new rule. Raises ConflictError."""
    enabled = body.get("enabled", True) is True
    return records.add_rule(session, actor, without_managed(body), enabled=enabled)


def change_document(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    """Change a rule to another checked document, and enable or disable it if that says so."""
    records.change_rule(session, actor, rule, {**without_managed(body), "rule_id": rule.rule_id})
    if isinstance(body.get("enabled"), bool):
        records.set_enabled(session, actor, rule, body["enabled"])
