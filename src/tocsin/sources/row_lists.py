"""Tables in JSON that name their columns once: the rows as records.

Azure Monitor's and Azure Data Explorer's query APIs answer `tables` of `columns` with names and `rows` of values
(version 1 writes them with capitals and `ColumnName`); Splunk's `output_mode=json_rows` and `json_cols` answer
`fields` beside `rows` or `columns`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Members that show such an answer.
MEMBERS = frozenset(("tables", "Tables", "rows", "columns"))


def rows_in(answer: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of the tables that an answer holds, None for anything else."""
    tables = answer.get("tables", answer.get("Tables"))
    if isinstance(tables, list) and tables:
        parts = [_rows_of(table) for table in tables]
        return None if any(part is None for part in parts) else [row for part in parts for row in part or ()]
    return _rows_of(answer)


def _rows_of(table: Any) -> list[dict[str, Any]] | None:
    if not isinstance(table, dict):
        return None
    columns, rows, fields = (table.get(name, table.get(name.title())) for name in ("columns", "rows", "fields"))
    if rows is not None:
        return _named(columns if fields is None else fields, rows)
    if fields is None or not isinstance(columns, list) or not _are_lists(columns):
        return None
    if len({len(column) for column in columns}) > 1:
        return None
    return _named(fields, [list(row) for row in zip(*columns, strict=True)])


def _named(columns: Any, rows: Any) -> list[dict[str, Any]] | None:
    if not isinstance(columns, list) or not _are_lists(rows):
        return None
    names = [_name(column) for column in columns]
    if not names or None in names or any(len(row) != len(names) for row in rows):
        return None
    return [_without_nulls(zip(map(str, names), row, strict=True)) for row in rows]


def _name(column: Any) -> str | None:
    if isinstance(column, dict):
        column = column.get("name", column.get("ColumnName"))
    return column if isinstance(column, str) else None


def _are_lists(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, list) for value in values)


def _without_nulls(members: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in members if value is not None}
