"""The option and the closing line that every command that reads telemetry has for what could not be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tocsin.sources.batch import Rejects

REJECTS = Path("tocsin-rejects.ndjson")
RejectsFile = Annotated[Path, typer.Option("--rejects", help="Where to keep what could not be read.")]


def tell_of_rejected(kept: Rejects) -> None:
    """Say on standard error how much was rejected, if anything, and where it is."""
    if kept.total:
        print(f"{kept.total:,} rejected; kept in {kept.path}", file=sys.stderr)
