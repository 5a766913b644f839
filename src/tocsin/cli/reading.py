"""What every command that reads telemetry has: where it is, what it is taken for, and what could not be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tocsin.sources.batch import Rejects
    from tocsin.sources.inputs import Input

REJECTS = Path("tocsin-rejects.ndjson")
Events = Annotated[
    list[str], typer.Argument(help="Files, folders, globs, or - for standard input.", metavar="EVENTS...")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        help="Take every record for one of this source, as `tocsin sources list` has it.",
        metavar="NAME",
    ),
]
RejectsFile = Annotated[Path, typer.Option("--rejects", help="Where to keep what could not be read.")]


def inputs_of(events: list[str], source: str | None) -> list[Input]:
    """Return the inputs that names stand for, taken for a source if one is named. Raises InputError."""
    from tocsin.sources.catalogue import find_source
    from tocsin.sources.inputs import find_inputs

    return find_inputs(events, source and find_source(source))


def tell_of_rejected(kept: Rejects) -> None:
    """Say on standard error how much was rejected, if anything, and where it is."""
    if kept.total:
        print(f"{kept.total:,} rejected; kept in {kept.path}", file=sys.stderr)
