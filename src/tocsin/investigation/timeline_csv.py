"""Values of fields as cells of CSV that no spreadsheet takes for formulas, and that can be read back exactly.

A cell that would begin as a formula gets an apostrophe before it (OWASP: "CSV Injection"; ASVS 1.2.10). So does
one that begins with an apostrophe: whoever reads a cell takes one away. Every cell stands in quotes (RFC 4180).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import orjson

# Begin formulas, also in the wide form in which some programs take them; and what such characters hide behind.
_BEGINS = tuple("=+-@＝＋－＠")
_HIDES = "\t\r\n\0 "
_MARK = "'"


def csv_line(cells: Iterable[str]) -> bytes:
    """Return a line of cells, which are texts as `written_cell` makes them."""
    line = io.StringIO(newline="")
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode()


def written_cell(values: Any) -> str:
    """Return the values of a field as a cell: a single one as it is, several as a list in JSON."""
    members = values if isinstance(values, list) else [] if values is None else [values]
    if not members:
        return ""
    (first, *more) = members
    if more or not _is_plain(first):
        return _safe(orjson.dumps(members, default=str).decode())
    return _safe(first if isinstance(first, str) else orjson.dumps(first, default=str).decode())


def read_cell(text: str) -> list[Any]:
    """Return the values of a cell; a single one is a text."""
    if not text:
        return []
    text = text.removeprefix(_MARK)
    members = _list_in(text)
    return [text] if members is None else members


def _safe(text: str) -> str:
    is_risky = text[:1] in (*_HIDES, _MARK) or text.lstrip(_HIDES).startswith(_BEGINS)
    return _MARK + text if text and is_risky else text


def _is_plain(value: Any) -> bool:
    """Tell whether a single value as it is reads as itself: not empty, and no list."""
    if isinstance(value, str):
        return value != "" and _list_in(value) is None
    return isinstance(value, bool | int | float)


def _list_in(text: str) -> list[Any] | None:
    if not text.startswith("["):
        return None
    try:
        members: list[Any] = orjson.loads(text)
        return members
    except ValueError:
        return None
