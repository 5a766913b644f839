"""Threshold rules: groups of enough events; an event counts for at most one alert of its group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pyarrow as pa

from tocsin.detection.columns import ID, INDEX, TIME
from tocsin.detection.compiled_rule import CompiledRule, cardinalities, threshold_fields
from tocsin.detection.rule_types.findings import Finding, Place, RuleWindow, key_of_group, many, values_of
from tocsin.moments import iso

_ANCESTORS = 100  # events that an alert names


@dataclass
class _Group:
    times: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    values: list[set[Any]] = field(default_factory=list)


def threshold_findings(rule: CompiledRule, rows: pa.Table, window: RuleWindow) -> list[Finding]:
    """Return a finding for each group that has enough events, and enough different values of other fields.

    An event with several values of a field is in a group for each, one without a value in none. As in Elastic,
    events up to the last one that an alert of the group has counted are left out.
    """
    names = threshold_fields(rule.rule)
    needed = int((rule.rule.threshold or {}).get("value", 1))
    counted = cardinalities(rule.rule)
    groups: dict[tuple[Any, ...], _Group] = {}
    events = list(zip(*(rows.column(n).to_pylist() for n in (TIME, INDEX, ID)), strict=True))
    values = values_of(rows, rule.row_fields)
    keys = [list(product(*(dict.fromkeys(many(value.get(name))) for name in names))) for value in values]
    named = {key: key_of_group(dict(zip(names, key, strict=True))) for event_keys in keys for key in event_keys}
    upto = window.counted_to(named.values())
    seen = {key: upto[name] for key, name in named.items() if name in upto}
    for (time, index, id_), value, event_keys in zip(events, values, keys, strict=True):
        for key in event_keys:
            if time <= seen.get(key, time - 1):
                continue
            group = groups.setdefault(key, _Group(values=[set() for _ in counted]))
            group.times.append(time)
            group.places.append(Place(index, id_))
            for cardinality, different in zip(counted, group.values, strict=True):
                different.update(many(value.get(str(cardinality["field"]))))
    findings = []
    for key, group in groups.items():
        if len(group.times) < needed:
            continue
        if any(len(v) < int(cardinality["value"]) for cardinality, v in zip(counted, group.values, strict=True)):
            continue
        findings.append(_finding(dict(zip(names, key, strict=True)), group, counted))
    return sorted(findings, key=lambda finding: (finding.time, key_of_group(finding.group or {})))


def _finding(group: Mapping[str, Any], events: _Group, counted: Iterable[Mapping[str, Any]]) -> Finding:
    latest = sorted(zip(events.times, events.places, strict=True))[-_ANCESTORS:]
    first, last = min(events.times), max(events.times)
    result = {
        "terms": [{"field": name, "value": value} for name, value in group.items()],
        "cardinality": [
            {"field": cardinality["field"], "value": len(values)}
            for cardinality, values in zip(counted, events.values, strict=True)
        ],
        "count": len(events.times),
        "from": iso(first),
    }
    about = {"key": [first, last], "kibana.alert.threshold_result": result}
    return Finding(tuple(place for _, place in latest), last, last, (), group, about, fetched=False)
