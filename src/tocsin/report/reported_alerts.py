"""Alerts as a report shows them, wherever they come from, and what is made of all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from tocsin.detection.alerts.alert import as_text
from tocsin.ecs import INDEX
from tocsin.printable import printable
from tocsin.report.moments_shown import shown_time
from tocsin.rules.attack import TACTICS
from tocsin.rules.model import SEVERITIES

LANES_SHOWN = 12  # hosts of the timeline that are shown at first
IN_FULL = 50  # alerts a rule with event and guide; the rest are rows
_FIRST_FIELDS = (
    "@timestamp",
    "host.",
    "user.",
    "process.",
    "file.",
    "registry.",
    "dns.",
    "source.",
    "destination.",
)


@dataclass(frozen=True)
class ReportedRule:
    """A rule in a report; `links` are texts with their web addresses."""

    id: str
    name: str
    severity: str
    risk_score: int
    description: str
    query: str
    tactics: tuple[str, ...]
    links: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ReportedStep:
    """An event of an alert: its fields, flat, and where it was read from."""

    event: Mapping[str, Any]
    origin: str

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The event's fields, those that a responder reads first at the beginning."""

        def rank(name: str) -> tuple[int, str]:
            for position, prefix in enumerate(_FIRST_FIELDS):
                if name.startswith(prefix):
                    return position, name
            return len(_FIRST_FIELDS) + name.startswith("winlog."), name

        names = sorted(self.event, key=rank)
        return [(name, printable(as_text(self.event[name]))) for name in names if name != INDEX]


@dataclass(frozen=True)
class ReportedProcess:
    """A process in the outline of an alert; `remarks` say where its executable lies and whether it is signed."""

    depth: int
    name: str
    pid: str
    line: str
    start: str
    is_alert: bool
    remarks: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ReportedAlert:
    """An alert in a report. `hosts` and `users` are all that it is of, `host` and `user` are them in words.

    `steps` are its events, None for one that is missing as the rule asks; `guide` returns safe HTML; `facts` are
    what became of it.
    """

    id: str
    rule: ReportedRule
    time: int
    timestamp: str
    host: str
    hosts: tuple[str, ...]
    user: str
    users: tuple[str, ...]
    what_happened: str
    steps: Sequence[ReportedStep | None]
    is_sequence: bool
    guide: Callable[[], str]
    keys: tuple[Any, ...] = ()
    facts: Sequence[tuple[str, str]] = ()
    processes: Sequence[ReportedProcess] = ()


@dataclass(frozen=True)
class TimelineMark:
    """A dot on the timeline: how far right in thousandths, and in which lane."""

    x: int
    y: int
    severity: str
    label: str
    target: str


