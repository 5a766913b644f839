"""The document of an alert, as Elastic has it: the same for hunts, executions, previews and runs by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.moments import iso
from tocsin.sources.batch import flatten, unflatten
from tocsin.store.alerts.names import ALERTS_INDEX

ANCESTORS = "kibana.alert.ancestors"
BUILDING_BLOCK = "kibana.alert.building_block_type"


@dataclass(frozen=True)
class ExecutionContext:
    """The execution that makes alerts: its id, its kind (`scheduled`, `manual`, …), its tick, and the time now."""

    uuid: str
    kind: str
    tick: int
    now: int


def alert_documents(alert: Alert, execution: ExecutionContext | None = None) -> list[dict[str, Any]]:
    """Return the building blocks of an alert, and after them the alert's own document.

    Without an execution the time of the alert is that of its events.
    """
    if not alert.members:
        ancestors = _ancestors(alert) if alert.finding.group is None else _group_ancestors(alert)
        return [_document(alert, ancestors, execution)]
    blocks: list[dict[str, Any]] = []
    for number, member in enumerate(alert.events):
        block = _document(member, _ancestors(member), execution)
        block[BUILDING_BLOCK] = "default"
        block["kibana.alert.group.id"], block["kibana.alert.group.index"] = alert.id, number
        blocks.append(block)
    depth = max(block["kibana.alert.depth"] for block in blocks)
    parents = [
        {"id": member.id, "index": ALERTS_INDEX, "depth": depth, "type": "signal", "rule": alert.compiled.uuid}
        for member in alert.events
    ]
    ancestors = [ancestor for member in alert.events for ancestor in _ancestors(member)]
    document = _document(alert, [*ancestors, *parents], execution)
    document["kibana.alert.group.id"] = alert.id
    return [*blocks, document]


def _ancestors(alert: Alert) -> list[dict[str, Any]]:
    """Return the ancestors of an event's alert: the event, and, if that is an alert itself, its ancestors."""
    place = alert.place
    assert place is not None
    if "kibana.alert.uuid" not in alert.event:
        return [{"id": place.id, "index": place.index, "depth": 0, "type": "event"}]
    rule = alert.event.get("kibana.alert.rule.uuid")
    depth = int(alert.event.get("kibana.alert.depth", 1))
    parent = {"id": place.id, "index": place.index, "depth": depth, "type": "signal", "rule": rule}
    return [*alert.event.get(ANCESTORS, ()), parent]


def _group_ancestors(alert: Alert) -> list[dict[str, Any]]:
    events = [
        {"id": place.id, "index": place.index, "depth": 0, "type": "event"}
        for place in alert.finding.places
        if place is not None
    ]
    index = ",".join(alert.compiled.index)
    return events or [{"id": alert.id, "index": index, "depth": 0, "type": "event"}]


