"""Alerts in groups by a field: how many each has, of which severities, and when the newest was raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.desk.alerts.view import FACETS, AlertsView
from tocsin.desk.translations import N_
from tocsin.kql.write import condition, with_condition

MOST_GROUPS = 100
# What alerts are grouped by, as Kibana offers it, and what a menu calls it.
GROUPS: Mapping[str, str] = {"rule": N_("Rule"), "host": N_("Host"), "user": N_("User")}
_FIELDS: Mapping[str, str] = {facet.name: facet.field for facet in FACETS}
_COUNTED = ("rule", "host", "user")


@dataclass(frozen=True)
class AlertGroup:
    """Alerts with one value of a field, None for those without any. `others` counts distinct others."""

    value: Any
    count: int
    severities: Mapping[str, int]
    newest: Any
    others: Mapping[str, int]
    address: str


@dataclass(frozen=True)
class AlertGroups:
    """The largest groups, and how many there are in all."""

    groups: Sequence[AlertGroup]
    number: int


def groups_search(view: AlertsView) -> dict[str, Any]:
    """Return the search for the groups of a list."""
    field = _FIELDS[view.group]
    inner: dict[str, Any] = {
        "severity": {"terms": {"field": "kibana.alert.severity"}},
        "newest": {"max": {"field": "@timestamp"}},
        **{name: {"cardinality": {"field": _FIELDS[name]}} for name in _COUNTED if name != view.group},
    }
    return {
        "query": view.query(), "size": 0,
        "aggs": {
            "groups": {"terms": {"field": field, "size": MOST_GROUPS}, "aggs": inner},
            "number": {"cardinality": {"field": field}},
            "others": {"missing": {"field": field}, "aggs": inner},
        },
    }  # fmt: skip


def groups_of(view: AlertsView, answer: Mapping[str, Any]) -> AlertGroups:
    """Return the groups that a search has counted."""
    aggregations = answer["aggregations"]
    groups = [_group(view, bucket["key"], bucket) for bucket in aggregations["groups"]["buckets"]]
    rest = aggregations["others"]
    if rest["doc_count"]:
        groups.append(_group(view, None, rest))
    return AlertGroups(groups, aggregations["number"]["value"] + bool(rest["doc_count"]))


def _group(view: AlertsView, value: Any, bucket: Mapping[str, Any]) -> AlertGroup:
    if value is None:
        query = with_condition(view.kql, condition(_FIELDS[view.group], None), negated=True)
        address = view.address(group="", kql=query)
    else:
        address = view.address(group="", chosen={**view.chosen, view.group: (value,)})
    return AlertGroup(
        value, bucket["doc_count"],
        {severity["key"]: severity["doc_count"] for severity in bucket["severity"]["buckets"]},
        bucket["newest"]["value"],
        {name: bucket[name]["value"] for name in _COUNTED if name in bucket}, address,
    )  # fmt: skip
