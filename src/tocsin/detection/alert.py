"""Alerts: a rule, the event that it matched, and an id that is the same whenever the two meet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.moments import to_nanoseconds
from tocsin.rules.model import Rule
from tocsin.sources.batch import unflatten

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Alert:
    """One match of a rule. `event` is flat: dotted field name -> value or list."""

    rule: Rule
    event: Event
    origin: str

    @cached_property
    def id(self) -> str:
        """A hash of the rule and the event, so that running again gives the same alert."""
        identity = {k: v for k, v in self.event.items() if k != INDEX}
        content = orjson.dumps(identity, option=orjson.OPT_SORT_KEYS, default=str)
        return hashlib.sha256(self.rule.rule_id.encode() + b"\0" + content).hexdigest()[:40]

    @cached_property
    def time(self) -> int:
        """When the event happened, in nanoseconds since 1970; 0 when it does not say."""
        return event_time(self.event) or 0

    @property
    def timestamp(self) -> str:
        """When the event happened, as it says itself."""
        return str(self.event.get(TIMESTAMP, ""))

    def value(self, field: str) -> str:
        """Return a field of the event as text, several values joined; empty when it is missing."""
        return as_text(self.event.get(field))

    @property
    def reason(self) -> str:
        """One sentence: what happened where, and which rule says so."""
        category = as_text(self.event.get("event.category")) or "event"
        parts = [f"{category} event"]
        for word, field in (("with process", "process.name"), ("on", "host.name"), ("by", "user.name")):
            if found := self.value(field):
                parts.append(f"{word} {found}")
        return f"{' '.join(parts)} created {self.rule.severity} alert {self.rule.name}."

    def document(self) -> dict[str, Any]:
        """Return the alert as Elastic stores one: the event, and `kibana.alert.*` about it."""
        rule = self.rule
        alert = {
            "kibana.alert.uuid": self.id,
            "kibana.alert.status": "active",
            "kibana.alert.workflow_status": "open",
            "kibana.alert.severity": rule.severity,
            "kibana.alert.risk_score": rule.risk_score,
            "kibana.alert.reason": self.reason,
            "kibana.alert.original_time": self.timestamp,
            "kibana.alert.depth": 1,
            "kibana.alert.ancestors": [
                {"id": "", "index": as_text(self.event.get(INDEX)), "depth": 0, "type": "event"}
            ],
            "kibana.alert.rule.name": rule.name,
            "kibana.alert.rule.rule_id": rule.rule_id,
            "kibana.alert.rule.uuid": rule.rule_id,
            "kibana.alert.rule.type": rule.type,
            "kibana.alert.rule.version": rule.version,
            "kibana.alert.rule.tags": list(rule.tags),
            "kibana.alert.rule.references": list(rule.references),
            "kibana.alert.rule.threat": [t.model_dump(mode="json", exclude_unset=True) for t in rule.threat],
        }
        if rule.building_block_type:
            alert["kibana.alert.building_block_type"] = rule.building_block_type
        document = unflatten({k: v for k, v in self.event.items() if k != INDEX})
        return {**document, **alert, "tocsin": {"origin": self.origin}}


def as_text(value: Any) -> str:
    """Return a value for people: several joined by a comma, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(as_text(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def event_time(event: Event) -> int | None:
    """Return an event's time in nanoseconds since 1970, or None when it has none that can be read."""
    value = event.get(TIMESTAMP)
    if isinstance(value, list) and value:
        value = value[0]
    try:
        return None if value is None else to_nanoseconds(value)
    except (ValueError, OverflowError):
        return None
