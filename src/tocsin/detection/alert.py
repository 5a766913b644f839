"""Alerts: a rule, the event that it matched, and an id that is the same whenever the two meet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from tocsin.detection.sequences import Match
from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.moments import read_moment, time_of
from tocsin.rules.model import Rule
from tocsin.sources.batch import as_document

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Alert:
    """One match of a rule. `event` is flat: dotted field name -> value or list.

    A sequence is one alert whose `event` holds what its events have in common; each of them is a building block
    in `members`, at the place of its step, None where an event is missing. `key` names what was matched, where
    that has a name: the index and id of an event in the store.
    """

    rule: Rule
    event: Event
    origin: str
    members: tuple[Alert | None, ...] = ()
    keys: tuple[Any, ...] = ()
    key: tuple[Any, ...] | None = None

    @cached_property
    def id(self) -> str:
        """A hash of the rule and what it matched, so that running again gives the same alert."""
        if self.key is not None:
            parts: Any = self.key
        elif self.members:
            parts = [member and member.id for member in self.members]
        else:
            parts = {k: v for k, v in self.event.items() if k != INDEX}
        content = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)
        return hashlib.sha256(self.rule.rule_id.encode() + b"\0" + content).hexdigest()[:40]

    @property
    def events(self) -> tuple[Alert, ...]:
        """The building blocks of a sequence, or the alert itself."""
        return tuple(member for member in self.members if member is not None) or (self,)

    @cached_property
    def time(self) -> int:
        """When the (last) event happened, in nanoseconds since 1970; 0 when it does not say."""
        return event_time(self.event) or 0

    @property
    def timestamp(self) -> str:
        """When the (last) event happened, as it says itself."""
        return str(self.event.get(TIMESTAMP, ""))

    def value(self, field: str) -> str:
        """Return a field as text, several values joined; for a sequence its events' values. Empty when missing."""
        if not self.members:
            return as_text(self.event.get(field))
        found = dict.fromkeys(member.value(field) for member in self.events)
        return ", ".join(text for text in found if text)

    @property
    def reason(self) -> str:
        """One sentence: what happened where, and which rule says so."""
        category = self.value("event.category") or "event"
        parts = [f"{category} {'events' if self.members else 'event'}"]
        for word, field in (("with process", "process.name"), ("on", "host.name"), ("by", "user.name")):
            if found := self.value(field):
                parts.append(f"{word} {found}")
        return f"{' '.join(parts)} created {self.rule.severity} alert {self.rule.name}."

    def document(self) -> dict[str, Any]:
        """Return the alert as Elastic stores one: the event, and `kibana.alert.*` about it.

        The building blocks of a sequence, which Elastic stores beside it, stand in `tocsin.building_blocks`.
        """
        rule = self.rule
        alert = {
            "kibana.alert.uuid": self.id,
            "kibana.alert.status": "active",
            "kibana.alert.workflow_status": "open",
            "kibana.alert.severity": rule.severity,
            "kibana.alert.risk_score": rule.risk_score,
            "kibana.alert.reason": self.reason,
            "kibana.alert.original_time": self.timestamp,
            "kibana.alert.depth": 2 if self.members else 1,
            "kibana.alert.ancestors": self._ancestors(),
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
        own: dict[str, Any] = {"origin": self.origin}
        if self.members:
            alert["kibana.alert.group.id"] = self.id
            own["join_keys"] = list(self.keys)
            own["missing_steps"] = [n for n, member in enumerate(self.members, 1) if member is None]
            own["building_blocks"] = self._building_blocks()
        return {**as_document(self.event), **alert, "tocsin": own}

    def _ancestors(self) -> list[dict[str, Any]]:
        if not self.members:
            return [{"id": "", "index": as_text(self.event.get(INDEX)), "depth": 0, "type": "event"}]
        blocks = [
            {"id": member.id, "index": "", "depth": 1, "type": "signal", "rule": self.rule.rule_id}
            for member in self.events
        ]
        return [*blocks, *(ancestor for member in self.events for ancestor in member._ancestors())]

    def _building_blocks(self) -> list[dict[str, Any]]:
        group = {"kibana.alert.building_block_type": "default", "kibana.alert.group.id": self.id}
        return [
            {**member.document(), **group, "kibana.alert.group.index": number}
            for number, member in enumerate(self.events)
        ]


def sequence_alert(rule: Rule, match: Match) -> Alert:
    """Return the alert of a sequence; its event has the time of the last one and the fields that all share."""
    members = tuple(None if raw is None else Alert(rule, raw.event(), raw.origin) for raw in match.events)
    present = [member for member in members if member is not None]
    origins = dict.fromkeys(member.origin for member in present)
    return Alert(rule, shared_fields(present), ", ".join(origins), members, match.keys)


def shared_fields(members: Sequence[Alert]) -> dict[str, Any]:
    """Return what the events of a sequence have in common, with the time of the last one."""
    first, last = members[0].event, members[-1].event
    shared = {name: value for name, value in first.items() if all(one.event.get(name) == value for one in members)}
    if TIMESTAMP in last:
        shared[TIMESTAMP] = last[TIMESTAMP]
    return shared


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
    value = time_of(event.get(TIMESTAMP))
    try:
        return None if value is None else read_moment(value)
    except (ValueError, OverflowError):
        return None
