"""Commands to try next, as they can be pasted: with the events and the rules that were asked for."""

from __future__ import annotations

import shlex
from pathlib import Path

from tocsin.cli.layout import Command
from tocsin.detection.alerts.alert import Alert
from tocsin.detection.hosts import NO_HOST, Hosts
from tocsin.detection.hunt import Report
from tocsin.printable import printable_line
from tocsin.rules.model import SEVERITIES

_FEW = 5  # rules
_LONGEST = 10_000  # characters of a command
_PUBLIC = "detection-rules"  # the folder of Elastic's public rules
_CLONE = f"git clone --depth 1 https://github.com/elastic/{_PUBLIC} && "
# The options that say what a query, or another hunt, is to look at; the others say how a hunt is shown.
_OF_QUERIES = ("--source", "--date-order", "--from", "--to")
_OF_HUNTS = (
    *_OF_QUERIES, "--all-indices", "--max-alerts", "--history", "--history-window", "--indicators", "--exceptions",
)  # fmt: skip
_PAGES = (".html", ".htm")


def suggestions(report: Report, hosts: Hosts, command: Command, *, skipped: bool) -> list[tuple[str, str]]:
    """Return what could be done next, each with its command; `skipped` when what was skipped is shown already.

    A command that holds what a terminal does not show as it is, such as the name of a file with control
    characters, is left out: what is shown could not be pasted.
    """
    candidates = _suggestions(report, hosts, command, skipped=skipped)
    return [(what, line) for what, line in candidates if line == printable_line(line) and len(line) <= _LONGEST]


def _suggestions(report: Report, hosts: Hosts, command: Command, *, skipped: bool) -> list[tuple[str, str]]:
    suggested: list[tuple[str, str]] = []
    events = command.on_events()
    worst = max(report.alerts, key=lambda a: (SEVERITIES.index(a.rule.severity), a.rule.risk_score), default=None)
    if worst is not None:
        rule = shlex.quote(_named(worst))
        suggested.append(
            (
                "read the guide" if worst.rule.note else "read the rule",
                f"tocsin rules show {rule}{command.with_rules()}",
            )
        )
    if events is None:
        return suggested
    options = command.with_options(_OF_HUNTS)
    hunt = f"tocsin hunt {events}"
    if worst is not None:
        if hosts.of(worst) != NO_HOST:
            query = shlex.quote(f"{_on_host(worst, hosts)} | tail 50")
            asked = f"tocsin query {query} {events}{command.with_options(_OF_QUERIES)}"
            suggested.append(("the last 50 events on that host", asked))
        if not _is_page(command):
            suggested.append(("a report to hand on", f"{hunt}{command.with_rules()}{options} -o report.html"))
    if report.total_events and len(report.rules) <= _FEW and not any(_PUBLIC in name for name in command.rules):
        clone = "" if Path(_PUBLIC).is_dir() else _CLONE
        suggested.append(("more rules", f"{clone}{hunt} --rules {_PUBLIC}/rules/windows{options}"))
    if not skipped and (report.skipped or report.rejects.passed_over):
        what = "why rules were skipped" if report.skipped else "what was passed over"
        suggested.append((what, f"{hunt}{command.with_rules()}{options} --show-skipped"))
    return suggested


def _named(alert: Alert) -> str:
    """Return what a rule is asked for by: its name, or its id where the name cannot be written so."""
    name = alert.rule.name
    return name if name == printable_line(name) and not name.startswith("-") else alert.rule.rule_id


def _is_page(command: Command) -> bool:
    """Return whether a report was written already."""
    endings = tuple(command.options.get("--output", ()))
    return "html" in command.options.get("--format", ()) or any(name.endswith(_PAGES) for name in endings)


def _on_host(alert: Alert, hosts: Hosts) -> str:
    names = ", ".join(f'"{name}"' for name in map(_escaped, hosts.spellings(alert)))
    return f"any where host.name : ({names})" if "," in names else f"any where host.name : {names}"


def _escaped(text: str) -> str:
    """Return text as EQL has it in quotes, with what a terminal does not show as it is by its number."""
    return "".join(_escape(c) for c in text)


def _escape(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    return character if character == printable_line(character) else f"\\u{{{ord(character):04x}}}"
