"""Executions and gaps on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.shown import one_line, shown_time
from tocsin.cli.tables import Cell, Column, print_table
from tocsin.detection.schedule import span
from tocsin.moments import MINUTE
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from tocsin.store.records.models import Execution, Gap

STATUS_STYLES = {"succeeded": "green", "warning": "yellow", "failed": "red"}


_EXECUTIONS = (
    Column("rule", least=24), Column("due (UTC)", whole=True), Column("status", whole=True),
    Column("windows", whole=True, right=True), Column("events", whole=True, right=True),
    Column("matches", whole=True, right=True), Column("new", whole=True, right=True), Column("took", whole=True),
    Column("messages", least=24),
)  # fmt: skip
_GAPS = (
    Column("rule", least=24), Column("from (UTC)", whole=True), Column("to (UTC)", whole=True), Column("cause"),
    Column("filled"),
)  # fmt: skip


def print_executions(runs: Sequence[Execution], names: Mapping[str, str], *, wide: bool = False) -> None:
    """Print executions, the oldest first; messages that several of them have stand below, once."""
    if not runs:
        print("no executions")
        return
    counts = Counter(_messages_of(run) for run in runs if run.messages)
    repeated = [message for message, count in counts.items() if count > 1]
    notes = {message: f"({number})" for number, message in enumerate(repeated, 1)}
    rows: list[Sequence[Cell]] = []
    for run in runs:
        seconds = sum(run.durations.values())
        late = f" (+{span(run.late)})" if run.late >= MINUTE else ""
        rows.append((
            one_line(names.get(run.rule_uuid, "removed")), f"{shown_time(run.last_tick)}{late}",
            Text(run.status, STATUS_STYLES.get(run.status, "")), f"{run.ticks:,}", f"{run.events:,}",
            f"{run.matches:,}", f"{run.written:,}", f"{seconds:.2f} s" if seconds else "",
            notes.get(_messages_of(run), _messages_of(run)),
        ))  # fmt: skip
    print_table(wide_console(170), _EXECUTIONS, rows, wide=wide)
    for message, number in notes.items():
        print(printable_line(f"{number} {message}"))


def _messages_of(run: Execution) -> str:
    return "; ".join(run.messages)


def print_gaps(gaps: Sequence[Gap], names: Mapping[str, str], *, wide: bool = False) -> None:
    """Print gaps, the oldest first; nothing where there is none."""
    if not gaps:
        return
    rows = []
    for gap in gaps:
        filled = f"{shown_time(gap.filled)} by {one_line(gap.filled_by or '')}" if gap.filled else "no"
        name = one_line(names.get(gap.rule_uuid, "removed"))
        rows.append((name, shown_time(gap.first_tick), shown_time(gap.last_tick), gap.cause, filled))
    print_table(wide_console(170), _GAPS, rows, wide=wide, title="gaps")
