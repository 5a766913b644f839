"""A compiled rule: its query in normal form, its schedule, and what rows of its events hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tocsin.detection.missing_fields import could_hold
from tocsin.detection.schedule import Schedule
from tocsin.ecs import CATEGORY, TIMESTAMP, Field, FieldType, Schema
from tocsin.engine.candidates import TIEBREAKER, Ordering
from tocsin.engine.graph import KeyedQuery
from tocsin.engine.pipes import pipe_fields
from tocsin.eql import syntax as s
from tocsin.esql.pipeline import Pipeline
from tocsin.esql.scope import METADATA
from tocsin.moments import SECOND
from tocsin.rules.model import Rule

INGESTED = "event.ingested"
_OF_EVENTS = frozenset({"eql", "query", "saved_query", "esql"})
_EVERY_FIVE_MINUTES = Schedule(300 * SECOND, "now-6m")  # Kibana's, of a rule that names none


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its query in normal form; of a piped query (`pipeline`), the condition of each of its events.

    `unknown` are the fields that no schema knows and that are not marked as optional, each with the message for
    the case that no event has it. `uuid` is its id in records, `revision` that of its document. Rows of its events
    hold the fields that its type needs, and `more_fields`, with the types in `row_types`. `known_fields` are the
    fields of its query, with their types in its own indices.
    """

    rule: Rule
    statement: s.Statement
    pipeline: Pipeline | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    uuid: str = ""
    schedule: Schedule = _EVERY_FIVE_MINUTES
    revision: int = 0
    row_types: Mapping[str, FieldType] = field(default_factory=dict)
    more_fields: tuple[str, ...] = ()
    known_fields: Mapping[str, Field] = field(default_factory=dict)

    @property
    def index(self) -> tuple[str, ...]:
        """The index patterns that it reads."""
        return self.rule.index if self.pipeline is None else self.pipeline.query.indices

    @property
    def joined(self) -> s.Sequence | s.Sample | None:
        """The query, if it is a sequence or a sample."""
        query = self.statement.query
        return None if isinstance(query, s.EventQuery) else query

    @property
    def of_known_category(self) -> bool:
        """Whether its categories are those of ECS, and not values of a field that the rule names."""
        return not self.rule.event_category_override

    @property
    def categories(self) -> frozenset[str] | None:
        """The event categories that it reads; None for any, or when another field holds the category."""
        if self.rule.event_category_override:
            return None
        named = {event.category for event in s.event_queries(self.statement.query)}
        return None if None in named else frozenset(c for c in named if c is not None)

    def could_match(self, missing: Collection[str]) -> bool:
        """Return whether it can match when no event has some of the fields that no schema knows.

        EQL fails for any such field. In other languages the field has no value, and the rest of the query decides.
        """
        if missing and self.rule.type not in ("eql", "esql") and isinstance(self.statement.query, s.EventQuery):
            return could_hold(self.statement.query.condition, missing)
        return not any(name in missing for name in self.unknown)

    @property
    def joining_fields(self) -> frozenset[str]:
        """The fields by which it joins and orders the events of a sequence or sample."""
        if self.joined is None:
            return frozenset()
        return s.join_fields(self.joined).union(self.ordering)

    @property
    def ordering(self) -> Ordering:
        """The fields that order events."""
        return Ordering(self.rule.timestamp_field or TIMESTAMP, self.rule.tiebreaker_field or TIEBREAKER)

    def keyed_query(self, *, any_index: bool, key: str | None = None) -> KeyedQuery:
        """Return its query for the engine; its key is the `rule_id` unless another is given."""
        indices = () if any_index else self.index
        category = self.rule.event_category_override or CATEGORY
        return KeyedQuery(key or self.rule.rule_id, self.statement, indices, category)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The rule's document, as in its alerts."""
        return self.rule.document()

    @property
    def by_arrival(self) -> bool:
        """Whether its windows hold events by their arrival.

        So it is with `event.ingested`: Elastic's final pipeline sets it when an event arrives, whatever value the
        event has, and here the store's clock does.
        """
        return self.rule.timestamp_override == INGESTED

    @property
    def time_field(self) -> str:
        """The field with the time by which its windows hold events, if that is not their arrival."""
        return self.rule.timestamp_override or TIMESTAMP

    @property
    def falls_back(self) -> bool:
        """Whether the `@timestamp` stands in for that field where an event does not have it."""
        return self.time_field != TIMESTAMP and not self.rule.timestamp_override_fallback_disabled

    def history(self, tick: int) -> int | None:
        """Return when the history of a new-terms rule begins at a tick; None for other rules."""
        text = self.rule.history_start if self.rule.type == "new_terms" else None
        return None if text is None else Schedule(1, text).window(tick).start

    @property
    def of_events(self) -> bool:
        """Whether each event that fits makes an alert of its own, unless it is suppressed."""
        piped = self.pipeline
        return self.joined is None and self.rule.type in _OF_EVENTS and not (piped and piped.aggregating)

    @property
    def needed_steps(self) -> tuple[int, ...]:
        """The steps of a sequence or sample that need an event; none of other rules."""
        query = self.joined
        return () if query is None else tuple(n for n, step in enumerate(query.steps) if not step.missing)

    def join_keys(self, step: int) -> tuple[s.FieldRef, ...]:
        """Return the fields by which a step's events are joined with those of other steps."""
        query = self.joined
        return () if query is None else (*query.by, *s.steps_of(query)[step].by)

    @cached_property
    def row_fields(self) -> tuple[str, ...]:
        """The fields that rows of its events hold, besides their times."""
        names: list[str] = list(self.more_fields)
        if self.joined is not None:
            names += sorted(s.join_fields(self.joined))
        names += pipe_fields(self.statement.pipes)
        if self.pipeline is not None:
            names += (field for field in self.pipeline.fields if field not in METADATA)
        names += (field for part in _PARTS.get(self.rule.type, ()) for field in part(self.rule))
        names += suppressed_by(self.rule)
        return tuple(dict.fromkeys(names))

    def buffers_like(self, other: CompiledRule) -> bool:
        """Return whether its buffer holds the same rows as that of another rule, however else they differ."""
        return self._buffer_key == other._buffer_key

    @property
    def _buffer_key(self) -> tuple[Any, ...]:
        """All that decides which rows its buffer holds."""
        rule = self.rule
        return (
            self.statement, self.index, self.ordering, self.schedule, self.row_types, rule.type, rule.query,
            rule.timestamp_override, rule.timestamp_override_fallback_disabled, rule.history_start,
        )  # fmt: skip

    @cached_property
    def columns_read(self) -> frozenset[str]:
        """The columns that are read of events besides those of its conditions."""
        ordering = self.ordering
        return frozenset((*self.row_fields, TIMESTAMP, self.time_field, ordering.timestamp, ordering.tiebreaker))


