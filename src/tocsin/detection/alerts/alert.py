"""Alerts: a finding of a rule with its events, and an id that is the same whenever the rule finds these events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import orjson

from tocsin.detection.alerts.overrides import overridden
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.findings import Event, Finding, Place, key_of_group
from tocsin.ecs import TIMESTAMP
from tocsin.moments import iso, read_moment, time_of
from tocsin.rules.model import Rule


@dataclass(frozen=True)
class Suppression:
    """What an alert stands for besides its own events: the name of its group and the shared values (`terms`).

    `start` and `end` are the times of the group's first and last event, `count` is the number of suppressed
    findings.
    """

    key: str
    terms: Mapping[str, Any]
    start: int
    end: int
    count: int


@dataclass(eq=False)
class Alert:
    """An alert of a rule. `event` is flat: dotted field name -> value or list.

    `rule` is the rule with the overrides of this event. A sequence is one alert; its `event` holds the fields that
    its events share. Each of these events is a building block in `members`, in the order of the steps; None for a
    missing event. The alert of a group of events has the group's values as `event`.
    """

    id: str
    compiled: CompiledRule
    finding: Finding
    rule: Rule
    event: Event
    origin: str = ""
    place: Place | None = None
    members: tuple[Alert | None, ...] = ()
    suppression: Suppression | None = None

    @property
    def keys(self) -> tuple[Any, ...]:
        """The join keys of a sequence."""
        return self.finding.keys

    @property
    def events(self) -> tuple[Alert, ...]:
        """The building blocks of a sequence, or the alert itself."""
        return tuple(member for member in self.members if member is not None) or (self,)

    @cached_property
    def time(self) -> int:
        """When the (last) event happened, in nanoseconds since 1970; 0 when it has no time."""
        return event_time(self.event) or 0

    @property
    def timestamp(self) -> str:
        """The `@timestamp` of the (last) event as text."""
        return str(self.event.get(TIMESTAMP, ""))

    @property
    def group_key(self) -> str | None:
        """The name of the group of events that it stands for, None without a group."""
        if self.suppression is not None:
            return self.suppression.key
        return None if self.finding.group is None else key_of_group(self.finding.group)

    @property
    def counted_to(self) -> int | None:
        """The time up to which it counts the events of its group."""
        if self.suppression is not None:
            return self.suppression.end
        return None if self.finding.group is None else self.finding.held

    def value(self, field: str) -> str:
        """Return a field as text, several values joined; of a sequence those of its events. Empty if missing."""
        if not self.members:
            return as_text(self.event.get(field))
        values = dict.fromkeys(member.value(field) for member in self.events)
        return ", ".join(text for text in values if text)

    @property
    def reason(self) -> str:
        """One sentence: what happened, where, and which rule alerted."""
        category = self.value("event.category") or "event"
        parts = [f"{category} {'events' if self.members else 'event'}"]
        for word, field in (("with process", "process.name"), ("on", "host.name"), ("by", "user.name")):
            if value := self.value(field):
                parts.append(f"{word} {value}")
        return f"{' '.join(parts)} created {self.rule.severity} alert {self.rule.name}."


def alert_id(rule: CompiledRule, finding: Finding) -> str:
    """Return the id of a finding's alert: always the same for the same rule and events, or group of events."""
    if finding.group is not None:
        return _hash(rule, ["group", dict(finding.group), finding.about.get("key")])
    if rule.joined is None:
        (place,) = finding.places
        key = finding.about.get("key")
        return _hash(rule, place if key is None else [place, key])
    return _hash(rule, [place and _hash(rule, place) for place in finding.places])


def block_id(rule: CompiledRule, id_: str, number: int, place: Place) -> str:
    """Return the id of the n-th building block of a sequence's alert."""
    return _hash(rule, [id_, number, place])


def _hash(rule: CompiledRule, parts: Any) -> str:
    content = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(rule.rule.rule_id.encode() + b"\0" + content).hexdigest()[:40]


def in_store(place: Place) -> str:
    """Return the origin of an event in the store."""
    return f"{place.index}/{place.id}"


def alert_of(
    rule: CompiledRule,
    finding: Finding,
    events: Mapping[Place, Event],
    origin: Callable[[Place], str] = in_store,
) -> Alert:
    """Return the alert of a finding. `events` are flat; `origin` returns where an event comes from."""
    id_ = alert_id(rule, finding)
    if finding.group is not None:
        return _of_group(rule, finding, id_)
    if rule.joined is None:
        (place,) = finding.places
        assert place is not None
        return _of_event(rule, finding, id_, place, events[place], origin)
    members: list[Alert | None] = []
    for place in finding.places:
        if place is None:
            members.append(None)
            continue
        number = sum(member is not None for member in members)
        members.append(_of_event(rule, finding, block_id(rule, id_, number, place), place, events[place], origin))
    present = [member for member in members if member is not None]
    shared = shared_fields(present)
    origins = dict.fromkeys(member.origin for member in present)
    return Alert(
        id_, rule, finding, overridden(rule.rule, shared), shared, ", ".join(origins), members=tuple(members)
    )


def _of_event(
    rule: CompiledRule, finding: Finding, id_: str, place: Place, event: Event, origin: Callable[[Place], str]
) -> Alert:
    event = {**event, **finding.row}
    return Alert(id_, rule, finding, overridden(rule.rule, event), event, origin(place), place)


def _of_group(rule: CompiledRule, finding: Finding, id_: str) -> Alert:
    """Return the alert of a group; its event holds the values that the group shares."""
    assert finding.group is not None
    event: dict[str, Any] = {n: v for n, v in (finding.row or finding.group).items() if v is not None}
    event[TIMESTAMP] = iso(finding.time)
    return Alert(id_, rule, finding, overridden(rule.rule, event), event)


def suppressing(alert: Alert, key: str, terms: Mapping[str, Any], others: Sequence[Finding]) -> Suppression:
    """Return the suppression of the first alert of a group, with the findings that follow it."""
    held = alert.finding.held
    return Suppression(key, terms, held, max((held, *(finding.held for finding in others))), len(others))


def grown(suppression: Suppression, end: int, count: int) -> Suppression:
    """Return a suppression with `count` more findings, up to the time `end`."""
    return replace(suppression, end=end, count=suppression.count + count)


def shared_fields(members: Sequence[Alert]) -> dict[str, Any]:
    """Return the fields that the events of a sequence share, with the time of the last one."""
    first, last = members[0].event, members[-1].event
    shared = {
        name: value for name, value in first.items() if all(member.event.get(name) == value for member in members)
    }
    if TIMESTAMP in last:
        shared[TIMESTAMP] = last[TIMESTAMP]
    return shared


def as_text(value: Any) -> str:
    """Return a value as text for people: several joined by a comma, nothing for null."""
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
