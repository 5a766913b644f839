"""`tocsin query`: one EQL query over telemetry."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from tocsin.cli import options, reading
from tocsin.counted import counted
from tocsin.errors import QueryError
from tocsin.printable import printable_line


class QueryFormat(StrEnum):
    """How results are shown."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def query(
    text: Annotated[
        str,
        typer.Argument(help="The query, as in 'process where process.name : \"cmd.exe\"'.", metavar="EQL"),
    ],
    events: options.Events,
    start: options.FromTime = None,
    end: options.ToTime = None,
    output_format: Annotated[
        QueryFormat, typer.Option("--format", "-f", help="How to show results.")
    ] = QueryFormat.TABLE,
    fields: Annotated[
        str | None, typer.Option("--fields", help="Columns of the table, separated by commas.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many results.")] = 1000,
    wide: options.Wide = False,
    source: options.Source = None,
    date_order: options.DatesOrdered = None,
    rejects: options.RejectsFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Search telemetry with one EQL query; a field that no schema knows is written `?name`."""
    from tocsin.cli.hunt import parse_window
    from tocsin.cli.progress import progress_bar
    from tocsin.cli.results import show_results, show_sequences
    from tocsin.detection.categories import unknown_categories
    from tocsin.detection.compile import read_open
    from tocsin.detection.search import search
    from tocsin.ecs import default_schema
    from tocsin.eql.compile import read

    if not text.strip():
        raise QueryError("the query is empty", hint="as in 'process where process.name == \"cmd.exe\"'")
    statement, unknown = read_open(text, default_schema(), read)
    inputs = reading.inputs_of(events, source, date_order)
    kept = reading.rejects_kept(rejects, inputs)
    with progress_bar(inputs, quiet=quiet) as progress:
        result = search(statement, unknown, inputs, kept, parse_window(start, end), progress)
    kept.close()
    columns = tuple(f.strip() for f in fields.split(",")) if fields else ()
    if result.sequences:
        show_sequences(result.sequences[:limit], str(output_format), columns, statement, wide=wide)
    else:
        show_results(result.hits[:limit], str(output_format), columns, statement, wide=wide)
    if not quiet:
        results = len(result.hits) + len(result.sequences)
        more = f", the first {limit:,} shown" if results > limit else ""
        looked_at = f"{counted(result.events, 'event')} from {counted(result.files, 'file')}"
        print(f"{counted(results, 'result')} in {looked_at}{more}, {result.seconds:.2f} s", file=sys.stderr)
        for warning in () if results else unknown_categories(statement):
            print(printable_line(warning), file=sys.stderr)
        reading.tell_what_was_missed(kept)
    raise typer.Exit(2 if kept.anything and not result.events else 0)
