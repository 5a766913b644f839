"""Kibana's filters over saved rules: KQL on `alert.attributes.*`, answered by the evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tocsin.api.answers import bad_request
from tocsin.ecs import Field, FieldType, Schema
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import EventTable, to_array
from tocsin.errors import QueryError
from tocsin.kql.read import read_kql
from tocsin.query_dsl.build import Context
from tocsin.store.records.models import StoredRule

_PREFIX = "alert.attributes."
_PARAMS = {
    "ruleId": "rule_id", "riskScore": "risk_score", "severity": "severity", "type": "type", "language": "language",
    "index": "index", "references": "references", "version": "version", "immutable": "immutable",
}  # fmt: skip
_TYPES = {
    "enabled": FieldType.BOOLEAN,
    "params.riskScore": FieldType.LONG,
    "params.version": FieldType.LONG,
    "params.immutable": FieldType.BOOLEAN,
}
_NAMES = (
    "name", "tags", "enabled", "createdBy", "updatedBy", *(f"params.{name}" for name in _PARAMS),
    "params.threat.tactic.id", "params.threat.technique.id",
)  # fmt: skip
_SCHEMA = Schema({f"{_PREFIX}{n}": Field(f"{_PREFIX}{n}", _TYPES.get(n, FieldType.KEYWORD)) for n in _NAMES})


def matching_rules(rules: Sequence[StoredRule], text: str | None) -> list[StoredRule]:
    """Return the rules that a filter fits. Raises ApiError."""
    if not text or not text.strip() or not rules:
        return list(rules)
    try:
        condition = read_kql(text, Context(_SCHEMA, frozenset(_SCHEMA.fields)))
    except QueryError as error:
        raise bad_request(f"[filter]: {error}") from None
    rows = [_attributes(rule) for rule in rules]
    columns = {}
    for name in _SCHEMA.fields:
        array = to_array([row.get(name) for row in rows])
        if array is not None:
            columns[name] = array
    table = EventTable(columns, len(rules), _SCHEMA)
    found = evaluate(compile_conditions([(("filter", 0), condition)]), table)
    return [rules[row] for row in found.get(("filter", 0), ())]


def _attributes(rule: StoredRule) -> dict[str, Any]:
    document = rule.document
    threats = [threat for threat in document.get("threat", []) if isinstance(threat, dict)]
    values = {
        "name": rule.name, "tags": document.get("tags"), "enabled": rule.enabled, "createdBy": rule.created_by,
        "updatedBy": rule.updated_by, "params.immutable": document.get("immutable", False),
        **{f"params.{shown}": document.get(name) for shown, name in _PARAMS.items() if name != "immutable"},
        "params.threat.tactic.id": [threat.get("tactic", {}).get("id") for threat in threats],
        "params.threat.technique.id": [one.get("id") for threat in threats for one in threat.get("technique", [])],
    }  # fmt: skip
    return {f"{_PREFIX}{name}": value for name, value in values.items() if value not in (None, [])}
