"""The lists of indicators as an event store to read: an index like those of Elastic's `ti_*` integrations.

Indicator-match rules read it, and everybody who searches `logs-ti_*`. It holds what the lists hold at the moment
of the question, without what has expired. The `@timestamp` of an indicator is the latest midnight (UTC), or when
it was loaded if that was later: Elastic's rules ask for the indicators of the last 30 days, and one that is on a
list is on it today.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.ecs import TIMESTAMP, Field, FieldType, Schema, default_schema
from tocsin.moments import DAY, iso
from tocsin.store.alerts.cache import SizedCache
from tocsin.store.columns.fields import MANY, IndexFields, column_name
from tocsin.store.columns.layout import MOMENT
from tocsin.store.columns.tables import logical_columns, stored_columns
from tocsin.store.events import ID, IndexInfo, Scan, SetAside, StoredBatch
from tocsin.store.indicators.blocks import OpenBlock, learn, opened
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.patterns import INDICATORS, takes
from tocsin.store.records.database import Records, chunks
from tocsin.store.records.reputation import IndicatorBlock, IndicatorList
from tocsin.store.schemas import common_schema, fields_by_type

_Wants = Callable[[int, int], bool]
_CACHED = 64 << 20  # bytes of columns


@dataclass(frozen=True)
class _Block:
    id: int
    list_id: str
    indicators: int
    loaded: int

    @property
    def key(self) -> str:
        """A name that no other block ever has: databases use an id again."""
        return f"{self.id}/{self.list_id}/{self.loaded}"


class IndicatorIndex:
    """An EventReader of the lists of indicators: the index INDICATORS, if any list has an indicator."""

    def __init__(self, records: Records) -> None:
        self._records, self._lock = records, threading.Lock()
        self._lists: frozenset[tuple[str, int]] = frozenset()
        self._blocks: tuple[_Block, ...] = ()
        self._fields = IndexFields()
        self._cache = SizedCache[OpenBlock](_CACHED, lambda block: block.size)
        self._schema: tuple[int, Schema] | None = None

    def _current(self) -> tuple[_Block, ...]:
        """Return the blocks that the lists have now."""
        with self._lock, self._records.transaction() as session:
            return self._update(session)

    def _update(self, session: Session) -> tuple[_Block, ...]:
        asked = session.execute(select(IndicatorList.id, IndicatorList.changed)).all()
        lists = frozenset((row.id, row.changed) for row in asked)
        if lists != self._lists:
            block = IndicatorBlock
            rows = session.execute(
                select(block.id, block.list_id, block.indicators, block.loaded, block.fields).order_by(block.id)
            ).all()
            for row in rows:
                learn(self._fields, row.fields)
            self._blocks = tuple(_Block(row.id, row.list_id, row.indicators, row.loaded) for row in rows)
            self._lists = lists
        return self._blocks

    def scan(self, scan: Scan) -> Iterator[StoredBatch]:
        """Yield the indicators asked for; see EventReader."""
        if not takes(scan.patterns, INDICATORS):
            return iter(())
        wanted, packed = self._read(lambda block, at: scan.wants(at, at) and scan.wants_arrived(block, block))
        return self._batches(wanted, packed, scan)

    def find(self, patterns: Sequence[str], ids: Collection[str]) -> Iterator[StoredBatch]:
        """Yield the indicators with one of the ids; see EventReader."""
        return self.scan(Scan(patterns, {ID}, equal={ID: frozenset(ids)}))

    def _read(self, wants: _Wants) -> tuple[list[_Block], dict[str, bytes]]:
        """Return the blocks that are wanted, by when they were loaded and their `@timestamp`, and what is read.

        All are of one moment: those that are not cached are read in the transaction that lists them.
        """
        packed: dict[str, bytes] = {}
        with self._lock, self._records.transaction() as session:
            blocks = [block for block in self._update(session) if wants(block.loaded, _timestamp(block.loaded))]
            missing = {block.id: block.key for block in blocks if self._cache.get(block.key) is None}
            asked = select(IndicatorBlock.id, IndicatorBlock.documents)
            for ids in chunks(missing):
                for id_, documents in session.execute(asked.where(IndicatorBlock.id.in_(ids))):
                    packed[missing[id_]] = documents
            for block in blocks:  # what the cache lets go of before its turn comes
                if block.key not in packed and (cached := self._cache.get(block.key)) is not None:
                    packed[block.key] = cached.packed
        return blocks, packed

    def _batches(self, blocks: Sequence[_Block], packed: dict[str, bytes], scan: Scan) -> Iterator[StoredBatch]:
        for block in blocks:
            open_block = self._cache.get(block.key)
            if open_block is None:
                open_block = opened(packed[block.key], block.loaded, self._fields)
                self._cache.put(block.key, open_block)
            rows = _narrowed(open_block, scan)
            if len(rows):
                yield _batch(block, open_block, rows, scan.fields)

    def watermark(self) -> int:
        """Return when an indicator was loaded last; see EventReader."""
        return max((block.loaded for block in self._current()), default=0)

    def indices(self, patterns: Sequence[str] = ("*",)) -> list[IndexInfo]:
        """Return the index, if the patterns take it and a list has an indicator; see EventReader."""
        blocks = self._current() if takes(patterns, INDICATORS) else ()
        if not blocks:
            return []
        times = [_timestamp(block.loaded) for block in blocks]
        return [IndexInfo(INDICATORS, sum(block.indicators for block in blocks), 0, min(times), max(times))]

    def names(self) -> list[str]:
        """Return the name of the index, if a list has an indicator; see EventReader."""
        return [INDICATORS] if self._current() else []

    def schema(self, patterns: Sequence[str] = ("*",)) -> Schema:
        """Return the known fields with those that indicators brought along; see EventReader."""
        if not takes(patterns, INDICATORS) or not self._current():
            return default_schema()
        state = len(self._fields.seen)
        if self._schema is None or self._schema[0] != state:
            self._schema = state, common_schema([(INDICATORS, self._fields)])
        return self._schema[1]

    def fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[FieldType, list[str]]]:
        """Return the fields that indicators have; see EventReader."""
        return fields_by_type(self.index_fields(patterns))

    def index_fields(self, patterns: Sequence[str] = ("*",)) -> Mapping[str, Mapping[str, Field]]:
        """Return the fields of the index; see EventReader."""
        if not takes(patterns, INDICATORS) or not self._current():
            return {}
        return {INDICATORS: self._fields.all()}

    def set_aside(self) -> list[SetAside]:
        """Return nothing: what is damaged of records, records say; see EventReader."""
        return []

    def mapping(self, index: str) -> IndexMapping:
        """Return an empty mapping; see EventReader."""
        return NO_MAPPING

    def memory(self) -> dict[str, int]:
        """Return how many bytes are held of indicators; see EventStore."""
        return {"indicators": self._cache.size}


def _timestamp(loaded: int) -> int:
    return max(loaded, time.time_ns() // DAY * DAY)


def _narrowed(block: OpenBlock, scan: Scan) -> npt.NDArray[np.int64]:
    """Return the rows that are valid and that a scan may want by values that they must have."""
    inside = block.expires > time.time_ns()
    for name, values in scan.equal.items():
        column = column_name(name)
        if column not in block.table.column_names or column + MANY in block.table.column_names:
            continue
        array = block.table.column(column)
        if pa.types.is_string(array.type):
            there = pc.is_in(array, value_set=pa.array(sorted(values), pa.string()))
            inside &= there.to_numpy(zero_copy_only=False)
    return np.flatnonzero(inside)


def _batch(
    block: _Block, open_block: OpenBlock, rows: npt.NDArray[np.int64], fields: Collection[str]
) -> StoredBatch:
    table, at, moment = open_block.table, pa.array(rows), _timestamp(block.loaded)
    whole = len(rows) == table.num_rows
    there = {
        name: table.column(name) if whole else table.column(name).take(at)
        for name in stored_columns(fields, table.column_names)
    }
    if TIMESTAMP in there:
        times = np.full(len(rows), moment // 1000, np.int64)
        there[TIMESTAMP] = pa.chunked_array([pa.array(times, pa.timestamp("us")).cast(MOMENT)])
    head = b'{"@timestamp":"' + iso(moment).encode() + b'",'

    def sources(wanted: Sequence[int]) -> list[bytes]:
        documents = open_block.sources(rows[np.asarray(wanted, np.int64)].tolist())
        return [head + document[1:] for document in documents]

    def ids(wanted: Sequence[int]) -> list[str]:
        texts: list[str] = table.column(ID).take(pa.array(rows[np.asarray(wanted, np.int64)])).to_pylist()
        return texts

    return StoredBatch(INDICATORS, len(rows), logical_columns(fields, there), sources, ids)
