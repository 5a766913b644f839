"""The console that is printed to, and how wide it is."""

import os
import sys
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tocsin.printable import plain, printable


class PrintableConsole(Console):
    """A console that writes out what a terminal would obey or hide, whatever is printed on it."""

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None, **options: Any) -> None:
        super().__init__(file=plain(file or (sys.stderr if stderr else sys.stdout)), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what something is printed as."""
        for segment in super().render(renderable, options):
            if segment.control or (text := printable(segment.text)) == segment.text:
                yield segment
            else:
                yield Segment(text, segment.style)


def columns(least: int, console: Console) -> int:
    """Return the columns of the terminal, or `$COLUMNS`; in a file or pipe without that, at least `least`."""
    if console.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return console.width
    return max(least, console.width)


def wide_console(width: int, *, stderr: bool = False, **options: Any) -> PrintableConsole:
    """Return the terminal, or a console of at least `width` columns where output goes to a file or a pipe."""
    console = PrintableConsole(stderr=stderr, **options)
    return PrintableConsole(stderr=stderr, width=columns(width, console), **options)