def _document(alert: Alert, ancestors: list[dict[str, Any]], execution: ExecutionContext | None) -> dict[str, Any]:
    compiled, rule = alert.compiled, alert.rule
    event = {n: v for n, v in alert.event.items() if not n.startswith("kibana.") and n != INDEX}
    kind = RULE_TYPES[rule.type]
    time = alert.finding.time
    made = iso(execution.now) if execution is not None else iso(time) if time else None
    document = {
        **unflatten({**event, "event.kind": "signal"}),
        **{f"kibana.alert.original_{name}": value for name, value in event.items() if name.startswith("event.")},
        TIMESTAMP: made,
        "kibana.alert.uuid": alert.id,
        "kibana.alert.status": "active",
        "kibana.alert.workflow_status": "open",
        "kibana.alert.workflow_tags": [],
        "kibana.alert.workflow_assignee_ids": [],
        "kibana.alert.severity": rule.severity,
        "kibana.alert.risk_score": rule.risk_score,
        "kibana.alert.reason": alert.reason,
        "kibana.alert.original_time": alert.timestamp,
        "kibana.alert.start": made,
        "kibana.alert.last_detected": made,
        "kibana.alert.intended_timestamp": iso(execution.tick) if execution is not None else made,
        ANCESTORS: ancestors,
        "kibana.alert.depth": max(ancestor["depth"] for ancestor in ancestors) + 1,
        "kibana.alert.rule.name": rule.name,
        "kibana.alert.rule.rule_id": rule.rule_id,
        "kibana.alert.rule.uuid": compiled.uuid,
        "kibana.alert.rule.type": rule.type,
        "kibana.alert.rule.rule_type_id": kind.id,
        "kibana.alert.rule.category": kind.category,
        "kibana.alert.rule.consumer": "siem",
        "kibana.alert.rule.producer": "siem",
        "kibana.alert.rule.enabled": "true",
        "kibana.alert.rule.description": rule.description,
        "kibana.alert.rule.interval": rule.interval,
        "kibana.alert.rule.from": rule.from_,
        "kibana.alert.rule.to": rule.to,
        "kibana.alert.rule.version": rule.version,
        "kibana.alert.rule.revision": compiled.revision,
        "kibana.alert.rule.tags": list(rule.tags),
        "kibana.alert.rule.author": list(rule.author),
        "kibana.alert.rule.license": rule.license,
        "kibana.alert.rule.references": list(rule.references),
        "kibana.alert.rule.false_positives": list(rule.false_positives),
        "kibana.alert.rule.max_signals": rule.max_signals,
        "kibana.alert.rule.note": rule.note,
        "kibana.alert.rule.threat": [t.model_dump(mode="json", exclude_unset=True) for t in rule.threat],
        "kibana.alert.rule.parameters": {
            **compiled.parameters, "severity": rule.severity, "risk_score": rule.risk_score,
        },
        "kibana.alert.rule.execution.timestamp": made,
        "kibana.space_ids": ["default"],
        "kibana.version": "9.0.0",
        **{name: value for name, value in alert.finding.about.items() if name != "key"},
    }  # fmt: skip
    if execution is not None:
        document["kibana.alert.rule.execution.uuid"] = execution.uuid
        scheduled = execution.kind == "scheduled"
        document["kibana.alert.rule.execution.type"] = "scheduled" if scheduled else "manual"
    if made is None:  # no event has a time
        document = {name: value for name, value in document.items() if value is not None}
    if rule.building_block_type:
        document[BUILDING_BLOCK] = rule.building_block_type
    if alert.members and alert.keys:
        document["tocsin"] = {"join_keys": list(alert.keys)}
    if missing := [number for number, member in enumerate(alert.members, 1) if member is None]:
        document.setdefault("tocsin", {})["missing_steps"] = missing
    if alert.suppression is not None:
        held = alert.suppression
        document["kibana.alert.suppression.terms"] = [
            {"field": name, "value": value} for name, value in held.terms.items()
        ]
        document["kibana.alert.instance.id"] = held.key
        describe_suppression(document, held.start, held.end, held.count)
    return document


def hunt_document(alert: Alert) -> dict[str, Any]:
    """Return the document of a hunt's alert, with its origin, and with its building blocks inside."""
    *blocks, document = alert_documents(alert)
    own = {**document.get("tocsin", {}), "origin": alert.origin}
    if alert.members:
        origins = (member.origin for member in alert.events)
        own["building_blocks"] = [
            {**block, "tocsin": {"origin": origin}} for block, origin in zip(blocks, origins, strict=True)
        ]
    return {**document, "tocsin": own}


def describe_suppression(document: dict[str, Any], start: int, end: int, added: int) -> None:
    """Set the times of the group and add to the number of suppressed findings in an alert's document."""
    document.setdefault("kibana.alert.suppression.start", iso(start))
    document["kibana.alert.suppression.end"] = iso(end)
    document["kibana.alert.suppression.docs_count"] = (
        document.get("kibana.alert.suppression.docs_count", 0) + added
    )
    document["kibana.alert.last_detected"] = max(iso(end), str(document.get("kibana.alert.last_detected", "")))


def flat(source: bytes) -> Mapping[str, Any]:
    """Return a stored document as a flat event; the ancestors of an alert stay objects."""
    document = orjson.loads(source)
    event = flatten(document)
    if ANCESTORS in document:
        event[ANCESTORS] = document[ANCESTORS]
    return event
