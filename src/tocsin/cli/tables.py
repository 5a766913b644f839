"""Tables that keep their text however narrow a terminal is: where columns do not fit, what is long goes below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import PrintableConsole
from tocsin.printable import printable_line

Cell = str | Text
_GAP = 2  # columns between two cells
_INDENT = 4  # columns in front of what stands below a row


@dataclass(frozen=True)
class Column:
    """A column. What is `whole` (ids, moments, numbers) stays on one line; the rest folds to `least` columns.

    `right` says on which side numbers stand.
    """

    name: str
    whole: bool = False
    least: int = 16
    right: bool = False


def print_table(
    console: Console,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    *,
    wide: bool = False,
    title: str = "",
) -> None:
    """Print rows as a table where their columns fit; otherwise a row is a line of what is whole, the rest below.

    No cell adds a line of its own: line breaks in it are written out. Columns that are empty in every row are left
    out. `wide` has one table and one line a row, however wide it is.
    """
    texts = [[_on_one_line(cell) for cell in row] for row in rows]
    shown = [n for n in range(len(columns)) if not texts or any(row[n].plain for row in texts)]
    columns, texts = [columns[n] for n in shown], [[row[n] for n in shown] for row in texts]
    widths = [_width(column, [row[n] for row in texts]) for n, column in enumerate(columns)]
    if title:
        console.print(Text(title, style="italic"))
    if wide:
        needed = sum(widths) + _GAP * len(widths)
        own = PrintableConsole(
            file=console.file, width=max(needed, console.width), force_terminal=console.is_terminal
        )
        _print(own, columns, texts)
        return
    least = [
        width if column.whole else min(width, column.least) for column, width in zip(columns, widths, strict=True)
    ]
    if sum(least) + _GAP * (len(least) - 1) <= console.width:
        _print(console, columns, texts)
    else:
        _print_stacked(console, columns, texts)


def _on_one_line(cell: Cell) -> Text:
    style = cell.style if isinstance(cell, Text) else ""
    return Text(printable_line(str(cell)), style)


def _width(column: Column, cells: Sequence[Text]) -> int:
    return max(len(column.name), *(cell.cell_len for cell in cells), 0)


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.name, no_wrap=column.whole, overflow="fold", justify="right" if column.right else "left"
        )
    return table


def _print(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    table = _table(columns)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_stacked(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    """Print a row as a line of what is whole, so many columns as fit, and all others below it with their names."""
    head, room = list[int](), console.width
    widths = {}
    for n, column in enumerate(columns):
        width = _width(column, [row[n] for row in rows]) + _GAP
        if column.whole and width <= room:
            head.append(n)
            widths[n] = width - _GAP
            room -= width
    below = [n for n in range(len(columns)) if n not in head]
    if head:
        console.print(_row(columns, head, widths, [Text(column.name, "bold") for column in columns]))
    for row in rows:
        if head:
            console.print(_row(columns, head, widths, row))
        labelled = [Text.assemble((f"{columns[n].name}: ", "dim"), row[n]) for n in below if row[n].plain]
        lines, line = [], Text()
        for part in labelled:
            if line and line.cell_len + _GAP + part.cell_len > console.width - _INDENT:
                lines.append(line)
                line = Text()
            line = Text.assemble(line, "  ", part) if line else part
        for text in [*lines, *([line] if line else [])]:
            console.print(Padding(Text(text.plain, spans=text.spans, overflow="fold"), (0, 0, 0, _INDENT)))


def _row(columns: Sequence[Column], head: Sequence[int], widths: dict[int, int], row: Sequence[Text]) -> Table:
    table = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    for n in head:
        table.add_column(width=widths[n], no_wrap=True, justify="right" if columns[n].right else "left")
    table.add_row(*(row[n] for n in head))
    return table
