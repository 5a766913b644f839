"""Suppression: one alert for many findings with the same values, within an execution or a span of time.

An event of a query rule whose field has several values is in a group for each of them, as in Elasticsearch's
composite aggregation, which Kibana uses for these; for other rules all the values together, in order, are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from math import prod
from typing import Any, NamedTuple

import pyarrow as pa

from tocsin.detection.alerts.alert import Alert, grown, suppressing
from tocsin.detection.columns import ID, INDEX
from tocsin.detection.compiled_rule import CompiledRule, suppressed_by
from tocsin.detection.rule_types.findings import Finding, Place, key_of_group, values_of
from tocsin.detection.schedule import UNITS
from tocsin.rules.model import Rule

_EACH = frozenset({"query", "saved_query"})
_COMBINATIONS = 1_000  # of an event's values; those beyond make no group


@dataclass(frozen=True)
class Policy:
    """How a rule's alerts are suppressed.

    `span` (nanoseconds) is how long an alert stands for the findings that follow, None for one execution only.
    `alone`: findings without one of the fields are not suppressed. `each`: every value makes a group.
    """

    fields: tuple[str, ...]
    span: int | None
    alone: bool
    each: bool


def policy_of(rule: Rule) -> Policy | None:
    """Return how a rule's alerts are suppressed, None when they are not."""
    about = rule.alert_suppression
    if not about or not (about.get("group_by") or rule.type == "threshold"):
        return None
    duration = about.get("duration")
    span = None
    if isinstance(duration, dict):
        span = int(duration.get("value", 0)) * UNITS.get(str(duration.get("unit")), UNITS["m"])
    alone = about.get("missing_fields_strategy") == "doNotSuppress"
    return Policy(suppressed_by(rule), span, alone, each=rule.type in _EACH)


@dataclass
class Group:
    """The last alert of a group: the times of its first and last finding, and how many were added to it since."""

    id: str
    start: int
    counted_to: int
    closed: bool = False
    alert: Alert | None = None  # one that is not in records yet
    added: int = 0


class Represented(NamedTuple):
    """What an alert stands for: the name of its group, the shared values, and the other findings."""

    key: str
    group: Mapping[str, Any]
    others: Sequence[Finding]


@dataclass
class Suppressor:
    """Suppresses findings of one execution. `known` returns the last alerts of groups, by their names."""

    policy: Policy
    known: Callable[[Iterable[str]], Mapping[str, Group]]
    groups: dict[str, Group] = field(default_factory=dict)
    suppressed: int = 0
    cut: int = 0  # events with more combinations of values than the limit

    def sort(
        self, rule: CompiledRule, rows: pa.Table, findings: Sequence[Finding]
    ) -> list[tuple[Finding, Represented | None]]:
        """Return the findings that become alerts, each with what it stands for; None for itself only."""
        values = _values(rule, rows, self.policy.fields)
        chosen: list[tuple[Finding, Represented | None]] = []
        of_group: dict[str, list[Finding]] = {}
        common: dict[str, Mapping[str, Any]] = {}
        for finding in findings:
            groups = self._groups_of(finding, values)
            if not groups:
                chosen.append((finding, None))
            for group in groups:
                key = key_of_group(group)
                common[key] = group
                # A finding in several groups may become several alerts, each with an id of its own.
                about = {**finding.about, "key": group} if len(groups) > 1 else finding.about
                of_group.setdefault(key, []).append(replace(finding, about=about))
        missing = [key for key in of_group if key not in self.groups]
        self.groups.update(self.known(missing))
        for key, members in of_group.items():
            parts = self._of_group(key, sorted(members, key=lambda finding: finding.held))
            chosen += ((first, Represented(key, common[key], others)) for first, others in parts)
        return chosen

    def _groups_of(self, finding: Finding, values: Mapping[Place, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the groups of a finding, each by its shared values; none of a finding that is not suppressed."""
        group = _group_of(finding, values, self.policy)
        if group is None:
            return []
        if not self.policy.each:
            return [group]
        lists = [dict.fromkeys(value if isinstance(value, list) else [value]) for value in group.values()]
        self.cut += prod(map(len, lists)) > _COMBINATIONS
        return [dict(zip(group, chosen, strict=True)) for chosen in islice(product(*lists), _COMBINATIONS)]

    def _of_group(self, key: str, findings: list[Finding]) -> list[tuple[Finding, list[Finding]]]:
        """Return the findings of a group that become alerts, each with those that it stands for."""
        last = self.groups.get(key)
        if last is not None:
            findings = [finding for finding in findings if finding.held > last.counted_to]
            if self.policy.span is not None and not last.closed:
                end = last.start + self.policy.span
                within = [finding for finding in findings if finding.held <= end]
                if within:
                    last.added += len(within)
                    last.counted_to = within[-1].held
                    self.suppressed += len(within)
                    findings = findings[len(within) :]
        parts: list[tuple[Finding, list[Finding]]] = []
        while findings:
            first = findings[0]
            upto = None if self.policy.span is None else first.held + self.policy.span
            others = [finding for finding in findings[1:] if upto is None or finding.held <= upto]
            parts.append((first, others))
            self.suppressed += len(others)
            findings = findings[1 + len(others) :]
        return parts

    def represent(self, represented: Represented, alert: Alert) -> None:
        """Set the alert of a group, and what it stands for."""
        key, group, others = represented
        alert.suppression = suppressing(alert, key, group, others)
        held = alert.finding.held
        self.groups[key] = Group(alert.id, held, alert.suppression.end, alert=alert)

    def grow(self) -> list[Group]:
        """Add what was suppressed to the alerts of this execution; return the groups of grown earlier alerts."""
        earlier = []
        for group in self.groups.values():
            alert = group.alert
            if not group.added:
                continue
            if alert is not None and alert.suppression is not None:
                alert.suppression = grown(alert.suppression, group.counted_to, group.added)
            else:
                earlier.append(group)
        return earlier


def _values(rule: CompiledRule, rows: pa.Table, names: tuple[str, ...]) -> dict[Place, dict[str, Any]]:
    if not names:
        return {}
    places = zip(rows.column(INDEX).to_pylist(), rows.column(ID).to_pylist(), strict=True)
    return {Place(*place): value for place, value in zip(places, values_of(rows, names), strict=True)}


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _group_of(
    finding: Finding, values: Mapping[Place, Mapping[str, Any]], policy: Policy
) -> dict[str, Any] | None:
    """Return the shared values of a finding's group; None of a finding that is not suppressed."""
    if finding.group is not None and not finding.row:
        return dict(finding.group)
    places = [place for place in finding.places if place is not None]
    group: dict[str, Any] = {}
    for name in policy.fields:
        of_row = name in finding.row
        each = [_as_list(finding.row[name])] if of_row else [values.get(place, {}).get(name) for place in places]
        shared = each[0] if each and all(value == each[0] for value in each) else None
        if shared is None and policy.alone:
            return None
        group[name] = sorted(shared) if isinstance(shared, list) else shared
    return group
