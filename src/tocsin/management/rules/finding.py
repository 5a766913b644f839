"""Rules that fit a filter in KQL, as Kibana's pages write it, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.ecs import FieldType
from tocsin.errors import InvalidError
from tocsin.management.filters import Filter
from tocsin.store.records.models import StoredRule

_PARAMS = {
    "ruleId": "rule_id", "riskScore": "risk_score", "severity": "severity", "type": "type", "language": "language",
    "index": "index", "references": "references", "version": "version", "immutable": "immutable",
    "description": "description", "query": "query", "author": "author", "license": "license", "note": "note",
    "from": "from", "to": "to", "maxSignals": "max_signals", "falsePositives": "false_positives",
    "dataViewId": "data_view_id", "buildingBlockType": "building_block_type",
}  # fmt: skip
_THREATS = ("tactic", "technique", "technique.subtechnique")
_TYPES = {**{name: type_.id for name, type_ in RULE_TYPES.items()}, "machine_learning": "siem.mlRule"}
_RULES = Filter(
    ("alert.attributes.",),
    (
        "name", "tags", "enabled", "createdBy", "updatedBy", *(f"params.{name}" for name in _PARAMS),
        "alertTypeId", "consumer", "schedule.interval",
        *(f"params.threat.{part}.{name}" for part in _THREATS for name in ("id", "name")),
    ),
    {
        "enabled": FieldType.BOOLEAN, "params.riskScore": FieldType.LONG, "params.version": FieldType.LONG,
        "params.immutable": FieldType.BOOLEAN, "params.maxSignals": FieldType.LONG,
    },
)  # fmt: skip


def matching_rules(rules: Sequence[StoredRule], text: str | None) -> list[StoredRule]:
    """Return the rules that fit a filter over `alert.attributes.*`. Raises InvalidError."""
    if not text or not text.strip():
        return list(rules)
    matches = _RULES.matching([{**_attributes(rule), "row": row} for row, rule in enumerate(rules)], text)
    return [rules[attributes["row"]] for attributes in matches]


def _attributes(rule: StoredRule) -> dict[str, Any]:
    document = rule.document
    threats = [threat for threat in document.get("threat", []) if isinstance(threat, dict)]
    immutable = document.get("immutable", False)
    # Older clients select Elastic's own rules, or all others, by a tag that Kibana once gave each.
    tags = [*(document.get("tags") or ()), f"__internal_immutable:{str(immutable).lower()}"]
    return {
        "name": rule.name, "tags": tags, "enabled": rule.enabled, "createdBy": rule.created_by,
        "updatedBy": rule.updated_by, "params.immutable": immutable,
        **{f"params.{shown}": document.get(name) for shown, name in _PARAMS.items() if name != "immutable"},
        "alertTypeId": _TYPES.get(str(document.get("type"))), "consumer": "siem",
        "schedule.interval": document.get("interval", "5m"),
        **{
            f"params.threat.{part}.{name}": [
                value for entry in _below(threats, part) if (value := entry.get(name))
            ]
            for part in _THREATS
            for name in ("id", "name")
        },
    }  # fmt: skip


def _below(threats: Iterable[Mapping[str, Any]], path: str) -> list[Mapping[str, Any]]:
    """Return the tactics, techniques or sub-techniques of threats."""
    entries = list(threats)
    for part in path.split("."):
        members = [entry.get(part) for entry in entries]
        lists = (member if isinstance(member, list) else [member] for member in members)
        entries = [entry for list_ in lists for entry in list_ if isinstance(entry, Mapping)]
    return entries


_SEVERITIES = {"low": 0, "medium": 1, "high": 2, "critical": 3}
SORT_FIELDS: dict[str, Any] = {
    "_id": lambda rule: rule.id,
    "name": lambda rule: rule.name.lower(),
    "enabled": lambda rule: not rule.enabled,
    "created_at": lambda rule: rule.created,
    "createdAt": lambda rule: rule.created,
    "updated_at": lambda rule: rule.updated,
    "updatedAt": lambda rule: rule.updated,
    "risk_score": lambda rule: rule.document.get("risk_score", 0),
    "riskScore": lambda rule: rule.document.get("risk_score", 0),
    "severity": lambda rule: _SEVERITIES.get(rule.document.get("severity"), 0),
}


def sort_rules(rules: list[StoredRule], field: str, *, descending: bool) -> None:
    """Sort rules by a field that Kibana knows. Raises InvalidError for another field."""
    key = SORT_FIELDS.get(field)
    if key is None:
        raise InvalidError(f"[sort_field] is one of {', '.join(SORT_FIELDS)}")
    rules.sort(key=key, reverse=descending)
