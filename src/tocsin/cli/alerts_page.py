"""Kept alerts on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.shown import one_line, shown_time
from tocsin.cli.tables import Cell, Column, print_table
from tocsin.cli.terminal import STYLES
from tocsin.detection.alerts.alert import as_text
from tocsin.printable import printable_line
from tocsin.sources.batch import flatten

if TYPE_CHECKING:
    from tocsin.management.alerts import AlertHistoryEntry

_SHOWN = (
    "host.name", "user.domain", "user.name", "process.executable", "process.command_line",
    "process.parent.executable", "process.entity_id", "file.path", "registry.path", "source.ip",
    "destination.ip", "dns.question.name",
    "event.code", "event.dataset",
)  # fmt: skip


_COLUMNS = (
    Column("id", whole=True), Column("raised (UTC)", whole=True), Column("severity", whole=True),
    Column("status", whole=True), Column("happened (UTC)", whole=True),
    Column("rule", least=24), Column("host", least=12), Column("user", least=10),
)  # fmt: skip


def print_alerts(documents: Sequence[Mapping[str, Any]], *, wide: bool = False) -> None:
    """Print alerts, one a line where there is room."""
    rows: list[Sequence[Cell]] = []
    for document in documents:
        event = flatten(document)
        severity = str(event["kibana.alert.severity"])
        rows.append((
            str(event["kibana.alert.uuid"])[:12], shown_time(event.get("@timestamp")),
            Text(severity, STYLES[severity]), str(event["kibana.alert.workflow_status"]),
            shown_time(event.get("kibana.alert.original_time")), one_line(str(event["kibana.alert.rule.name"])),
            one_line(as_text(event.get("host.name"))), one_line(as_text(event.get("user.name"))),
        ))  # fmt: skip
    print_table(wide_console(140), _COLUMNS, rows, wide=wide)


def alert_panel(document: Mapping[str, Any]) -> Panel:
    """Return an alert as a panel: its reason and the fields that one looks at first."""
    event = flatten(document)
    severity = str(event["kibana.alert.severity"])
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    threats = [t for t in document.get("kibana.alert.rule.threat", []) if isinstance(t, dict)]
    facts = {
        "reason": event.get("kibana.alert.reason"),
        "happened (UTC)": shown_time(event.get("kibana.alert.original_time")),
        "raised (UTC)": shown_time(event.get("@timestamp")),
        "ATT&CK": ", ".join(map(_tactic, threats)),
        **{name: event.get(name) for name in _SHOWN},
        "status": event.get("kibana.alert.workflow_status"),
        "why": event.get("kibana.alert.workflow_reason"),
        "tags": event.get("kibana.alert.workflow_tags"),
        "assigned to": event.get("kibana.alert.workflow_assignee_ids"),
        "id": event.get("kibana.alert.uuid"),
    }
    for name, value in facts.items():
        if value not in (None, [], ""):
            table.add_row(name, Text(printable_line(as_text(value))))
    title = Text.assemble(
        (one_line(str(event["kibana.alert.rule.name"])), "bold"), "  ", (f" {severity} ", STYLES[severity]),
        f" risk {event['kibana.alert.risk_score']}",
    )  # fmt: skip
    return Panel(table, title=title, title_align="left", box=box.ROUNDED)


def _tactic(threat: Mapping[str, Any]) -> str:
    techniques = ", ".join(technique["id"] for technique in threat.get("technique") or ())
    name = str(threat["tactic"]["name"])
    return f"{name} ({techniques})" if techniques else name


def print_alert(document: Mapping[str, Any], history: Sequence[AlertHistoryEntry]) -> None:
    """Print an alert whole, with who changed what."""
    console = wide_console(110)
    console.print(alert_panel(document))
    for change in history:
        text = f"{shown_time(change.time)}  {change.actor}: {change.field} "
        console.print(Text(printable_line(f"{text}{as_text(change.old)} → {as_text(change.new)}")))
    for note in document.get("tocsin.notes", []):
        console.print(
            Text(printable_line(f"{shown_time(note['created_at'])}  {note['created_by']}: {note['text']}"))
        )
