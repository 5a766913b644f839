"""Findings -> alerts as they are kept: Elastic's documents, and the columns that are asked for often."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.detection.alert import Alert, Event, shared_fields
from tocsin.detection.overrides import overridden
from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.moments import iso
from tocsin.sources.batch import flatten, unflatten
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.models import StoredAlert
from tocsin.watch.findings import Finding, Place, key_of_group
from tocsin.watch.rule import WatchedRule

ANCESTORS = "kibana.alert.ancestors"
# Elastic's names of rule types: the type's id, and what an alert calls its category.
_TYPES = {
    "eql": ("siem.eqlRule", "Event Correlation Rule"),
    "query": ("siem.queryRule", "Custom Query Rule"),
    "saved_query": ("siem.savedQueryRule", "Saved Query Rule"),
    "threshold": ("siem.thresholdRule", "Threshold Rule"),
    "new_terms": ("siem.newTermsRule", "New Terms Rule"),
    "threat_match": ("siem.indicatorRule", "Indicator Match Rule"),
    "esql": ("siem.esqlRule", "ES|QL Rule"),
}
_OPEN = "open"


def alert_id(rule: WatchedRule, finding: Finding) -> str:
    """Return the id of a finding's alert: the same whenever the rule meets these events, or this group of them."""
    if finding.group is not None:
        return _hash(rule, ["group", dict(finding.group), finding.about.get("key")])
    if rule.ready.joined is None:
        (place,) = finding.places
        key = finding.about.get("key")
        return _hash(rule, place if key is None else [place, key])
    return _hash(rule, [place and _hash(rule, place) for place in finding.places])


def _hash(rule: WatchedRule, parts: Any) -> str:
    content = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(rule.rule.rule_id.encode() + b"\0" + content).hexdigest()[:40]


@dataclass(frozen=True)
class Making:
    """The execution that makes alerts: its id, whether it is `scheduled`, the tick it is for, and the time now."""

    execution: str
    kind: str
    tick: int
    now: int


def alerts_of(
    rule: WatchedRule, finding: Finding, events: Mapping[Place, Event], making: Making
) -> list[StoredAlert]:
    """Return the alert of a finding, behind the building blocks of a sequence. `events` are flat."""
    id_ = alert_id(rule, finding)
    if finding.group is not None:
        return [_stored(rule, _of_group(rule, finding, id_, making), finding, making.now)]
    members = [
        None if place is None else (place, _alert(rule, place, {**events[place], **finding.row}))
        for place in finding.places
    ]
    present = [member for member in members if member is not None]
    if rule.ready.joined is None:
        place, alert = present[0]
        document = _document(rule, alert, id_, _ancestors(place, alert), making)
        return [_stored(rule, document | _told(finding), finding, making.now)]
    stored, deepest = [], 0
    for number, (place, alert) in enumerate(present):
        block_id = _hash(rule, [id_, number, place])
        block = _document(rule, alert, block_id, _ancestors(place, alert), making)
        deepest = max(deepest, block["kibana.alert.depth"])
        block["kibana.alert.building_block_type"] = "default"
        block["kibana.alert.group.id"], block["kibana.alert.group.index"] = id_, number
        stored.append(_stored(rule, block, finding, making.now))
    shared = shared_fields([alert for _, alert in present])
    shell = Alert(overridden(rule.rule, shared), shared, "", tuple(m and m[1] for m in members), finding.keys)
    ancestors = [one for place, alert in present for one in _ancestors(place, alert)]
    ancestors += [
        {"id": block.id, "index": ALERTS_INDEX, "depth": deepest, "type": "signal", "rule": rule.uuid}
        for block in stored
    ]
    document = _document(rule, shell, id_, ancestors, making)
    document["kibana.alert.group.id"] = id_
    return [*stored, _stored(rule, document, finding, making.now)]


def _alert(rule: WatchedRule, place: Place, event: Event) -> Alert:
    return Alert(overridden(rule.rule, event), event, f"{place.index}/{place.id}", key=tuple(place))


def _ancestors(place: Place, alert: Alert) -> list[dict[str, Any]]:
    """Return what an event's alert goes back to: the event, and, if that is an alert, what this goes back to."""
    if "kibana.alert.uuid" not in alert.event:
        return [{"id": place.id, "index": place.index, "depth": 0, "type": "event"}]
    rule = alert.event.get("kibana.alert.rule.uuid")
    depth = int(alert.event.get("kibana.alert.depth", 1))
    parent = {"id": place.id, "index": place.index, "depth": depth, "type": "signal", "rule": rule}
    return [*alert.event.get(ANCESTORS, ()), parent]


