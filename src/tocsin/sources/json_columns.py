"""Lines of JSON as Arrow columns: some members of each object, of known types."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

_ARROW_BLOCK = 4 << 20  # bytes that one thread of Arrow's reader parses at a time
_OF_PYTHON = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


class Columns(NamedTuple):
    """The columns of a block by field, how many rows they have, and the rows by dataset.

    `left` numbers the lines that are not among the rows: they are to be read one by one. `without_values` counts
    rows that lack what every event of their kind has.
    """

    fields: Mapping[str, pa.Array | pa.ChunkedArray]
    rows: int
    counts: Counter[str]
    left: tuple[int, ...] = ()
    without_values: int = 0


Tree = dict[str, Any]  # members by name: an Arrow type, or the members below


def sample_of(block: bytes, lines: int) -> list[Any]:
    """Return the values of some lines, spread over a block; damaged ones are left out."""
    values_by_start: dict[int, Any] = {}
    for number in range(lines):
        start = block.find(b"\n", number * len(block) // lines) + 1 if number else 0
        end = block.find(b"\n", start)
        if start not in values_by_start and block[start:end].strip():
            try:
                values_by_start[start] = orjson.loads(block[start:end])
            except orjson.JSONDecodeError:
                continue
    return list(values_by_start.values())


def parse_lines(block: bytes, lines: int, schema: pa.Schema, others: str = "ignore") -> pa.Table | None:
    """Return the columns of a schema for each of a block's `lines`, None when they do not fit.

    With `others` "error" a line with a member that is not in the schema does not fit.
    """
    if not block.isascii() and not _is_utf8(block):  # Arrow does not look
        return None
    try:
        table = pyarrow.json.read_json(
            io.BytesIO(block),
            read_options=pyarrow.json.ReadOptions(use_threads=True, block_size=_ARROW_BLOCK),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others),
        )
    except pa.ArrowInvalid:
        return None
    return table if table.num_rows == lines and (lines or not block.strip()) else None


def _is_utf8(block: bytes) -> bool:
    try:
        offsets = pa.py_buffer(struct.pack("<qq", 0, len(block)))
        whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(block)])
        whole.cast(pa.large_string())  # it looks at each byte, and decoding would copy them all
    except pa.ArrowInvalid:
        return False
    return True


def at(table: pa.Table, path: tuple[str, ...]) -> pa.ChunkedArray:
    """Return the column at a path of nested members."""
    column = table.column(path[0])
    for part in path[1:]:
        # By its place: Arrow takes a name that begins with a dot for a path.
        column = pc.struct_field(column, [column.type.get_field_index(part)])
    return column


def plant(tree: Tree, path: tuple[str, ...], kind: pa.DataType | Tree) -> bool:
    """Put a leaf into a tree of members; False when the place is taken by something else."""
    at: Any = tree
    for part in path[:-1]:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            return False
    if isinstance(at.get(path[-1]), dict):
        return False
    at[path[-1]] = kind
    return True


def schema_of(tree: Tree) -> pa.Schema:
    """Return a tree of members as an Arrow schema."""
    return pa.schema(list(_fields(tree)))


def _fields(tree: Mapping[str, Any]) -> Iterator[pa.Field]:
    for name, below in tree.items():
        kind = pa.struct(list(_fields(below))) if isinstance(below, dict) else below
        yield pa.field(name, kind)


def type_of(values: Iterable[Any], unknown: pa.DataType) -> pa.DataType | None:
    """Return the Arrow type that all values share, `unknown` where all are null; None where they share none.

    Lists share a type with lists only.
    """
    present = [value for value in values if value is not None]
    kinds = set(map(type, present))
    if not kinds:
        return unknown
    if kinds == {list}:
        inner = type_of((item for value in present for item in value), unknown)
        return None if inner is None else pa.list_(inner)
    if kinds == {int, float}:
        return pa.float64()
    return _OF_PYTHON.get(next(iter(kinds))) if len(kinds) == 1 else None
