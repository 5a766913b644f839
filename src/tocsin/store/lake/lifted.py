r"""Documents without what their index's columns hold anyway.

Where a column of text has many distinct values, its value is replaced in the document by the column's name between
two `\x01`, a byte that no JSON text holds. Only the exact JSON of the value is replaced, so that putting it back
gives the document as it came, to the byte. It halves what a table takes on disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.lake.fields import ID, OWN, SOURCE

_DISTINCT = 0.1  # of a table's rows: fewer distinct values cost next to nothing in the document
_SHORTEST = 6  # characters, on average
_MARK = re.compile("\x01([^\x01]+)\x01")


def lift(table: pa.Table) -> pa.Table:
    """Return a table whose documents are without the values of its richest columns."""
    sources: list[str] = table.column(SOURCE).to_pylist()
    for name in table.column_names:
        column = table.column(name)
        if (name in OWN and name != ID) or not _is_rich(column):
            continue
        mark = _mark(name)
        for row, value in enumerate(column.to_pylist()):
            if value:
                sources[row] = sources[row].replace(_json(value), mark)
    position = table.column_names.index(SOURCE)
    return table.set_column(position, SOURCE, pa.array(sources, pa.string()))


def restore(
    sources: Sequence[str], columns: Callable[[frozenset[str]], Mapping[str, Sequence[Any]]]
) -> list[bytes]:
    """Return documents as they came; `columns` gives, for names, the values beside each document."""
    names = frozenset(name for source in sources for name in _MARK.findall(source))
    if not names:
        return [source.encode() for source in sources]
    values = columns(names)
    whole = []
    for row, source in enumerate(sources):
        whole.append(_MARK.sub(lambda found: _json(values[found[1]][row]), source).encode())  # noqa: B023
    return whole


def _mark(name: str) -> str:
    return f"\x01{name}\x01"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_rich(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_list(kind) and kind.value_type == pa.string():
        texts = pc.binary_join(column, " ")
    elif kind == pa.string():
        texts = column
    else:
        return False
    if len(column) - column.null_count < _DISTINCT * len(column):
        return False
    distinct: int = pc.count_distinct(texts).as_py()
    length = pc.mean(pc.binary_length(texts)).as_py() or 0
    return distinct > _DISTINCT * len(column) and length >= _SHORTEST
