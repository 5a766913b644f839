"""What has come of imports, as Kibana tells it."""

from __future__ import annotations

from typing import Any

from tocsin.api.answers import api_error
from tocsin.management.connectors.documents import misses_secrets
from tocsin.management.imports import ImportResult, Refusal


def imported_rules(result: ImportResult) -> dict[str, Any]:
    """Return what has come of an import of rules, as Kibana tells it."""
    changed = [_error(rule_id, 400, problem.message) for rule_id, problem in result.warnings]
    errors = [*map(_rule_error, result.refused), *changed]
    connector_errors = [
        {**_error(refusal.id, 404, refusal.error.message), "id": ",".join(refusal.connectors)}
        for refusal in result.refused
        if refusal.connectors
    ]
    lacking = sum(map(misses_secrets, result.connectors))
    words = "connector has" if lacking == 1 else "connectors have"
    message = f"{lacking} {words} sensitive information that require updates."
    warnings = [{"type": "action_required", "message": message, "actionPath": "", "buttonLabel": ""}]
    return {
        "success": not errors, "success_count": result.saved_rules, "rules_count": result.rules,
        "errors": errors, "exceptions_success": not result.refused_exceptions,
        "exceptions_success_count": result.lists + result.items,
        "exceptions_errors": list(map(_exception_error, result.refused_exceptions)),
        "action_connectors_success": not connector_errors,
        "action_connectors_success_count": len(result.connectors),
        "action_connectors_errors": connector_errors,
        "action_connectors_warnings": warnings if lacking else [],
    }  # fmt: skip


def imported_lists(result: ImportResult) -> dict[str, Any]:
    """Return what has come of an import of exception lists, as Kibana tells it."""
    refused = list(map(_exception_error, result.refused_exceptions))
    errors = [*refused, *map(_rule_error, result.refused)]
    return {
        "success": not errors, "success_count": result.lists + result.items, "errors": errors,
        "success_exception_lists": not result.refused, "success_count_exception_lists": result.lists,
        "success_exception_list_items": not refused, "success_count_exception_list_items": result.items,
    }  # fmt: skip


def _exception_error(refusal: Refusal) -> dict[str, Any]:
    """Return a list or an item that an import refused, as Kibana tells it."""
    error = {"status_code": 400, "message": refusal.error.message}
    return {"error": error, "id": refusal.id, "list_id": refusal.list_id}


def _rule_error(refusal: Refusal) -> dict[str, Any]:
    return _error(refusal.id, api_error(refusal.error).status, refusal.error.message)


def _error(rule_id: str, status: int, message: str) -> dict[str, Any]:
    return {"rule_id": rule_id, "error": {"status_code": status, "message": message}}
