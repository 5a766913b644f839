"""A rule on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.markdown import Markdown
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.executions_page import STATUS_STYLES
from tocsin.cli.shown import one_line, shown_time
from tocsin.cli.tables import Cell, Column, print_table
from tocsin.cli.terminal import STYLES
from tocsin.counted import counted
from tocsin.detection.compile import doubtful_fields, prepare
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.listing import ListedRule
from tocsin.detection.schedule import read_schedule, span, unread
from tocsin.errors import RuleError
from tocsin.investigation.guides.guide import guide_text, readable_guide
from tocsin.printable import printable_line
from tocsin.rules.load import Skipped
from tocsin.rules.model import Rule


def print_rule(rule: Rule, locale: str) -> None:
    """Print every element of a rule."""
    console = wide_console(110)
    head = Text.assemble(
        (one_line(rule.name), "bold"),
        "  ",
        (f" {rule.severity} ", STYLES[rule.severity]),
        f" risk {rule.risk_score}",
    )
    console.print(Panel(Text(" ".join(rule.description.split())), title=head, title_align="left", box=box.ROUNDED))
    console.print(_facts(rule))
    if rule.query:
        console.print(Text("Query", style="bold"))
        console.print(
            Syntax(rule.query.strip(), "sql", theme="ansi_dark", word_wrap=True, background_color="default")
        )
        console.print()
    if guide_text(rule, locale):
        console.print(Markdown(readable_guide(rule, locale)))
    if rule.setup:
        console.print(Markdown(rule.setup))


def _facts(rule: Rule) -> Table:
    ready, skipped = prepare([rule], open_fields=True)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    threat = "; ".join(
        f"{t.tactic.name} ({t.tactic.id})" + "".join(f", {q.name} ({q.id})" for q in t.technique)
        for t in rule.threat
    )
    facts: Sequence[tuple[str, object]] = (
        ("rule id", f"{rule.rule_id}, version {rule.version}"),
        ("type", f"{rule.type} ({rule.language})" if rule.language not in (None, "", rule.type) else rule.type),
        ("runs", _status(ready, [s.reason for s in skipped])),
        *(("warning", warning) for compiled in ready for warning in doubtful_fields(compiled)),
        *_schedule(rule),
        ("max alerts", f"{rule.max_signals} an execution"),
        ("indices", ", ".join(rule.index)),
        ("ATT&CK", threat),
        ("tags", ", ".join(rule.tags)),
        *(("references", reference) for reference in rule.references),
        *(("false positives", example) for example in rule.false_positives),
        ("author", ", ".join(rule.author)),
        ("license", rule.license),
        ("time field", rule.timestamp_override or "@timestamp"),
        ("guide in", ", ".join(["en", *rule.notes]) if rule.note else ""),
        ("file", rule.file),
    )
    before = ""
    for name, value in facts:
        if value:
            table.add_row("" if name == before else name, Text(printable_line(str(value).strip())))
            before = name
    table.add_row("", "")
    return table


def _schedule(rule: Rule) -> list[tuple[str, str]]:
    """Return when the rule is due and what it reads, and what is wrong with that."""
    try:
        schedule = read_schedule(rule)
    except RuleError as error:
        return [("every", f"{rule.interval}, looking back from {rule.from_}"), ("error", str(error))]
    twice = f" ({span(schedule.overlap)} of it for the second time)" if schedule.overlap > 0 else ""
    facts = [("every", f"{rule.interval}, looking back from {rule.from_}{twice}")]
    missed = unread(rule, schedule)
    return [*facts, ("warning", missed)] if missed else facts


def _status(ready: Sequence[CompiledRule], reasons: Sequence[str]) -> str:
    return "yes" if ready else f"not yet: {', '.join(reasons)}"


_COLUMNS = (
    Column("severity", whole=True), Column("risk", whole=True, right=True), Column("rule", least=28),
    Column("type", whole=True), Column("runs", least=12),
)  # fmt: skip
_SAVED = (
    Column("rule", least=24), Column("state", whole=True), Column("severity", whole=True),
    Column("schedule", least=16), Column("last execution (UTC)", whole=True), Column("outcome", whole=True),
    Column("alerts", whole=True, right=True), Column("rule id", least=16),
)  # fmt: skip


@dataclass(frozen=True)
class SavedRuleRow:
    """A rule that the service keeps, as a list shows it."""

    name: str
    rule_id: str
    enabled: bool
    severity: str
    schedule: str
    last: int | None
    outcome: str
    alerts: int


def print_saved(rules: Sequence[SavedRuleRow], *, wide: bool) -> None:
    """Print the rules that the service keeps, those that are enabled first."""
    rows: list[Sequence[Cell]] = []
    for rule in sorted(rules, key=lambda row: (not row.enabled, row.name.lower())):
        state = Text("enabled", "green") if rule.enabled else Text("disabled", "dim")
        outcome = Text(rule.outcome, STATUS_STYLES.get(rule.outcome, ""))
        severity = Text(rule.severity, STYLES.get(rule.severity, ""))
        last = shown_time(rule.last) or "never"
        rows.append((
            one_line(rule.name), state, severity, one_line(rule.schedule), last, outcome, f"{rule.alerts:,}",
            one_line(rule.rule_id),
        ))  # fmt: skip
    print_table(wide_console(170), _SAVED, rows, wide=wide)
    enabled = sum(rule.enabled for rule in rules)
    print(f"{counted(len(rules), 'rule')}, {enabled:,} enabled")


def print_rules(rules: Sequence[ListedRule], unread: Sequence[Skipped], *, wide: bool = False) -> None:
    """Print one line a rule, and what could not be read or is passed over."""
    rows: list[Sequence[Cell]] = [
        (
            Text(rule.severity, style=STYLES[rule.severity]), str(rule.risk_score), one_line(rule.name), rule.type,
            Text(rule.reason or "yes", style="dim" if rule.reason else "green"),
        )
        for rule in sorted(rules, key=lambda r: (-r.risk_score, r.name))
    ]  # fmt: skip
    console = wide_console(110)
    print_table(console, _COLUMNS, rows, wide=wide)
    running = sum(rule.reason is None for rule in rules)
    runs = "runs" if running == 1 else "run"
    console.print(f"{counted(len(rules), 'rule')}, {running:,} {runs}")
    for skipped in unread:
        if skipped.invalid:
            console.print(Text(f"not read: {printable_line(skipped.message)}", style="yellow"), soft_wrap=True)
    others = Counter(skipped.reason for skipped in unread if not skipped.invalid)
    if others:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in others.most_common())
        console.print(f"passed over: {reasons}")
