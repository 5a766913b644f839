"""What has become of imports, as Kibana says it."""

from __future__ import annotations

from tocsin.api.answers import api_error
from tocsin.api.kibana.import_models import (
    ConnectorWarning,
    ImportedLists,
    ImportedRules,
    RefusalReason,
    RefusedException,
    RefusedRule,
    RuleWithoutConnectors,
)
from tocsin.management.connectors.documents import misses_secrets
from tocsin.management.imports import ImportResult, Refusal


def imported_rules(result: ImportResult) -> ImportedRules:
    """Return what has become of an import of rules, as Kibana says it."""
    changed = [
        RefusedRule(rule_id=rule_id, error=RefusalReason(status_code=400, message=problem.message))
        for rule_id, problem in result.warnings
    ]
    errors = [*map(_rule_error, result.refused), *changed]
    connector_errors = [
        RuleWithoutConnectors(
            rule_id=refusal.id,
            id=",".join(refusal.connectors),
            error=RefusalReason(status_code=404, message=refusal.error.message),
        )
        for refusal in result.refused
        if refusal.connectors
    ]
    lacking = sum(map(misses_secrets, result.connectors))
    words = "connector has" if lacking == 1 else "connectors have"
    message = f"{lacking} {words} sensitive information that require updates."
    return ImportedRules(
        success=not errors,
        success_count=result.saved_rules,
        rules_count=result.rules,
        errors=errors,
        exceptions_success=not result.refused_exceptions,
        exceptions_success_count=result.lists + result.items,
        exceptions_errors=list(map(_exception_error, result.refused_exceptions)),
        action_connectors_success=not connector_errors,
        action_connectors_success_count=len(result.connectors),
        action_connectors_errors=connector_errors,
        action_connectors_warnings=[ConnectorWarning(message=message)] if lacking else [],
    )


def imported_lists(result: ImportResult) -> ImportedLists:
    """Return what has become of an import of exception lists, as Kibana says it."""
    refused = list(map(_exception_error, result.refused_exceptions))
    errors: list[RefusedException | RefusedRule] = [*refused, *map(_rule_error, result.refused)]
    return ImportedLists(
        success=not errors,
        success_count=result.lists + result.items,
        errors=errors,
        success_exception_lists=not result.refused,
        success_count_exception_lists=result.lists,
        success_exception_list_items=not refused,
        success_count_exception_list_items=result.items,
    )


def _exception_error(refusal: Refusal) -> RefusedException:
    error = RefusalReason(status_code=400, message=refusal.error.message)
    return RefusedException(id=refusal.id, list_id=refusal.list_id, error=error)


def _rule_error(refusal: Refusal) -> RefusedRule:
    error = RefusalReason(status_code=api_error(refusal.error).status, message=refusal.error.message)
    return RefusedRule(rule_id=refusal.id, error=error)
