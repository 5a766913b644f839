"""The console that is printed to, and how wide it is."""

import os
from typing import Any

from rich.console import Console


def columns(least: int, console: Console) -> int:
    """Return the columns of the terminal, or `$COLUMNS`; in a file or pipe without that, at least `least`."""
    if console.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return console.width
    return max(least, console.width)


def wide_console(width: int, *, stderr: bool = False, **options: Any) -> Console:
    """Return the terminal, or a console of at least `width` columns where output goes to a file or a pipe."""
    console = Console(stderr=stderr, **options)
    return Console(stderr=stderr, width=columns(width, console), **options)
