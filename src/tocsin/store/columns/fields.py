"""The fields of an index and the columns that hold them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP, Field, FieldType, default_schema
from tocsin.store.columns.layout import MOMENT, ObservedLayout
from tocsin.store.events import OWN
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping

IGNORED = "_ignored"
INGESTED = "event.ingested"  # when the store got an event, unless the event says
MANY = "#many"
FIELD_LIMIT = 2_000  # of an index; what comes beyond is kept in the documents and cannot be searched for
_LONGEST_NAME = 512
_DEEPEST = 20  # objects in one another, as Elasticsearch has it: what lies deeper is kept and not searched for
NOT_INDEXED = frozenset({"event.original"})  # the schema has it to be kept, not to be searched

PHYSICAL = {
    FieldType.KEYWORD: pa.string(),
    FieldType.IP: pa.string(),
    FieldType.VERSION: pa.string(),
    FieldType.LONG: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: MOMENT,
}
_DYNAMIC = {str: FieldType.KEYWORD, bool: FieldType.BOOLEAN, int: FieldType.LONG, float: FieldType.DOUBLE}
_OF_PHYSICAL = {
    pa.string(): FieldType.KEYWORD,
    pa.int64(): FieldType.LONG,
    pa.float64(): FieldType.DOUBLE,
    pa.bool_(): FieldType.BOOLEAN,
    MOMENT: FieldType.DATE,
}
# Characters that Delta forbids in the name of a column, and those that this gives a meaning.
_ESCAPED = {ord(char): f"%{ord(char):02x}" for char in " ,;{}()\n\t=%#`"}


def column_name(field_name: str) -> str:
    """Return the name of the column that holds a field."""
    return field_name.translate(_ESCAPED)


@dataclass
class IndexFields:
    """The fields of one index, as its events have them.

    `seen` are all of them; `dynamic` are the types of those that neither the index's mapping nor the schema knows,
    as their first values made them.
    """

    dynamic: dict[str, FieldType] = field(default_factory=dict)
    seen: set[str] = field(default_factory=lambda: {TIMESTAMP, INGESTED})
    layout: ObservedLayout = field(default_factory=ObservedLayout)
    lock: threading.Lock = field(default_factory=threading.Lock)
    mapping_of: Callable[[], IndexMapping] = lambda: NO_MAPPING
    _all: tuple[tuple[IndexMapping, int], dict[str, Field]] | None = None
    _cases: dict[str, str] = field(default_factory=dict)

    def type_of(self, name: str, first: Callable[[], Any]) -> Field | None:
        """Return a field, if need be made by its first value; None when it cannot be searched for."""
        known = self.known(name)
        if self.is_unsearched(name):
            return None
        kind = known.type if known else self.dynamic.get(name)
        if kind is FieldType.OBJECT:
            return None
        if name not in self.seen:
            usable = (
                len(self.seen) < FIELD_LIMIT
                and 0 < len(name) <= _LONGEST_NAME
                and name.count(".") < _DEEPEST
                and self._cases.setdefault(name.lower(), name) == name
                and name not in NOT_INDEXED
            )
            if kind is None:
                kind = _dynamic_type(first())
            if not usable or kind is None:
                return None
            self.seen.add(name)
            if known is None:
                self.dynamic[name] = kind
        return known or Field(name, self.dynamic[name])

    def known(self, name: str) -> Field | None:
        """Return a field that the index's mapping or the schema knows."""
        return self.mapping_of().find(name) or default_schema().find(name)

    def is_unsearched(self, name: str) -> bool:
        """Return whether the index's mapping says that a field is kept in the documents alone."""
        mapping = self.mapping_of()
        if not mapping.body:
            return False
        mapped = mapping.find(name)
        if mapped is not None and mapped.mapped is not None:
            return mapped.mapped.type == "alias"
        return mapping.dynamic_of(name) in ("false", "disabled") and name != TIMESTAMP

    def all(self) -> Mapping[str, Field]:
        """Return every field that events have or that the mapping names, as the index has it."""
        mapping = self.mapping_of()
        state = mapping, len(self.seen)
        if self._all is None or self._all[0] != state:
            fields = dict(mapping.fields)
            for name in list(self.seen):
                if name not in fields:
                    fields[name] = self.known(name) or Field(name, self.dynamic[name])
            self._all = state, fields
        return self._all[1]

    def learn(self, schema: pa.Schema) -> None:
        """Take over the fields of a table that was written before."""
        for column in schema:
            name = field_of(column.name)
            if name is None:
                continue
            self.seen.add(name)
            self._cases.setdefault(name.lower(), name)
            kind = column.type.value_type if pa.types.is_list(column.type) else column.type
            if default_schema().find(name) is None and kind in _OF_PHYSICAL:
                self.dynamic[name] = _OF_PHYSICAL[kind]


def field_of(column: str) -> str | None:
    """Return the field that a column holds, None for a column that holds none."""
    if column in OWN:
        return None
    name = column.removesuffix(MANY)
    if "%" in name:
        for code, escaped in _ESCAPED.items():
            name = name.replace(escaped, chr(code)) if chr(code) != "%" else name
        name = name.replace("%25", "%")
    return name


def _dynamic_type(value: Any) -> FieldType | None:
    while isinstance(value, list):
        value = next((item for item in value if item is not None), None)
    return _DYNAMIC.get(type(value))


# ---- days


def day_of(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the day (UTC) of moments as dates; 1970-01-01 for those of a clock that is far off.

    A host whose clock is years off would otherwise start a partition with each event.
    """
    days = times.cast(pa.date32())
    today = datetime.now(UTC).date()
    latest = pa.scalar(today.toordinal() - _EPOCH + 2, pa.int32()).cast(pa.date32())
    earliest = pa.scalar(_YEAR_2000 - _EPOCH, pa.int32()).cast(pa.date32())
    usual = pc.and_(pc.less(days, latest), pc.greater_equal(days, earliest))
    return pc.if_else(usual, days, pa.scalar(0, pa.int32()).cast(pa.date32()))


_EPOCH, _YEAR_2000 = datetime(1970, 1, 1).toordinal(), datetime(2000, 1, 1).toordinal()
