"""The earlier alerts of a rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.alerts.suppression import Group


class AlertHistory(Protocol):
    """The alerts of one rule."""

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of some alert ids for which there is an alert."""

    def counted_to(self, groups: Collection[str]) -> dict[str, int]:
        """Return, for groups of events, up to which time alerts have counted them."""

    def last_of_groups(self, keys: Iterable[str]) -> Mapping[str, Group]:
        """Return the last alert of each group that has one."""


@dataclass
class AlertsInMemory:
    """The alerts of a hunt or a preview, which has no earlier alerts."""

    alerts: dict[str, Alert] = field(default_factory=dict)

    def add(self, alerts: Sequence[Alert]) -> None:
        """Add the alerts of a window."""
        self.alerts.update((alert.id, alert) for alert in alerts)

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of some alert ids for which there is an alert."""
        return set(ids) & self.alerts.keys()

    def counted_to(self, groups: Collection[str]) -> dict[str, int]:
        """Return, for groups of events, up to which time alerts have counted them."""
        return counted_by(self.alerts.values(), groups)

    def last_of_groups(self, keys: Iterable[str]) -> Mapping[str, Group]:
        """Return the last alert of each group that has one."""
        wanted = set(keys)
        return {
            str(alert.group_key): Group(
                alert.id,
                alert.finding.held,
                alert.finding.held if alert.counted_to is None else alert.counted_to,
                alert=alert,
            )
            for alert in sorted(self.alerts.values(), key=lambda alert: alert.finding.held)
            if alert.group_key in wanted
        }


def counted_by(alerts: Iterable[Alert], groups: Collection[str]) -> dict[str, int]:
    """Return, for groups of events, up to which time some alerts have counted them."""
    latest: dict[str, int] = {}
    for alert in alerts:
        if alert.group_key in groups and alert.group_key is not None and alert.counted_to is not None:
            latest[alert.group_key] = max(latest.get(alert.group_key, 0), alert.counted_to)
    return latest