def _of_group(rule: WatchedRule, finding: Finding, id_: str, making: Making) -> dict[str, Any]:
    """Return the document of a group's alert: what its events have in common stands for them."""
    assert finding.group is not None
    event: dict[str, Any] = {n: v for n, v in (finding.row or finding.group).items() if v is not None}
    event[TIMESTAMP] = iso(finding.time)
    alert = Alert(overridden(rule.rule, event), event, "")
    ancestors = [
        {"id": place.id, "index": place.index, "depth": 0, "type": "event"}
        for place in finding.places
        if place is not None
    ] or [{"id": id_, "index": ",".join(rule.ready.index), "depth": 0, "type": "event"}]
    document = _document(rule, alert, id_, ancestors, making)
    return document | _told(finding)


def _told(finding: Finding) -> dict[str, Any]:
    """Return what the alert tells of a finding beside its events."""
    return {name: value for name, value in finding.about.items() if name != "key"}


def _document(
    rule: WatchedRule,
    alert: Alert,
    id_: str,
    ancestors: list[dict[str, Any]],
    making: Making,
) -> dict[str, Any]:
    source = {name: value for name, value in alert.event.items() if not name.startswith("kibana.")}
    event = {**source, "event.kind": "signal"}
    original = {f"kibana.alert.original_{n}": v for n, v in source.items() if n.startswith("event.")}
    plain = Alert(alert.rule, source, alert.origin, alert.members, alert.keys, alert.key).document()
    own = {name: value for name, value in plain.items() if name.startswith("kibana.")}
    kind, category = _TYPES.get(rule.rule.type, (rule.rule.type, rule.rule.type))
    made = iso(making.now)
    document = {
        **unflatten({n: v for n, v in event.items() if n != INDEX}),
        **original,
        **own,
        TIMESTAMP: made,
        "kibana.alert.uuid": id_,
        ANCESTORS: ancestors,
        "kibana.alert.depth": max(one["depth"] for one in ancestors) + 1,
        "kibana.alert.start": made,
        "kibana.alert.last_detected": made,
        "kibana.alert.intended_timestamp": iso(making.tick),
        "kibana.alert.workflow_tags": [],
        "kibana.alert.workflow_assignee_ids": [],
        "kibana.alert.rule.uuid": rule.uuid,
        "kibana.alert.rule.rule_type_id": kind,
        "kibana.alert.rule.category": category,
        "kibana.alert.rule.consumer": "siem",
        "kibana.alert.rule.producer": "siem",
        "kibana.alert.rule.enabled": "true",
        "kibana.alert.rule.description": rule.rule.description,
        "kibana.alert.rule.interval": rule.rule.interval,
        "kibana.alert.rule.from": rule.rule.from_,
        "kibana.alert.rule.to": rule.rule.to,
        "kibana.alert.rule.author": list(rule.rule.author),
        "kibana.alert.rule.license": rule.rule.license,
        "kibana.alert.rule.false_positives": list(rule.rule.false_positives),
        "kibana.alert.rule.max_signals": rule.rule.max_signals,
        "kibana.alert.rule.note": rule.rule.note,
        "kibana.alert.rule.revision": rule.revision,
        "kibana.alert.rule.execution.uuid": making.execution,
        "kibana.alert.rule.execution.timestamp": made,
        "kibana.alert.rule.execution.type": "scheduled" if making.kind == "scheduled" else "manual",
        "kibana.alert.rule.parameters": {
            **rule.rule.document(), "severity": alert.rule.severity, "risk_score": alert.rule.risk_score,
        },
        "kibana.space_ids": ["default"],
        "kibana.version": "9.0.0",
    }  # fmt: skip
    document.pop("kibana.alert.group.id", None)
    if alert.keys:
        document["tocsin"] = {"join_keys": list(alert.keys)}
    return document


def _stored(rule: WatchedRule, document: dict[str, Any], finding: Finding, now: int) -> StoredAlert:
    return StoredAlert(
        id=document["kibana.alert.uuid"],
        rule_uuid=rule.uuid,
        created=now,
        time=finding.held,
        status=_OPEN,
        severity=document["kibana.alert.severity"],
        building_block="kibana.alert.building_block_type" in document,
        group_key=None if finding.group is None else key_of_group(finding.group),
        counted_to=finding.held if finding.group is not None else None,
        changed=now,
        document=orjson.dumps(document, default=str).decode(),
    )


def stamp(alert: StoredAlert, now: int) -> None:
    """Let an alert be of a later moment than that of its making: those who ask for what is new have to find it."""
    document = orjson.loads(alert.document)
    document[TIMESTAMP] = iso(now)
    alert.document, alert.created, alert.changed = orjson.dumps(document).decode(), now, now


def flat(source: bytes) -> dict[str, Any]:
    """Return a stored document as a flat event; the ancestors of an alert stay objects."""
    document = orjson.loads(source)
    event = flatten(document)
    if ANCESTORS in document:
        event[ANCESTORS] = document[ANCESTORS]
    return event
