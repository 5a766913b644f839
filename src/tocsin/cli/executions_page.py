"""Executions and gaps on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from tocsin.cli.console import wide_console
from tocsin.cli.shown import shown_time
from tocsin.detection.schedule import span
from tocsin.store.records.models import Execution, Gap

_STYLES = {"succeeded": "green", "warning": "yellow", "failed": "red"}


def print_executions(runs: Sequence[Execution], names: Mapping[str, str]) -> None:
    """Print executions, the oldest first."""
    table = Table(box=None, header_style="bold")
    for column in ("rule", "due (UTC)", "windows", "status", "events", "matches", "new", "took", "told"):
        table.add_column(column, justify="right" if column in ("windows", "events", "matches", "new") else "left",
                         overflow="fold")  # fmt: skip
    for run in runs:
        seconds = sum(run.durations.values())
        late = f" (+{span(run.late)})" if run.late >= 60_000_000_000 else ""
        table.add_row(
            names.get(run.rule_uuid, "removed"), f"{shown_time(run.last_tick)}{late}", f"{run.ticks:,}",
            f"[{_STYLES.get(run.status, '')}]{run.status}[/]", f"{run.events:,}", f"{run.matches:,}",
            f"{run.written:,}", f"{seconds:.2f} s" if seconds else "", "; ".join(run.messages),
        )  # fmt: skip
    wide_console(170).print(table)


def print_gaps(gaps: Sequence[Gap], names: Mapping[str, str]) -> None:
    """Print gaps, the oldest first; nothing where there is none."""
    if not gaps:
        return
    table = Table(title="gaps", title_justify="left", box=None, header_style="bold")
    for column in ("rule", "from (UTC)", "to (UTC)", "cause", "filled"):
        table.add_column(column, overflow="fold")
    for gap in gaps:
        filled = f"{shown_time(gap.filled)} by {gap.filled_by}" if gap.filled else "no"
        table.add_row(
            names.get(gap.rule_uuid, "removed"),
            shown_time(gap.first_tick),
            shown_time(gap.last_tick),
            gap.cause,
            filled,
        )
    wide_console(170).print(table)
