"""Commands to try next, as they can be pasted: with the events and the rules that were asked for."""

from __future__ import annotations

import shlex

from tocsin.cli.layout import Command
from tocsin.detection.alerts.alert import Alert
from tocsin.detection.hosts import NO_HOST, Hosts
from tocsin.detection.hunt import Report
from tocsin.rules.model import SEVERITIES

_FEW = 5  # rules
_CLONE = "git clone --depth 1 https://github.com/elastic/detection-rules"


def suggestions(report: Report, hosts: Hosts, command: Command, *, skipped: bool) -> list[tuple[str, str]]:
    """Return what could be done next, each with its command; `skipped` when what was skipped is shown already."""
    found: list[tuple[str, str]] = []
    events = command.on_events()
    worst = max(report.alerts, key=lambda a: (SEVERITIES.index(a.rule.severity), a.rule.risk_score), default=None)
    if worst is not None:
        rule = shlex.quote(worst.rule.name)
        found.append(("read the guide", f"tocsin rules show {rule}{command.with_rules()}"))
    if events is None:
        return found
    hunt = f"tocsin hunt {events}"
    if worst is not None:
        if hosts.of(worst) != NO_HOST:
            query = shlex.quote(f"{_on_host(worst, hosts)} | tail 50")
            found.append(("the last 50 events on that host", f"tocsin query {query} {events}"))
        found.append(("a report to hand on", f"{hunt}{command.with_rules()} -o report.html"))
    if report.total_events and len(report.rules) <= _FEW:
        found.append(("more rules", f"{_CLONE} && {hunt} --rules detection-rules/rules/windows"))
    if not skipped and (report.skipped or report.rejects.passed_over):
        what = "why rules were skipped" if report.skipped else "what was passed over"
        found.append((what, f"{hunt}{command.with_rules()} --show-skipped"))
    return found


def _on_host(alert: Alert, hosts: Hosts) -> str:
    names = ", ".join(f'"{name}"' for name in map(_escaped, hosts.spellings(alert)))
    return f"any where host.name : ({names})" if "," in names else f"any where host.name : {names}"


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in '\\"' else c for c in text)
