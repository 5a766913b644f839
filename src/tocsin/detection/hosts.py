"""Hosts of alerts: `WORKSTATION5`, `workstation5` and `WORKSTATION5.example.com` are one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tocsin.addresses import is_address
from tocsin.detection.alerts.alert import Alert

NO_HOST = "(no host)"


class Hosts:
    """The hosts of some alerts, each under one name.

    Case does not matter (RFC 4343). A short name is the host of the full name that begins with it; if several full
    names do, it stays a host of its own.
    """

    def __init__(self, alerts: Sequence[Alert]) -> None:
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        for alert in alerts:
            for name in _names(alert):
                spellings[name.lower()][name] += 1
        full: dict[str, list[str]] = defaultdict(list)
        for name in spellings:
            if "." in name and not is_address(name):
                full[name.partition(".")[0]].append(name)
        self._spellings = spellings
        self._known = {name: full[name][0] if len(full.get(name, ())) == 1 else name for name in spellings}
        self._shown = {name: spelled.most_common(1)[0][0] for name, spelled in spellings.items()}

    def each(self, alert: Alert) -> tuple[str, ...]:
        """Return the names of an alert's hosts, of a sequence maybe several; NO_HOST where it has none."""
        names = dict.fromkeys(self._shown[self._known[name.lower()]] for name in _names(alert))
        return tuple(names) or (NO_HOST,)

    def of(self, alert: Alert) -> str:
        """Return the name of an alert's host, several joined; NO_HOST where it has none."""
        return ", ".join(self.each(alert))

    def spellings(self, alert: Alert) -> list[str]:
        """Return how the hosts of an alert are spelled in all alerts."""
        wanted = {self._known[name.lower()] for name in _names(alert)}
        return sorted({s for name, known in self._known.items() if known in wanted for s in self._spellings[name]})

    def counts(self, alerts: Iterable[Alert]) -> Counter[str]:
        """Count alerts by host; an alert counts for each of its hosts, one without a host not at all."""
        counted = Counter(host for alert in alerts for host in self.each(alert))
        counted.pop(NO_HOST, None)
        return counted


def _names(alert: Alert) -> list[str]:
    names = dict.fromkeys(event.value("host.name") for event in alert.events)
    return [name.rstrip(".") for name in names if name.rstrip(".")]
