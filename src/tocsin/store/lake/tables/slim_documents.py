r"""Documents without what their index's columns hold anyway.

Where a column of text has many distinct values, its value is replaced in the document by the column's name between
two `\x01`, a byte that no JSON text holds. Only the exact JSON of the value is replaced, so that putting it back
gives the document as it came, to the byte. It halves what a table takes on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.events import OWN, SOURCE

_SAMPLE = 1024  # rows by which rich columns are chosen
_WORTH = 5.0  # bytes of distinct values a row, below which a column costs next to nothing in the document
_MARK = "\x01"


def slim_documents(table: pa.Table) -> pa.Table:
    """Return a table whose documents are without the values of its richest columns."""
    sources: list[str] = table.column(SOURCE).to_pylist()
    for name in table.column_names:
        column = table.column(name)
        if name in OWN or not _is_rich(column):
            continue
        mark = _mark(name)
        if not column.null_count:
            sources = list(map(str.replace, sources, _tokens(column), repeat(mark), repeat(1)))
            continue
        rows = np.flatnonzero(column.is_valid().to_numpy())
        for row, token in zip(rows.tolist(), _tokens(column.drop_null()), strict=True):
            sources[row] = sources[row].replace(token, mark, 1)
    position = table.column_names.index(SOURCE)
    return table.set_column(position, SOURCE, pa.array(sources, pa.string()))


def restore_documents(
    sources: Sequence[str], columns: Callable[[frozenset[str]], Mapping[str, Sequence[Any]]]
) -> list[bytes]:
    """Return documents as they came; `columns` gives, for names, the values beside each document."""
    parts = [source.split(_MARK) for source in sources]  # every second part is a column's name
    names = frozenset(name for cut in parts for name in cut[1::2])
    values = columns(names) if names else {}
    whole = []
    for row, cut in enumerate(parts):
        cut[1::2] = [_json(values[name][row]) for name in cut[1::2]]
        whole.append("".join(cut).encode())
    return whole


def _mark(name: str) -> str:
    return f"{_MARK}{name}{_MARK}"


def _tokens(column: pa.ChunkedArray) -> list[str]:
    """Return the JSON of each value as documents have it.

    It is not escaped beyond backslashes and quotes: a value with more than that is not found, and stays.
    """
    array = pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_list(array.type):
        texts = pa.ListArray.from_arrays(array.offsets, _escaped(array.values), mask=array.is_null())
        joined = pc.binary_join(texts, '","')
        ends = ('["', '"]')
    else:
        joined, ends = _escaped(array), ('"', '"')
    whole = pc.binary_join_element_wise(ends[0], joined, ends[1], "")
    tokens: list[str] = whole.to_pylist()
    return tokens


def _escaped(texts: pa.Array) -> pa.Array:
    return pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_rich(column: pa.ChunkedArray) -> bool:
    kind = column.type
    column = column.slice(0, _SAMPLE)
    if pa.types.is_list(kind) and kind.value_type == pa.string():
        texts = pc.binary_join(column, " ")
    elif kind == pa.string():
        texts = column
    else:
        return False
    distinct: int = pc.count_distinct(texts).as_py()
    length: float = pc.mean(pc.binary_length(texts)).as_py() or 0.0
    return distinct * length > _WORTH * len(column)
