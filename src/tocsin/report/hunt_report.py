"""A hunt as one self-contained HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.hosts import Hosts
from tocsin.detection.hunt import Report, values
from tocsin.investigation.guides.guide import guide_html
from tocsin.investigation.happened import what_happened
from tocsin.printable import printable
from tocsin.report.page import report_page
from tocsin.report.reported_alerts import ReportedAlert, ReportedAlerts, ReportedRule, ReportedStep
from tocsin.rules.model import Rule


def hunt_report(report: Report, beside: Sequence[str] = ()) -> str:
    """Return the page; `beside` are lines about what was read and is no event."""
    hosts = Hosts(report.alerts)
    rules: dict[int, ReportedRule] = {}
    alerts = ReportedAlerts([_reported(alert, hosts, rules) for alert in report.alerts])
    return report_page(
        "hunt.html",
        places=sorted({mark.x for mark in alerts.marks}),
        report=report,
        alerts=alerts,
        skipped=Counter(rule.reason for rule in report.skipped).most_common(),
        beside=beside,
    )


def _reported(alert: Alert, hosts: Hosts, rules: dict[int, ReportedRule]) -> ReportedAlert:
    rule = rules.setdefault(id(alert.rule), _rule(alert.rule))
    return ReportedAlert(
        id=alert.id,
        rule=rule,
        time=alert.time,
        timestamp=alert.timestamp,
        host=printable(hosts.of(alert)),
        hosts=tuple(hosts.each(alert)),
        user=alert.value("user.name"),
        users=tuple(values([alert], "user.name")),
        what_happened=printable(what_happened(alert)),
        steps=[
            None if step is None else ReportedStep(step.event, step.origin) for step in alert.members or (alert,)
        ],
        is_sequence=bool(alert.members),
        guide=partial(_guide, alert),
        keys=alert.keys,
    )


def _guide(alert: Alert) -> str:
    return printable(guide_html(alert.rule, alert.events[-1].event))


def _rule(rule: Rule) -> ReportedRule:
    return ReportedRule(
        id=rule.rule_id,
        name=rule.name,
        severity=rule.severity,
        risk_score=rule.risk_score,
        description=rule.description,
        query=rule.query or "",
        tactics=tuple(rule.tactics),
        links=_links(rule),
    )


def _links(rule: Rule) -> list[tuple[str, str]]:
    """Return the rule's tactics and techniques with their addresses, only those that are web addresses."""
    entries: list[Any] = [threat.tactic for threat in rule.threat] + list(rule.techniques())
    return [
        (f"{entry.id} {entry.name}", entry.reference)
        for entry in entries
        if entry.reference.startswith(("https://", "http://"))
    ]
