"""How the documents of an index are laid out: the path and the JSON type of each member, learnt from documents.

Documents that fit are read by Arrow, all members at once. One that has another member, or another type, does not.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.date_formats import DEFAULT
from tocsin.ecs import Field, FieldType
from tocsin.sources.json_columns import at, parse_lines, plant, schema_of, type_of

Path = tuple[str, ...]

_WIDER = {frozenset((pa.int64(), pa.float64())): pa.float64()}
_ODD = pa.null()  # a member of several types, or of objects in lists: its documents are read one by one


class ObservedLayout:
    """What is known of the documents so far."""

    def __init__(self) -> None:
        self._members: dict[Path, pa.DataType] = {}
        self._schema: pa.Schema | None = None
        self._lock = threading.Lock()

    def learn(self, document: Mapping[str, Any]) -> None:
        """Take the members of a document into account."""
        with self._lock:
            self._learn(document, ())

    def _learn(self, document: Mapping[str, Any], path: Path) -> None:
        for name, value in document.items():
            below = (*path, name)
            if isinstance(value, dict):
                self._learn(value, below)
                continue
            kind = _type_of(value)
            if kind is None:
                continue
            known = self._members.get(below)
            if known != kind and known != _ODD:
                both = kind if known is None else _WIDER.get(frozenset((known, kind)), _ODD)
                if both != known:
                    self._members[below], self._schema = both, None

    def read(self, sources: Sequence[bytes]) -> dict[str, pa.Array] | None:
        """Return each field of documents as an array; None when one of them does not fit."""
        with self._lock:
            if self._schema is None:
                self._schema = self._make_schema()
            schema, members = self._schema, dict(self._members)
        if not len(schema):
            return None
        block = b"\n".join((*sources, b""))
        if block.count(b"\n") != len(sources):
            return None
        table = parse_lines(block, len(sources), schema, others="error")
        if table is None:
            return None
        return {".".join(path): _single_array(at(table, path)) for path, kind in members.items() if kind != _ODD}

    def _make_schema(self) -> pa.Schema:
        """Return the members as a schema; one without columns when Arrow cannot tell them apart."""
        tree: dict[str, Any] = {}
        usual = {path: kind for path, kind in self._members.items() if kind != _ODD}
        names = {".".join(path) for path in usual}
        if len(names) < len(usual) or not all(plant(tree, path, kind) for path, kind in usual.items()):
            return pa.schema([])
        return schema_of(tree)


def _type_of(value: Any) -> pa.DataType | None:
    """Return the type of a member, None when its value does not show it."""
    kind = type_of([value], pa.null())
    listed = kind is not None and pa.types.is_list(kind)
    if kind is None or (listed and pa.types.is_list(kind.value_type)):
        return _ODD
    return None if pa.types.is_null(kind.value_type if listed else kind) else kind


def _single_array(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)


# ---- arrays as JSON has them -> columns

MOMENT = pa.timestamp("us", "UTC")  # as Delta has moments
_AS_THEY_ARE = {
    (pa.string(), FieldType.KEYWORD),
    (pa.string(), FieldType.IP),
    (pa.string(), FieldType.VERSION),
    (pa.int64(), FieldType.LONG),
    (pa.float64(), FieldType.DOUBLE),
    (pa.bool_(), FieldType.BOOLEAN),
}
_CASTS = {
    (pa.int64(), FieldType.KEYWORD): pa.string(),
    (pa.string(), FieldType.DATE): MOMENT,
}


def fitted(known: Field, array: pa.Array) -> pa.Array | None:
    """Return an array as the column of a field; None when that takes a look at each value."""
    listed = pa.types.is_list(array.type)
    if (listed and not known.many) or _has_own_dates(known):
        return None
    kind = (array.type.value_type if listed else array.type, known.type)
    if listed:
        usual = kind in _AS_THEY_ARE and not array.flatten().null_count
        return array if usual else None
    if kind in _CASTS:
        try:
            array = array.cast(_CASTS[kind])
        except pa.ArrowInvalid:
            return None
    elif kind not in _AS_THEY_ARE:
        return None
    return wrapped(array) if known.many else array


def _has_own_dates(known: Field) -> bool:
    """Return whether a field's dates are not what Arrow reads as moments."""
    mapped = known.mapped
    if known.type is not FieldType.DATE or mapped is None:
        return False
    return (mapped.type, mapped.format) != ("date", DEFAULT)


def wrapped(array: pa.Array) -> pa.Array:
    """Return each value as a list of one."""
    valid = array.is_valid()
    ends = pc.cumulative_sum(valid.cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    lists = pa.ListArray.from_arrays(offsets, array.drop_null())
    return lists if array.null_count == 0 else pc.if_else(valid, lists, pa.scalar(None, lists.type))
