"""Options and arguments that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

REJECTS_ENDING = ".rejects.ndjson"  # in place of an output's ending

# ---- telemetry that is read

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


class DateOrderOption(StrEnum):
    """What comes first in a date such as 3/4/2026."""

    DAY = "day"
    MONTH = "month"


DatesOrdered = Annotated[
    DateOrderOption | None,
    typer.Option(
        "--date-order",
        help="What comes first in a date such as 3/4/2026. Default: what each file's dates show.",
        show_default=False,
    ),
]
_KEPT = "Keep what could not be read in this file."
RejectsFile = Annotated[
    Path | None,
    typer.Option("--rejects", help=f"{_KEPT} Default: it is only counted.", show_default=False),
]
RejectsBeside = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        help=f"{_KEPT} Default: NAME{REJECTS_ENDING} beside what -o names; without -o it is only counted.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no closing line.")]
Wide = Annotated[
    bool, typer.Option("--wide", "-w", help="One table with every column, however narrow the terminal is.")
]
RuleFolders = Annotated[
    list[str] | None,
    typer.Option(
        "--rules", "-r", help="Rule file or folder; repeatable. Default: the rules that ship with tocsin."
    ),
]
FromTime = Annotated[
    str | None, typer.Option("--from", help="Only events at or after this time (ISO 8601 or now-48h).")
]
ToTime = Annotated[str | None, typer.Option("--to", help="Only events before this time.")]

# ---- the service's data

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The configuration file (TOML).", metavar="FILE")
]
Data = Annotated[Path | None, typer.Option("--data", help="The folder that holds everything that is kept.")]
AlertId = Annotated[str, typer.Argument(help="An alert's id, or its beginning.", metavar="ID")]
Url = Annotated[
    str | None, typer.Option("--url", envvar="TOCSIN_URL", help="A running service; its data directory otherwise.")
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", envvar="TOCSIN_API_KEY", help="The key for it, as `tocsin keys add` shows it."),
]
RuleName = Annotated[str | None, typer.Argument(help="A rule's name, a part of it, or its id.", metavar="RULE")]
EveryRule = Annotated[bool, typer.Option("--all", help="Every rule.")]
SpanStart = Annotated[str | None, typer.Option("--from", help="Where the span begins: a date, or as in now-6h.")]
SpanEnd = Annotated[str, typer.Option("--to", help="Where it ends.")]
