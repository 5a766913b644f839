"""One run of a rule over one window or several: the rows of a window -> findings -> new alerts.

A hunt is one window over files; a scheduled execution is one window over the store; previews, backfills and runs
by hand are several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tocsin.counted import counted
from tocsin.detection.alerts.alert import Alert, alert_id, alert_of, in_store
from tocsin.detection.alerts.history import AlertHistory, counted_by
from tocsin.detection.alerts.suppression import Group, Represented, Suppressor, policy_of
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.catalogue import RULE_TYPES
from tocsin.detection.rule_types.findings import Fetch, Finding, Place, RuleWindow


@dataclass
class RuleRun:
    """A run of a rule, with at most `most` new alerts a window.

    `history` holds the earlier alerts of the rule, `fetch` returns whole events, `origin` returns where an event
    comes from. `matches` counts findings, `duplicates` those for which there is an alert already.
    """

    rule: CompiledRule
    history: AlertHistory
    fetch: Fetch
    most: int
    origin: Callable[[Place], str] = in_store
    alerts: list[Alert] = field(default_factory=list)
    matches: int = 0
    duplicates: int = 0
    left_out: int = 0  # findings beyond `most`
    limit_messages: list[str] = field(default_factory=list)  # one for each window with more
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        policy = policy_of(self.rule.rule)
        self._suppressor = None if policy is None else Suppressor(policy, self.history.last_of_groups)
        self._ids: set[str] = set()

    def findings(self, rows: pa.Table, window: RuleWindow) -> list[Finding]:
        """Return the findings of the rule in the rows of a window."""
        return RULE_TYPES[self.rule.rule.type].findings(self.rule, rows, window)

    def counted_to(self, groups: Iterable[str]) -> Mapping[str, int]:
        """Return up to which time alerts have counted groups of events, those of this run included."""
        names = frozenset(groups)
        counted = dict(self.history.counted_to(names))
        for name, upto in counted_by(self.alerts, names).items():
            counted[name] = max(counted.get(name, 0), upto)
        return counted

    def raise_alerts(self, rows: pa.Table, findings: Sequence[Finding]) -> list[Alert]:
        """Return alerts of those findings that are new and not suppressed."""
        self.matches += len(findings)
        representatives: list[tuple[Finding, Represented | None]] = [(finding, None) for finding in findings]
        if self._suppressor is not None:
            representatives = self._suppressor.sort(self.rule, rows, findings)
        ids = [alert_id(self.rule, finding) for finding, _ in representatives]
        known = self._ids | self.history.known(set(ids) - self._ids)
        new: list[tuple[Finding, Represented | None]] = []
        for id_, representative in zip(ids, representatives, strict=True):
            if id_ in known:
                self.duplicates += 1
            else:
                known.add(id_)
                new.append(representative)
        if len(new) > self.most:
            self.left_out += len(new) - self.most
            self.limit_messages.append(f"max alerts reached: {self.most} of {len(new)}")
        return self._alerts(new[: self.most])

    def _alerts(self, chosen: Sequence[tuple[Finding, Represented | None]]) -> list[Alert]:
        events = self.fetch(
            [place for finding, _ in chosen if finding.fetched for place in finding.places if place is not None]
        )
        alerts, removed = [], 0
        for finding, represented in chosen:
            if finding.fetched and any(place is not None and place not in events for place in finding.places):
                removed += 1
                continue
            alert = alert_of(self.rule, finding, events, self.origin)
            if self._suppressor is not None and represented is not None:
                self._suppressor.represent(represented, alert)
            self._ids.add(alert.id)
            alerts.append(alert)
        if removed:
            self.messages.append(f"{counted(removed, 'alert')} left out: events have been removed from the store")
        self.alerts += alerts
        return alerts

    @property
    def suppressed(self) -> int:
        """How many findings were suppressed."""
        return 0 if self._suppressor is None else self._suppressor.suppressed

    def finish(self) -> list[Group]:
        """Complete the suppression of alerts; return the groups of earlier alerts that have grown."""
        if self._suppressor is None:
            return []
        if self._suppressor.cut:
            cut = self._suppressor.cut
            self.messages.append(
                f"suppression: {cut} events have more combinations of values than groups are made of"
            )
        return self._suppressor.grow()
