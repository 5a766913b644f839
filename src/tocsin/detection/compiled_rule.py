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
    """A rule with its query in normal form; of a piped query (`pipeline`), what each event must meet at least.

    `unknown` are the fields that no schema knows and that are not marked as optional, each with what to tell when
    no event has it. `uuid` names the rule in records, and `revision` is that of its document. Rows of its events
    hold fields of some types (`row_types`), `more_fields` beside those that its type needs. `known_fields` are the
    fields of its query, as its own indices have them.
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
        """Tell whether its categories are to be those of ECS, and not values of a field of the author's choice."""
        return not self.rule.event_category_override

    @property
    def categories(self) -> frozenset[str] | None:
        """The event categories that it reads; None for any, and where another field holds the category."""
        if self.rule.event_category_override:
            return None
        named = {event.category for event in s.event_queries(self.statement.query)}
        return None if None in named else frozenset(c for c in named if c is not None)

    def could_match(self, missing: Collection[str]) -> bool:
        """Tell whether it can match where no event has some of the fields that no schema knows.

        EQL fails for any such field. Other languages take it for one without a value, so that it depends on what
        else the query asks.
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
        """Return what the engine needs of it, under a key that is its `rule_id` unless another is given."""
        indices = () if any_index else self.index
        category = self.rule.event_category_override or CATEGORY
        return KeyedQuery(key or self.rule.rule_id, self.statement, indices, category)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The rule's document, as its alerts hold it."""
        return self.rule.document()

    @property
    def by_arrival(self) -> bool:
        """Whether its windows hold events by their arrival.

        That is what `event.ingested` is: Elastic's final pipeline sets it when an event comes in, whatever the
        event says, and so does the store's clock here.
        """
        return self.rule.timestamp_override == INGESTED

    @property
    def time_field(self) -> str:
        """The field by whose time its windows hold events, where that is not their arrival."""
        return self.rule.timestamp_override or TIMESTAMP

    @property
    def falls_back(self) -> bool:
        """Whether events without that field are held by their `@timestamp`."""
        return self.time_field != TIMESTAMP and not self.rule.timestamp_override_fallback_disabled

    def history(self, tick: int) -> int | None:
        """Return where the history begins that a new-terms rule looks at when it is due; None for other rules."""
        text = self.rule.history_start if self.rule.type == "new_terms" else None
        return None if text is None else Schedule(1, text).window(tick).start

    @property
    def of_events(self) -> bool:
        """Whether each event that fits it makes an alert of its own, if nothing else hinders it."""
        piped = self.pipeline
        return self.joined is None and self.rule.type in _OF_EVENTS and not (piped and piped.aggregating)

    @property
    def needed_steps(self) -> tuple[int, ...]:
        """The steps of a sequence or sample of which an event has to be there; none of other rules."""
        query = self.joined
        return () if query is None else tuple(n for n, step in enumerate(query.steps) if not step.missing)

    def join_keys(self, step: int) -> tuple[s.FieldRef, ...]:
        """Return the fields by which a step's events are joined with those of others."""
        query = self.joined
        return () if query is None else (*query.by, *s.steps_of(query)[step].by)

    @cached_property
    def row_fields(self) -> tuple[str, ...]:
        """The fields that rows of its events hold, beside their times."""
        names: list[str] = list(self.more_fields)
        if self.joined is not None:
            names += sorted(s.join_fields(self.joined))
        names += pipe_fields(self.statement.pipes)
        if self.pipeline is not None:
            names += (field for field in self.pipeline.fields if field not in METADATA)
        names += (field for part in _PARTS.get(self.rule.type, ()) for field in part(self.rule))
        names += suppressed_by(self.rule)
        return tuple(dict.fromkeys(names))

    def remembers_as(self, other: CompiledRule) -> bool:
        """Tell whether it remembers the same of the same events as another, however else they differ."""
        return self._looked_at == other._looked_at

    @property
    def _looked_at(self) -> tuple[Any, ...]:
        """What says which events it remembers, and what of them."""
        rule = self.rule
        return (
            self.statement, self.index, self.ordering, self.schedule, self.row_types, rule.type, rule.query,
            rule.timestamp_override, rule.timestamp_override_fallback_disabled, rule.history_start,
        )  # fmt: skip

    @cached_property
    def columns_read(self) -> frozenset[str]:
        """The columns that are read of events beside those of its conditions."""
        ordering = self.ordering
        return frozenset((*self.row_fields, TIMESTAMP, self.time_field, ordering.timestamp, ordering.tiebreaker))


def with_rows(rule: CompiledRule, schema: Schema, more_fields: tuple[str, ...] = ()) -> CompiledRule:
    """Return a rule whose rows hold fields of the types that they have in a schema."""
    rule = replace(rule, more_fields=more_fields)
    types = {}
    for name in rule.row_fields:
        known = schema.find(name)
        types[name] = known.type if known else FieldType.KEYWORD
    names = dict.fromkeys((*s.statement_fields(rule.statement), *rule.row_fields))
    fields = {name: known for name in names if (known := schema.find(name)) is not None}
    return replace(rule, row_types=types, known_fields=fields)


def scheduled(rule: CompiledRule, uuid: str, schedule: Schedule, revision: int = 0) -> CompiledRule:
    """Return a rule of records: with its id there, and when it is due."""
    return replace(rule, uuid=uuid, schedule=replace(schedule, reach=_reach(rule)), revision=revision)


def _reach(rule: CompiledRule) -> int:
    """Return how much further back a rule looks (nanoseconds): so long as what is missing at an end has to be.

    Only when maxspan has passed is it known that nothing has come behind a sequence, and its first event has to be
    in the window still; what should be missing in front may stand maxspan before an event of the window.
    """
    query = rule.joined
    if not isinstance(query, s.Sequence) or not (query.steps[0].missing or query.steps[-1].missing):
        return 0
    return (query.maxspan or 0) * 1_000_000


def suppressed_by(rule: Rule) -> tuple[str, ...]:
    """Return the fields by whose values a rule's alerts are suppressed."""
    found = (rule.alert_suppression or {}).get("group_by") or ()
    return tuple(map(str, found))


def threshold_fields(rule: Rule) -> tuple[str, ...]:
    """Return the fields by whose values a threshold rule groups events."""
    found = (rule.threshold or {}).get("field") or ()
    return (found,) if isinstance(found, str) else tuple(map(str, found))


def cardinalities(rule: Rule) -> Sequence[Mapping[str, Any]]:
    """Return how many values of which field each group of a threshold rule must have at least."""
    return tuple((rule.threshold or {}).get("cardinality") or ())


def _cardinality_fields(rule: Rule) -> tuple[str, ...]:
    return tuple(str(one.get("field")) for one in cardinalities(rule))


def _terms_fields(rule: Rule) -> tuple[str, ...]:
    return rule.terms_fields


@dataclass(frozen=True)
class MappingEntry:
    """A field of events that must have (or, negated, must not have) the value of an indicator's field."""

    field: str
    value: str
    negate: bool = False


def mapping_of(rule: Rule) -> list[tuple[MappingEntry, ...]]:
    """Return the entries of an indicator-match rule: those of a group hold together, one group is enough."""
    groups = []
    for group in rule.threat_mapping:
        entries = tuple(
            MappingEntry(str(one.get("field")), str(one.get("value")), one.get("negate") is True)
            for one in group.get("entries") or ()
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
