"""Results of a query: a table for people, JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.detection.alert import as_text
from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP
from tocsin.engine.pipes import Hit
from tocsin.eql import syntax as s
from tocsin.sources.batch import unflatten

_USUAL = ("host.name", "user.name", "process.name", "process.command_line")
_HIDDEN = {CATEGORY, TIMESTAMP, "event.type", "host.os.type", INDEX}


def show_results(hits: Sequence[Hit], how: str, columns: Sequence[str], statement: s.Statement) -> None:
    """Print results as `table`, `json` or `ndjson`."""
    if how == "table":
        _table(hits, columns or _columns(statement, hits))
        return
    documents = [_document(hit) for hit in hits]
    if how == "json":
        sys.stdout.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
        return
    for document in documents:
        sys.stdout.write(orjson.dumps(document, default=str).decode() + "\n")


def _document(hit: Hit) -> dict[str, object]:
    event = unflatten({k: v for k, v in (hit.event or {}).items() if k != INDEX})
    return {**event, **hit.added}


def _columns(statement: s.Statement, hits: Sequence[Hit]) -> list[str]:
    """Choose columns: what the query asks about, then what a responder wants to see, if any event has it."""
    asked = [name for name in s.statement_fields(statement) if name not in _HIDDEN]
    names = dict.fromkeys([*_USUAL, *asked])
    return [name for name in names if any(hit.values.get(name) is not None for hit in hits)][:8]


def _table(hits: Sequence[Hit], columns: Sequence[str]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(160, console.width))
    if not hits:
        console.print("no results")
        return
    counted = [name for name in ("count", "percent", "key") if name in hits[0].added]
    with_events = hits[0].event is not None
    table = Table(box=box.SIMPLE_HEAD)
    for name in counted:
        table.add_column(name, justify="left" if name == "key" else "right", no_wrap=True)
    if with_events:
        table.add_column("time", no_wrap=True)
        for name in columns:
            table.add_column(name, overflow="fold")
    for hit in hits:
        cells = [_counted(name, hit) for name in counted]
        if with_events:
            cells.append(as_text(hit.values.get(TIMESTAMP))[:23])
            cells += [as_text(hit.values.get(name)) for name in columns]
        table.add_row(*map(Text, cells))
    console.print(table)


def _counted(name: str, hit: Hit) -> str:
    value = hit.added[name]
    return f"{value:.1%}" if name == "percent" else as_text(value)
