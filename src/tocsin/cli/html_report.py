"""A hunt as one self-contained HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from tocsin import __version__
from tocsin.cli.reading import beside
from tocsin.cli.shown import shown_time
from tocsin.detection.alerts.alert import Alert, as_text
from tocsin.detection.hosts import Hosts
from tocsin.detection.hunt import Report, severity_counts, values
from tocsin.ecs import INDEX
from tocsin.investigation.guide import guide_html
from tocsin.investigation.happened import what_happened
from tocsin.printable import printable
from tocsin.rules.attack import TACTICS
from tocsin.rules.model import SEVERITIES, Rule

_LANES = 12  # hosts of the timeline that are shown at first
_IN_FULL = 50  # alerts a rule with event and guide; the rest are rows
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
class TimelineMark:
    """A dot on the timeline: how far right in thousandths, and in which lane."""

    x: int
    y: int
    severity: str
    label: str
    target: str


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("tocsin.cli"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )


def _visible(value: Any) -> Any:
    """Return a value as the page shows it, without what would hide in it or turn its direction."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def html_report(report: Report) -> str:
    """Return the page."""
    numbered = list(enumerate(report.alerts))
    hosts = Hosts(report.alerts)
    by_host = Counter(host for alert in report.alerts for host in hosts.each(alert))
    counted = [(printable(host), n) for host, n in by_host.most_common()]
    lanes = [host for host, _ in counted]
    marks = _timeline(numbered, lanes, hosts)
    style = _inline("report.css", places=sorted({mark.x for mark in marks}))
    script = _inline("report.js")
    return (
        _environment()
        .get_template("report.html")
        .render(
            policy=_policy(style, script),
            style=style,
            script=script,
            version=__version__,
            report=report,
            severities=[(s, severity_counts(report.alerts).get(s, 0)) for s in reversed(SEVERITIES)],
            heat=_heat(report.alerts),
            cards=[
                ("Hosts", *_first(hosts.counts(report.alerts), 8)),
                ("Users", *_first(values(report.alerts, "user.name"), 8)),
                ("Rules", *_first(Counter(alert.rule.name for alert in report.alerts), 6)),
            ],
            every_host=[(host, count, rank) for rank, (host, count) in enumerate(counted)],
            host=lambda alert: printable(hosts.of(alert)),
            lanes_of=lambda alert: " ".join(str(lanes.index(printable(host))) for host in hosts.each(alert)),
            marks=marks,
            marks_by_lane=_by_lane(marks),
            span=_span(report.alerts),
            lanes=lanes,
            lanes_shown=_LANES,
            cut=_cut,
            time=shown_time,
            tactics=_by_tactic(numbered),
            skipped=Counter(rule.reason for rule in report.skipped).most_common(),
            fields=_fields,
            guide=_guide,
            what_happened=lambda alert: printable(what_happened(alert)),
            links=_links,
            in_full=_IN_FULL,
            beside=beside(report.rejects),
        )
    )


def _inline(template: str, **values: Any) -> Markup:
    """Return the page's style or script."""
    return Markup(_environment().get_template(template).render(**values))


def _policy(style: str, script: str) -> str:
    """Return the page's policy: nothing is loaded, and no style or script but its own is taken, by their hashes.

    The words are those of Content Security Policy Level 3, which needs neither `unsafe-inline` nor a server.
    """
    hashed = (f"'sha256-{b64encode(sha256(part.encode()).digest()).decode()}'" for part in (style, script))
    return "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'".format(*hashed)


def _heat(alerts: Sequence[Alert]) -> list[tuple[str, str, int, float]]:
    counts = Counter(tactic for alert in alerts for tactic in alert.rule.tactics)
    most = max(counts.values(), default=1)
    return [(t.id, t.name, counts.get(t.id, 0), counts.get(t.id, 0) / most) for t in TACTICS]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … and {len(text) - most:,} characters more"


