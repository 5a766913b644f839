"""Events in CSV: a line of column names, then a record a line, as consoles export query results."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from tocsin.errors import InputError, NoTelemetryError
from tocsin.sources.batch import Reject, Rejects, RowBatch, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.formats.rows import in_batches, shown
from tocsin.sources.products.defender_columns import is_row_without_action

if TYPE_CHECKING:
    from _csv import Reader

_TYPE = "#TYPE "  # what Windows PowerShell's Export-Csv writes first unless told otherwise
_ZONE = re.compile(r" \[(?:UTC|Local Time|Local time)\]$")
_LONGEST = 16 << 20  # characters of one value
# Columns that tell a table of events from any other.
_TELLING = frozenset(
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
    )
)


def read_csv(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[RowBatch]:
    """Yield the events of a CSV stream; lines that do not fit the columns are rejected with their number.

    Raises InputError when the columns are of no source that is known.
    """
    csv.field_size_limit(_LONGEST)
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
    try:
        yield from _events(csv.reader(text, delimiter=_delimiter(file)), name, wanted, rejects, documents)
    finally:
        text.detach()  # else it would close the stream, which is not its own


def _events(
    lines: Reader, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[RowBatch]:
    first = next(lines, [])
    if first and first[0].startswith(_TYPE):
        first = next(lines, [])
    # Log Analytics writes a moment's zone behind its column's name.
    columns = [_ZONE.sub("", column.strip()) for column in first]
    if documents.source is None and _TELLING.isdisjoint(columns) and not is_row_without_action(columns):
        kind = InputError if _is_table(lines, len(columns)) else NoTelemetryError
        raise kind(
            f"{name} has columns of no source that is known ({', '.join(columns[:4])})",
            hint="name the source with --source, as `tocsin sources list` has it",
        )
    yield from in_batches(_records(lines, columns, name, rejects), name, wanted, rejects, documents)


def _is_table(lines: Reader, columns: int) -> bool:
    """Tell a table from prose, which has commas too, but hardly as many on the next line."""
    try:
        return len(next(lines, [])) == columns
    except csv.Error:
        return False


def _records(
    lines: Reader, columns: list[str], name: str, rejects: Rejects
) -> Iterator[tuple[dict[str, str], str]]:
    while True:
        try:
            values = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            rejects.add(Reject(name, f"line {lines.line_num}", "malformed CSV", str(error)))
            continue
        place = f"line {lines.line_num}"
        if values and len(values) != len(columns):
            detail = f"{len(values)} values for {len(columns)} columns"
            rejects.add(Reject(name, place, "malformed CSV", detail, shown(values)))
        elif values:
            yield {c: v for c, v in zip(columns, values, strict=True) if v != ""}, place


def _delimiter(file: BinaryIO) -> str:
    """Return what parts the columns' names."""
    head = file.peek(1 << 16).split(b"\n", 2)  # type: ignore[attr-defined]  # every stream here has it
    names = head[1] if len(head) > 1 and _TYPE.encode() in head[0] else head[0]
    return max((",", ";", "\t"), key=lambda mark: names.count(mark.encode()))
