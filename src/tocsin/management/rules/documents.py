"""The documents of saved rules, in Kibana's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.management.rules.executions import LastExecution
from tocsin.moments import iso, to_nanoseconds
from tocsin.store.records.models import StoredRule

# The fields that Kibana fills in, and those that only the service sets.
_DEFAULTS: dict[str, Any] = {
    "actions": [], "author": [], "exceptions_list": [], "false_positives": [], "from": "now-6m",
    "immutable": False, "interval": "5m", "max_signals": 100, "output_index": "", "references": [],
    "related_integrations": [],
    "required_fields": [], "risk_score_mapping": [], "setup": "", "severity_mapping": [], "tags": [], "threat": [],
    "to": "now", "version": 1,
}  # fmt: skip
_MANAGED = frozenset(
    {"id", "created_at", "created_by", "updated_at", "updated_by", "enabled", "revision", "execution_summary"}
)
_STATUS_ORDER = {"succeeded": 0, "partial failure": 20, "failed": 30}


def rule_document(stored: StoredRule, last: LastExecution | None = None) -> dict[str, Any]:
    """Return a rule's document as Kibana shows and exports it, with its last execution if that is given."""
    document = {
        **_DEFAULTS,
        **stored.document,
        "id": stored.id,
        "rule_id": stored.rule_id,
        "enabled": stored.enabled,
        "revision": stored.revision,
        "created_at": iso(to_nanoseconds(stored.created)),
        "created_by": stored.created_by,
        "updated_at": iso(to_nanoseconds(stored.updated)),
        "updated_by": stored.updated_by,
    }
    if last is not None:
        document["execution_summary"] = {"last_execution": _last_execution(last)}
    return document


def _last_execution(last: LastExecution) -> dict[str, Any]:
    execution = last.execution
    status = {"warning": "partial failure"}.get(execution.status, execution.status)
    return {
        "date": iso(to_nanoseconds(execution.started)),
        "status": status,
        "status_order": _STATUS_ORDER.get(status, 0),
        "message": "; ".join(execution.messages),
        "metrics": {
            "total_search_duration_ms": int(execution.durations.get("evaluating", 0) * 1000),
            "total_indexing_duration_ms": int(execution.durations.get("making alerts", 0) * 1000),
            "execution_gap_duration_s": last.gap,
        },
    }


def with_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's document with what stands for members that it lacks: an export has them all."""
    return {**_DEFAULTS, **document}


def without_managed(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a document that a rule's record keeps: all but the members that the service sets."""
    return {name: value for name, value in body.items() if name not in _MANAGED and value is not None}
