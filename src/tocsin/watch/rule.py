"""A rule as the watch holds it: ready to run, with its schedule and what of events has to be remembered for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tocsin.detection.prepare import ReadyRule
from tocsin.detection.schedule import Schedule
from tocsin.ecs import TIMESTAMP, FieldType, Schema
from tocsin.engine.pipes import pipe_fields
from tocsin.eql import syntax as s
from tocsin.rules.model import Rule

INGESTED = "event.ingested"


@dataclass(frozen=True)
class WatchedRule:
    """A rule that is run on the clock. `uuid` names it in records; `revision` is that of its document."""

    uuid: str
    ready: ReadyRule
    schedule: Schedule
    revision: int = 0
    types: Mapping[str, FieldType] = field(default_factory=dict)  # of the fields that are remembered

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

    @cached_property
    def kept(self) -> tuple[str, ...]:
        """The fields of its events that are remembered, beside their times."""
        names: list[str] = []
        if self.ready.joined is not None:
            names += sorted(s.join_fields(self.ready.joined))
        names += pipe_fields(self.ready.statement.pipes)
        names += (field for part in _PARTS.get(self.rule.type, ()) for field in part(self.rule))
        names += suppressed_by(self.rule)
        return tuple(dict.fromkeys(names))

    @cached_property
    def read(self) -> frozenset[str]:
        """The columns that are read of events beside those of its conditions."""
        ordering = self.ready.ordering
        return frozenset((*self.kept, TIMESTAMP, self.time_field, ordering.timestamp, ordering.tiebreaker))


def watched(uuid: str, ready: ReadyRule, schedule: Schedule, schema: Schema, revision: int = 0) -> WatchedRule:
    """Return a rule for the watch."""
    found = WatchedRule(uuid, ready, schedule, revision)
    types = {}
    for name in found.kept:
        known = schema.find(name)
        types[name] = known.type if known else FieldType.KEYWORD
    return WatchedRule(uuid, ready, schedule, revision, types)


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


def _new_terms_fields(rule: Rule) -> tuple[str, ...]:
    return rule.new_terms_fields


_PARTS = {
    "threshold": (threshold_fields, _cardinality_fields),
    "new_terms": (_new_terms_fields,),
}