@dataclass(frozen=True)
class ReportedAlerts:
    """All alerts of a report, in their order, and the figures that it begins with."""

    alerts: Sequence[ReportedAlert]
    in_full: int = IN_FULL
    lanes_shown: int = LANES_SHOWN

    @cached_property
    def severities(self) -> list[tuple[str, int]]:
        """How many alerts there are of each severity, the worst first."""
        counts = Counter(alert.rule.severity for alert in self.alerts)
        return [(severity, counts.get(severity, 0)) for severity in reversed(SEVERITIES)]

    @cached_property
    def cards(self) -> list[tuple[str, list[tuple[str, int]], int]]:
        """The commonest hosts, users and rules: a title, names with their counts, and how many more there are."""
        hosts = Counter(host for alert in self.alerts for host in alert.hosts)
        users = Counter(user for alert in self.alerts for user in alert.users)
        rules = Counter(alert.rule.name for alert in self.alerts)
        return [("Hosts", *_first(hosts, 8)), ("Users", *_first(users, 8)), ("Rules", *_first(rules, 6))]

    @cached_property
    def heat(self) -> list[tuple[str, str, int, float]]:
        """The tactics of ATT&CK: id, name, how many alerts, and that as a share of the most."""
        counts = Counter(tactic for alert in self.alerts for tactic in alert.rule.tactics)
        most = max(counts.values(), default=1)
        return [(t.id, t.name, counts.get(t.id, 0), counts.get(t.id, 0) / most) for t in TACTICS]

    @cached_property
    def every_host(self) -> list[tuple[str, int, int]]:
        """Each host with its alerts and its lane."""
        counts = Counter(host for alert in self.alerts for host in alert.hosts)
        return [(printable(host), count, lane) for lane, (host, count) in enumerate(counts.most_common())]

    @cached_property
    def lanes(self) -> list[str]:
        """The hosts of the timeline, that with the most alerts first."""
        return [host for host, *_ in self.every_host]

    @cached_property
    def _lane(self) -> dict[str, int]:
        return {host: lane for host, _, lane in self.every_host}

    def lanes_of(self, alert: ReportedAlert) -> str:
        """Return the lanes that an alert is in."""
        return " ".join(str(self._lane[printable(host)]) for host in alert.hosts)

    @cached_property
    def span(self) -> tuple[str, str]:
        """The moments of the first and the last alert."""
        times = [alert.time for alert in self.alerts if alert.time]
        return (shown_time(min(times)), shown_time(max(times))) if times else ("", "")

    @cached_property
    def marks(self) -> list[TimelineMark]:
        """The alerts in time, a lane a host. Long gaps are kept short, so that bursts stay readable."""
        timed = [(number, alert) for number, alert in enumerate(self.alerts) if alert.time]
        if not timed:
            return []
        position = _positions(alert.time for _, alert in timed)
        last = max(position.values())
        marks = []
        for number, alert in timed:
            label = f"{shown_time(alert.time)}  {alert.rule.name}"
            x = 1 + 98 * position[alert.time] / last if last else 50.0
            marks += [
                TimelineMark(round(10 * x), self._lane[printable(host)], alert.rule.severity, label, f"a{number}")
                for host in alert.hosts
            ]
        return marks

    @cached_property
    def marks_by_lane(self) -> dict[int, list[TimelineMark]]:
        """The marks of each lane."""
        lanes: dict[int, list[TimelineMark]] = {}
        for mark in self.marks:
            lanes.setdefault(mark.y, []).append(mark)
        return lanes

    @cached_property
    def tactics(self) -> list[tuple[str, str, list[tuple[ReportedRule, list[tuple[int, ReportedAlert]]]]]]:
        """Alerts by tactic, then by rule, the worst rule first; a rule stands under its first tactic."""
        groups: dict[str, dict[str, list[tuple[int, ReportedAlert]]]] = {}
        for number, alert in enumerate(self.alerts):
            tactic = alert.rule.tactics[0] if alert.rule.tactics else ""
            groups.setdefault(tactic, {}).setdefault(alert.rule.id, []).append((number, alert))
        tactics = []
        for tactic_id, name in [*((t.id, t.name) for t in TACTICS), ("", "No tactic")]:
            if tactic_id in groups:
                rules = [(entries[0][1].rule, entries) for entries in groups[tactic_id].values()]
                rules.sort(key=lambda pair: (-pair[0].risk_score, pair[0].name))
                tactics.append((tactic_id, name, rules))
        return tactics


def _positions(times: Iterable[int]) -> dict[int, float]:
    moments = sorted(set(times))
    steps = [later - earlier for earlier, later in pairwise(moments)]
    longest = max(sorted(steps)[len(steps) // 2] * 20, 1) if steps else 1
    position, at = {moments[0]: 0.0}, 0.0
    for moment, step in zip(moments[1:], steps, strict=True):
        at += min(step, longest)
        position[moment] = at
    return position


def _first(counts: Counter[str], most: int) -> tuple[list[tuple[str, int]], int]:
    """Return the commonest, printable, and how many more there are."""
    return [(printable(name), count) for name, count in counts.most_common(most)], max(0, len(counts) - most)
