"""A hunt on the terminal: alerts by host in order of time, and a summary worth a screenshot."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import PrintableConsole, columns, wide_console
from tocsin.cli.layout import Grouping, Layout
from tocsin.cli.reading import beside
from tocsin.cli.shown import TIME_WIDTH, one_line, shown_time
from tocsin.cli.suggestions import suggestions
from tocsin.counted import counted
from tocsin.detection.alerts.alert import Alert
from tocsin.detection.hosts import Hosts
from tocsin.detection.hunt import Report, severity_counts, values
from tocsin.investigation.happened import what_happened
from tocsin.printable import is_terminal, printable_line
from tocsin.rules.attack import TACTICS
from tocsin.rules.model import SEVERITIES

STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_HEAT = ("grey50", "black on yellow", "black on dark_orange", "bold white on red")
_NARROWEST, _TABLE = 120, 160  # columns of the summary and of the table where no terminal says how many
_FOR_USERS = 100  # columns from which there is room for users
_ROWS = 500
_LINES = 2  # of what happened, below a rule on a narrow terminal
_SEVERITY, _SHORTEST = 8, 12  # columns of a severity, and of a step at least
_TACTIC, _FRAME = 17, 6  # columns of a tactic, and of the frame of the summary
_LONGEST = 10_000  # characters of what happened in wide layout
_FILES = 3  # named below a note


def render(report: Report, layout: Layout, *, to_file: bool) -> str:
    """Return what `--format table` prints; plain text when it goes to a file."""
    buffer = io.StringIO()
    colour = not to_file and is_terminal(sys.stdout)
    hosts = Hosts(report.alerts)

    def console(least: int) -> PrintableConsole:
        width = columns(least, PrintableConsole())
        return PrintableConsole(file=buffer, width=width, force_terminal=colour, legacy_windows=False)

    table = console(_TABLE)
    for part in _alerts(report.alerts, hosts, layout, table.width):
        table.print(part)
    if layout.summary:
        _print_summary(console(_NARROWEST), report, hosts, layout)
    elif layout.show_skipped:
        _print_skipped(console(_NARROWEST), report)
    return buffer.getvalue()


def show_summary(report: Report, layout: Layout, *, stderr: bool) -> None:
    """Print the summary alone."""
    _print_summary(wide_console(_NARROWEST, stderr=stderr), report, Hosts(report.alerts), layout)


def show_skipped(report: Report, *, stderr: bool) -> None:
    """Print alone which rules were not run and which files were passed over."""
    _print_skipped(wide_console(_NARROWEST, stderr=stderr), report)


# ---- alerts


def _alerts(alerts: Sequence[Alert], hosts: Hosts, layout: Layout, width: int) -> Iterable[RenderableType]:
    """Yield a table of the alerts: groups, the worst first, and in each a line an alert in order of time."""
    if not alerts:
        return
    by_host = layout.group_by is Grouping.HOST
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(hosts.of(alert) if by_host else alert.rule.name, []).append(alert)
    narrow = width < _FOR_USERS
    user = 0 if narrow else _width(alerts, layout)
    rest = width - TIME_WIDTH - _SEVERITY - user - len("    ")  # columns for the rule and what happened
    about = 0 if narrow else min(rest // 2, _widest(alerts, hosts, layout))
    room = _LINES * rest if narrow else rest - about - 1
    shown = 0
    for name in sorted(groups, key=lambda group: _weight(groups[group]), reverse=True):
        rows = _repeats(groups[name], hosts)[: _ROWS - shown]
        if not rows:
            continue
        table = _table(layout, user, about, first=not shown)
        for row in rows:
            _add_row(table, row, hosts, layout, room, narrow=narrow)
        shown += len(rows)
        yield Text.assemble((one_line(name), "bold"), (f"  {counted(len(groups[name]), 'alert')}", "dim"))
        yield table
        yield ""
    if shown >= _ROWS:
        yield Text(f"… the first {_ROWS} rows; --format html, csv or ndjson has every alert", style="dim")


def _table(layout: Layout, user: int, about: int, *, first: bool) -> Table:
    """Return the table of a group; only the first has the columns' names, and all are equally wide.

    `user` and `about` are how wide users and rules (or hosts) are; where there is no room for them (0), what
    happened, and to whom, stands below the rule.
    """
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), show_header=first, header_style="dim")
    table.add_column("time (UTC)", no_wrap=True, width=TIME_WIDTH)
    table.add_column("severity", no_wrap=True, width=_SEVERITY)
    fold = {"overflow": "fold"} if layout.wide else {"overflow": "ellipsis", "no_wrap": True}
    name = "rule" if layout.group_by is Grouping.HOST else "host"
    if not about:
        table.add_column(f"{name}, user: what happened", ratio=1, overflow="fold")
        return table
    table.add_column(name, width=about, overflow="fold")
    if user:
        table.add_column("user", width=user, **fold)
    table.add_column("what happened", ratio=1, **fold)
    return table


def _width(alerts: Sequence[Alert], layout: Layout) -> int:
    return min(24 if layout.wide else 16, max(4, *(len(_user(alert, layout)) for alert in alerts)))


def _widest(alerts: Sequence[Alert], hosts: Hosts, layout: Layout) -> int:
    """Return how wide the rules, or hosts, are with the number of alerts in front that are alike."""
    names = (alert.rule.name if layout.group_by is Grouping.HOST else hosts.of(alert) for alert in alerts)
    return max(len(one_line(name)) for name in names) + len("99× ")


def _user(alert: Alert, layout: Layout) -> str:
    domain, user = alert.value("user.domain"), alert.value("user.name")
    return one_line(f"{domain}\\{user}" if domain and user and layout.wide else user)


def _weight(alerts: Sequence[Alert]) -> tuple[int, int]:
    return max(_RANK[a.rule.severity] for a in alerts), len(alerts)


def _repeats(alerts: Sequence[Alert], hosts: Hosts) -> list[list[Alert]]:
    """Group neighbours that differ only in time."""
    groups: list[list[Alert]] = []
    for alert in alerts:
        if groups and _likeness(groups[-1][0], hosts) == _likeness(alert, hosts):
            groups[-1].append(alert)
        else:
            groups.append([alert])
    return groups


def _likeness(alert: Alert, hosts: Hosts) -> tuple[str, ...]:
    fields = ("user.domain", "user.name", "process.name")
    return (alert.rule.rule_id, hosts.of(alert), *map(alert.value, fields), what_happened(alert))


def _add_row(
    table: Table, group: Sequence[Alert], hosts: Hosts, layout: Layout, room: int, *, narrow: bool
) -> None:
    alert = group[0]
    name = Text(f"{len(group)}× ", style="bold") if len(group) > 1 else Text()
    about = alert.rule.name if layout.group_by is Grouping.HOST else hosts.of(alert)
    name.append(one_line(about), style="default")
    time, severity = shown_time(alert.time or alert.timestamp), alert.rule.severity
    user = _user(alert, layout)
    head = [Text(time), Text(severity, style=STYLES[severity])]
    if narrow:
        whose = f"{user}: " if user else ""
        name.append(f"\n{whose}{_event_text(alert, layout, room - len(whose))}", style="dim")
        table.add_row(*head, name)
    else:
        table.add_row(*head, name, Text(user), Text(_event_text(alert, layout, room)))


def _event_text(alert: Alert, layout: Layout, room: int) -> str:
    """Return what happened, with the process that did it: on one line, or in wide layout a line a step."""
    lines = what_happened(alert).split("\n") if alert.members else [what_happened(alert)]
    process = alert.value("process.name")
    if process and not alert.members and _stem(process) not in lines[0].lower():
        lines[0] = f"{process}: {lines[0]}" if lines[0] else process
    if not layout.wide:  # each step of a sequence gets its part of the line
        return "  ".join(one_line(line, max(_SHORTEST, room // len(lines) - 2)) for line in lines)
    return "\n".join(one_line(line, _LONGEST) for line in lines)


def _stem(process: str) -> str:
    return process.lower().removesuffix(".exe")


# ---- summary


def _print_summary(console: PrintableConsole, report: Report, hosts: Hosts, layout: Layout) -> None:
    """Print the summary in a box, and below it what to try next: a command a line, whole, to be copied."""
    console.print(_summary(report, hosts, layout, console.width))
    for what, command in suggestions(report, hosts, layout.command, skipped=layout.show_skipped):
        console.print(Text.assemble(("try next  ", "dim"), f"{what}:"))
        console.print(Text(f"  {command}", "bold"), soft_wrap=True)


def _print_skipped(console: PrintableConsole, report: Report) -> None:
    tables = _not_used(report)
    for table in tables:
        console.print(table)
    if not tables:
        console.print("every rule was run, and no file passed over")


def _not_used(report: Report) -> list[Table]:
    """Return the rules that were not run and the files that were passed over, each in a table."""
    tables = [_skipped(report)] if report.skipped else []
    return [*tables, _passed(report)] if report.rejects.passed else tables


def _summary(report: Report, hosts: Hosts, layout: Layout, width: int) -> RenderableType:
    parts: list[RenderableType] = [_verdict(report, hosts), ""]
    if report.alerts:
        parts += [
            _severity_bars(report.alerts),
            "",
            _heat_map(report.alerts, width - _FRAME),
            "",
            _tops(report.alerts, hosts),
            "",
        ]
    parts.append(_accounts(report))
    if layout.show_skipped:
        parts += [part for table in _not_used(report) for part in ("", table)]
    return Panel(Group(*parts), title="[bold]tocsin hunt[/bold]", box=box.ROUNDED, padding=(1, 2))


def _verdict(report: Report, hosts: Hosts) -> Text:
    if not report.total_events:
        return Text("No event was read.", style="bold red")
    if not report.alerts:
        return Text.assemble(("No alerts", "bold green"), f" in {report.looked_at}.")
    style = STYLES[max((a.rule.severity for a in report.alerts), key=_RANK.__getitem__)]
    rules = {alert.rule.rule_id for alert in report.alerts}
    where = counted(len(hosts.counts(report.alerts)), "host")
    return Text.assemble(
        (f" {counted(len(report.alerts), 'alert')} ", style),
        f" of {counted(len(rules), 'rule')} on {where}, in {report.looked_at}.",
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


def _heat_map(alerts: Sequence[Alert], width: int) -> Table:
    counts = Counter(tactic for alert in alerts for tactic in alert.rule.tactics)
    most = max(counts.values(), default=1)
    table = Table(box=None, padding=(0, 0), show_header=False, title="ATT&CK tactics", title_justify="left")
    a_row = min((len(TACTICS) + 1) // 2, max(1, width // _TACTIC))
    for start in range(0, len(TACTICS), a_row):
        row = TACTICS[start : start + a_row]
        cells = []
        for tactic in row:
            count = counts.get(tactic.id, 0)
            level = 0 if not count else 1 + (count * 3 > most) + (count * 3 > 2 * most)
            cells.append(Text(f" {tactic.short:<10} {count or '·':>4} ", style=_HEAT[level]))
        table.add_row(*cells)
    return table


def _tops(alerts: Sequence[Alert], hosts: Hosts) -> Table:
    grid = Table.grid(padding=(0, 4))
    rules = Counter(alert.rule.name for alert in alerts).most_common(5)
    names = (
        ("top rules", rules),
        ("top hosts", hosts.counts(alerts).most_common(5)),
        ("top users", values(alerts, "user.name").most_common(5)),
    )
    columns = []
    for title, entries in names:
        column = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 1))
        column.add_column(no_wrap=True)
        column.add_column(overflow="fold")
        for name, count in entries:
            column.add_row(Text(f"{count:,}", justify="right", style="bold"), Text(one_line(name)))
        columns.append(column)
    grid.add_row(*columns)
    return grid


def _accounts(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    speed = report.total_events / report.seconds if report.seconds else 0
    read = max(0, report.files - report.rejects.passed_over)  # a file that is no telemetry was opened too
    took = f"{report.seconds:.2f} s, {speed:,.0f} events/s"
    table.add_row("read", f"{counted(report.total_events, 'event')} from {counted(read, 'file')} in {took}")
    if report.events:
        by_source = ", ".join(f"{printable_line(name)} {count:,}" for name, count in report.events.most_common(8))
        table.add_row("", Text(by_source))
    table.add_row("rejected", _rejected(report))
    for line in beside(report.rejects):
        table.add_row("", Text(printable_line(line)))
    for number, note in enumerate(_notes(report)):
        table.add_row("" if number else "notes", note)
    for line in report.rule_lines():
        table.add_row("", Text(printable_line(line)))
    skipped = Counter(rule.reason for rule in report.skipped)
    rules = f"{len(report.rules):,} run"
    if skipped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in skipped.most_common())
        rules += f", {sum(skipped.values()):,} skipped: {reasons}"
    table.add_row("rules", Text(rules))
    for rule_id, count in report.capped().items():
        name = next(r.rule.name for r in report.rules if r.rule.rule_id == rule_id)
        kept = sum(alert.rule.rule_id == rule_id for alert in report.alerts)
        table.add_row("", Text(f"max alerts reached: {kept:,} of {count:,} for {one_line(name)}", style="yellow"))
    return table


def _notes(report: Report) -> list[RenderableType]:
    """Return why rules did not see events: a sentence, and below it a line a file, as paths are long."""
    unseen = report.rejects.unseen
    notes: list[RenderableType] = []
    for reason, files in unseen.by_reason().items():
        notes.append(Text(printable_line(unseen.sentence(reason)), style="yellow"))
        named = Table.grid(padding=(0, 1))
        named.add_column(justify="right", no_wrap=True, style="dim")
        named.add_column(overflow="fold", style="dim")
        for file, count in files.most_common(_FILES):
            named.add_row(f"  {count:,}", Text(printable_line(unseen.described(reason, file))))
        if len(files) > _FILES:
            named.add_row("", f"and {counted(len(files) - _FILES, 'more file')}")
        notes.append(named)
    known = frozenset(unseen.lines())
    others = [*(f"{file}: {line}" for file, line in unseen.dates().items())]
    others += [line for line in report.unseen_lines() if line not in known]
    return [*notes, *(Text(printable_line(line), style="yellow") for line in others)]


def _rejected(report: Report) -> Text:
    if not report.rejects.total:
        return Text("nothing")
    text = Text()
    for reason, count in report.rejects.counts.most_common():
        first = report.rejects.first[reason]
        place = printable_line(f"{first.file} {first.position}".strip())
        text.append(f"{count:,} {reason}", style="yellow")
        text.append(f", first in {place}: {one_line(first.detail, 160)}\n")
    text.rstrip()
    return text


def _skipped(report: Report) -> Table:
    table = Table(title="rules not run", title_justify="left", box=box.SIMPLE)
    table.add_column("rule")
    table.add_column("reason")
    table.add_column("why", overflow="fold")
    for rule in sorted(report.skipped, key=lambda r: (r.reason, r.name)):
        table.add_row(
            Text(one_line(rule.name)),
            Text(rule.reason),
            Text(printable_line((rule.message.splitlines() or [""])[0])),
        )
    return table


def _passed(report: Report) -> Table:
    table = Table(title="files passed over", title_justify="left", box=box.SIMPLE)
    table.add_column("file", overflow="fold")
    table.add_column("why", overflow="fold")
    for reject in report.rejects.passed:
        table.add_row(Text(printable_line(reject.file)), Text(one_line(reject.detail)))
    return table
