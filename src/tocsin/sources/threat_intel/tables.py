"""Tables and plain lists of indicators: CSV with names of columns or without, one value a line, hosts files."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tocsin.ecs import default_schema
from tocsin.errors import InputError
from tocsin.sources.csv_rows import LONGEST_CELL, csv_rows
from tocsin.sources.threat_intel.rows import is_named
from tocsin.sources.threat_intel.values import kind_of, refanged

_COMMENTS = ("#", ";", "//")
_SEPARATORS = (",", "\t", ";", "|")
_INLINE = re.compile(r"\s+(?:[#;]|//).*\Z")
_HOSTS = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(?=\S)")
_SHOWN = 50  # lines that show which column holds the values


def table_rows(name: str, text: str) -> Iterator[Mapping[str, str]]:
    """Yield the rows of a table, by the names of its columns; a value of a list as the column `value`.

    Raises InputError for a table that cannot be read, and for one with several columns, none of which holds
    indicators.
    """
    try:
        yield from _rows(name, text)
    except csv.Error as error:
        hint = f"is a quotation mark open? a cell may have {LONGEST_CELL:,} characters"
        raise InputError(f"{name} cannot be read as CSV: {error}", hint=hint) from None


def _rows(name: str, text: str) -> Iterator[Mapping[str, str]]:
    lines = [line for line in text.splitlines(keepends=True) if line.strip()]
    comments = [line.lstrip("#;/ \t") for line in lines if line.startswith(_COMMENTS)]
    rows = [line for line in lines if not line.startswith(_COMMENTS)]
    if not rows:
        return
    separator = next((candidate for candidate in _SEPARATORS if _is_table(rows, candidate)), None)
    if separator is None:
        first, rest = _cells([rows[0]], ",")[0], rows[1:]
        if is_named(first[0]) and rest:
            yield from ({first[0]: _value(line)} for line in rest if _value(line))
        else:
            yield from ({"value": _value(line)} for line in rows if _value(line))
        return
    cells = csv_rows(rows, separator, skip_spaces=True)
    first = next(cells)
    names = _names(first, comments, separator)
    if names is None:
        column = _column_of_values([first, *_cells(rows[1:_SHOWN], separator)])
        if column is None:
            raise InputError(
                f"{name}: no column of the table is known to hold indicators",
                hint="name the columns in the first line, as in `type,value`, or `sha256`, or threat.indicator.ip",
            )
        yield from ({"value": row[column]} for row in (first, *cells) if len(row) > column and row[column].strip())
        return
    if names != first:
        yield dict(zip(names, first, strict=False))
    for row in cells:
        yield dict(zip(names, row, strict=False))


def _cells(rows: Sequence[str], separator: str) -> list[list[str]]:
    return list(csv_rows(rows, separator, skip_spaces=True))


def _is_table(rows: Sequence[str], separator: str) -> bool:
    """Return whether the first rows have the same number of cells; a single value may hold a separator."""
    counts = Counter(len(row) for row in _cells(rows[:_SHOWN], separator))
    most, number = counts.most_common(1)[0]
    return most > 1 and number * 10 >= counts.total() * 9 and not _is_list(rows)


def _is_list(rows: Sequence[str]) -> bool:
    """Return whether rows are a list of values, which may have a remark after each."""
    return all(kind_of(refanged(_value(line))) is not None for line in rows[:_SHOWN])


def _names(first: list[str], comments: Sequence[str], separator: str) -> list[str] | None:
    """Return the names of columns: the first row, or (abuse.ch) the last comment with as many cells."""
    if any(map(is_named, first)) and not any(map(_is_value, first)):
        return first
    for comment in reversed(comments):
        cells = _cells([comment], separator)
        if cells and len(cells[0]) == len(first) and any(is_named(cell) for cell in cells[0]):
            return cells[0]
    return None


def _is_value(cell: str) -> bool:
    """Return whether a cell is a value and not the name of a column, which may have dots as a domain has."""
    return not is_named(cell) and default_schema().find(cell) is None and kind_of(refanged(cell)) is not None


def _column_of_values(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the column of a table without names that holds the most values of a known kind, the first such."""
    counts: Counter[int] = Counter()
    for row in rows:
        for place, cell in enumerate(row):
            counts[place] += kind_of(refanged(cell)) is not None
    best = max(counts, key=lambda place: (counts[place], -place))
    return best if counts[best] else None


def _value(line: str) -> str:
    """Return the value of a line without the remark after it; of a line of a hosts file, the name."""
    return _HOSTS.sub("", _INLINE.sub("", line.strip()).strip().strip("\"'"))
