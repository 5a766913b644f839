"""`tocsin sources`: what raw records become, and the same as files."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, BinaryIO, cast

import typer

from tocsin.cli import options, reading
from tocsin.cli.endings import format_of
from tocsin.counted import counted

app = typer.Typer(help="See how raw records become ECS events, and convert them.", no_args_is_help=True)


class MappingFormat(StrEnum):
    """How a source's mapping is shown."""

    TABLE = "table"
    MARKDOWN = "markdown"


class Target(StrEnum):
    """The format of converted events."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


_ENDINGS = {
    ".ndjson": Target.NDJSON, ".jsonl": Target.NDJSON, ".json": Target.NDJSON, ".parquet": Target.PARQUET,
}  # fmt: skip


@app.command("list")
def list_sources(wide: options.Wide = False) -> None:
    """List the sources that have a mapping: dataset, index, event ids, fields."""
    from tocsin.cli.source_page import print_sources

    print_sources(wide=wide)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A dataset, or a part of its name.", metavar="NAME")],
    form: Annotated[
        MappingFormat, typer.Option("--format", "-f", help="Tables for the terminal, or the events in Markdown.")
    ] = MappingFormat.TABLE,
) -> None:
    """Show a source's mapping as a table: what its events mean, and what each value becomes."""
    from tocsin.cli.source_page import print_source, print_source_in_markdown

    if form is MappingFormat.MARKDOWN:
        print_source_in_markdown(name)
    else:
        print_source(name)


@app.command("convert")
def convert(
    events: options.Events,
    target: Annotated[
        Target | None, typer.Option("--to", help="Default: ndjson, or what the name after -o ends in.")
    ] = None,
    output: options.Output = None,
    keep_original: Annotated[
        bool, typer.Option("--keep-original", help="Add each raw record as event.original.")
    ] = False,
    source: options.Source = None,
    date_order: options.DatesOrdered = None,
    rejects: options.RejectsBeside = None,
    quiet: options.Quiet = False,
) -> None:
    """Convert raw records to ECS events: every event, with every field."""
    from tocsin.cli.progress import progress_bar, reported
    from tocsin.errors import InputError
    from tocsin.printable import EscapedJson, is_terminal
    from tocsin.sources.batch import Wanted
    from tocsin.sources.convert import whole_events, write_ndjson, write_parquet
    from tocsin.sources.read import read_inputs

    target = target or format_of(output, _ENDINGS, Target.NDJSON, "--to")
    if target is Target.PARQUET and output is None and is_terminal(sys.stdout):
        raise InputError("Parquet is not for a terminal", hint="name a file with -o, or send it on with |")
    inputs = reading.inputs_of(events, source, date_order)
    reading.refuse_reading_what_is_written(inputs, output)
    kept = reading.rejects_kept(rejects, inputs, output)
    write = write_parquet if target is Target.PARQUET else write_ndjson
    with progress_bar(inputs, quiet=quiet, doing="converting") as progress:
        batches = read_inputs(inputs, Wanted(frozenset()), kept, progress)
        converted = whole_events(reported(batches, progress), with_original=keep_original, unseen=kept.unseen)
        try:
            if output is None:
                out = sys.stdout.buffer
                count = write(converted, cast("BinaryIO", EscapedJson(out)) if target is Target.NDJSON else out)
                sys.stdout.buffer.flush()
            else:
                with output.open("wb") as file:
                    count = write(converted, file)
        except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
            raise InputError(f"{output} cannot be written: {error.strerror}") from None
    kept.close()
    if not quiet:
        print(f"{counted(count, 'event')} converted", file=sys.stderr)
        reading.tell_what_was_missed(kept)
    raise typer.Exit(2 if kept.anything and not count else 0)
