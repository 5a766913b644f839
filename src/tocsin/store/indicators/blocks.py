"""Documents of indicators <-> the blocks that records keep of them, and the columns that an index has of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import zstandard

from tocsin.ecs import FieldType
from tocsin.moments import read_moment
from tocsin.sources.batch import flatten, unflatten
from tocsin.store.columns.documents import to_table
from tocsin.store.columns.fields import IndexFields
from tocsin.store.events import ID, SOURCE

VALID_UNTIL = "stix.valid_until"  # wherever an indicator comes from
_PER_BLOCK = 4_096  # indicators
_NEVER = (1 << 63) - 1
_LEVEL = 6
_Flat = Mapping[str, Any]


class PackedBlock(NamedTuple):
    """A block before it is in the database; see IndicatorBlock."""

    indicators: int
    first_expiry: int | None
    fields: dict[str, str]
    documents: bytes


@dataclass(frozen=True)
class OpenBlock:
    """A block as columns: those of an index's table without the documents, and when each indicator expires.

    `expires` is in nanoseconds since 1970, the largest number for those that do not.
    """

    table: pa.Table
    expires: npt.NDArray[np.int64]
    packed: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return int(self.table.nbytes + self.expires.nbytes + len(self.packed))

    def sources(self, rows: Sequence[int]) -> list[bytes]:
        """Return the documents in some rows, as JSON."""
        lines = _lines(self.packed)
        return [lines[row][1] for row in rows]


class _Entry(NamedTuple):
    id: str
    time: int
    ingested: int
    source: bytes


def pack(documents: Iterable[_Flat]) -> list[PackedBlock]:
    """Return blocks of flat documents, each with its `_id`, a text without white space."""
    blocks, waiting = list[PackedBlock](), list[_Flat]()
    for document in documents:
        waiting.append(document)
        if len(waiting) == _PER_BLOCK:
            blocks.append(_packed(waiting))
            waiting = []
    return [*blocks, _packed(waiting)] if waiting else blocks


def unpack(packed: bytes) -> list[dict[str, Any]]:
    """Return the flat documents of a block, each with its `_id`."""
    return [{ID: id_, **flatten(orjson.loads(source))} for id_, source in _lines(packed)]


def opened(packed: bytes, loaded: int, fields: IndexFields) -> OpenBlock:
    """Return a block as columns; `loaded` is when its indicators arrived."""
    entries, expires = list[_Entry](), list[int]()
    for id_, source in _lines(packed):
        entries.append(_Entry(id_, loaded, loaded, source))
        expires.append(_NEVER if (end := expiry_of(flatten(orjson.loads(source)))) is None else end)
    table = to_table(entries, fields)
    return OpenBlock(table.drop_columns([SOURCE]), np.array(expires, np.int64), packed)


def expiry_of(document: _Flat) -> int | None:
    """Return until when an indicator is valid, in nanoseconds since 1970; None where it does not say."""
    value = document.get(VALID_UNTIL)
    try:
        return None if value is None else read_moment(value)
    except ValueError:
        return None


def _packed(documents: Sequence[_Flat]) -> PackedBlock:
    fields = IndexFields()
    lines = []
    for document in documents:
        flat = {name: value for name, value in document.items() if name != ID}
        for name, value in flat.items():
            fields.type_of(name, lambda value=value: value)  # type: ignore[misc]
        lines.append(document[ID].encode() + b"\t" + orjson.dumps(unflatten(flat)))
    names = {name: fields.dynamic[name].value if name in fields.dynamic else "" for name in sorted(fields.seen)}
    ends = [end for document in documents if (end := expiry_of(document)) is not None]
    compressed = zstandard.ZstdCompressor(level=_LEVEL).compress(b"\n".join(lines))
    return PackedBlock(len(documents), min(ends, default=None), names, compressed)


def _lines(packed: bytes) -> list[tuple[str, bytes]]:
    """Return the id and the document of each indicator: JSON has neither tabs nor line ends."""
    lines = zstandard.ZstdDecompressor().decompress(packed).split(b"\n")
    return [(id_.decode(), source) for id_, _, source in (line.partition(b"\t") for line in lines)]


def learn(fields: IndexFields, names: Mapping[str, str]) -> None:
    """Take the fields of a block into account; see IndicatorBlock."""
    with fields.lock:
        fields.seen.update(names)
        for name, kind in names.items():
            if kind:
                fields.dynamic.setdefault(name, FieldType(kind))
