"""Results of a query: a table for people, JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich import box
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.shown import printable, shown_time
from tocsin.detection.alert import Alert, as_text
from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP
from tocsin.engine.pipes import Hit
from tocsin.eql import syntax as s
from tocsin.sources.batch import as_document

_USUAL = ("host.name", "user.name", "process.name", "process.command_line")
_HIDDEN = {CATEGORY, TIMESTAMP, "event.type", "host.os.type", INDEX}


def show_sequences(found: Sequence[Alert], how: str, columns: Sequence[str], statement: s.Statement) -> None:
    """Print sequences or samples as `table`, `json` or `ndjson`; one object each, as Elasticsearch answers."""
    if how == "table":
        _sequence_table(
            found, columns or _columns(statement, [alert.event for one in found for alert in one.events])
        )
        return
    _dump([_sequence_document(one) for one in found], how)


def _sequence_document(found: Alert) -> dict[str, object]:
    events = [{"missing": True} if one is None else as_document(one.event) for one in found.members]
    return {"join_keys": list(found.keys), "events": events}


def _sequence_table(found: Sequence[Alert], columns: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("sequence", "step", "time (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in columns:
        table.add_column(name, overflow="fold")
    for number, sequence in enumerate(found, 1):
        for step, member in enumerate(sequence.members, 1):
            head = [str(number) if step == 1 else "", str(step)]
            if member is None:
                table.add_row(*head, Text("(missing, as asked)", style="dim"))
                continue
            cells = [shown_time(member.timestamp), *(member.value(name) for name in columns)]
            table.add_row(*map(Text, map(printable, [*head, *cells])), end_section=step == len(sequence.members))
    wide_console(160).print(table)


def show_results(hits: Sequence[Hit], how: str, columns: Sequence[str], statement: s.Statement) -> None:
    """Print results as `table`, `json` or `ndjson`."""
    if how == "table":
        _table(hits, columns or _columns(statement, [hit.values for hit in hits]))
        return
    _dump([{**as_document(hit.event or {}), **hit.added} for hit in hits], how)


def _dump(documents: Sequence[dict[str, object]], how: str) -> None:
    if how == "json":
        sys.stdout.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
        return
    for document in documents:
        sys.stdout.write(orjson.dumps(document, default=str).decode() + "\n")


def _columns(statement: s.Statement, events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Choose columns: what the query asks about, then what a responder wants to see, if any event has it."""
    asked = [name for name in s.statement_fields(statement) if name not in _HIDDEN]
    names = dict.fromkeys([*_USUAL, *asked])
    return [name for name in names if any(event.get(name) is not None for event in events)][:8]


def _table(hits: Sequence[Hit], columns: Sequence[str]) -> None:
    console = wide_console(160)
    if not hits:
        console.print("no results")
        return
    counted = [name for name in ("count", "percent", "key") if name in hits[0].added]
    with_events = hits[0].event is not None
    table = Table(box=box.SIMPLE_HEAD)
    for name in counted:
        table.add_column(name, justify="left" if name == "key" else "right", no_wrap=True)
    if with_events:
        table.add_column("time (UTC)", no_wrap=True)
        for name in columns:
            table.add_column(name, overflow="fold")
    for hit in hits:
        cells = [_counted(name, hit) for name in counted]
        if with_events:
            cells.append(shown_time(hit.values.get(TIMESTAMP)))
            cells += [as_text(hit.values.get(name)) for name in columns]
        table.add_row(*map(Text, map(printable, cells)))
    console.print(table)


def _counted(name: str, hit: Hit) -> str:
    value = hit.added[name]
    return f"{value:.1%}" if name == "percent" else as_text(value)
