"""Events as ECS documents in NDJSON or Parquet: tocsin as a normaliser."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.ecs import INDEX, TIMESTAMP, is_long
from tocsin.eql.functions import to_string
from tocsin.sources.batch import Event, EventBatch, unflatten
from tocsin.sources.unseen import Unseen

_ROW_GROUP = 1 << 13  # events
_EXACT = 1 << 53  # whole numbers that a double holds


def whole_events(
    batches: Iterable[EventBatch], *, with_original: bool = False, unseen: Unseen | None = None
) -> Iterator[Event]:
    """Yield every event with every field, flat, without the index that it would lie in.

    `with_original` adds the record that an event was made of, as `event.original`. Events that no rule could see
    are counted into `unseen`.
    """
    for batch in batches:
        for row in range(batch.table.rows):
            raw = batch.raw(row)
            event = raw.event()
            if unseen is not None:
                unseen.judge(event, raw.origin)
            event.pop(INDEX, None)
            if with_original:
                event.setdefault("event.original", raw.content.decode("utf-8", "replace"))
            yield event


def write_ndjson(events: Iterable[Event], out: BinaryIO) -> int:
    """Write one nested document a line; return how many."""
    count = 0
    for count, event in enumerate(events, 1):  # noqa: B007 (the last is the count)
        out.write(orjson.dumps(unflatten(event), default=str, option=orjson.OPT_APPEND_NEWLINE))
    return count


def write_parquet(events: Iterable[Event], out: BinaryIO) -> int:
    """Write one flat column a field, with dotted names; return how many events.

    The columns are known when all events are, so that these wait on disk.
    """
    columns = {TIMESTAMP: _Column()}  # even if no event has a field, so that there are rows
    count = 0
    with tempfile.TemporaryFile() as spool:
        for count, event in enumerate(events, 1):  # noqa: B007 (the last is the count)
            for name, value in event.items():
                columns.setdefault(name, _Column()).see(value)
            spool.write(orjson.dumps(event, default=str, option=orjson.OPT_APPEND_NEWLINE))
        spool.seek(0)
        schema = pa.schema([pa.field(name, columns[name].type) for name in sorted(columns)])
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for group in _groups(spool):
                cells: dict[str, list[Any]] = {name: [None] * len(group) for name in schema.names}
                for row, event in enumerate(group):
                    for name, value in event.items():
                        cells[name][row] = columns[name].fit(value)
                arrays = [pa.array(cells[name], columns[name].type) for name in schema.names]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return count


def _groups(spool: Iterable[bytes]) -> Iterator[list[Event]]:
    group: list[Event] = []
    for line in spool:
        group.append(orjson.loads(line))
        if len(group) == _ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


@dataclass
class _Column:
    """The narrowest Arrow type that holds every value seen; text where values are of several kinds."""

    kinds: set[type] = field(default_factory=set)
    many: bool = False
    wide: bool = False  # a whole number that a double does not hold exactly

    def see(self, value: Any) -> None:
        values = value if isinstance(value, list) else (value,)
        self.many = self.many or isinstance(value, list)
        self.kinds.update(map(_kind, values))
        self.wide = self.wide or any(isinstance(v, int) and abs(v) > _EXACT for v in values)

    @cached_property
    def scalar(self) -> pa.DataType:
        kinds = self.kinds - {type(None)}
        if kinds == {int, float}:
            return pa.string() if self.wide else pa.float64()
        return _TYPES.get(next(iter(kinds)), pa.string()) if len(kinds) == 1 else pa.string()

    @cached_property
    def type(self) -> pa.DataType:
        return pa.list_(self.scalar) if self.many else self.scalar

    @cached_property
    def of_text(self) -> bool:
        return bool(self.scalar == pa.string())

    def fit(self, value: Any) -> Any:
        """Return a value as the column holds it."""
        if value is None:
            return None
        values = value if isinstance(value, list) else [value]
        if self.of_text:
            values = [None if item is None else _text(item) for item in values]
        return values if self.many else values[0]


_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}


def _kind(value: Any) -> type:
    return str if isinstance(value, int) and not is_long(value) else type(value)


def _text(value: Any) -> str:
    return to_string(value) if isinstance(value, (str, int, float)) else orjson.dumps(value, default=str).decode()
