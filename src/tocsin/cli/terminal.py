"""A hunt on the terminal: alerts by host in order of time, and a summary worth a screenshot."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.reading import beside
from tocsin.detection.alert import Alert
from tocsin.detection.hunt import Report, severity_counts, top
from tocsin.rules.attack import TACTICS
from tocsin.rules.model import SEVERITIES

STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_HEAT = ("grey50", "black on yellow", "black on dark_orange", "bold white on red")
_NARROWEST = 120
_ROWS = 500


def render(report: Report, *, summary: bool, show_skipped: bool, to_file: bool) -> str:
    """Return what `--format table` prints; plain text when it goes to a file."""
    buffer = io.StringIO()
    colour = not to_file and sys.stdout.isatty()
    width = Console().width if colour else max(_NARROWEST, Console().width)
    console = Console(file=buffer, width=width, force_terminal=colour, legacy_windows=False)
    for part in _alerts(report.alerts):
        console.print(part)
    if summary:
        console.print(_summary(report, show_skipped))
    return buffer.getvalue()


def show_summary(report: Report, *, stderr: bool, show_skipped: bool) -> None:
    """Print the summary alone."""
    wide_console(_NARROWEST, stderr=stderr).print(_summary(report, show_skipped))


# ---- alerts


def _alerts(alerts: Sequence[Alert]) -> Iterable[RenderableType]:
    """Yield a table a host: the worst host first, its alerts in order of time, repeats counted."""
    by_host: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_host.setdefault(alert.value("host.name") or "(no host)", []).append(alert)
    shown = 0
    for host in sorted(by_host, key=lambda h: _weight(by_host[h]), reverse=True):
        mine = by_host[host]
        table = Table(
            title=Text.assemble(("host ", "dim"), (host, "bold"), (f"  {_count(mine, 'alert')}", "dim")),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            expand=True,
            padding=(0, 1, 0, 0),
        )
        table.add_column("time (UTC)", no_wrap=True, width=19)
        table.add_column("severity", no_wrap=True, width=8)
        table.add_column("rule", ratio=2)
        table.add_column("user", width=_width(mine, _user), overflow="fold")
        table.add_column("process", width=_width(mine, lambda a: a.value("process.name")), overflow="fold")
        table.add_column("command line", ratio=4, overflow="fold")
        for group in _repeats(mine):
            if shown >= _ROWS:
                continue
            shown += 1
            _add_row(table, group)
        if table.row_count:
            yield table
    if len(alerts) > shown >= _ROWS:
        yield Text(f"… the first {_ROWS} rows; --format html, csv or ndjson has every alert", style="dim")


def _width(alerts: Sequence[Alert], read: Callable[[Alert], str]) -> int:
    return min(22, max(7, *(len(read(alert)) for alert in alerts)))


def _user(alert: Alert) -> str:
    domain, user = alert.value("user.domain"), alert.value("user.name")
    return f"{domain}\\{user}" if domain and user else user


def _weight(alerts: Sequence[Alert]) -> tuple[int, int]:
    return max(_RANK[a.rule.severity] for a in alerts), len(alerts)


def _repeats(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Group neighbours that differ only in time."""
    groups: list[list[Alert]] = []
    for alert in alerts:
        if groups and _likeness(groups[-1][0]) == _likeness(alert):
            groups[-1].append(alert)
        else:
            groups.append([alert])
    return groups


def _likeness(alert: Alert) -> tuple[str, ...]:
    return (alert.rule.rule_id, alert.value("user.name"), alert.value("process.name"), what_happened(alert))


def _add_row(table: Table, group: Sequence[Alert]) -> None:
    alert = group[0]
    rule = Text(alert.rule.name)
    if len(group) > 1:
        rule.append(f"  ×{len(group)}", style="bold")
    table.add_row(
        alert.timestamp[:19].replace("T", " "),
        Text(alert.rule.severity, style=STYLES[alert.rule.severity]),
        rule,
        Text(_user(alert)),
        Text(alert.value("process.name")),
        Text("\n".join(_shortened(line) for line in what_happened(alert).split("\n" if alert.members else "\0"))),
    )


def what_happened(alert: Alert) -> str:
    """Return the command line, or for events without one what the event is about; a line a step of a sequence."""
    if alert.members:
        steps = ("(missing)" if one is None else what_happened(one) for one in alert.members)
        return "\n".join(f"{number} {step}" for number, step in enumerate(steps, 1))
    for field in (
        "process.command_line",
        "registry.path",
        "file.path",
        "dns.question.name",
        "destination.ip",
        "powershell.file.script_block_text",
        "winlog.event_data.ImagePath",
        "winlog.event_data.ServiceFileName",
        "winlog.event_data.TargetImage",
        "event.action",
    ):
        if value := alert.value(field):
            return value
    return ""


def _shortened(text: str, limit: int = 400) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


# ---- summary


def _summary(report: Report, show_skipped: bool) -> RenderableType:
    parts: list[RenderableType] = [_verdict(report), ""]
    if report.alerts:
        parts += [_severity_bars(report.alerts), "", _heat_map(report.alerts), "", _tops(report.alerts), ""]
    parts.append(_accounts(report))
    if show_skipped and report.skipped:
        parts += ["", _skipped(report)]
    if show_skipped and report.rejects.passed:
        parts += ["", _passed(report)]
    parts += ["", _next(report)]
    return Panel(Group(*parts), title="[bold]tocsin hunt[/bold]", box=box.ROUNDED, padding=(1, 2))


