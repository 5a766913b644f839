"""Rows that hosts answer, on the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tocsin.store.records.hosts import StoredLiveQuery

_MOST_OF_TABLE = 500  # rows


def print_answers(session: Session, query: StoredLiveQuery, form: str) -> None:
    """Print the rows of a query in a format, and of each host that gave none, or not all, why."""
    from tocsin.counted import counted
    from tocsin.response.hosts.live_queries import QueryState, targets_of
    from tocsin.response.hosts.query_rows import read_rows, rows_as_csv, rows_as_ndjson

    targets = targets_of(session, query.id, size=10_000)
    names = {target.host_id: target.host_name for target in targets}
    if form == "table":
        _print_table(list(read_rows(session, query.id, size=_MOST_OF_TABLE)), names)
    else:
        rows = (({"host.name": names[id_], "host.id": id_}, row) for id_, row in read_rows(session, query.id))
        if form == "csv":
            columns = list(dict.fromkeys(name for _, row in read_rows(session, query.id) for name in row))
            lines = rows_as_csv(columns, ("host.name", "host.id"), rows)
        else:
            lines = rows_as_ndjson(rows)
        for line in lines:
            sys.stdout.write(line.decode("utf-8", "replace"))
    kept = sum(target.kept_rows for target in targets)
    if form == "table" and kept > _MOST_OF_TABLE:
        typer.echo(
            f"these are the first {_MOST_OF_TABLE:,} of {kept:,} rows: --format ndjson prints all", err=True
        )
    for target in targets:
        if target.state != QueryState.ANSWERED.value or target.reason:
            typer.echo(
                f"{target.host_name}: {target.state}{': ' if target.reason else ''}{target.reason}", err=True
            )
    answered = sum(target.state == QueryState.ANSWERED.value for target in targets)
    typer.echo(f"{counted(kept, 'row')} of {answered} of {counted(len(targets), 'host')}", err=True)


def _print_table(rows: list[tuple[str, dict[str, Any]]], names: dict[str, str]) -> None:
    from tocsin.cli.console import wide_console
    from tocsin.cli.shown import one_line
    from tocsin.cli.tables import Column, print_table

    if not rows:
        return
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    several = len(names) > 1
    shown = [Column("host", whole=True)] if several else []
    shown += [Column(one_line(name)) for name in columns]
    cells = [
        (*([one_line(names[id_])] if several else []), *(one_line(str(row.get(name, ""))) for name in columns))
        for id_, row in rows
    ]
    print_table(wide_console(120), shown, cells)
