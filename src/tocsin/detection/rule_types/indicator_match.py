"""Indicator-match rules: events whose fields have values that indicators have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Any

import pyarrow as pa

from tocsin.detection.columns import ID, INDEX, ORDER, TIME
from tocsin.detection.compile import filtered_by, narrowed
from tocsin.detection.compiled_rule import CompiledRule, MappingEntry, mapping_of, with_rows
from tocsin.detection.rule_types.findings import Finding, Place, RuleWindow, many, values_of
from tocsin.ecs import Schema
from tocsin.eql import syntax as s
from tocsin.errors import QueryError, RuleError
from tocsin.kql.read import read_kql
from tocsin.moments import to_datetime
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.query_string import Reading, read_query_string
from tocsin.rules.model import Rule
from tocsin.sources.batch import unflatten

_PATH = "threat.indicator"
_MOST = 200  # indicators that an alert names


@dataclass(frozen=True)
class IndicatorGroup:
    """Entries of a mapping that must all hold; `places` are the indicators by the values of its fields."""

    entries: tuple[MappingEntry, ...]
    places: dict[tuple[Any, ...], list[Place]] = field(default_factory=dict)
    negated: dict[Place, list[set[Any]]] = field(default_factory=dict)  # their values of the negated entries

    @property
    def others(self) -> tuple[MappingEntry, ...]:
        """The negated entries: an event must not have the indicator's value."""
        return tuple(entry for entry in self.entries if entry.negate)

    @property
    def alike(self) -> tuple[MappingEntry, ...]:
        """The other entries: an event must have the indicator's value."""
        return tuple(entry for entry in self.entries if not entry.negate)


def indicator_query(rule: Rule, schema: Schema, now: datetime) -> CompiledRule:
    """Return the query of a rule's indicators as a rule whose rows hold the fields that are compared.

    Raises RuleError for a query that cannot be read.
    """
    context = Context(schema, now=now)
    text = rule.threat_query or "*:*"
    try:
        lucene = rule.threat_language == "lucene"
        condition = read_query_string(text, Reading(context)) if lucene else read_kql(text, context)
        indicators = Rule(
            rule_id="indicators", name=f"the indicators of {rule.name}", type="query", severity="low",
            risk_score=0, index=rule.threat_index, filters=rule.threat_filters,
        )  # fmt: skip
        statement = narrowed(s.Statement(s.EventQuery(None, condition)), filtered_by(indicators, schema))
    except QueryError as error:
        raise RuleError(f"`threat_query`: {error.message}") from None
    names = tuple(dict.fromkeys(entry.value for group in mapping_of(rule) for entry in group))
    return with_rows(CompiledRule(indicators, statement, uuid=indicators.rule_id), schema, names)


def indicator_groups(rule: Rule, rows: Iterable[pa.Table], names: Sequence[str]) -> list[IndicatorGroup]:
    """Return indicators by the values that a rule compares; `names` are the fields of their rows."""
    groups = [IndicatorGroup(entries) for entries in mapping_of(rule)]
    for part in rows:
        indices, ids = part.column(INDEX).to_pylist(), part.column(ID).to_pylist()
        for index, id_, values in zip(indices, ids, values_of(part, names), strict=True):
            place = Place(index, id_)
            for group in groups:
                for key in product(*(many(values.get(entry.value)) for entry in group.alike)):
                    group.places.setdefault(key, []).append(place)
                if group.others:
                    group.negated[place] = [set(many(values.get(entry.value))) for entry in group.others]
    return groups


def indicator_match_findings(rule: CompiledRule, rows: pa.Table, window: RuleWindow) -> list[Finding]:
    """Return the events with an indicator's values, the oldest first, and the indicators of each."""
    names = rule.row_fields
    reader = window.indicators()
    query = indicator_query(rule.rule, reader.schema, to_datetime(window.now))
    groups = indicator_groups(rule.rule, reader.rows(query), query.row_fields)
    matched: list[tuple[int, list[tuple[MappingEntry, Any, Place]]]] = []
    for row, values in enumerate(values_of(rows, names)):
        matches = [match for group in groups for match in _matches(group, values)]
        if matches:
            matched.append((row, matches))
    documents = reader.documents({place for _, matches in matched for _, _, place in matches})
    indices, ids, times, helds = (rows.column(n).to_pylist() for n in (INDEX, ID, ORDER, TIME))
    findings = []
    for row, matches in matched:
        enrichments = [
            enrichment
            for entry, value, place in matches
            if (enrichment := _enrichment(rule.rule, entry, value, place, documents.get(place))) is not None
        ]
        if enrichments:
            about = {"threat.enrichments": enrichments[:_MOST]}
            findings.append(Finding((Place(indices[row], ids[row]),), times[row], helds[row], about=about))
    return sorted(findings, key=lambda finding: finding.time)


def _matches(group: IndicatorGroup, values: Mapping[str, Any]) -> list[tuple[MappingEntry, Any, Place]]:
    matches: list[tuple[MappingEntry, Any, Place]] = []
    for key in product(*(many(values.get(entry.field)) for entry in group.alike)):
        for place in group.places.get(key, ()):
            unwanted = zip(group.others, group.negated.get(place, ()), strict=False)
            if any(theirs & set(many(values.get(entry.field))) for entry, theirs in unwanted):
                continue
            matches += ((entry, value, place) for entry, value in zip(group.alike, key, strict=True))
    return matches


def _enrichment(
    rule: Rule, entry: MappingEntry, value: Any, place: Place, document: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return an indicator as Elastic puts it into an alert; None if the indicator has been removed."""
    if document is None:
        return None
    path = f"{rule.threat_indicator_path or _PATH}."
    indicator = {name.removeprefix(path): v for name, v in document.items() if name.startswith(path)}
    matched = {
        "atomic": value, "field": entry.field, "id": place.id, "index": place.index,
        "type": "indicator_match_rule",
    }  # fmt: skip
    feed = document.get("threat.feed.name")
    return {"indicator": unflatten(indicator), "feed": {"name": feed} if feed else {}, "matched": matched}