def _first(counts: Counter[str], most: int) -> tuple[list[tuple[str, int]], int]:
    """Return the commonest, printable, and how many more there are."""
    return [(printable(name), count) for name, count in counts.most_common(most)], max(0, len(counts) - most)


def _span(alerts: Sequence[Alert]) -> tuple[str, str]:
    timed = [alert for alert in alerts if alert.time]
    return (shown_time(timed[0].time), shown_time(timed[-1].time)) if timed else ("", "")


def _timeline(numbered: Sequence[tuple[int, Alert]], lanes: Sequence[str], hosts: Hosts) -> list[TimelineMark]:
    """Place alerts in time order, a lane a host. Long gaps are kept short, so that bursts stay readable."""
    timed = [(number, alert) for number, alert in numbered if alert.time]
    if not timed:
        return []
    moments = sorted({alert.time for _, alert in timed})
    steps = [b - a for a, b in pairwise(moments)]
    longest = max(sorted(steps)[len(steps) // 2] * 20, 1) if steps else 1
    position, at = {moments[0]: 0.0}, 0.0
    for moment, step in zip(moments[1:], steps, strict=True):
        at += min(step, longest)
        position[moment] = at
    lane = {host: number for number, host in enumerate(lanes)}
    marks = []
    for number, alert in timed:
        label = f"{shown_time(alert.time)}  {alert.rule.name}"
        x = 1 + 98 * position[alert.time] / at if at else 50.0
        marks += [
            TimelineMark(round(10 * x), lane[printable(host)], alert.rule.severity, label, f"a{number}")
            for host in hosts.each(alert)
        ]
    return marks


def _by_lane(marks: Sequence[TimelineMark]) -> dict[int, list[TimelineMark]]:
    lanes: dict[int, list[TimelineMark]] = {}
    for mark in marks:
        lanes.setdefault(mark.y, []).append(mark)
    return lanes


def _by_tactic(
    numbered: Sequence[tuple[int, Alert]],
) -> list[tuple[str, str, list[tuple[Rule, list[tuple[int, Alert]]]]]]:
    """Group alerts by tactic, then by rule, the worst rule first; a rule stands under its first tactic."""
    groups: dict[str, dict[str, list[tuple[int, Alert]]]] = {}
    for number, alert in numbered:
        tactic = alert.rule.tactics[0] if alert.rule.tactics else ""
        groups.setdefault(tactic, {}).setdefault(alert.rule.rule_id, []).append((number, alert))
    tactics = []
    for tactic_id, name in [*((t.id, t.name) for t in TACTICS), ("", "No tactic")]:
        if tactic_id in groups:
            rules = [(entries[0][1].rule, entries) for entries in groups[tactic_id].values()]
            rules.sort(key=lambda pair: (-pair[0].risk_score, pair[0].name))
            tactics.append((tactic_id, name, rules))
    return tactics


def _fields(alert: Alert) -> list[tuple[str, str]]:
    """Return the event's fields, those that a responder reads first at the beginning."""

    def rank(name: str) -> tuple[int, str]:
        for position, prefix in enumerate(_FIRST_FIELDS):
            if name.startswith(prefix):
                return position, name
        return len(_FIRST_FIELDS) + name.startswith("winlog."), name

    return [
        (name, printable(as_text(alert.event[name]))) for name in sorted(alert.event, key=rank) if name != INDEX
    ]


def _guide(alert: Alert) -> str:
    return printable(guide_html(alert.rule, alert.events[-1].event))


def _links(rule: Rule) -> list[tuple[str, str]]:
    """Return the rule's tactics and techniques with their addresses, only those that are web addresses."""
    entries: list[Any] = [threat.tactic for threat in rule.threat] + list(rule.techniques())
    return [
        (f"{entry.id} {entry.name}", entry.reference)
        for entry in entries
        if entry.reference.startswith(("https://", "http://"))
    ]