def _verdict(report: Report) -> Text:
    hosts = {alert.value("host.name") for alert in report.alerts}
    if not report.total_events:
        return Text("No event was read.", style="bold red")
    if not report.alerts:
        return Text.assemble(("No alerts", "bold green"), f" in {report.total_events:,} events.")
    style = STYLES[max((a.rule.severity for a in report.alerts), key=_RANK.__getitem__)]
    rules = {alert.rule.rule_id for alert in report.alerts}
    return Text.assemble(
        (f" {_count(report.alerts, 'alert')} ", style),
        f" of {_count(rules, 'rule')} on {_count(hosts, 'host')}, in {report.total_events:,} events.",
    )


def _severity_bars(alerts: Sequence[Alert]) -> Table:
    counts = severity_counts(alerts)
    most = max(counts.values())
    table = Table.grid(padding=(0, 2))
    for severity in reversed(SEVERITIES):
        count = counts.get(severity, 0)
        bar = "█" * max(1, round(40 * count / most)) if count else ""
        style = STYLES[severity] if severity != "critical" else "bold red"
        table.add_row(Text(severity, style=style), Text(f"{count:>6,}", style="bold"), Text(bar, style=style))
    return table


def _heat_map(alerts: Sequence[Alert]) -> Table:
    counts = Counter(tactic for alert in alerts for tactic in alert.rule.tactics)
    most = max(counts.values(), default=1)
    table = Table(box=None, padding=(0, 0), show_header=False, title="ATT&CK tactics", title_justify="left")
    half = (len(TACTICS) + 1) // 2
    for row in (TACTICS[:half], TACTICS[half:]):
        cells = []
        for tactic in row:
            count = counts.get(tactic.id, 0)
            level = 0 if not count else 1 + (count * 3 > most) + (count * 3 > 2 * most)
            cells.append(Text(f" {tactic.short:<10} {count or '·':>4} ", style=_HEAT[level]))
        table.add_row(*cells)
    return table


def _tops(alerts: Sequence[Alert]) -> Table:
    grid = Table.grid(padding=(0, 4))
    rules = Counter(alert.rule.name for alert in alerts).most_common(5)
    names = (
        ("top rules", rules),
        ("top hosts", top(alerts, "host.name")),
        ("top users", top(alerts, "user.name")),
    )
    columns = []
    for title, entries in names:
        column = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 1))
        for name, count in entries:
            column.add_row(Text(f"{count:,}", justify="right", style="bold"), Text(name))
        columns.append(column)
    grid.add_row(*columns)
    return grid


def _accounts(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    speed = report.total_events / report.seconds if report.seconds else 0
    took = f"{report.seconds:.2f} s, {speed:,.0f} events/s"
    table.add_row("read", f"{report.total_events:,} events from {_count(range(report.files), 'file')} in {took}")
    if report.events:
        by_source = ", ".join(f"{name} {count:,}" for name, count in report.events.most_common(8))
        table.add_row("", by_source)
    table.add_row("rejected", _rejected(report))
    for line in beside(report.rejects):
        table.add_row("", line)
    for number, line in enumerate(report.unseen_lines()):
        table.add_row("" if number else "notes", Text(line, style="yellow"))
    skipped = Counter(rule.reason for rule in report.skipped)
    rules = f"{len(report.rules):,} run"
    if skipped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in skipped.most_common())
        rules += f", {sum(skipped.values()):,} skipped: {reasons}"
    table.add_row("rules", rules)
    for rule_id, count in report.capped().items():
        name = next(r.rule.name for r in report.rules if r.rule.rule_id == rule_id)
        kept = sum(alert.rule.rule_id == rule_id for alert in report.alerts)
        table.add_row("", Text(f"max alerts reached: {kept:,} of {count:,} for {name}", style="yellow"))
    return table


def _rejected(report: Report) -> Text:
    if not report.rejects.total:
        return Text("nothing")
    text = Text()
    for reason, count in report.rejects.counts.most_common():
        first = report.rejects.first[reason]
        place = f"{first.file} {first.position}".strip()
        text.append(f"{count:,} {reason}", style="yellow")
        text.append(f", first in {place}: {_shortened(first.detail, 160)}\n")
    text.rstrip()
    return text


def _skipped(report: Report) -> Table:
    table = Table(title="rules not run", title_justify="left", box=box.SIMPLE)
    table.add_column("rule")
    table.add_column("reason")
    table.add_column("why", overflow="fold")
    for rule in sorted(report.skipped, key=lambda r: (r.reason, r.name)):
        table.add_row(
            Text(rule.name), Text(rule.reason), Text(rule.message.splitlines()[0] if rule.message else "")
        )
    return table


def _passed(report: Report) -> Table:
    table = Table(title="files passed over", title_justify="left", box=box.SIMPLE)
    table.add_column("file", overflow="fold")
    table.add_column("why", overflow="fold")
    for reject in report.rejects.passed:
        table.add_row(Text(reject.file), Text(reject.detail))
    return table


def _next(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for number, (what, command) in enumerate(_suggestions(report)):
        table.add_row("try next" if not number else "", Text.assemble(f"{what}: ", (command, "bold")))
    return table


def _suggestions(report: Report) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if report.alerts:
        worst = max(report.alerts, key=lambda a: (_RANK[a.rule.severity], a.rule.risk_score))
        found.append(("read the guide", f'tocsin rules show "{worst.rule.name}"'))
        host = worst.value("host.name")
        if host:
            query = f'any where host.name == "{host}"'
            found.append(("everything on that host", f"tocsin query '{query} | tail 50' EVENTS"))
        found.append(("a report to hand on", "tocsin hunt EVENTS -o report.html"))
    if len(report.rules) <= 5:
        found.append(("more rules", "tocsin hunt EVENTS --rules path/to/detection-rules/rules/windows"))
    if report.skipped:
        found.append(("why rules were skipped", "tocsin hunt EVENTS --show-skipped"))
    return found


def _count(things: Sequence[object] | set[str], word: str) -> str:
    number = len(things)
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
