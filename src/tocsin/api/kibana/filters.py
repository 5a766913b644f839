"""Kibana's filters over saved things: KQL on their attributes, answered by the evaluator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from tocsin.api.answers import bad_request
from tocsin.ecs import Field, FieldType, Schema
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import EventTable, to_array
from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.field_patterns import field_pattern
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
        if not text or not text.strip():
            return list(things)
        schema = self._schema
        try:
            condition = read_kql(text, Context(schema))
        except QueryError as error:
            raise bad_request(f"[filter]: {error}") from None
        self._check(condition)
        columns: dict[str, Any] = {}
        for name in self.names:
            array = to_array([None if thing.get(name) == [] else thing.get(name) for thing in things])
            if array is not None:
                columns.update((f"{prefix}{name}", array) for prefix in self.prefixes)
        table = EventTable(columns, len(things), schema)
        found = evaluate(compile_conditions([(("filter", 0), condition)]), table)
        return [things[row] for row in found.get(("filter", 0), ())]

    def _check(self, condition: s.Expression) -> None:
        """Refuse a filter that asks for what things of this kind have not, as Kibana does: it would fit none."""
        for name in s.field_names(condition):
            if self._schema.find(name) is None and field_pattern(name) is None:
                near = " or ".join(f"`{known}`" for known in self._schema.nearest(name)[:2])
                hint = f"; did you mean {near}?" if near else f"; names begin with `{self.prefixes[0]}`"
                raise bad_request(f"[filter]: `{name}` is no attribute that can be asked for{hint}")


_PARAMS = {
    "ruleId": "rule_id", "riskScore": "risk_score", "severity": "severity", "type": "type", "language": "language",
    "index": "index", "references": "references", "version": "version", "immutable": "immutable",
    "description": "description", "query": "query", "author": "author", "license": "license", "note": "note",
    "from": "from", "to": "to", "maxSignals": "max_signals", "falsePositives": "false_positives",
    "dataViewId": "data_view_id", "buildingBlockType": "building_block_type",
}  # fmt: skip
_THREATS = ("tactic", "technique", "technique.subtechnique")
_TYPES = {
    "eql": "siem.eqlRule", "query": "siem.queryRule", "saved_query": "siem.savedQueryRule",
    "threshold": "siem.thresholdRule", "new_terms": "siem.newTermsRule", "threat_match": "siem.indicatorRule",
    "esql": "siem.esqlRule", "machine_learning": "siem.mlRule",
}  # fmt: skip
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
        "alertTypeId": _TYPES.get(str(document.get("type"))), "consumer": "siem",
        "schedule.interval": document.get("interval", "5m"),
        **{
            f"params.threat.{part}.{name}": [value for one in _below(threats, part) if (value := one.get(name))]
            for part in _THREATS
            for name in ("id", "name")
        },
    }  # fmt: skip


def _below(threats: Iterable[Mapping[str, Any]], path: str) -> list[Mapping[str, Any]]:
    """Return the tactics, techniques or sub-techniques of threats."""
    found = list(threats)
    for part in path.split("."):
        inner = [one.get(part) for one in found]
        several = (one if isinstance(one, list) else [one] for one in inner)
        found = [one for some in several for one in some if isinstance(one, Mapping)]
    return found