def with_rows(rule: CompiledRule, schema: Schema, more_fields: tuple[str, ...] = ()) -> CompiledRule:
    """Return a rule whose rows hold its fields with the types of a schema."""
    rule = replace(rule, more_fields=more_fields)
    types = {}
    for name in rule.row_fields:
        known = schema.find(name)
        types[name] = known.type if known else FieldType.KEYWORD
    names = dict.fromkeys((*s.statement_fields(rule.statement), *rule.row_fields))
    fields = {name: known for name in names if (known := schema.find(name)) is not None}
    return replace(rule, row_types=types, known_fields=fields)


def scheduled(rule: CompiledRule, uuid: str, schedule: Schedule, revision: int = 0) -> CompiledRule:
    """Return a rule with its id in records, and its schedule."""
    return replace(rule, uuid=uuid, schedule=replace(schedule, reach=_reach(rule)), revision=revision)


def _reach(rule: CompiledRule) -> int:
    """Return how much further back a rule reads (nanoseconds): maxspan, if its sequence ends with a missing event.

    Only after maxspan is it known that no event followed a sequence, and its first event must still be in the
    window. An event that must not precede a sequence may lie up to maxspan before an event of the window.
    """
    query = rule.joined
    if not isinstance(query, s.Sequence) or not (query.steps[0].missing or query.steps[-1].missing):
        return 0
    return (query.maxspan or 0) * 1_000_000


def suppressed_by(rule: Rule) -> tuple[str, ...]:
    """Return the fields by whose values a rule's alerts are suppressed."""
    fields = (rule.alert_suppression or {}).get("group_by") or ()
    return tuple(map(str, fields))


def threshold_fields(rule: Rule) -> tuple[str, ...]:
    """Return the fields by whose values a threshold rule groups events."""
    fields = (rule.threshold or {}).get("field") or ()
    return (fields,) if isinstance(fields, str) else tuple(map(str, fields))


def cardinalities(rule: Rule) -> Sequence[Mapping[str, Any]]:
    """Return the cardinalities of a threshold rule: a field, and the least number of its values in each group."""
    return tuple((rule.threshold or {}).get("cardinality") or ())


def _cardinality_fields(rule: Rule) -> tuple[str, ...]:
    return tuple(str(cardinality.get("field")) for cardinality in cardinalities(rule))


def _terms_fields(rule: Rule) -> tuple[str, ...]:
    return rule.terms_fields


@dataclass(frozen=True)
class MappingEntry:
    """A field of events that must have the value of an indicator's field, or, negated, must not."""

    field: str
    value: str
    negate: bool = False


def mapping_of(rule: Rule) -> list[tuple[MappingEntry, ...]]:
    """Return the entries of an indicator-match rule, by group: all entries of any one group must hold."""
    groups = []
    for group in rule.threat_mapping:
        entries = tuple(
            MappingEntry(str(entry.get("field")), str(entry.get("value")), entry.get("negate") is True)
            for entry in group.get("entries") or ()
        )
        if any(not entry.negate for entry in entries):
            groups.append(entries)
    return groups


def _mapped_fields(rule: Rule) -> tuple[str, ...]:
    return tuple(entry.field for group in mapping_of(rule) for entry in group)


_PARTS = {
    "threshold": (threshold_fields, _cardinality_fields),
    "new_terms": (_terms_fields,),
    "threat_match": (_mapped_fields,),
}
