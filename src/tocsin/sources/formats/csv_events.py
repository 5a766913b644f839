"""Events in CSV: a line of column names, then a record a line, as consoles export query results.

Before the names there may be what Excel (`sep=;`) and Windows PowerShell (`#TYPE`) write. Event Viewer leaves the
last name out, and writes the others in the user's language.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from tocsin.errors import InputError, NoTelemetryError
from tocsin.sources.batch import Reject, Rejects, RowBatch, Wanted
from tocsin.sources.csv_rows import csv_rows
from tocsin.sources.document import Documents
from tocsin.sources.formats.rows import in_batches, shown
from tocsin.sources.products.defender_columns import is_row_without_action
from tocsin.sources.windows.forms.exported import VIEWED, viewed
from tocsin.sources.windows.recognise import MARKS
from tocsin.sources.wrappers import holds_known, is_known

_TYPE = "#TYPE "  # what Windows PowerShell's Export-Csv writes first by default
_SEPARATOR = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)  # for Excel
_DELIMITERS = (",", ";", "\t", "|")
_ZONE = re.compile(r" \[(?:UTC|Local Time|Local time)\]$")
# Columns that only tables of events have.
_OF_EVENTS = frozenset(
    (
        "@timestamp",
        "ActionType",
        "TimeGenerated",
        "event_simpleName",
        "dataSource.name",
        "event_type_full",
        # Windows
        "Channel",
        "LogName",
        "log_name",
        "winlog.channel",
        "winlog.event_id",
        "winlogbeat_winlog_event_id",
        "winlog_event_id",
        "System.Channel",
        "Event.System.Channel",
        "Event.System.Computer",
        *MARKS,
    )
)


def read_csv(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[RowBatch]:
    """Yield the events of a CSV stream; lines that do not fit the columns are rejected with their number.

    Raises InputError when the columns are of no source that is known.
    """
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
    try:
        yield from _events(_Table(text), name, wanted, rejects, documents)
    finally:
        text.detach()  # else it would close the stream, which the caller owns


class _Table:
    """The rows of a text and the lines that they begin on, without what stands before the columns' names."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text, self._again = iter(text), deque[str]()
        self._taken: list[str] = []
        self._line = 0  # lines that rows have been made of
        self.ends_within_line = False  # of the row that was read last
        first = self._peek()
        separator = _SEPARATOR.fullmatch(first)
        if separator or first.startswith(_TYPE):
            self._again.popleft()
            self._line += 1
            first = self._peek()
        delimiter = separator[1] if separator else max(_DELIMITERS, key=first.count)
        self._rows = csv_rows(self, delimiter)

    def _peek(self) -> str:
        self._again.extend([next(self._text, "")] if not self._again else [])
        return self._again[0]

    def __iter__(self) -> _Table:
        return self

    def __next__(self) -> str:
        """Return the next line: those to be read again come first, even after the last line of the text."""
        line = self._again.popleft() if self._again else next(self._text, "")
        if not line:
            raise StopIteration
        self._taken.append(line)
        return line

    def row(self) -> tuple[list[str] | csv.Error, int] | None:
        """Return the next row, or what is wrong with it, and the line that it begins on; None after the last."""
        self._taken = []
        try:
            row: list[str] | csv.Error = next(self._rows)
        except StopIteration:
            return None
        except csv.Error as error:
            row = error
        begin = self._line + 1
        self._line += len(self._taken)
        self.ends_within_line = bool(self._taken) and not self._taken[-1].endswith(("\n", "\r"))
        return row, begin

    def part(self) -> str:
        """Return the first line of the row that was read last; those after it are read again, as rows."""
        first, *others = self._taken
        self._again.extendleft(reversed(others))
        self._line -= len(others)
        return first


def _events(
    table: _Table, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[RowBatch]:
    first = table.row()
    names = first[0] if first and isinstance(first[0], list) else []
    # Log Analytics writes a moment's zone after its column's name.
    columns = [_ZONE.sub("", column.strip()) for column in names]
    before = table.row()
    sample = before[0] if before and isinstance(before[0], list) else []
    if len(columns) == len(VIEWED) - 1 and len(sample) == len(VIEWED) and viewed(columns, sample) is not None:
        columns = [*columns, ""]
    elif documents.source is None and not _is_table_of_events(columns, sample):
        kind = InputError if len(sample) == len(columns) else NoTelemetryError  # prose has commas, too
        raise kind(
            f"{name} has columns of no source that is known ({', '.join(columns[:4])})",
            hint="name the source with --source, as `tocsin sources list` has it",
        )
    if before is None and table.ends_within_line:  # a result without rows ends its line of names
        detail = "the file ends within the names of its columns"
        rejects.add(Reject(name, "line 1", "truncated CSV", detail, shown(columns)))
    yield from in_batches(_records(table, before, columns, name, rejects), name, wanted, rejects, documents)


def _is_table_of_events(columns: list[str], sample: list[str]) -> bool:
    """Return whether a table holds events, by its columns or its first row."""
    if not _OF_EVENTS.isdisjoint(columns) or is_row_without_action(columns):
        return True
    record = dict(zip(columns, sample, strict=False))
    return is_known(record) or holds_known(record)


def _records(
    table: _Table,
    before: tuple[list[str] | csv.Error, int] | None,
    columns: list[str],
    name: str,
    rejects: Rejects,
) -> Iterator[tuple[dict[str, Any], str]]:
    row = before
    while row is not None:
        values, line = row
        place = f"line {line}"
        if isinstance(values, csv.Error):
            rejects.add(Reject(name, place, "malformed CSV", str(values), table.part()[:4000]))
        elif len(values) != len(columns):
            # An open quote takes in the lines after it.
            if values:
                detail = f"{len(values)} values for {len(columns)} columns"
                rejects.add(Reject(name, place, "malformed CSV", detail, table.part().rstrip("\r\n")[:4000]))
        elif [value.lstrip("\ufeff") for value in values] != columns:  # the names again, of an appended file
            if not columns[-1]:
                record = viewed(columns, values)
            else:
                record = {c: v for c, v in zip(columns, values, strict=True) if v != ""}
            if record is None:
                rejects.add(Reject(name, place, "malformed CSV", "no event id and no time", shown(values)))
            else:
                yield record, place
        row = table.row()
