"""Rows that a host answers: bounded, packed, some hundred together, and read again page by page."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.investigation.timeline_csv import csv_line, written_cell
from tocsin.store.records.hosts import LiveQueryHost, LiveQueryRows

MOST_BYTES = 12 << 20  # of rows that are kept of a host's answer, as NDJSON
MOST_ROWS = 200_000
_MOST_COLUMNS, _LONGEST_NAME = 500, 200
_PART = 256 << 10  # bytes of NDJSON that are packed together
_MOST_OF_PART = 500  # rows


@dataclass(frozen=True)
class PackedRows:
    """Rows of an answer as they are kept. `rows` is how many there were, `reason` why not all of them are kept."""

    rows: int = 0
    kept_rows: int = 0
    size: int = 0
    reason: str = ""
    parts: Sequence[tuple[int, bytes]] = field(default=())  # how many rows, and these, packed


def packed_rows(rows: Any) -> PackedRows:
    """Pack the rows of an answer, as many as are kept. What is no row counts, and is left out."""
    if not isinstance(rows, list):
        return PackedRows()
    parts: list[tuple[int, bytes]] = []
    lines: list[bytes] = []
    kept_rows = size = waiting = no_rows = 0
    reason = ""
    for row in rows:
        if not isinstance(row, dict):
            no_rows += 1
            continue
        line = orjson.dumps(_as_row(row)) + b"\n"
        if size + len(line) > MOST_BYTES or kept_rows == MOST_ROWS:
            reason = f"of {len(rows):,} rows the first {kept_rows:,} are kept: {size:,} bytes"
            break
        lines.append(line)
        size, waiting, kept_rows = size + len(line), waiting + len(line), kept_rows + 1
        if waiting >= _PART or len(lines) == _MOST_OF_PART:
            parts.append((len(lines), zlib.compress(b"".join(lines), 1)))
            lines, waiting = [], 0
    if lines:
        parts.append((len(lines), zlib.compress(b"".join(lines), 1)))
    if no_rows:
        reason = "; ".join(filter(None, (reason, f"{no_rows:,} of what it answered were no rows")))
    return PackedRows(len(rows), kept_rows, size, reason, parts)


def _as_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with values that are texts, numbers or nothing, as osquery has them."""
    return {
        name[:_LONGEST_NAME]: value if value is None or isinstance(value, (str, int, float)) else _as_text(value)
        for name, value in list(row.items())[:_MOST_COLUMNS]
    }


def _as_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def keep_rows(session: Session, query_id: str, host_id: str, packed: PackedRows) -> None:
    """Keep the rows of an answer."""
    for number, (rows, document) in enumerate(packed.parts):
        session.add(LiveQueryRows(query_id=query_id, host_id=host_id, number=number, rows=rows, document=document))


def read_rows(
    session: Session,
    query_id: str,
    host_ids: Sequence[str] | None = None,
    *,
    start: int = 0,
    size: int | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id of a host and a row, host by host by their names: `size` at most, from the row `start`."""
    targets = select(LiveQueryHost.host_id).where(LiveQueryHost.query_id == query_id, LiveQueryHost.kept_rows > 0)
    if host_ids is not None:
        targets = targets.where(LiveQueryHost.host_id.in_(host_ids))
    skipped, left = start, size
    for host_id in session.scalars(targets.order_by(LiveQueryHost.host_name, LiveQueryHost.host_id)).all():
        numbers = select(LiveQueryRows.number, LiveQueryRows.rows).where(
            LiveQueryRows.query_id == query_id, LiveQueryRows.host_id == host_id
        )
        for number, count in session.execute(numbers.order_by(LiveQueryRows.number)).all():
            if left is not None and left <= 0:
                return
            if skipped >= count:
                skipped -= count
                continue
            part = session.get(LiveQueryRows, (query_id, host_id, number))
            if part is None:
                continue
            lines = zlib.decompress(part.document).splitlines()[skipped:]
            session.expunge(part)  # many parts are read one after the other
            skipped = 0
            for line in lines if left is None else lines[:left]:
                yield host_id, orjson.loads(line)
            left = None if left is None else left - len(lines)


def rows_as_ndjson(rows: Iterator[tuple[Mapping[str, Any], dict[str, Any]]]) -> Iterator[bytes]:
    """Yield rows as lines of JSON: what says where each comes from, and the row below `osquery`."""
    for about, row in rows:
        yield orjson.dumps({**about, "osquery": row}) + b"\n"


def rows_as_csv(
    columns: Sequence[str], about: Sequence[str], rows: Iterator[tuple[Mapping[str, Any], dict[str, Any]]]
) -> Iterator[bytes]:
    """Yield rows as lines of CSV: a first line of names, then what says where each row comes from, and the row."""
    yield csv_line([*about, *map(written_cell, columns)])
    for source, row in rows:
        yield csv_line(
            [written_cell(source.get(name)) for name in about] + [written_cell(row.get(name)) for name in columns]
        )


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of rows in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row))
