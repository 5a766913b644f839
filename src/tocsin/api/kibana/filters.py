"""Kibana's filters over saved things: KQL on their attributes, answered by the evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from tocsin.api.answers import bad_request
from tocsin.ecs import Field, FieldType, Schema
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import EventTable, to_array
from tocsin.errors import QueryError
from tocsin.kql.read import read_kql
from tocsin.query_dsl.build import Context
from tocsin.store.records.models import StoredRule

_T = TypeVar("_T", bound=Mapping[str, Any])


@dataclass(frozen=True)
class Filter:
    """What filters may ask of things of one kind: their attributes, keywords unless they have another type.

    A filter puts one of the `prefixes` before an attribute's name.
    """

    prefixes: tuple[str, ...]
    names: tuple[str, ...]
    types: Mapping[str, FieldType] = field(default_factory=dict)

    @cached_property
    def _schema(self) -> Schema:
        names = ((f"{prefix}{name}", name) for prefix in self.prefixes for name in self.names)
        return Schema({whole: Field(whole, self.types.get(name, FieldType.KEYWORD)) for whole, name in names})

    def matching(self, things: Sequence[_T], text: str | None) -> list[_T]:
        """Return those of some things, by their attributes, that a filter fits. Raises ApiError."""
        if not text or not text.strip() or not things:
            return list(things)
        schema = self._schema
        try:
            condition = read_kql(text, Context(schema))
        except QueryError as error:
            raise bad_request(f"[filter]: {error}") from None
        columns: dict[str, Any] = {}
        for name in self.names:
            array = to_array([None if thing.get(name) == [] else thing.get(name) for thing in things])
            if array is not None:
                columns.update((f"{prefix}{name}", array) for prefix in self.prefixes)
        table = EventTable(columns, len(things), schema)
        found = evaluate(compile_conditions([(("filter", 0), condition)]), table)
        return [things[row] for row in found.get(("filter", 0), ())]


_PARAMS = {
    "ruleId": "rule_id", "riskScore": "risk_score", "severity": "severity", "type": "type", "language": "language",
    "index": "index", "references": "references", "version": "version", "immutable": "immutable",
}  # fmt: skip
_RULES = Filter(
    ("alert.attributes.",),
    (
        "name", "tags", "enabled", "createdBy", "updatedBy", *(f"params.{name}" for name in _PARAMS),
        "params.threat.tactic.id", "params.threat.technique.id",
    ),
    {
        "enabled": FieldType.BOOLEAN, "params.riskScore": FieldType.LONG, "params.version": FieldType.LONG,
        "params.immutable": FieldType.BOOLEAN,
    },
)  # fmt: skip


def matching_rules(rules: Sequence[StoredRule], text: str | None) -> list[StoredRule]:
    """Return the rules that a filter over `alert.attributes.*` fits. Raises ApiError."""
    if not text or not text.strip():
        return list(rules)
    found = _RULES.matching([{**_attributes(rule), "row": row} for row, rule in enumerate(rules)], text)
    return [rules[one["row"]] for one in found]


def _attributes(rule: StoredRule) -> dict[str, Any]:
    document = rule.document
    threats = [threat for threat in document.get("threat", []) if isinstance(threat, dict)]
    immutable = document.get("immutable", False)
    # Older clients ask for Elastic's own rules, or for all others, by a tag that Kibana once gave each.
    tags = [*(document.get("tags") or ()), f"__internal_immutable:{str(immutable).lower()}"]
    return {
        "name": rule.name, "tags": tags, "enabled": rule.enabled, "createdBy": rule.created_by,
        "updatedBy": rule.updated_by, "params.immutable": immutable,
        **{f"params.{shown}": document.get(name) for shown, name in _PARAMS.items() if name != "immutable"},
        "params.threat.tactic.id": [threat.get("tactic", {}).get("id") for threat in threats],
        "params.threat.technique.id": [one.get("id") for threat in threats for one in threat.get("technique", [])],
    }  # fmt: skip
