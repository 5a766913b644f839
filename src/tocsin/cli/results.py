"""Results of a query: a table for people, JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.shown import shown_time
from tocsin.cli.tables import Cell, Column, print_table
from tocsin.detection.alerts.alert import Alert, as_text
from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP
from tocsin.engine.pipes import Hit
from tocsin.eql import syntax as s
from tocsin.printable import printable_line
from tocsin.sources.batch import as_document

_USUAL = ("host.name", "user.name", "process.name", "process.command_line")
_HIDDEN = {CATEGORY, TIMESTAMP, "event.type", "host.os.type", INDEX}


def show_sequences(
    sequences: Sequence[Alert], how: str, columns: Sequence[str], statement: s.Statement, *, wide: bool = False
) -> None:
    """Print sequences or samples as `table`, `json` or `ndjson`; one object each, as Elasticsearch answers."""
    if how == "table":
        events = [alert.event for sequence in sequences for alert in sequence.events]
        _tell_of_absent(columns, events)
        _sequence_table(sequences, columns or _columns(statement, events), wide=wide)
        return
    _dump([_sequence_document(sequence) for sequence in sequences], how)


def _sequence_document(sequence: Alert) -> dict[str, object]:
    events = [{"missing": True} if member is None else as_document(member.event) for member in sequence.members]
    return {"join_keys": list(sequence.keys), "events": events}


def _sequence_table(sequences: Sequence[Alert], columns: Sequence[str], *, wide: bool) -> None:
    heads = [Column(name, whole=True) for name in ("sequence", "step", "time (UTC)")]
    rows: list[list[Cell]] = []
    for number, sequence in enumerate(sequences, 1):
        for step, member in enumerate(sequence.members, 1):
            row: list[Cell] = [str(number) if step == 1 else "", str(step)]
            if member is None:
                row += [Text("(missing, as asked)", style="dim"), *("" for _ in columns)]
            else:
                row += [shown_time(member.timestamp), *(member.value(name) for name in columns)]
            rows.append(row)
    print_table(wide_console(160), [*heads, *_folding(columns)], rows, wide=wide)


def _folding(names: Sequence[str]) -> list[Column]:
    return [Column(name, least=28 if name.endswith("command_line") else 14) for name in names]


def show_results(
    hits: Sequence[Hit], how: str, columns: Sequence[str], statement: s.Statement, *, wide: bool = False
) -> None:
    """Print results as `table`, `json` or `ndjson`."""
    if how == "table":
        events = [hit.values for hit in hits]
        _tell_of_absent(columns, events)
        _table(hits, columns or _columns(statement, events), wide=wide)
        return
    _dump([{**as_document(hit.event or {}), **hit.added} for hit in hits], how)


def _dump(documents: Sequence[dict[str, object]], how: str) -> None:
    if how == "json":
        sys.stdout.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
        return
    for document in documents:
        sys.stdout.write(orjson.dumps(document, default=str).decode() + "\n")


def _tell_of_absent(columns: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
    """Say on standard error which columns are asked for that no result has."""
    absent = [name for name in columns if all(event.get(name) is None for event in events)]
    if absent and events:
        print(f"no result has {', '.join(map(printable_line, absent))}", file=sys.stderr)


def _columns(statement: s.Statement, events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Choose columns: what the query asks about, then what a responder wants to see, if any event has it."""
    asked = [name for name in s.statement_fields(statement) if name not in _HIDDEN]
    names = dict.fromkeys([*_USUAL, *asked])
    return [name for name in names if any(event.get(name) is not None for event in events)][:8]


def _table(hits: Sequence[Hit], columns: Sequence[str], *, wide: bool) -> None:
    console = wide_console(160)
    if not hits:
        console.print("no results")
        return
    counts = [name for name in ("count", "percent", "key") if name in hits[0].added]
    with_events = hits[0].event is not None
    heads = [Column(name, whole=name != "key", right=name != "key") for name in counts]
    if with_events:
        heads += [Column("time (UTC)", whole=True), *_folding(columns)]
    rows: list[list[Cell]] = []
    for hit in hits:
        cells: list[Cell] = [_counted(name, hit) for name in counts]
        if with_events:
            cells.append(shown_time(hit.values.get(TIMESTAMP)))
            cells += [as_text(hit.values.get(name)) for name in columns]
        rows.append(cells)
    print_table(console, heads, rows, wide=wide)


def _counted(name: str, hit: Hit) -> str:
    value = hit.added[name]
    return f"{value:.1%}" if name == "percent" else as_text(value)
