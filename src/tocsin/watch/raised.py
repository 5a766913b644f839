"""What a rule has raised before: as records have it, or in a preview, which knows its own alerts alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert
from tocsin.watch import ledger
from tocsin.watch.suppression import Group


class Raised(Protocol):
    """The alerts of one rule."""

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of some alert ids that there are."""

    def counted_to(self, groups: Collection[str]) -> dict[str, int]:
        """Return, for groups of events, up to which time alerts have counted them."""

    def last_of_groups(self, keys: Iterable[str]) -> Mapping[str, Group]:
        """Return the last alert of each of some groups that has one."""


@dataclass(frozen=True)
class Recorded:
    """What records have of a rule."""

    records: Records
    rule: str  # its uuid

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of some alert ids that there are."""
        if not ids:
            return set()
        with self.records.transaction() as session:
            return ledger.known_alerts(session, ids)

    def counted_to(self, groups: Collection[str]) -> dict[str, int]:
        """Return, for groups of events, up to which time alerts have counted them."""
        with self.records.transaction() as session:
            return dict(ledger.counted_to(session, self.rule, groups))

    def last_of_groups(self, keys: Iterable[str]) -> Mapping[str, Group]:
        """Return the last alert of each of some groups that has one."""
        with self.records.transaction() as session:
            return ledger.last_of_groups(session, self.rule, keys)


@dataclass
class Previewed:
    """What a preview has come to so far."""

    alerts: dict[str, StoredAlert] = field(default_factory=dict)

    def add(self, alerts: Sequence[StoredAlert]) -> None:
        """Take up the alerts of a window."""
        self.alerts.update((alert.id, alert) for alert in alerts)

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of some alert ids that there are."""
        return set(ids) & self.alerts.keys()

    def counted_to(self, groups: Collection[str]) -> dict[str, int]:
        """Return, for groups of events, up to which time alerts have counted them."""
        return counted_by(self.alerts.values(), groups)

    def last_of_groups(self, keys: Iterable[str]) -> Mapping[str, Group]:
        """Return the last alert of each of some groups that has one."""
        wanted = set(keys)
        return {
            str(alert.group_key): Group(
                alert.id, alert.time, alert.time if alert.counted_to is None else alert.counted_to, alert=alert
            )
            for alert in sorted(self.alerts.values(), key=lambda alert: alert.time)
            if alert.group_key in wanted
        }


def counted_by(alerts: Iterable[StoredAlert], groups: Collection[str]) -> dict[str, int]:
    """Return, for groups of events, up to which time some alerts have counted them."""
    found: dict[str, int] = {}
    for alert in alerts:
        if alert.group_key in groups and alert.group_key is not None and alert.counted_to is not None:
            found[alert.group_key] = max(found.get(alert.group_key, 0), alert.counted_to)
    return found
