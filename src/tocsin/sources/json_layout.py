"""Where the wanted fields lie in lines of JSON and of which Arrow types they are, read off a sample of lines."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from tocsin.ecs import INDEX, FieldType, default_schema
from tocsin.sources.document import is_windows

_ARROW_BLOCK = 4 << 20  # bytes that one thread of Arrow's reader parses at a time
_SAMPLE = 64  # lines that are looked at for types


def is_bulk_action(record: Any) -> bool:
    """Tell the line that stands before each event of a bulk request."""
    return isinstance(record, dict) and record.keys() in ({"index"}, {"create"})


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Layout:
    """Where the wanted fields lie in a line and of which Arrow types they are."""

    def __init__(self, schema: pa.Schema, paths: dict[str, tuple[str, ...]], root: tuple[str, ...]) -> None:
        self.schema, self.paths, self.root = schema, paths, root

    def parse(self, block: bytes, lines: int) -> pa.Table | None:
        """Return the wanted fields of each of a block's `lines`, or None when it does not fit."""
        if not block.isascii() and not _is_utf8(block):  # Arrow does not look
            return None
        try:
            table = pyarrow.json.read_json(
                io.BytesIO(block),
                read_options=pyarrow.json.ReadOptions(use_threads=True, block_size=_ARROW_BLOCK),
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=self.schema, unexpected_field_behavior="ignore"
                ),
            )
        except pa.ArrowInvalid:
            return None
        return table if table.num_rows == lines and (lines or not block.strip()) else None

    def columns(self, table: pa.Table) -> dict[str, pa.ChunkedArray]:
        """Return the columns by their dotted names; those that are null throughout are left out."""
        found: dict[str, pa.ChunkedArray] = {}
        for name, path in self.paths.items():
            column = table.column(path[0])
            for part in path[1:]:
                column = pc.struct_field(column, part)
            if column.null_count < len(column):
                found[name] = column
        return found


_ARROW_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_DEFAULT_TYPES = {
    FieldType.LONG: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
}


def layout_of(block: bytes, fields: Iterable[str]) -> Layout | None:
    """Read some lines of a block for the place and type of each field; None when Arrow cannot read it."""
    sample: list[dict[str, Any]] = []
    for line in block[: 1 << 20].split(b"\n", _SAMPLE)[:_SAMPLE]:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(record, dict) or is_windows(record) or is_bulk_action(record):
            return None
        sample.append(record)
    if not sample:
        return None
    root: tuple[str, ...] = ("_source",) if all(isinstance(r.get("_source"), dict) for r in sample) else ()
    bodies = [r["_source"] if root else r for r in sample]
    tree: dict[str, Any] = {}
    paths: dict[str, tuple[str, ...]] = {}
    for field in fields:
        place = _place_of(field, bodies)
        if place is None:
            return None
        path, values = place
        kind = _type_of(field, values)
        if kind is None or not _plant(tree, (*root, *path), kind):
            return None
        paths[field] = (*root, *path)
    if root and not _plant(tree, ("_index",), pa.string()):
        return None
    if root:
        paths[INDEX] = ("_index",)
    return Layout(pa.schema(list(_arrow_fields(tree))), paths, root)


def _place_of(field: str, bodies: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[Any]] | None:
    """Find a field as `a.b`, or as b inside a; both ways in one sample is beyond one column."""
    nested_path = tuple(field.split(".")) if not field.startswith("@") else (field,)
    dotted = [body[field] for body in bodies if field in body] if "." in field else []
    nested = [value for body in bodies if (value := _dig(body, nested_path)) is not None]
    mixed = any(isinstance(body, dict) and _has_mixed_path(body, nested_path) for body in bodies)
    if mixed or (dotted and nested):
        return None
    if dotted:
        return (field,), dotted
    return nested_path, nested


def _dig(body: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(body, dict):
            return None
        body = body.get(part)
    return body


def _has_mixed_path(body: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Tell whether a prefix of the path is itself written with dots, as in {"process.parent": {"name": …}}."""
    return any(isinstance(body.get(".".join(path[:length])), dict) for length in range(2, len(path))) or any(
        isinstance(inner := _dig(body, path[:depth]), dict) and ".".join(path[depth:]) in inner
        for depth in range(1, len(path) - 1)
    )


def _type_of(field: str, values: list[Any]) -> pa.DataType | None:
    """Return the Arrow type that all sampled values share; the schema's when there are none."""
    known = default_schema().find(field)
    lists = [isinstance(value, list) for value in values]
    if any(lists) and not all(lists):
        return None
    items = [item for value in values for item in value] if any(lists) else values
    kinds = {type(item) for item in items if item is not None}
    if kinds == {int, float}:
        kinds = {float}
    if len(kinds) > 1 or (kinds and next(iter(kinds)) not in _ARROW_TYPES):
        return None
    if kinds:
        kind = _ARROW_TYPES[next(iter(kinds))]
    else:
        kind = _DEFAULT_TYPES.get(known.type, pa.string()) if known else pa.string()
    if known and known.type is FieldType.DOUBLE and kind == pa.int64():
        kind = pa.float64()
    many = any(lists) if values else bool(known and known.many)
    return pa.list_(kind) if many else kind


def _plant(tree: dict[str, Any], path: tuple[str, ...], kind: pa.DataType) -> bool:
    """Put a leaf into a tree of fields; False when the place is taken by something else."""
    at: Any = tree
    for part in path[:-1]:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            return False
    if isinstance(at.get(path[-1]), dict):
        return False
    at[path[-1]] = kind
    return True


def _arrow_fields(tree: Mapping[str, Any]) -> Iterator[pa.Field]:
    for name, below in tree.items():
        kind = pa.struct(list(_arrow_fields(below))) if isinstance(below, dict) else below
        yield pa.field(name, kind)
