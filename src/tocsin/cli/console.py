"""The console that tables are printed to."""

from rich.console import Console


def wide_console(width: int, *, stderr: bool = False) -> Console:
    """Return the terminal, or a console of at least `width` columns where output goes to a file or a pipe."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=max(width, console.width))
