"""The progress bar of commands that read telemetry: bytes done, events, events a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tocsin.cli.console import PrintableConsole
from tocsin.counted import counted
from tocsin.printable import printable_line
from tocsin.sources.batch import EventBatch
from tocsin.sources.inputs import Input

Update = Callable[[Input | EventBatch], None]


@contextmanager
def progress_bar(inputs: Sequence[Input], *, quiet: bool, doing: str = "hunting") -> Iterator[Update | None]:
    """Show a bar on standard error while it is a terminal; yields the function to report progress with."""
    console = PrintableConsole(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[events]}"),
        TextColumn("[cyan]{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
    )
    total = sum(source.size for source in inputs)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(doing, total=total or None, events=counted(0, "event"), rate=0.0)
        state = {"events": 0, "done": 0, "size": 0}

        def update(what: Input | EventBatch) -> None:
            if isinstance(what, Input):
                state["done"] += state["size"]
                state["size"] = what.size
                name = what.name if len(what.name) <= 40 else "…" + what.name[-39:]
                progress.update(task, description=escape(printable_line(name)), completed=state["done"])
                return
            state["events"] += what.events
            elapsed = progress.tasks[0].elapsed or 1e-9
            progress.update(task, events=counted(state["events"], "event"), rate=state["events"] / elapsed)

        yield update


def reported(batches: Iterable[EventBatch], progress: Update | None) -> Iterator[EventBatch]:
    """Pass batches on, and report each to `progress`."""
    for batch in batches:
        yield batch
        if progress is not None:
            progress(batch)
