"""Rows of CSV. One limit for a cell, which the standard library keeps for the whole process."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

LONGEST_CELL = 16 << 20  # characters


def csv_rows(lines: Iterable[str], separator: str, *, skip_spaces: bool = False) -> Iterator[list[str]]:
    """Return an iterator of rows, which raises csv.Error for what is no row and for a cell that is too long.

    With `skip_spaces`, spaces after a separator belong to no cell.
    """
    csv.field_size_limit(LONGEST_CELL)
    return csv.reader(lines, delimiter=separator, skipinitialspace=skip_spaces)
