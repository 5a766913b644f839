"""A rule as the watch holds it: ready to run, with its schedule and what of events has to be remembered for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tocsin.detection.prepare import ReadyRule
from tocsin.detection.schedule import Schedule
from tocsin.ecs import TIMESTAMP, Field, FieldType, Schema
from tocsin.engine.pipes import pipe_fields
from tocsin.eql import syntax as s
from tocsin.esql.scope import METADATA
from tocsin.rules.model import Rule

INGESTED = "event.ingested"
_OF_EVENTS = frozenset({"eql", "query", "saved_query", "esql"})


@dataclass(frozen=True)
class WatchedRule:
    """A rule that is run on the clock. `uuid` names it in records; `revision` is that of its document."""

    uuid: str
    ready: ReadyRule
    schedule: Schedule
    revision: int = 0
    types: Mapping[str, FieldType] = field(default_factory=dict)  # of the fields that are remembered
    also: tuple[str, ...] = ()  # fields that are remembered beside those that its type needs
    fields: Mapping[str, Field] = field(default_factory=dict)  # of its query, as its own indices have them

    @property
    def rule(self) -> Rule:
        """The rule."""
        return self.ready.rule

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
        piped = self.ready.pipeline
        return self.ready.joined is None and self.rule.type in _OF_EVENTS and not (piped and piped.aggregating)

    @property
    def needed_steps(self) -> tuple[int, ...]:
        """The steps of a sequence or sample of which an event has to be there; none of other rules."""
        query = self.ready.joined
        return () if query is None else tuple(n for n, step in enumerate(query.steps) if not step.missing)

    def join_keys(self, step: int) -> tuple[s.FieldRef, ...]:
        """Return the fields by which a step's events are joined with those of others."""
        query = self.ready.joined
        return () if query is None else (*query.by, *s.steps_of(query)[step].by)

    @cached_property
    def kept(self) -> tuple[str, ...]:
        """The fields of its events that are remembered, beside their times."""
        names: list[str] = list(self.also)
        if self.ready.joined is not None:
            names += sorted(s.join_fields(self.ready.joined))
        names += pipe_fields(self.ready.statement.pipes)
        if self.ready.pipeline is not None:
            names += (field for field in self.ready.pipeline.fields if field not in METADATA)
        names += (field for part in _PARTS.get(self.rule.type, ()) for field in part(self.rule))
        names += suppressed_by(self.rule)
        return tuple(dict.fromkeys(names))

    def remembers_as(self, other: WatchedRule) -> bool:
        """Tell whether it remembers the same of the same events as another, however else they differ."""
        return self._looked_at == other._looked_at

    @property
    def _looked_at(self) -> tuple[Any, ...]:
        """What says which events it remembers, and what of them."""
        ready, rule = self.ready, self.rule
        return (
            ready.statement, ready.index, ready.ordering, self.schedule, self.types, rule.type, rule.query,
            rule.timestamp_override, rule.timestamp_override_fallback_disabled, rule.history_start,
        )  # fmt: skip

    @cached_property
    def read(self) -> frozenset[str]:
        """The columns that are read of events beside those of its conditions."""
        ordering = self.ready.ordering
        return frozenset((*self.kept, TIMESTAMP, self.time_field, ordering.timestamp, ordering.tiebreaker))


def watched(
    uuid: str,
    ready: ReadyRule,
    schedule: Schedule,
    schema: Schema,
    revision: int = 0,
    also: tuple[str, ...] = (),
) -> WatchedRule:
    """Return a rule for the watch."""
    schedule = replace(schedule, reach=_reach(ready))
    found = WatchedRule(uuid, ready, schedule, revision, also=also)
    types = {}
    for name in found.kept:
        known = schema.find(name)
        types[name] = known.type if known else FieldType.KEYWORD
    names = dict.fromkeys((*s.statement_fields(ready.statement), *found.kept))
    fields = {name: known for name in names if (known := schema.find(name)) is not None}
    return WatchedRule(uuid, ready, schedule, revision, types, also, fields)


def _reach(ready: ReadyRule) -> int:
    """Return how much further back a rule looks (nanoseconds): so long as what is missing at an end has to be.

    Only when maxspan has passed is it known that nothing has come behind a sequence, and its first event has to be
    in the window still; what should be missing in front may stand maxspan before an event of the window.
    """
    query = ready.joined
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
class Entry:
    """A field of events that must have (or, negated, must not have) the value of an indicator's field."""

    field: str
    value: str
    negate: bool = False


def mapping_of(rule: Rule) -> list[tuple[Entry, ...]]:
    """Return the entries of an indicator-match rule: those of a group hold together, one group is enough."""
    groups = []
    for group in rule.threat_mapping:
        entries = tuple(
            Entry(str(one.get("field")), str(one.get("value")), one.get("negate") is True)
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
